"""Predictions of trained models of ratings. The only place where their eval slice meets a model."""

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


def predict(checkpoint: Checkpoint, rows: pd.DataFrame, items: pd.DataFrame) -> np.ndarray:
    """(S, N) float32, what each model predicts for N pairs of user and item, not clipped to the
    scale; ids that the models have not seen are unknown ones.
    """
    data = RatingData(encode(rows, items, checkpoint.vocabulary))
    return predict_all(checkpoint.stack(), data, len(checkpoint.seeds)).numpy()


def run(
    models: str | Path,
    rows: str | Path,
    items: str | Path,
    seeds: Sequence[int] | None = None,
    **evidence: Any,
) -> None:
    """Evaluate one checkpoint, or its models of some seeds, on the eval slice of a task; `evidence`
    is what `write` takes.
    """
    one_thread()
    checkpoint, eval_rows = Checkpoint.load(models), parquet.read_ratings(rows)
    checkpoint = checkpoint.of(seeds) if seeds is not None else checkpoint
    found = predict(checkpoint, eval_rows, parquet.read_items(items))
    write(stacked(eval_rows, found, checkpoint.seeds), parquet.about(rows)["task"], **evidence)
