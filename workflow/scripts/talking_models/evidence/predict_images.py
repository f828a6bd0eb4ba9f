"""Predictions of trained models of images. The only place where their eval slice meets a model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric

from talking_models.data.images import Examples
from talking_models.evidence.scores import write
from talking_models.models.files import load_trained
from talking_models.training.devices import launch
from talking_models.training.images import MEASURE_BATCH
from talking_models.training.loader import in_order


def predict(fabric: Fabric, models: Path, examples: Examples, workers: int) -> pd.DataFrame:
    """What one student predicts: seed, example, target and prediction, which are classes."""
    student, look, about = load_trained(models)
    student, found = fabric.to_device(student), []
    with torch.no_grad(), fabric.autocast():
        for batch in in_order(examples, look, MEASURE_BATCH, workers):
            best = student(fabric.to_device(batch)).output.argmax(-1).cpu()
            found.append(pd.DataFrame({"target": batch.target, "prediction": best}))
    frame = pd.concat(found, ignore_index=True).rename_axis("example").reset_index()
    frame.insert(0, "seed", about["seed"])
    return frame


def run(
    models: str | Path, examples: str | Path, device: Mapping[str, Any], **evidence: Any
) -> None:
    """Evaluate one student on an eval slice, on one device; `evidence` is what `write` takes."""
    found, one = Examples.read(examples, "eval"), {**device, "devices": 1}
    write(launch(one, predict, models, found, device["workers"]), found.task, **evidence)
