"""Figure: how alike the states of student and teacher are, method by method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from talking_models.report.figures import style

PAIRS = (("lower", "lower"), ("higher", "higher"))


def draw(
    drawn: Figure, similarity: pd.DataFrame, methods: Mapping[str, str], genres: Sequence[str]
) -> None:
    """A panel per state: marks are genres (mean over seeds), the upright line is their mean.

    Args:
        drawn: an empty figure.
        similarity: in the columns of `evaluation.cka.COLUMNS`.
        methods: row names with experiment ids, in order.
        genres: names, in order.
    """
    keys = ["student_state", "teacher_state", "experiment", "genre"]
    scores = similarity.groupby(keys)["cka"].mean()
    looks = style.looks(genres)
    axes = drawn.subplots(1, len(PAIRS), sharey=True, sharex=True)
    for pair, panel in zip(PAIRS, axes, strict=True):
        cells = scores.loc[pair].unstack("genre").reindex(index=list(methods.values()))
        places = range(len(methods))
        for place in places:
            panel.axhspan(place - 0.4, place + 0.4, color="0.95", linewidth=0)
        for i, genre in enumerate(genres):
            shift = 0.6 * ((i + 0.5) / len(genres) - 0.5)
            panel.plot(
                cells[genre],
                [place + shift for place in places],
                looks[genre].marker,
                color=looks[genre].color,
                markersize=4,
                label=genre,
            )
        means = cells.mean(axis=1)
        panel.vlines(
            means, [y - 0.4 for y in places], [y + 0.4 for y in places], color="black", label="mean"
        )
        panel.set_yticks(places, list(methods))
        panel.set_title(f"{pair[0]} states")
        panel.set_xlabel("linear CKA with the teacher")
        panel.set_xlim(right=1)
        panel.grid(False, axis="y")
    axes[0].invert_yaxis()
    handles, labels = axes[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=5)


def run(
    similarity: Iterable[str | Path],
    methods: Mapping[str, str],
    genres: Sequence[str],
    png: str | Path,
    svg: str | Path,
) -> None:
    """From the measurements of all experiments to both files."""
    found = pd.concat([pd.read_csv(path) for path in similarity], ignore_index=True)
    with style.figure(png, svg, style.PAGE, 1.2 + 0.34 * len(methods)) as drawn:
        draw(drawn, found, methods, genres)
