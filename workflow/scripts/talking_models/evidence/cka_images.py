"""The same of images: linear CKA of the states of students and a teacher, mean over tokens."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning_fabric import Fabric

from talking_models.data.images import Examples
from talking_models.evidence.cka import COLUMNS, STATES, likeness
from talking_models.io import write_csv
from talking_models.models.base import LayeredModel
from talking_models.models.files import Look, load_trained, teacher_of
from talking_models.training.devices import launch
from talking_models.training.loader import in_order

BATCHES = 8  # of `loader.MEASURED` images, the first ones of the slice


def pooled(
    fabric: Fabric, model: LayeredModel, look: Look, examples: Examples, workers: int
) -> dict[str, np.ndarray]:
    """Each state of a model, (N, width), mean over tokens."""
    model, found = fabric.to_device(model).eval(), {name: [] for name in STATES}
    with torch.no_grad(), fabric.autocast():
        batches = islice(in_order(examples, look, workers), BATCHES)
        for batch in map(fabric.to_device, batches):
            states = model(batch)
            for name, field in STATES.items():
                found[name].append(getattr(states, field).float().mean(-2).cpu().numpy())
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _measure(
    fabric: Fabric,
    students: Sequence[str | Path],
    teachers: Sequence[str | Path],
    form: Mapping[str, Any],
    examples: Examples,
    workers: int,
) -> pd.DataFrame:
    frames = []
    each = np.reshape(teachers, (len(students), -1))  # weights and a probe, or a model
    for path, files in zip(students, each, strict=True):
        student, look, about = load_trained(path)
        learnt = pooled(fabric, student, look, examples, workers)
        taught = pooled(fabric, *teacher_of(form, *files), examples, workers)
        frames.append(likeness(learnt, taught, about["seed"]).assign(task=examples.task))
    return pd.concat(frames, ignore_index=True)


def run(
    experiment: str,
    students: Sequence[str | Path],
    teachers: Sequence[str | Path],
    form: Mapping[str, Any],
    examples: str | Path,
    device: Mapping[str, Any],
    csv: str | Path,
) -> None:
    """CKA of an experiment's students, a file for each seed, with the files of the teacher of each
    seed, one after the other, models of `form`, from files to a file, on one device.
    """
    found = Examples.read(examples, "eval")
    frame = launch(device, _measure, students, teachers, form, found, device["workers"])
    write_csv(csv, frame.assign(experiment=experiment)[COLUMNS])
