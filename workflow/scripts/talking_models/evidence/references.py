"""Reference lines: what needs no network. A student that loses to them has learnt little.

`task-mean` predicts the mean of the task's training ratings; `bias` is a ridge regression on one
indicator per user and per item.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.preprocessing import OneHotEncoder

from talking_models.data import parquet
from talking_models.evidence.scores import labelled, stacked, write

PENALTIES = (1.0, 2.0, 5.0, 10.0, 20.0)  # in ratings: a user with that many is half trusted


class BiasModel:
    """rating = mean + user's bias + item's bias; an unknown id has the bias 0."""

    def __init__(self, penalty: float) -> None:
        self.indicators = OneHotEncoder(handle_unknown="ignore", dtype=np.float64)
        self.ridge = Ridge(alpha=penalty, fit_intercept=False, solver="sparse_cg", tol=1e-8)

    def fit(self, rows: pd.DataFrame) -> BiasModel:
        """Fit to ratings."""
        self.mean = float(rows["rating"].mean())
        features: sparse.spmatrix = self.indicators.fit_transform(rows[["user", "item"]].to_numpy())
        self.ridge.fit(features, rows["rating"] - self.mean)
        return self

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """(N,) ratings."""
        features = self.indicators.transform(rows[["user", "item"]].to_numpy())
        return self.mean + self.ridge.predict(features)


def rmse(rows: pd.DataFrame, predictions: np.ndarray) -> float:
    """Root mean squared error of predicted ratings."""
    return float(np.sqrt(((rows["rating"] - predictions) ** 2).mean()))


def choose_penalty(fit: pd.DataFrame, val: pd.DataFrame) -> float:
    """The penalty whose model of the fit rows is best on the val rows."""
    scores = {penalty: rmse(val, BiasModel(penalty).fit(fit).predict(val)) for penalty in PENALTIES}
    return min(scores, key=scores.__getitem__)


def run(
    fit: str | Path,
    val: str | Path,
    eval: str | Path,
    predictions: str | Path,
    metrics: str | Path,
    about: Mapping[str, str],
    names: Iterable[str],
    log: logging.Logger,
) -> None:
    """Both reference lines of one task, from files to files.

    Args:
        fit, val, eval: the task's slices; eval is predicted, and chooses nothing.
        predictions, metrics: files to write, laid out as a student's with the one seed 0.
        about: `data` and `split`.
        names: of the metrics.
        log: gets the penalty that was chosen.
    """
    fit_rows, val_rows, eval_rows = (parquet.read_ratings(path) for path in (fit, val, eval))
    train = pd.concat([fit_rows, val_rows], ignore_index=True)
    penalty, task = choose_penalty(fit_rows, val_rows), parquet.about(eval)["task"]
    log.info("%s: penalty %g, chosen on the val rows among %s", task, penalty, PENALTIES)
    found = {
        "task-mean": np.full(len(eval_rows), float(train["rating"].mean())),
        "bias": BiasModel(penalty).fit(train).predict(eval_rows),
    }
    frames = [
        labelled(stacked(eval_rows, p[None]), {**about, "task": task, "experiment": name})
        for name, p in found.items()
    ]
    write(pd.concat(frames, ignore_index=True), names, predictions, metrics)
