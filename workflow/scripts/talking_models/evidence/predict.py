"""Predictions of trained models of ratings. The only place where their eval slice meets a model."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from talking_models.data import parquet
from talking_models.data.features import encode
from talking_models.evidence.scores import stacked, write
from talking_models.models.checkpoint import Checkpoint
from talking_models.training.batches import RatingData, predict_all
from talking_models.training.setup import one_thread

Paths = Sequence[str | Path]


def predict(checkpoint: Checkpoint, rows: pd.DataFrame, items: pd.DataFrame) -> np.ndarray:
    """(S, N) float32, what each model predicts for N pairs of user and item, not clipped to the
    scale; ids that the models have not seen are unknown ones.
    """
    data = RatingData(encode(rows, items, checkpoint.vocabulary))
    return predict_all(checkpoint.stack(), data, len(checkpoint.seeds)).numpy()


def run(
    models: Paths,
    rows: Paths,
    item_table: str | Path,
    seeds: Sequence[int] | None,
    log: logging.Logger,
    *,
    predictions: Paths,
    metrics: Paths,
    **evidence: Any,
) -> None:
    """Evaluate checkpoints, or their models of some seeds, on the eval slices of tasks: one for
    each task, or one teacher for all. `predictions` and `metrics` are files to write, one for each
    task; `evidence` is what else `write` takes.
    """
    one_thread()
    items = parquet.read_items(item_table)
    models = [*models] * (len(rows) // len(models))
    files = zip(models, rows, predictions, metrics, strict=True)
    for path, slice, to_predictions, to_metrics in files:
        checkpoint, eval_rows = Checkpoint.load(path), parquet.read_ratings(slice)
        checkpoint = checkpoint.of(seeds) if seeds is not None else checkpoint
        write(
            stacked(eval_rows, predict(checkpoint, eval_rows, items), checkpoint.seeds),
            parquet.about(slice)["task"],
            predictions=to_predictions,
            metrics=to_metrics,
            **evidence,
        )
        log.info("%s: done", to_predictions)
