"""Figure: our cells against the paper's, and whether both rank the methods alike."""

from talking_models.report.figures.base import Figure, Need


class PaperFigure(Figure):
    """A column per table: the cells above, the rank correlation of each task below."""

    title = "Ours against the paper's"
    caption = """\
Above: each cell of our tables against the paper's, one mark per row and task; the dashed line is
equality. The paper names neither its tasks nor its cut of the data, so that levels may differ for
that reason. Below: Spearman's rank correlation between our order of a task's rows and the
paper's; 1 is the same order, 0 none in common, -1 the reverse. With three to seven rows in a task
single values mean little; the title has their mean."""

    @classmethod
    def needs(cls, plan, id):
        published = plan.published
        if not published:
            return None
        metric = plan.config.metric_of(plan.config.tables[published[0]])
        tables = [plan.path("tables", f"{id}.csv") for id in published]
        return Need({"tables": tables}, {"metric": metric})

    @classmethod
    def draw(cls, tables, metric):
        from matplotlib.ticker import MaxNLocator

        from talking_models.metrics import METRICS
        from talking_models.report.figures import style

        found = style.read(tables).dropna(subset="paper_mean")
        named, metric = dict(list(found.groupby("table", sort=False))), METRICS.get(metric).title
        looks, n = style.looks(found["task"]), len(named)
        width = min(style.PAGE, style.COLUMN + 1.8 * (n - 1))
        options = {"sharex": "row", "sharey": "row", "height_ratios": [3, 2]}
        drawn, panels = style.panels(2 * n, n, 2.45, width=width, **options)
        both = found[["mean", "paper_mean"]]
        low, high = both.min(axis=None), both.max(axis=None)
        limits = low - 0.06 * (high - low), high + 0.06 * (high - low)
        for (title, cells), above, below in zip(named.items(), panels[:n], panels[n:], strict=True):
            above.plot([low, high], [low, high], color=style.GREY, linestyle="--", linewidth=0.8)
            for task, group in cells.groupby("task", sort=False):
                look = looks[task] | style.NO_LINE | {"fillstyle": "none", "markersize": 4}
                above.plot(group["paper_mean"], group["mean"], **look, label=task)
            above.set(xlim=limits, ylim=limits, aspect="equal", title=title)
            above.set_xlabel(f"the paper's {metric}")
            for axis in (above.xaxis, above.yaxis):
                axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
            ranks = agreement(cells)
            below.axhline(0, color="black", linewidth=0.6)
            for place, (task, value) in enumerate(ranks.items()):
                below.vlines(place, 0, value, color=looks[task]["color"], linewidth=1)
                below.plot(place, value, **looks[task])
            below.set(ylim=(-1.15, 1.15), yticks=[-1, 0, 1], title=f"mean {ranks.mean():+.2f}")
            below.set_xticks(range(len(ranks)), list(ranks.index), rotation=90)
        drawn.get_layout_engine().set(hspace=0.08)  # titles below keep away from the labels above
        panels[0].set_ylabel(f"our {metric}")
        panels[n].set_ylabel("rank correlation\nover the rows")
        style.legend(panels[0], 4)
        return drawn


def agreement(cells):
    """Spearman's rank correlation of `mean` and `paper_mean` over the rows of each task; NaN where
    fewer than three rows have both, or all are equal.
    """
    groups = cells.groupby("task", sort=False)[["mean", "paper_mean"]]
    return groups.corr("spearman", min_periods=3)["paper_mean"].xs("mean", level=1)
