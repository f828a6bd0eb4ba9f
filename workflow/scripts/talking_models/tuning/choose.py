"""From the curves of a search to settings: which trial, and how many steps.

A rule's `scope` says whether all tasks share one choice (`shared`: the trial and the step with the
lowest mean RMSE over tasks and folds) or each has its own (`task`: the lowest mean over folds).
"""

from __future__ import annotations

import pandas as pd

SCOPES = ("shared", "task")


def choices(curves: pd.DataFrame, scope: str) -> dict[str, tuple[int, int]]:
    """The trial and the look that a rule chooses for each task.

    Args:
        curves: from `search.run_search`; only trials that finished all folds count.
        scope: one of `SCOPES`.

    Raises:
        ValueError: no trial finished.
    """
    done = curves[curves["state"] == "complete"]
    if done.empty:
        raise ValueError("no trial of the search finished: all diverged or were pruned")
    keys = ["trial", "look"]
    if scope == "shared":
        best = done.groupby(keys)["rmse"].mean().idxmin()
        return dict.fromkeys(done["task"].unique(), best)
    return {
        task: group.groupby(keys)["rmse"].mean().idxmin()
        for task, group in done.groupby("task", sort=False)
    }


def chosen_score(curves: pd.DataFrame, chosen: dict[str, tuple[int, int]]) -> pd.Series:
    """The mean RMSE over folds of each task's choice."""
    scores = curves.groupby(["task", "trial", "look"])["rmse"].mean()
    return pd.Series({task: scores[task, trial, look] for task, (trial, look) in chosen.items()})


def held_out_scores(curves: pd.DataFrame) -> pd.Series:
    """How well each rule's choice on the earlier folds does on the last one.

    This is how to decide between rules: the last fold plays the part of the evaluation.

    Returns:
        The mean RMSE over tasks on the last fold, by scope.
    """
    last = curves["fold"].max()
    earlier, held_out = curves[curves["fold"] < last], curves[curves["fold"] == last]
    return pd.Series(
        {scope: chosen_score(held_out, choices(earlier, scope)).mean() for scope in SCOPES}
    )
