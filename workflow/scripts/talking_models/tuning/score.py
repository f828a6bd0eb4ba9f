"""How good settings are: students trained on a fold, scored on the rows that follow it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from talking_models.changes import changed
from talking_models.data.splits import genre_rows
from talking_models.models.checkpoint import Checkpoint
from talking_models.training.movielens import Validation, fit
from talking_models.tuning.folds import fold_rows

QUIET = logging.getLogger("talking_models.tuning.trial")
"""Takes the progress of trials, of which a search has hundreds."""
QUIET.setLevel(logging.WARNING)


class FoldScores:
    """Validation curves of settings, for every task of a search.

    Args:
        train: the training rows of all genres, in time order.
        movies: the movies' table.
        configs: the config of each task, which the settings to be scored change.
        genres: the genre of each task, None for all of them.
        search: `folds`, `seeds`, `precision`, `steps` and `every`, see `jobs.search`.
        teachers: one per fold, or none.
    """

    def __init__(
        self,
        train: pd.DataFrame,
        movies: pd.DataFrame,
        configs: Mapping[str, dict[str, Any]],
        genres: Mapping[str, str | None],
        search: Mapping[str, Any],
        teachers: Sequence[Checkpoint],
    ) -> None:
        self.movies, self.configs, self.search = movies, configs, search
        self.teachers = teachers or [None] * search["folds"]
        folds = [fold_rows(train, search["folds"], fold) for fold in range(search["folds"])]
        self.rows = {
            (fold, task): [
                part if genre is None else genre_rows(part, movies, genre) for part in parts
            ]
            for fold, parts in enumerate(folds)
            for task, genre in genres.items()
        }

    def config(self, task: str, change: Mapping[str, Any]) -> dict[str, Any]:
        """The config with which one trial trains on one task."""
        config = changed(self.configs[task], change)
        config |= {"seeds": self.search["seeds"], "precision": self.search["precision"]}
        if self.search["steps"] is not None:
            config["training"] = config["training"] | {"steps": self.search["steps"]}
        return config

    def __call__(self, change: Mapping[str, Any], fold: int) -> np.ndarray:
        """The mean RMSE over seeds along training: (tasks, looks), in stars.

        Raises:
            TrainingDiverged: see `training.loop`.
        """
        curves = []
        for task in self.configs:
            config = self.config(task, change)
            fit_rows, val_rows = self.rows[fold, task]
            validation = Validation(val_rows, self.search["every"] or config["training"]["steps"])
            fit(fit_rows, self.movies, config, self.teachers[fold], QUIET, validation)
            curves.append(np.mean(validation.curve, 1))
        return np.array(curves)
