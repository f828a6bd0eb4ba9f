"""Predictions of trained models of images. The only place where their eval slice meets a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric

from talking_models.data.images import Examples
from talking_models.evidence.scores import labelled, write
from talking_models.models.files import load_trained
from talking_models.training.devices import launch
from talking_models.training.images import MEASURE_BATCH
from talking_models.training.loader import in_order


def predict(fabric: Fabric, models: Path, examples: Examples, workers: int) -> pd.DataFrame:
    """What one student predicts: seed, example, target and prediction, which are classes."""
    student, look, about = load_trained(models)
    student = fabric.to_device(student)
    targets, predicted = [], []
    with torch.no_grad(), fabric.autocast():
        for batch in in_order(examples, look, MEASURE_BATCH, workers):
            predicted.append(student(fabric.to_device(batch)).output.argmax(-1).cpu())
            targets.append(batch.target)
    return pd.DataFrame(
        {
            "seed": about["seed"],
            "example": np.arange(len(examples)),
            "target": torch.cat(targets).numpy(),
            "prediction": torch.cat(predicted).numpy(),
        }
    )


def run(
    models: str | Path,
    examples: str | Path,
    predictions: str | Path,
    metrics: str | Path,
    about: Mapping[str, str],
    names: Iterable[str],
    device: Mapping[str, Any],
) -> None:
    """Evaluate one student, from files to files, on one device.

    Args:
        models: the student's file.
        examples: the eval slice.
        predictions, metrics: files to write, see `scores`.
        about: `experiment`, `data` and `split`.
        names: of the metrics.
        device: the keys of `config.sections.Device`.
    """
    found = Examples.read(examples, "eval")
    one = dict(device) | {"devices": 1}
    frame = launch(one, predict, models, found, device["workers"])
    write(labelled(frame, {**about, "task": found.task}), names, predictions, metrics)
