"""The look of all figures: for a paper's column, in print, in grey and for the colour-blind.

A series is told by its marker and line before its colour (Okabe and Ito's palette). The same input
gives the same bytes: no dates, no random ids, Matplotlib's own fonts and defaults.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from matplotlib import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from talking_models.io import atomic
from talking_models.metrics.base import Metric

COLUMN, PAGE = 3.4, 7.0  # inches: a column of a two-column paper, and both
SETTINGS = {
    **dict.fromkeys(("font.size", "axes.titlesize", "axes.labelsize", "figure.labelsize"), 8),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), 7),
    **dict.fromkeys(("legend.frameon", "axes.spines.top", "axes.spines.right"), False),
    "font.family": "DejaVu Sans",  # comes with Matplotlib
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.88",
    "grid.linewidth": 0.5,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.5,
    "svg.hashsalt": "talking-models",
    "svg.fonttype": "path",
}
COLORS = (
    "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7A7A7A",
)  # fmt: skip
DASHES = (5, 1.5), (1, 1), (5, 1.5, 1, 1.5), (3, 1, 1, 1, 1, 1), (8, 2), (2, 2), (1, 2.5)
LINES = ["-", *((0, dashes) for dashes in DASHES)]
LOOKS = tuple(cycler(color=COLORS) + cycler(marker=list("os^Dv>X*")) + cycler(linestyle=LINES))
NO_LINE = {"linestyle": "none"}
GREY = "0.45"  # reference lines


def looks(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """A look for each name, in the order given; after the last the first comes again."""
    return {name: LOOKS[i % len(LOOKS)] for i, name in enumerate(dict.fromkeys(names))}


def read(paths: Iterable[str | Path]) -> pd.DataFrame:
    """CSV files with the same columns, one under the other."""
    return pd.concat(map(pd.read_csv, paths), ignore_index=True)


def panels(
    n: int, per_row: int, height: float, margin: float = 0.0, width: float = PAGE, **options: Any
) -> tuple[Figure, list[Axes]]:
    """An empty figure with n axes, row by row; `height`, `margin` and `width` are in inches, of a
    row of axes, of what is beside them, of the figure; see `Figure.subplots` for the options.
    """
    columns = min(per_row, n)
    rows = -(-n // columns)
    drawn = Figure((width, margin + rows * height), layout="constrained")
    axes = drawn.subplots(rows, columns, squeeze=False, **options).ravel()
    for spare in axes[n:]:
        spare.remove()
    for lowest in axes[n - columns : n]:
        lowest.tick_params(labelbottom=True)
    return drawn, list(axes[:n])


def differences(
    titles: Sequence[str], rows: Collection[str], metric: type[Metric], ticks: int
) -> tuple[Figure, list[Axes]]:
    """An empty figure of differences from training from scratch: a panel for each of the `titles`,
    the last of which is of all the others, with a line for each of the `rows`, and about so many
    `ticks` in units of the metric.
    """
    height = 0.45 + 0.17 * len(rows)
    drawn, axes = panels(len(titles), 3, height, 0.5, sharex=True, sharey=True)
    for panel, title in zip(axes, titles, strict=True):
        panel.set_title(title, fontweight="bold" if panel is axes[-1] else "normal")
        panel.set_yticks(range(len(rows)), list(rows))
        panel.grid(False, axis="y")
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    axes[0].xaxis.set_major_locator(MaxNLocator(ticks, steps=[1, 2, 5, 10]))
    side = "right" if metric.maximize else "left"
    drawn.supxlabel(
        f"{metric.title} minus that of the student from scratch: {side} of the line is better"
    )
    return drawn, axes


def bar(
    panel: Axes, place: int, value: float, low: float, high: float, look: Mapping[str, Any]
) -> None:
    """A difference with its interval on a line of a panel, filled where that leaves out zero."""
    fill = look["color"] if low > 0 or high < 0 else "white"
    ends = [[value - low], [high - value]]
    panel.errorbar(value, place, xerr=ends, capsize=2, **look, markerfacecolor=fill)


def legend(axes: Axes, columns: int) -> None:
    """Above the figure, what one of its axes has, each name once."""
    handles, labels = axes.get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    axes.figure.legend(named.values(), named, loc="outside upper center", ncols=columns)


def write(draw: Callable[..., Figure], png: str | Path, svg: str | Path, **given: Any) -> None:
    """Draw a figure in this look, see `base.Figure.draw`, and write it in both formats."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        drawn = draw(**given)
        with atomic(png) as path:
            drawn.savefig(path, format="png", dpi=200, metadata={"Software": None})
        with atomic(svg) as path:
            drawn.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
