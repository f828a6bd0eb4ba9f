"""The tuning jobs of ratings, on training rows only: a search, and a teacher for each fold."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from talking_models import __version__
from talking_models.changes import PARTS, changed, read_chosen
from talking_models.data.base import ALL
from talking_models.data.parquet import read_items
from talking_models.data.splits import folds, members
from talking_models.io import write_csv, write_text, write_yaml
from talking_models.models.checkpoint import Checkpoint
from talking_models.training.ratings import Validation, fit, read_rows
from talking_models.training.setup import one_thread
from talking_models.tuning.choose import described, held_out_scores, summary
from talking_models.tuning.search import run_search

QUIET = logging.getLogger("talking_models.tuning.trial")  # of the hundreds of trials of a search
QUIET.setLevel(logging.WARNING)


def configs_of_tasks(
    config: dict[str, Any],
    tasks: Sequence[str],
    chosen: Sequence[str | Path],
    ablation: bool,
) -> dict[str, dict[str, Any]]:
    """What each task's trials start from: an experiment's config, and what was chosen before, from
    scratch, of which only `id_dropout` is taken, or by the experiment that an `ablation` is like.
    """
    configs = dict.fromkeys(tasks, config)
    for path in chosen:
        found = read_chosen(path)
        for task in configs.keys() & found:
            change = found[task]
            if not ablation:
                change = {"training": {"id_dropout": change["training"]["id_dropout"]}}
            configs[task] = changed(configs[task], change)
    return configs


def fold_rows(train: pd.DataFrame, count: int, fold: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit and validation rows of a fold of all tasks, whose cuts they and a teacher share."""
    train = train.sort_values("time", kind="stable")  # a cut by user has val rows among fit's
    fit, val = folds(len(train), count)[fold]
    return train.iloc[:fit].reset_index(drop=True), train.iloc[fit:val].reset_index(drop=True)


class FoldScores:
    """Validation curves of settings, for every task of a search, whose arguments it takes, read."""

    def __init__(
        self,
        train: pd.DataFrame,
        items: pd.DataFrame,
        configs: Mapping[str, dict[str, Any]],
        tasks: Mapping[str, str],
        by: str,
        search: Mapping[str, Any],
        teachers: Mapping[str, Sequence[Checkpoint]],
    ) -> None:
        self.items, self.configs, self.search, self.teachers = items, configs, search, teachers
        self.rows = {}
        for fold in range(search["folds"]):
            parts = fold_rows(train, search["folds"], fold)
            of = [members(by, items, part) if set(tasks) != {ALL} else {} for part in parts]
            for id, name in tasks.items():
                own = parts
                if id != ALL:
                    within = (part[rows[name]] for part, rows in zip(parts, of, strict=True))
                    own = [part.reset_index(drop=True) for part in within]
                if any(part.empty for part in own):
                    raise ValueError(f"the task {name!r} has no rows in fold {fold}: leave it out")
                self.rows[fold, id] = own

    def __call__(self, change: Mapping[str, Any], fold: int) -> np.ndarray:
        """The mean RMSE over seeds along training, (tasks, looks); raises as `fit`."""
        search, curves = self.search, []
        steps = {} if search["steps"] is None else {"steps": search["steps"]}
        teachers = {id: each[fold] for id, each in self.teachers.items()}
        for task, start in self.configs.items():
            config = changed(start, change, {"training": steps})
            config |= {"seeds": search["seeds"], "precision": search["precision"]}
            config["teacher_seed"] = "first"  # a fold has one teacher for all its students
            own, held_out = self.rows[fold, task]
            validation = Validation(held_out, search["every"] or config["training"]["steps"])
            fit(own, self.items, config, teachers, QUIET, validation)
            curves.append(np.mean(validation.curve, 1))
        return np.array(curves)


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
        rows, items: the training slices of the task of all rows, and the items' table.
        tasks, by: names of the tasks by id, a teacher's is `all`, and see `splits.members`.
        configs: the config of each task, which each of the `trials` changes.
        search: `folds`, `seeds`, `precision`, `steps` (the most that a choice can have), `every`,
            `scope`. With `steps` and `every` None, steps are not chosen: those of the configs stay.
        teachers: checkpoints by the teacher's id, one per fold.
        code, about: a digest of it, and what the choice is for.
        begun: the config without any choice, also without those that `configs` have from others.
        outputs: files `curves`, `trials`, `chosen` and `choice`.
    """
    one_thread()
    loaded = {id: [Checkpoint.load(path) for path in paths] for id, paths in teachers.items()}
    score = FoldScores(read_rows(rows), read_items(items), configs, tasks, by, search, loaded)
    files = [*rows, items, *(path for paths in teachers.values() for path in paths)]
    digests = [sha256(Path(file).read_bytes()).hexdigest() for file in files]
    # scores depend neither on the scope nor on the number of trials
    scored_by = {key: value for key, value in search.items() if key not in ("scope", "trials")}
    identity = [configs, scored_by, code, digests]
    curves = run_search(trials, score, list(configs), search["folds"], journal, identity, log)
    write_csv(outputs["curves"], curves)
    write_csv(outputs["trials"], summary(curves, trials, search))
    said = held_out_scores(curves).round(5).to_dict()
    log.info("mean RMSE on the last fold of what the others choose: %s", said)
    chosen = described(curves, trials, configs, search)
    for task, change in chosen.items():
        log.info("%s: %s", task, change)
    write_yaml(outputs["chosen"], chosen)
    about = {**about, "search": dict(search), "talking_models": __version__}
    write_choice(outputs["choice"], chosen, about, begun)


def write_choice(
    path: str | Path, chosen: Mapping[str, Any], about: Mapping[str, Any], begun: Mapping[str, Any]
) -> None:
    """Write what a search that started from `begun` chose, as `config.choices` reads it."""
    content = {"about": about, "from": {part: begun[part] for part in PARTS}, "chosen": chosen}
    head = "# Made by `make tuned`; not to be edited. How: docs/deviations.md, section Settings.\n"
    write_text(path, head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def train_fold_teachers(
    rows: Sequence[str | Path],
    items: str | Path,
    config: dict[str, Any],
    folds: int,
    outputs: Sequence[str | Path],
    log: logging.Logger,
) -> None:
    """Train one teacher, of one seed, on the fit rows of each fold: a checkpoint for each."""
    one_thread()
    train, item_table = read_rows(rows), read_items(items)
    for fold, path in enumerate(outputs):
        own, _ = fold_rows(train, folds, fold)
        fit(own, item_table, config | {"seeds": 1}, {}, log)[0].save(path)
