"""How good settings are: students trained on a fold, scored on the rows that follow it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from talking_models.changes import changed
from talking_models.data.base import ALL
from talking_models.data.splits import folds, members
from talking_models.models.checkpoint import Checkpoint
from talking_models.training.ratings import Validation, fit

QUIET = logging.getLogger("talking_models.tuning.trial")
"""Takes the progress of trials, of which a search has hundreds."""
QUIET.setLevel(logging.WARNING)


def fold_rows(train: pd.DataFrame, count: int, fold: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit and validation rows of one fold.

    Args:
        train: training rows of all tasks, so that the folds of every task and a teacher's share
            their cuts, which are by time.
        count: how many folds there are.
        fold: which, from 0.
    """
    train = train.sort_values("time", kind="stable")  # a cut by user has val rows among fit's
    fit, val = folds(len(train), count)[fold]
    return train.iloc[:fit].reset_index(drop=True), train.iloc[fit:val].reset_index(drop=True)


class FoldScores:
    """Validation curves of settings, for every task of a search.

    Args:
        train: the training rows of all tasks, in time order.
        items: the items' table.
        configs: the config of each task, which the settings to be scored change.
        tasks: names by id; `all` is all rows.
        by: what tasks are subsets by, see `splits.members`.
        search: `folds`, `seeds`, `precision`, `steps` and `every`, see `jobs.search`.
        teachers: by id, one per fold.
    """

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
        self.items, self.configs, self.search = items, configs, search
        self.teachers = teachers
        self.rows = {}
        for fold in range(search["folds"]):
            parts = fold_rows(train, search["folds"], fold)
            of = [members(by, items, part) if set(tasks) != {ALL} else {} for part in parts]
            for id, name in tasks.items():
                own = [
                    part if id == ALL else part[belongs[name]].reset_index(drop=True)
                    for part, belongs in zip(parts, of, strict=True)
                ]
                if any(part.empty for part in own):
                    raise ValueError(f"the task {name!r} has no rows in fold {fold}: leave it out")
                self.rows[fold, id] = own

    def config(self, task: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """The config with which one trial trains on one task."""
        config = changed(self.configs[task], change)
        config |= {"seeds": self.search["seeds"], "precision": self.search["precision"]}
        config["teacher_seed"] = "first"  # a fold has one teacher, which teaches all its students
        if self.search["steps"] is not None:
            config["training"] = config["training"] | {"steps": self.search["steps"]}
        return config

    def __call__(self, change: Mapping[str, Any], fold: int) -> np.ndarray:
        """The mean RMSE over seeds along training: (tasks, looks).

        Raises:
            TrainingDiverged: see `training.loop`.
        """
        curves = []
        for task in self.configs:
            config = self.config(task, change)
            fit_rows, val_rows = self.rows[fold, task]
            validation = Validation(val_rows, self.search["every"] or config["training"]["steps"])
            teachers = {id: each[fold] for id, each in self.teachers.items()}
            fit(fit_rows, self.items, config, teachers, QUIET, validation)
            curves.append(np.mean(validation.curve, 1))
        return np.array(curves)
