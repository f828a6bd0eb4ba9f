"""Predictions of trained vision students. The only place where the eval slice meets a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric

from talking_models.data.vision import Examples
from talking_models.data.vision_loader import in_order
from talking_models.data.vision_sets import facts
from talking_models.io import write_csv, write_parquet
from talking_models.models.vit_files import load_student
from talking_models.training.devices import launch
from talking_models.training.vision import MEASURE_BATCH


def score(predictions: pd.DataFrame) -> pd.DataFrame:
    """Accuracy on all examples, and on the first so many that the paper's numbers count.

    Args:
        predictions: columns experiment, dataset, seed, example, label, predicted; the examples of
            each seed in the data set's order.

    Returns:
        One row per seed: experiment, dataset, seed, n_eval, accuracy, n_first, accuracy_first. The
        last two are empty where the paper says nothing, or the data set is smaller than that.
    """
    rows = []
    for key, group in predictions.groupby(["experiment", "dataset", "seed"], sort=False):
        right = (group["label"] == group["predicted"]).to_numpy()
        first = facts(key[1]).first
        known = first is not None and len(right) >= first
        part = (first, right[:first].mean()) if known else (None, None)
        rows.append((*key, len(right), right.mean(), *part))
    columns = ["experiment", "dataset", "seed", "n_eval", "accuracy", "n_first", "accuracy_first"]
    return pd.DataFrame(rows, columns=columns).astype({"n_first": "Int64"})


def predict(
    fabric: Fabric, models: Path, examples: Path, config: Mapping[str, Any]
) -> pd.DataFrame:
    """What one student predicts for the eval slice, in the columns that `score` takes."""
    found = Examples.read(examples, "eval")
    student, look, about = load_student(models)
    student = fabric.to_device(student)
    labels, predicted = [], []
    with torch.no_grad(), fabric.autocast():
        for batch in in_order(found, look, MEASURE_BATCH, config["device"]["workers"]):
            output = student(fabric.to_device(batch)).output
            predicted.append(output.argmax(-1).cpu())
            labels.append(batch.target)
    return pd.DataFrame(
        {
            "experiment": config["experiment"],
            "dataset": found.dataset,
            "seed": about["seed"],
            "example": np.arange(len(found)),
            "label": torch.cat(labels).numpy(),
            "predicted": torch.cat(predicted).numpy(),
        }
    )


def run(
    models: str | Path,
    examples: str | Path,
    config: Mapping[str, Any],
    predictions: str | Path,
    metrics: str | Path,
) -> None:
    """Evaluate one student, from files to files, on one device.

    Args:
        models: the student's file.
        examples: the eval slice.
        config: `experiment` (its id) and `device`.
        predictions, metrics: files to write.
    """
    device = dict(config["device"]) | {"devices": 1}
    frame = launch(device, predict, models, examples, dict(config))
    write_parquet(predictions, frame)
    write_csv(metrics, score(frame))
