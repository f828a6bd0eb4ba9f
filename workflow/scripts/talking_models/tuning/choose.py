"""From the curves of a search to settings: which trial, and how many steps, for all tasks.

Each trial's curve is the mean RMSE over folds and tasks at every look. A look counts as the mean of
itself and its neighbours: the lowest of many noisy looks would be a lucky one, and a smoother curve
(a parabola through seven looks) dips where an early, steep part ends, below anything measured.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy.ndimage import uniform_filter1d

from talking_models import __version__
from talking_models.changes import PARTS, changed, read_chosen
from talking_models.data.base import ALL
from talking_models.io import write_csv, write_text, write_yaml

WINDOW = 3  # looks that count as one; at an end the last one twice
NEAR = 2  # looks: a choice nearer to the last one could have been later
LONGER = 3e-4  # of RMSE: what more steps must gain; taught students' curves stay flat for long
SCORE = "validation_rmse"  # of a choice, on each task that trials were scored on
ERROR = "validation_error"  # of images: the share that is told wrong
EDGE = 0.05  # of a space's width: a choice nearer to its end lies at a bound


def cells(curves: pd.DataFrame) -> pd.DataFrame:
    """Smoothed RMSE of the complete trials, one column per trial and look, a row per fold and task.
    `ValueError` if no trial finished all folds; others cannot be chosen.
    """
    done = curves[curves["state"] == "complete"]
    if done.empty:
        raise ValueError("no trial of the search finished: all diverged")
    found = done.pivot(index=["fold", "task", "trial"], columns="look", values="rmse")
    if len(found.columns) >= WINDOW:
        found[:] = uniform_filter1d(found, WINDOW, axis=1, mode="nearest")
    return found.unstack("trial").swaplevel(axis=1).sort_index(axis=1)


def best(scores: pd.DataFrame) -> pd.DataFrame:
    """One row per complete trial, from `cells`: `score`, the lowest of its smoothed curve;
    `stderr`, of its difference to the mean trial, over folds and tasks; `look`, the first that is
    no more than `LONGER` above the lowest.
    """
    mean = scores.mean()
    lowest = mean.groupby("trial").idxmin()
    at = scores[lowest.tolist()].droplevel("look", axis=1)
    apart = at.sub(at.mean(axis=1), axis=0)
    near = mean[mean <= mean.groupby("trial").transform("min") + LONGER].reset_index("look")
    look = near.groupby("trial")["look"].min()
    return pd.DataFrame({"look": look, "score": at.mean(), "stderr": apart.sem()})


def best_of(
    members: Mapping[str, Mapping[str, Mapping[str, Any]]],
    own: Mapping[str, Mapping[str, Any]],
    before: Mapping[str, Mapping[str, Any]] | None = None,
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The choice of the experiment with the lowest mean score over tasks, by ids; of the one that
    was best `before`, on the split that chose the settings, if that is given; `ValueError` if none
    was, or one has no score. What experiments say themselves (`own`) is part of it.
    """
    whole = {
        id: {task: changed(change, own[id]) for task, change in of.items()}
        for id, of in members.items()
    }
    scores = {}
    for id, of in members.items():
        known = [change[key] for change in of.values() for key in (SCORE, ERROR) if key in change]
        if not known:
            raise ValueError(f"the choice of {id} says no score on validation rows")
        scores[id] = np.mean(known)
    best = min(scores, key=scores.__getitem__)
    if before is not None:
        task, taken = next(iter(before.items()))
        alike = [id for id, of in whole.items() if of[task]["settings"] == taken["settings"]]
        if not alike:
            raise ValueError(f"none of {', '.join(whole)} has the settings {taken['settings']}")
        best = alike[0]
    return whole[best], {
        "best": best,
        "scores": {id: round(float(score), 6) for id, score in scores.items()},
    }


