"""Scores from predictions: one row of `predictions.parquet` per eval rating and seed."""

from __future__ import annotations

import numpy as np
import pandas as pd

PREDICTION_COLUMNS = [
    "experiment",
    "genre",
    "seed",
    "user",
    "movie",
    "timestamp",
    "rating",
    "prediction",
]


def predictions_frame(
    experiment: str, genre: str, rows: pd.DataFrame, predictions: np.ndarray
) -> pd.DataFrame:
    """The evidence of one experiment on one genre.

    Args:
        experiment: its id.
        genre: the genre's name.
        rows: N eval ratings: user, movie, rating, timestamp.
        predictions: (seeds, N) predicted ratings.

    Returns:
        seeds x N rows in the columns `PREDICTION_COLUMNS`, seed by seed.
    """
    frame = pd.concat([rows] * len(predictions), ignore_index=True)
    frame["seed"] = np.repeat(np.arange(len(predictions)), len(rows))
    frame["prediction"] = predictions.astype(np.float64).ravel()
    frame["rating"] = frame["rating"].astype(np.float64)
    return frame.assign(experiment=experiment, genre=genre)[PREDICTION_COLUMNS]


def rmse(rating: pd.Series, prediction: pd.Series) -> float:
    """Root mean squared error, in stars."""
    return float(np.sqrt(((rating - prediction) ** 2).mean()))


def score(predictions: pd.DataFrame) -> pd.DataFrame:
    """RMSE of each seed: columns experiment, genre, seed, n_eval, rmse."""
    rows = [
        (*key, len(group), rmse(group["rating"], group["prediction"]))
        for key, group in predictions.groupby(["experiment", "genre", "seed"], sort=False)
    ]
    return pd.DataFrame(rows, columns=["experiment", "genre", "seed", "n_eval", "rmse"])
