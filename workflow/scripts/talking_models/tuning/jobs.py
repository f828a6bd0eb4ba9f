"""The tuning jobs of ratings: search settings, and train a teacher for each fold.

They see training rows only. Each writes its evidence (`curves.csv`), a summary of its trials
(`trials.csv`) and what it chose (`chosen.yaml`).
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from talking_models import __version__
from talking_models.changes import changed
from talking_models.data.parquet import read_items
from talking_models.io import write_csv, write_yaml
from talking_models.models.checkpoint import Checkpoint
from talking_models.training.ratings import fit, read_rows
from talking_models.training.setup import one_thread
from talking_models.tuning.choose import choices, chosen_score, held_out_scores
from talking_models.tuning.score import FoldScores, fold_rows
from talking_models.tuning.search import run_search
from talking_models.tuning.tuned import read_chosen, write_choice


def configs_of_tasks(
    config: dict[str, Any],
    tasks: Sequence[str],
    chosen: Sequence[str | Path],
    ablation: bool,
) -> dict[str, dict[str, Any]]:
    """What each task's trials start from.

    Args:
        config: the experiment's config, before any search.
        tasks: ids.
        chosen: what was chosen before: by training from scratch, of which only `id_dropout` is
            taken, the same for all methods; or, for an ablation, by the experiment it is like.
        ablation: which of the two.
    """
    configs = dict.fromkeys(tasks, config)
    for path in chosen:
        for task, change in read_chosen(path).items():
            if task not in configs:
                continue
            if not ablation:
                change = {"training": {"id_dropout": change["training"]["id_dropout"]}}
            configs[task] = changed(configs[task], change)
    return configs


def search(
    rows: Sequence[str | Path],
    items: str | Path,
    tasks: Mapping[str, str],
    by: str,
    configs: Mapping[str, dict[str, Any]],
    trials: Sequence[dict[str, Any]],
    search: Mapping[str, Any],
    teachers: Mapping[str, Sequence[str | Path]],
    journal: str | Path,
    code: str,
    about: Mapping[str, Any],
    begun: Mapping[str, Any],
    outputs: Mapping[str, str | Path],
    log: logging.Logger,
) -> None:
    """Search the settings of one experiment, from files to files, on one thread.

    Args:
        rows: the training slices of the task of all rows.
        items: the items' table.
        tasks: names of the tasks to train on, by id; a teacher's is `all`.
        by: what tasks are subsets by, see `splits.members`.
        configs: the config of each task, which each trial changes.
        trials: changes to try, see `space.trials`.
        search: `folds`, `seeds`, `precision`, `steps` (the most that a choice can have), `every`,
            `scope`. With `steps` and `every` None, steps are not chosen: those of the configs stay.
        teachers: checkpoints by the teacher's id, one per fold.
        journal: see `run_search`; the search's identity there is the content of all that scores
            depend on. Another scope chooses anew without training, and a longer list of trials
            trains only those that are new.
        code: digest of the code.
        about: what the choice is for.
        begun: the config without any choice, also without those that `configs` have from others.
        outputs: files `curves`, `trials`, `chosen` and `choice`.
        log: gets a line for each trial.
    """
    one_thread()
    score = FoldScores(
        read_rows(rows),
        read_items(items),
        configs,
        tasks,
        by,
        search,
        {id: [Checkpoint.load(path) for path in paths] for id, paths in teachers.items()},
    )
    files = [*rows, items, *(path for paths in teachers.values() for path in paths)]
    digests = [sha256(Path(file).read_bytes()).hexdigest() for file in files]
    scored_by = {key: value for key, value in search.items() if key not in ("scope", "trials")}
    identity = [configs, scored_by, code, digests]
    curves = run_search(trials, score, list(configs), search["folds"], journal, identity, log)
    write_csv(outputs["curves"], curves)
    write_csv(outputs["trials"], summary(curves, trials, search))
    if search["folds"] > 1:
        log.info(
            "mean RMSE on the last fold of what the others choose: %s",
            held_out_scores(curves).round(5).to_dict(),
        )
    chosen = described(curves, trials, configs, search, log)
    write_yaml(outputs["chosen"], chosen)
    how = {"search": dict(search), "talking_models": __version__}
    write_choice(outputs["choice"], chosen, {**about, **how}, begun)


def described(
    curves: pd.DataFrame,
    trials: Sequence[dict[str, Any]],
    configs: Mapping[str, dict[str, Any]],
    search: Mapping[str, Any],
    log: logging.Logger,
) -> dict[str, dict[str, Any]]:
    """What is chosen for each task: the change of its config, and its score.

    With the steps comes the share of dropped ids, which other searches take from here. It is one
    for all tasks whatever the scope: that of the trial which the `shared` rule chooses.
    """
    chosen = choices(curves, search["scope"])
    shared = choices(curves, "shared")
    scores = chosen_score(curves, chosen)
    found = {}
    for task, (trial, look) in chosen.items():
        change = {"training": {}, "settings": {}} | copy.deepcopy(trials[trial])
        if search["steps"] is not None:
            change["training"]["steps"] = int((look + 1) * search["every"])
            common = changed(configs[task], trials[shared[task][0]])
            change["training"]["id_dropout"] = common["training"]["id_dropout"]
        found[task] = {**change, "validation_rmse": round(float(scores[task]), 6)}
        log.info("%s: trial %d, %s", task, trial, found[task])
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


def train_fold_teachers(
    rows: Sequence[str | Path],
    items: str | Path,
    config: dict[str, Any],
    folds: int,
    outputs: Sequence[str | Path],
    log: logging.Logger,
) -> None:
    """Train one teacher on the fit rows of each fold, and on nothing later.

    Args:
        rows: the training slices of the task of all rows.
        items: the items' table.
        config: the teacher's effective config.
        folds: how many.
        outputs: a checkpoint for each fold.
        log: gets the progress.
    """
    one_thread()
    train, item_table = read_rows(rows), read_items(items)
    for fold, path in enumerate(outputs):
        checkpoint, _ = fit(
            fold_rows(train, folds, fold)[0], item_table, config | {"seeds": 1}, {}, log
        )
        checkpoint.save(path)
