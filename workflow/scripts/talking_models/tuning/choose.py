"""From the curves of a search to settings: which trial, and how many steps.

A rule's `scope` says whether all tasks share one choice (`shared`: the trial and the step with the
lowest mean RMSE over tasks and folds) or each has its own (`task`: the lowest mean over folds).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from talking_models.changes import changed

SCOPES = ("shared", "task")


def choices(curves: pd.DataFrame, scope: str) -> dict[str, tuple[int, int]]:
    """The trial and the look that a rule chooses for each task, from `search.run_search`.

    Raises:
        ValueError: no trial finished all folds; others cannot be chosen.
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
    """The mean RMSE over tasks, by scope, on the last fold, which plays the part of the evaluation,
    of what each rule chooses on the earlier ones: how to decide between rules.
    """
    last = curves["fold"].max()
    earlier, held_out = curves[curves["fold"] < last], curves[curves["fold"] == last]
    return pd.Series(
        {scope: chosen_score(held_out, choices(earlier, scope)).mean() for scope in SCOPES}
    )


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
        change = {"training": {}, "settings": {}} | copy.deepcopy(trials[trial])
        if search["steps"] is not None:
            change["training"]["steps"] = int((look + 1) * search["every"])
            common = changed(configs[task], trials[shared[task][0]])
            change["training"]["id_dropout"] = common["training"]["id_dropout"]
        found[task] = {**change, "validation_rmse": round(float(scores[task]), 6)}
    return found


def summary(
    curves: pd.DataFrame, trials: Sequence[dict[str, Any]], search: Mapping[str, Any]
) -> pd.DataFrame:
    """One row per trial: state, score, steps, settings, and cost as models times steps trained.

    `score` is the lowest mean RMSE over the folds and tasks that the trial finished, `steps` where
    it was reached.
    """
    rows = []
    for index, change in enumerate(trials):
        own = curves[curves["trial"] == index]
        mean = own.groupby("look")["rmse"].mean()
        runs = own.groupby(["fold", "task"]).ngroups
        flat = {k: v for part in change.values() for k, v in part.items()}
        rows.append(
            {
                "trial": index,
                "state": own["state"].iloc[0] if len(own) else "failed",
                "score": mean.min() if len(own) else float("nan"),
                "steps": (mean.idxmin() + 1) * (search["every"] or 0) if len(own) else 0,
                "model_steps": runs * search["seeds"] * (search["steps"] or 0),
                **flat,
            }
        )
    return pd.DataFrame(rows)
