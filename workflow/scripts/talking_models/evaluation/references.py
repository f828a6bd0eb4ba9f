"""Reference lines: what needs no network. A student that loses to them has learnt little.

`genre-mean` predicts the mean of the genre's training ratings; `user-movie-bias` is a ridge
regression on one indicator per user and per movie.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.preprocessing import OneHotEncoder

from talking_models.data.tables import read_ratings
from talking_models.evaluation.metrics import predictions_frame, rmse, score
from talking_models.evaluation.names import GENRE_MEAN, USER_MOVIE_BIAS
from talking_models.io import write_csv, write_parquet

PENALTIES = (1.0, 2.0, 5.0, 10.0, 20.0)  # in ratings: a user with that many is half trusted


class BiasModel:
    """rating = mean + user's bias + movie's bias; an unknown id has the bias 0."""

    def __init__(self, penalty: float) -> None:
        self.indicators = OneHotEncoder(handle_unknown="ignore", dtype=np.float64)
        self.ridge = Ridge(alpha=penalty, fit_intercept=False, solver="sparse_cg", tol=1e-8)

    def fit(self, rows: pd.DataFrame) -> BiasModel:
        """Fit to ratings."""
        self.mean = float(rows["rating"].mean())
        features: sparse.spmatrix = self.indicators.fit_transform(
            rows[["user", "movie"]].to_numpy()
        )
        self.ridge.fit(features, rows["rating"] - self.mean)
        return self

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """(N,) ratings."""
        features = self.indicators.transform(rows[["user", "movie"]].to_numpy())
        return self.mean + self.ridge.predict(features)


def choose_penalty(fit: pd.DataFrame, val: pd.DataFrame) -> float:
    """The penalty whose model of the fit rows is best on the val rows."""
    scores = {
        penalty: rmse(val["rating"], BiasModel(penalty).fit(fit).predict(val))
        for penalty in PENALTIES
    }
    return min(scores, key=scores.__getitem__)


def run(
    genre: str,
    fit: str | Path,
    val: str | Path,
    eval: str | Path,
    predictions: str | Path,
    metrics: str | Path,
    log: logging.Logger,
) -> None:
    """Both reference lines of one genre, from files to files.

    Args:
        genre: its name.
        fit, val, eval: the genre's slices; eval is predicted, and chooses nothing.
        predictions, metrics: files to write, laid out as a student's with the one seed 0.
        log: gets the penalty that was chosen.
    """
    fit_rows, val_rows, eval_rows = (read_ratings(path) for path in (fit, val, eval))
    train = pd.concat([fit_rows, val_rows], ignore_index=True)
    penalty = choose_penalty(fit_rows, val_rows)
    log.info("%s: penalty %g, chosen on the val rows among %s", genre, penalty, PENALTIES)
    found = {
        GENRE_MEAN: np.full(len(eval_rows), float(train["rating"].mean())),
        USER_MOVIE_BIAS: BiasModel(penalty).fit(train).predict(eval_rows),
    }
    frame = pd.concat(
        [predictions_frame(name, genre, eval_rows, p[None]) for name, p in found.items()],
        ignore_index=True,
    )
    write_parquet(predictions, frame)
    write_csv(metrics, score(frame))
