"""Figure: how each method changes the RMSE of the student trained from scratch, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from talking_models.evaluation.bootstrap import Errors, collect, draw, drawn_rmse
from talking_models.evaluation.statistics import difference
from talking_models.io import write_csv
from talking_models.report.figures import style

MEAN = "Mean of all"
COLUMNS = ["method", "genre", "change", "low", "high"]
PER_ROW = 3


def changes(errors: Errors, methods: Mapping[str, str], scratch: str) -> pd.DataFrame:
    """RMSE of each method minus that of the student from scratch, in stars.

    Args:
        errors: of all experiments.
        methods: names with experiment ids.
        scratch: the id to compare with.

    Returns:
        The columns `COLUMNS`, one row per method and genre, and per method one for the mean over
        the genres; `low` and `high` are the 95% interval of `evaluation.statistics`.
    """
    drawn = drawn_rmse(errors, draw(errors))
    found = []
    for name, experiment in methods.items():
        change = difference(errors, drawn, experiment, scratch)
        columns = (change.estimate, *change.interval)
        for genre, *values in zip([*errors.genres, MEAN], *columns, strict=True):
            found.append((name, genre, *values))
    return pd.DataFrame(found, columns=COLUMNS)


def plot(drawn: Figure, found: pd.DataFrame) -> None:
    """One panel per genre; a filled mark where the interval leaves out zero.

    Args:
        drawn: an empty figure.
        found: from `changes`.
    """
    methods = list(dict.fromkeys(found["method"]))
    looks = style.looks(reversed(methods))
    genres = list(dict.fromkeys(found["genre"]))
    panels = style.grid(drawn, len(genres), PER_ROW, sharex=True, sharey=True)
    for genre, panel in zip(genres, panels, strict=True):
        panel.axvline(0, color="black", linewidth=0.8)
        for row in found[found["genre"] == genre].itertuples():
            look = looks[row.method]
            certain = row.low > 0 or row.high < 0
            panel.errorbar(
                row.change,
                methods.index(row.method),
                xerr=[[row.change - row.low], [row.high - row.change]],
                color=look.color,
                marker=look.marker,
                markerfacecolor=look.color if certain else "white",
                capsize=2,
            )
        panel.set_title(genre, fontweight="bold" if genre == MEAN else "normal")
        panel.set_yticks(range(len(methods)), methods)
        panel.grid(False, axis="y")
    panels[0].xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    panels[0].set_ylim(len(methods) - 0.4, -0.6)
    drawn.supxlabel(
        "RMSE minus that of the student from scratch (stars): left of the line is better",
        fontsize=8,
    )


def run(
    predictions: Iterable[str | Path],
    methods: Mapping[str, str],
    scratch: str,
    genres: Sequence[str],
    csv: str | Path,
    png: str | Path,
    svg: str | Path,
) -> None:
    """From the predictions of all jobs to the figure and its numbers."""
    others = {name: id for name, id in methods.items() if id != scratch}
    found = changes(collect(predictions, genres), others, scratch)
    write_csv(csv, found)
    rows = -(-found["genre"].nunique() // PER_ROW)
    with style.figure(png, svg, style.PAGE, 0.5 + rows * (0.45 + 0.17 * len(others))) as drawn:
        plot(drawn, found)
