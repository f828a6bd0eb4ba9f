"""Figure: the parts of TD's loss over training, and how hard each pulls at the student."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from talking_models.report.figures import style

NAMES = {
    "label": "label",
    "interact": "interaction",
    "state_consistency": "state consistency",
    "message_consistency": "message consistency",
}
SHARES = np.linspace(0.1, 1.0, 10)  # of the training; a history has about ten rows per part


def curves(histories: Iterable[pd.DataFrame], column: str) -> dict[str, np.ndarray]:
    """Each part's values at `SHARES` of the training, one row per history that has the part.

    Jobs differ in their number of steps, so that their share is what compares. Values between two
    rows are interpolated; NaN where a value is not above 0 or before a history begins.

    Args:
        histories: from `training.loop.train`.
        column: `value` or `gradient_norm`.
    """
    found: dict[str, list[np.ndarray]] = {}
    for history in histories:
        parts = history.dropna(subset="gradient_norm")  # monitors have none
        for name, part in parts.groupby("name", sort=False):
            values = np.log(part[column].where(part[column] > 0).to_numpy(dtype=float))
            share = part["step"].to_numpy() / history["step"].max()
            curve = np.interp(SHARES, share, values, left=np.nan)
            found.setdefault(name, []).append(np.exp(curve))
    return {name: np.array(rows) for name, rows in found.items()}


def draw(drawn: Figure, histories: list[pd.DataFrame]) -> None:
    """Loss parts on the left, gradient norms on the right: mean and range over the genres."""
    panels = {"value": "loss part, weighted", "gradient_norm": "norm of its gradient, student"}
    axes = drawn.subplots(1, 2, sharex=True)
    looks = style.looks([*NAMES, *curves(histories, "value")])
    for (column, label), panel in zip(panels.items(), axes, strict=True):
        for name, rows in curves(histories, column).items():
            look = looks[name]
            mean = np.exp(np.log(rows).mean(0))
            panel.plot(
                100 * SHARES,
                mean,
                color=look.color,
                marker=look.marker,
                linestyle=look.line,
                label=NAMES.get(name, name),
            )
            panel.fill_between(
                100 * SHARES, rows.min(0), rows.max(0), color=look.color, alpha=0.15, linewidth=0
            )
        panel.set_yscale("log")
        panel.set_xlabel("training steps done (%)")
        panel.set_ylabel(label)
    handles, labels = axes[0].get_legend_handles_labels()
    drawn.legend(handles, labels, loc="outside upper center", ncols=4)


def run(histories: Iterable[str | Path], png: str | Path, svg: str | Path) -> None:
    """From the histories of all genres to both files."""
    with style.figure(png, svg, style.PAGE, 2.9) as drawn:
        draw(drawn, [pd.read_csv(path) for path in histories])
