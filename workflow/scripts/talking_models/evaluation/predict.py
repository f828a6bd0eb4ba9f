"""Predictions of trained rating models. The only place where the eval slice meets a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from talking_models.data.features import encode
from talking_models.data.tables import read_movies, read_ratings
from talking_models.evaluation.metrics import predictions_frame, score
from talking_models.io import write_csv, write_parquet
from talking_models.models.checkpoint import Checkpoint
from talking_models.training.batches import RatingData, predict_all
from talking_models.training.setup import one_thread


def predict(checkpoint: Checkpoint, rows: pd.DataFrame, movies: pd.DataFrame) -> np.ndarray:
    """Ratings that each model of the checkpoint predicts.

    Args:
        checkpoint: S trained models.
        rows: N ratings; ids that the models have not seen are unknown ones.
        movies: the movies' table.

    Returns:
        (S, N) float32, not clipped to the scale.
    """
    data = RatingData(encode(rows, movies, checkpoint.vocabulary))
    return predict_all(checkpoint.stack(), data, len(checkpoint.seeds)).numpy()


def run(
    experiment: str,
    genre: str,
    models: str | Path,
    rows: str | Path,
    movies: str | Path,
    predictions: str | Path,
    metrics: str | Path,
) -> None:
    """Evaluate one checkpoint on one genre, from files to files.

    Args:
        experiment: its id.
        genre: the genre's name.
        models: the checkpoint.
        rows: the genre's eval slice.
        movies: the movies' table.
        predictions, metrics: files to write.
    """
    one_thread()
    checkpoint = Checkpoint.load(models)
    eval_rows = read_ratings(rows)
    frame = predictions_frame(
        experiment, genre, eval_rows, predict(checkpoint, eval_rows, read_movies(movies))
    )
    write_parquet(predictions, frame)
    write_csv(metrics, score(frame))