def at_bound(change: Mapping[str, Any], spaces: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Which settings of a choice lie at an end of what was searched."""
    found = []
    for part, space in spaces.items():
        for name, of in space.items():
            value = change.get(part, {}).get(name)
            few = of.get("choices", ())
            if len(few) > 2 and value in (few[0], few[-1]):
                found.append(f"{part}.{name}")
            if few or not value:
                continue  # one of a few, or switched off
            low, high, at = (np.log(x) if of["log"] else x for x in (of["low"], of["high"], value))
            if not EDGE < (at - low) / (high - low) < 1 - EDGE:
                found.append(f"{part}.{name}")
    return found


def described(
    curves: pd.DataFrame,
    trials: Sequence[dict[str, Any]],
    serves: Sequence[str],
    shared: Mapping[str, Any],
    spaces: Mapping[str, Mapping[str, Any]],
    search: Mapping[str, Any],
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """What is chosen, the same change of its config for each task that it serves, with the task's
    RMSE if it was scored on it; and what a reader must know of it: how many trials there were, and
    what lies at a bound. How it trains is part of it where steps are: where no trial says that, as
    all of them did (`shared`).
    """
    scores = cells(curves)
    found = best(scores)
    trial = int(found["score"].idxmin())
    look = int(found.loc[trial, "look"])
    change = changed({part: {} for part in PARTS}, trials[trial])
    bounds = at_bound(change, spaces)
    if search["steps"] is not None:
        change["training"] = {**shared, **change["training"]}
        change["training"]["steps"] = (look + 1) * search["every"]
        # A curve that still falls at the last look is there too, though an earlier one is near it.
        if scores[trial].mean().idxmin() + NEAR >= search["steps"] // search["every"]:
            bounds.append("training.steps")
    rmse = scores[trial, look].groupby("task", sort=False).mean()
    score = ERROR if "image_steps" in search else SCORE
    scored = {task: {score: round(float(value), 6)} for task, value in rmse.items()}
    chosen = {task: change | scored.get(task, {}) for task in serves}
    about = {
        "trials": len(trials),
        "complete": len(found),
        "score": round(float(scores[trial, look].mean()), 6),
        "stderr": round(float(found.loc[trial, "stderr"]), 6),
        "at_bound": bounds,
    }
    return chosen, about


def summary(
    curves: pd.DataFrame, trials: Sequence[dict[str, Any]], search: Mapping[str, Any]
) -> pd.DataFrame:
    """One row per trial: state, score with its standard error, steps, settings, and cost as models
    times steps trained; see `best`.
    """
    found, rows = best(cells(curves)), []
    for index, change in enumerate(trials):
        own = curves[curves["trial"] == index]
        row = {"trial": index, "state": "failed", "score": float("nan"), "stderr": float("nan")}
        row["steps"] = 0
        if index in found.index:
            row |= {"state": "complete", **found.loc[index, ["score", "stderr"]]}
            row["steps"] = int(found.loc[index, "look"] + 1) * (search["every"] or 0)
        runs = own.groupby(["fold", "task"]).ngroups
        row["model_steps"] = runs * search["seeds"] * (search["steps"] or 0)
        rows.append({**row, **change.get("training", {}), **change.get("settings", {})})
    return pd.DataFrame(rows)


def conclude(
    curves: pd.DataFrame,
    trials: Sequence[dict[str, Any]],
    serves: Sequence[str],
    shared: Mapping[str, Any],
    spaces: Mapping[str, Mapping[str, Any]],
    search: Mapping[str, Any],
    about: Mapping[str, Any],
    begun: Mapping[str, Any],
    outputs: Mapping[str, str | Path],
    log: logging.Logger,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Choose from the curves of all trials, into files, see `jobs.search`; `more` is said of the
    choice, too.
    """
    write_csv(outputs["curves"], curves)
    write_csv(outputs["trials"], summary(curves, trials, search))
    chosen, found = described(curves, trials, serves, shared, spaces, search)
    found |= more or {}
    log.info("chosen: %s; %s", next(iter(chosen.values())), found)
    write_yaml(outputs["chosen"], chosen)
    about = {**about, "search": {**search, **found}, "talking_models": __version__}
    write_choice(outputs["choice"], chosen, about, begun)


def take_trials(files: Sequence[str | Path], config: Mapping[str, Any], **told: Any) -> None:
    """Choose from the curves of trials on images, a file for each, see `images.try_settings`; the
    rest is what `conclude` takes.
    """
    found = [pd.read_csv(file).assign(trial=trial) for trial, file in enumerate(files)]
    curves = pd.concat([each for each in found if len(each)] or found)
    begun = {part: config[part] for part in PARTS}
    conclude(curves, serves=[ALL], shared={}, begun=begun, **told)


def take_best(
    members: Mapping[str, str | Path],
    own: Mapping[str, Mapping[str, Any]],
    settings: str | Path | None,
    about: Mapping[str, Any],
    begun: Mapping[str, Any],
    outputs: Mapping[str, str | Path],
    log: logging.Logger,
) -> None:
    """Take the choice of whichever experiment did best, from files to files; or of the one whose
    `settings` were taken on another split, see `best_of`.
    """
    before = read_chosen(settings) if settings else None
    chosen, found = best_of({id: read_chosen(path) for id, path in members.items()}, own, before)
    log.info("%s", found)
    write_yaml(outputs["chosen"], chosen)
    about = {**about, "search": found, "talking_models": __version__}
    write_choice(outputs["choice"], chosen, about, begun)


def write_choice(
    path: str | Path, chosen: Mapping[str, Any], about: Mapping[str, Any], begun: Mapping[str, Any]
) -> None:
    """Write what a search from `begun` chose for each task, see `config.choices`."""
    content = {"about": about, "from": {part: begun[part] for part in PARTS}, "chosen": chosen}
    head = "# Made by `make tuned`; not to be edited. How: docs/deviations.md, section Settings.\n"
    write_text(path, head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
