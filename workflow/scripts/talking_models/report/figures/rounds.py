"""Figure: RMSE of TD by the number of rounds that teacher and student talk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from talking_models.report.figures import style

PER_ROW = 4
ROW_HEIGHT = 1.7  # inches


def draw(
    drawn: Figure,
    metrics: pd.DataFrame,
    rounds: Mapping[str, str],
    scratch: str,
    genres: Sequence[str],
) -> None:
    """One panel per genre, all with the same span of RMSE, so that slopes compare.

    Args:
        drawn: an empty figure.
        metrics: columns experiment, genre, seed, rmse.
        rounds: experiment ids by number of rounds.
        scratch: the id of the student alone.
        genres: names, in order.
    """
    scores = metrics.groupby(["experiment", "genre"])["rmse"].agg(["mean", "sem"]).fillna(0.0)
    look = style.LOOKS[0]
    spans = {}
    for genre in genres:
        cells = scores.xs(genre, level="genre").loc[[*rounds.values(), scratch]]
        spans[genre] = (
            (cells["mean"] - cells["sem"]).min(),
            (cells["mean"] + cells["sem"]).max(),
        )
    half = 0.55 * max(high - low for low, high in spans.values())
    panels = style.grid(drawn, len(genres), PER_ROW, sharex=True)
    for genre, axes in zip(genres, panels, strict=True):
        cells = scores.xs(genre, level="genre")
        own = cells.loc[list(rounds.values())]
        axes.axhline(cells["mean"][scratch], color=style.GREY, linestyle="--", label="from scratch")
        axes.errorbar(
            range(len(rounds)),
            own["mean"],
            own["sem"],
            color=look.color,
            marker=look.marker,
            capsize=2,
            label="TD, with standard error over seeds",
        )
        middle = sum(spans[genre]) / 2
        axes.set_ylim(middle - half, middle + half)
        axes.set_xlim(-0.4, len(rounds) - 0.6)
        axes.set_xticks(range(len(rounds)), list(rounds))
        axes.set_title(genre)
    drawn.supxlabel("Rounds of interaction", fontsize=8)
    drawn.supylabel("RMSE (stars)", fontsize=8)
    handles, labels = panels[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=2)


def run(
    metrics: Iterable[str | Path],
    rounds: Mapping[str, str],
    scratch: str,
    genres: Sequence[str],
    png: str | Path,
    svg: str | Path,
) -> None:
    """From the metrics of all jobs to both files."""
    scores = pd.concat([pd.read_csv(path) for path in metrics], ignore_index=True)
    rows = -(-len(genres) // PER_ROW)
    with style.figure(png, svg, style.PAGE, 0.7 + ROW_HEIGHT * rows) as drawn:
        draw(drawn, scores, rounds, scratch, genres)
