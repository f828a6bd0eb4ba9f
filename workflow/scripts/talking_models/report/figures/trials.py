"""Figure: the best validation score that each method's search had found after so many trials."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from talking_models.report.figures import style


def best_so_far(trials: pd.DataFrame) -> pd.Series:
    """The lowest score among the complete trials up to each one; NaN before the first.

    Args:
        trials: columns trial, state, score; pruned and failed trials count as tried.

    Returns:
        By number of trials: 1, 2, ...
    """
    ordered = trials.sort_values("trial", ignore_index=True)
    scores = ordered["score"].where(ordered["state"] == "complete")
    best = scores.cummin().ffill()
    best.index += 1
    return best


def draw(drawn: Figure, searches: Mapping[str, pd.DataFrame]) -> None:
    """A line per method, a mark where a trial was better than all before it."""
    looks = style.looks(reversed(list(searches)))
    axes = drawn.subplots()
    for name, trials in searches.items():
        look, best = looks[name], best_so_far(trials)
        axes.step(best.index, best, where="post", color=look.color, linestyle=look.line)
        better = best[best < best.shift(fill_value=float("inf"))]
        axes.plot(better.index, better, look.marker, color=look.color)
        axes.plot([], [], look.marker, color=look.color, linestyle=look.line, label=name)
    axes.set_xlabel("trials")
    axes.set_ylabel("best validation RMSE so far (stars)")
    axes.set_xlim(left=0.5)
    drawn.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)


def run(trials: str | Path, methods: Mapping[str, str], png: str | Path, svg: str | Path) -> None:
    """From the trials of all searches to both files.

    Args:
        trials: see `tuning.tuned.collect_trials`.
        methods: names to draw with their experiment ids.
        png, svg: the files.
    """
    found = pd.read_csv(trials)
    with style.figure(png, svg, 4.6, 3.4) as drawn:
        draw(drawn, {name: found[found["experiment"] == id] for name, id in methods.items()})
