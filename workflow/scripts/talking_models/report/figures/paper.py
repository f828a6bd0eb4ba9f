"""Figure: our cells against the paper's, and whether both rank the methods alike."""

from __future__ import annotations

from collections.abc import Sequence

from talking_models.report.figures.base import Figure, Need


class PaperFigure(Figure):
    """Ours against the paper's"""

    title = "Ours against the paper's"
    caption = """\
Above: each cell of our tables against the paper's, one mark per row and task; the dashed line is
equality. The paper names neither its tasks nor its cut of the data, so that levels may differ for
that reason. Below: Spearman's rank correlation between our order of a task's rows and the
paper's; 1 is the same order, 0 none in common, -1 the reverse. With three to seven rows in a task
single values mean little; the title has their mean."""

    @classmethod
    def needs(cls, plan, id):
        """See `Figure.needs`."""
        published = plan.published
        if not published:
            return None
        files = [f"{plan.config.results}/tables/{id}.csv" for id in published]
        metric = plan.config.metric_of(plan.config.tables[published[0]])
        return Need({"tables": files}, {"metric": metric})

    @classmethod
    def run(cls, *, tables: Sequence[str], metric: str, png: str, svg: str) -> None:
        """See `Figure.run`."""
        import pandas as pd

        from talking_models.metrics import METRICS
        from talking_models.report.figures import style

        frames = [pd.read_csv(path).dropna(subset="paper_mean") for path in tables]
        named = {frame["table"].iloc[0]: frame for frame in frames if len(frame)}
        width = min(style.PAGE, style.COLUMN + 1.8 * (len(named) - 1))
        with style.figure(png, svg, width, 4.9) as drawn:
            draw(drawn, named, METRICS.get(metric).title)


def agreement(cells):
    """Spearman's rank correlation of our means and the paper's over the rows of each task.

    Args:
        cells: rows of one table: task, mean, paper_mean.

    Returns:
        One number per task, NaN where fewer than three methods have both, or all are equal.
    """
    import pandas as pd

    def of(group) -> float:
        both = group[["mean", "paper_mean"]].dropna()
        if len(both) < 3:
            return float("nan")
        ranks = both.rank()
        return float(ranks["mean"].corr(ranks["paper_mean"]))

    return pd.Series({task: of(group) for task, group in cells.groupby("task", sort=False)})


def draw(drawn, tables: dict, metric: str) -> None:
    """A column per table: the cells above, the rank correlation of each task below.

    Args:
        drawn: an empty figure.
        tables: by title, in the columns of `report.tables.COLUMNS`.
        metric: its title.
    """
    import pandas as pd
    from matplotlib.ticker import MaxNLocator

    from talking_models.report.figures import style

    looks = style.looks(task for cells in tables.values() for task in cells["task"])
    axes = drawn.subplots(
        2, len(tables), squeeze=False, sharex="row", sharey="row", height_ratios=[3, 2]
    )
    both = pd.concat(tables.values())[["mean", "paper_mean"]]
    low, high = both.min(axis=None), both.max(axis=None)
    margin = 0.06 * (high - low)
    for (title, cells), above, below in zip(tables.items(), *axes, strict=True):
        above.plot([low, high], [low, high], color=style.GREY, linestyle="--", linewidth=0.8)
        for task, group in cells.groupby("task", sort=False):
            look = looks[task]
            above.scatter(
                group["paper_mean"],
                group["mean"],
                s=16,
                marker=look.marker,
                facecolor="none",
                edgecolor=look.color,
                linewidth=0.9,
                label=task,
            )
        above.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin))
        above.set_aspect("equal")
        above.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        above.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        above.set_title(title)
        above.set_xlabel(f"the paper's {metric}")
        ranks = agreement(cells)
        below.axhline(0, color="black", linewidth=0.6)
        for place, (task, value) in enumerate(ranks.items()):
            look = looks[task]
            below.vlines(place, 0, value, color=look.color, linewidth=1)
            below.plot(place, value, look.marker, color=look.color)
        below.set_ylim(-1.15, 1.15)
        below.set_yticks([-1, 0, 1])
        below.set_xticks(range(len(ranks)), list(ranks.index), rotation=90)
        below.set_title(f"mean {ranks.mean():+.2f}")
    drawn.get_layout_engine().set(hspace=0.08)  # titles below keep away from the labels above
    axes[0, 0].set_ylabel(f"our {metric}")
    axes[1, 0].set_ylabel("rank correlation\nover the rows")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=min(4, len(labels)))
