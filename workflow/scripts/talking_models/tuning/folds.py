"""Scores of settings on folds of the training rows, and a teacher for each fold.

A search goes on from what this and the training code scored; how it then chooses is elsewhere, and
choosing differently scores nothing again.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from talking_models.changes import changed
from talking_models.data.base import ALL
from talking_models.data.parquet import read_items
from talking_models.data.splits import drawn, folds, members, task_names
from talking_models.methods.base import NotAFactor
from talking_models.models.checkpoint import Checkpoint
from talking_models.training.ratings import Validation, fit, read_rows
from talking_models.training.setup import one_thread
from talking_models.tuning.space import factors

QUIET = logging.getLogger("talking_models.tuning.trial")  # of the hundreds of trials of a search
QUIET.setLevel(logging.WARNING)


def fold_rows(
    train: pd.DataFrame, count: int, fold: int, per_user: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit and validation rows of a fold of all tasks, whose cuts they and a teacher share: those of
    time, or as the split's, of how many of a user's rows come before.
    """
    train = train.sort_values("time", kind="stable")  # a cut by user has val rows among fit's
    if per_user:
        user = train.groupby("user")["user"]
        before = (user.cumcount() + 0.5) / user.transform("size")
        train = train.loc[before.sort_values(kind="stable").index]
    fit, val = folds(len(train), count)[fold]
    return train.iloc[:fit].reset_index(drop=True), train.iloc[fit:val].reset_index(drop=True)


class FoldScores:
    """Validation curves of settings, for every task of a search: students trained on a fold, scored
    on the rows that follow it. Arguments are those of `search`, read.
    """

    def __init__(
        self,
        train: pd.DataFrame,
        items: pd.DataFrame,
        configs: Mapping[str, dict[str, Any]],
        tasks: Mapping[str, str | None],
        by: str,
        search: Mapping[str, Any],
        teachers: Mapping[str, Sequence[Checkpoint]],
    ) -> None:
        self.items, self.configs, self.search, self.teachers = items, configs, search, teachers
        self.rows = {}
        whole = members(by, items, train) if set(tasks) != {ALL} else {}
        sizes = {name: int(rows.sum()) for name, rows in whole.items()}  # as of a split
        named = task_names(tasks, sizes, "the training set")
        for fold in range(search["folds"]):
            parts = fold_rows(train, search["folds"], fold, search.get("per_user", False))
            of = [members(by, items, part) if whole else {} for part in parts]
            for id in configs:
                name = named[id]
                own = [
                    part if id == ALL else part[belongs[name]].reset_index(drop=True)
                    for part, belongs in zip(parts, of, strict=True)
                ]
                if search.get("share", 1) < 1:  # all rows validate: a share of them tells little
                    few = drawn(len(own[0]), search["share"], search["draw"])
                    own[0] = own[0][few].reset_index(drop=True)
                warm = own[1]["user"].isin(own[0]["user"])
                if search["warm"] and warm.any():
                    own[1] = own[1][warm].reset_index(drop=True)
                if any(part.empty for part in own):
                    raise ValueError(f"the task {name!r} has no rows in fold {fold}: leave it out")
                self.rows[fold, id] = own

    def __call__(
        self, changes: Sequence[Mapping[str, Any]], fold: int, seeds: Sequence[int]
    ) -> list[np.ndarray | str]:
        """The mean RMSE over models along training, (tasks, looks), of each of some trials that are
        trained as one stack, see `space.stacks`, their models' seeds from those on; why training
        diverged, if it did.
        """
        try:
            curves = [self._curves(task, changes, fold, seeds) for task in self.configs]
        except (ArithmeticError, NotAFactor) as error:
            if len(changes) == 1:
                return [str(error)]
            alone = zip(changes, seeds, strict=True)
            return [self([change], fold, [seed])[0] for change, seed in alone]
        return list(np.stack(curves, 1))

    def _curves(
        self, task: str, changes: Sequence[Mapping[str, Any]], fold: int, seeds: Sequence[int]
    ) -> np.ndarray:
        """On one task, (trials, looks)."""
        search, each = self.search, self.search["seeds"]
        steps = {} if search["steps"] is None else {"steps": search["steps"]}
        config = changed(self.configs[task], changes[0], {"training": steps})
        config["seeds"] = [seed + more for seed in seeds for more in range(each)]
        config["precision"] = search["precision"]
        config["teacher_seed"] = "first"  # a fold has one teacher for all its students
        if len(changes) > 1:
            config["of_each"] = {
                name: [change["settings"][name] for change in changes for _ in range(each)]
                for name in factors(config["method"]) & changes[0]["settings"].keys()
            }
        own, held_out = self.rows[fold, task]
        validation = Validation(held_out, search["every"] or config["training"]["steps"])
        teachers = {id: of[fold] for id, of in self.teachers.items()}
        fit(own, self.items, config, teachers, QUIET, validation)
        return np.reshape(validation.curve, (-1, len(changes), each)).mean(-1).T


def train_fold_teachers(
    rows: Sequence[str | Path],
    items: str | Path,
    config: dict[str, Any],
    folds: int,
    per_user: bool,
    outputs: Sequence[str | Path],
    log: logging.Logger,
) -> None:
    """Train one teacher, of one seed, on the fit rows of each fold alone; see `search`."""
    one_thread()
    train, item_table = read_rows(rows), read_items(items)
    for fold, path in enumerate(outputs):
        own, _ = fold_rows(train, folds, fold, per_user)
        fit(own, item_table, config | {"seeds": 1}, {}, log)[0].save(path)
