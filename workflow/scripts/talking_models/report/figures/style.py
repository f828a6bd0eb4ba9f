"""The look of all figures: for a paper's column, in print, in grey and for the colour-blind.

A series is told by its marker and line before its colour (Okabe and Ito's palette). The same input
gives the same bytes: no dates, no random ids, Matplotlib's own fonts and defaults.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from talking_models.io import atomic

COLUMN, PAGE = 3.4, 7.0  # inches: a column of a two-column paper, and both
DPI = 200
SETTINGS = {
    "font.family": "DejaVu Sans",  # comes with Matplotlib
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
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


@dataclass(frozen=True)
class Look:
    """How a series is drawn."""

    color: str
    marker: str
    line: str | tuple


LOOKS = (
    Look("#D55E00", "o", "-"),
    Look("#0072B2", "s", (0, (5, 1.5))),
    Look("#009E73", "^", (0, (1, 1))),
    Look("#CC79A7", "D", (0, (5, 1.5, 1, 1.5))),
    Look("#E69F00", "v", (0, (3, 1, 1, 1, 1, 1))),
    Look("#56B4E9", ">", (0, (8, 2))),
    Look("#000000", "X", (0, (2, 2))),
    Look("#7A7A7A", "*", (0, (1, 2.5))),
)
GREY = "0.45"  # reference lines


def looks(names: Iterable[str]) -> dict[str, Look]:
    """A look for each name, in the order given; after the last the first comes again."""
    return {name: LOOKS[i % len(LOOKS)] for i, name in enumerate(dict.fromkeys(names))}


@contextmanager
def figure(
    png: str | Path, svg: str | Path, width: float = PAGE, height: float = 3.0
) -> Iterator[Figure]:
    """Yield an empty figure, and write it in both formats when the block ends well.

    Args:
        png, svg: files to write.
        width, height: in inches.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        drawn = Figure((width, height), layout="constrained")
        FigureCanvasAgg(drawn)
        yield drawn
        with atomic(png) as path:
            drawn.savefig(path, format="png", dpi=DPI, metadata={"Software": None})
        with atomic(svg) as path:
            drawn.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def grid(drawn: Figure, panels: int, columns: int, **options) -> list[Axes]:
    """That many axes, row by row; see `Figure.subplots` for the options."""
    columns = min(columns, panels)
    axes = drawn.subplots(-(-panels // columns), columns, squeeze=False, **options).ravel()
    for spare in axes[panels:]:
        spare.remove()
    for lowest in axes[max(panels - columns, 0) : panels]:
        lowest.tick_params(labelbottom=True)
    return list(axes[:panels])
