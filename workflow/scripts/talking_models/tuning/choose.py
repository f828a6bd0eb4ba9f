"""From the curves of a search to settings: which trial, and how many steps.

By `scope`, all tasks share one choice (`shared`: the trial and the step with the lowest mean RMSE
over tasks and folds) or each has its own (`task`: the lowest mean over folds).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from talking_models.changes import PARTS, changed

SCOPES = ("shared", "task")


def choices(curves: pd.DataFrame, scope: str) -> dict[str, tuple[int, int]]:
    """The trial and the look that a rule chooses for each task, from `search.run_search`.

    Raises:
        ValueError: no trial finished all folds; others cannot be chosen.
    """
    done = curves[curves["state"] == "complete"]
    if done.empty:
        raise ValueError("no trial of the search finished: all diverged or were pruned")
    groups = dict(list(done.groupby("task", sort=False)))
    if scope == "shared":
        groups = dict.fromkeys(groups, done)
    means = {task: own.groupby(["trial", "look"])["rmse"].mean() for task, own in groups.items()}
    return {task: mean.idxmin() for task, mean in means.items()}


def chosen_score(curves: pd.DataFrame, chosen: dict[str, tuple[int, int]]) -> pd.Series:
    """The mean RMSE over folds of each task's choice."""
    scores = curves.groupby(["task", "trial", "look"])["rmse"].mean()
    return pd.Series({task: scores[task, trial, look] for task, (trial, look) in chosen.items()})


def held_out_scores(curves: pd.DataFrame) -> pd.Series:
    """The mean RMSE over tasks, by scope, on the last fold of what the earlier ones choose."""
    last = curves["fold"].max()
    earlier, held_out = curves[curves["fold"] < last], curves[curves["fold"] == last]
    found = {scope: chosen_score(held_out, choices(earlier, scope)) for scope in SCOPES}
    return pd.DataFrame(found).mean()


def described(
    curves: pd.DataFrame,
    trials: Sequence[dict[str, Any]],
    configs: Mapping[str, dict[str, Any]],
    search: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """What is chosen for each task: the change of its config, and its score.

    With the steps comes the share of dropped ids, which other searches take from here. It is one
    for all tasks whatever the scope: that of the trial which the `shared` rule chooses.
    """
    chosen, shared = choices(curves, search["scope"]), choices(curves, "shared")
    scores, found = chosen_score(curves, chosen), {}
    for task, (trial, look) in chosen.items():
        change = changed({part: {} for part in PARTS}, trials[trial])
        if search["steps"] is not None:
            change["training"]["steps"] = int((look + 1) * search["every"])
            common = changed(configs[task], trials[shared[task][0]])
            change["training"]["id_dropout"] = common["training"]["id_dropout"]
        found[task] = {**change, "validation_rmse": round(float(scores[task]), 6)}
    return found


def summary(
    curves: pd.DataFrame, trials: Sequence[dict[str, Any]], search: Mapping[str, Any]
) -> pd.DataFrame:
    """One row per trial: state, lowest mean RMSE over the folds and tasks that it finished, steps
    where it was reached, cost as models times steps trained, and settings.
    """
    rows = []
    for index, change in enumerate(trials):
        own = curves[curves["trial"] == index]
        row = {"trial": index, "state": "failed", "score": float("nan"), "steps": 0}
        if len(own):
            mean = own.groupby("look")["rmse"].mean()
            steps = (mean.idxmin() + 1) * (search["every"] or 0)
            row |= {"state": own["state"].iloc[0], "score": mean.min(), "steps": steps}
        runs = own.groupby(["fold", "task"]).ngroups
        row["model_steps"] = runs * search["seeds"] * (search["steps"] or 0)
        rows.append({**row, **change.get("training", {}), **change.get("settings", {})})
    return pd.DataFrame(rows)
