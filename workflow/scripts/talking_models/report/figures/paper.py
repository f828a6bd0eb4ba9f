"""Figure: our cells against the paper's, and whether both rank the methods alike."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from talking_models.report.figures import style


def agreement(cells: pd.DataFrame) -> pd.Series:
    """Spearman's rank correlation of our means and the paper's over the methods of each genre.

    Args:
        cells: rows of one table: task, mean, paper_mean.

    Returns:
        One number per task, NaN where fewer than three methods have both, or all are equal.
    """

    def of(group: pd.DataFrame) -> float:
        both = group[["mean", "paper_mean"]].dropna()
        if len(both) < 3:
            return float("nan")
        ranks = both.rank()
        return float(ranks["mean"].corr(ranks["paper_mean"]))

    return pd.Series({task: of(group) for task, group in cells.groupby("task", sort=False)})


def draw(drawn: Figure, tables: dict[str, pd.DataFrame]) -> None:
    """A column per table: the cells above, the rank correlation of each genre below.

    Args:
        drawn: an empty figure.
        tables: by title, in the columns of `report.tables.COLUMNS`.
    """
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
        above.set_xlabel("the paper's RMSE")
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
    axes[0, 0].set_ylabel("our RMSE")
    axes[1, 0].set_ylabel("rank correlation\nover the methods")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=min(4, len(labels)))


def run(tables: Iterable[str | Path], png: str | Path, svg: str | Path) -> None:
    """From tables as CSV to both files."""
    frames = [pd.read_csv(path).dropna(subset="paper_mean") for path in tables]
    named = {f"Table {frame['table'].iloc[0]}": frame for frame in frames if len(frame)}
    width = min(style.PAGE, style.COLUMN + 1.8 * (len(named) - 1))
    with style.figure(png, svg, width, 4.6) as drawn:
        draw(drawn, named)
