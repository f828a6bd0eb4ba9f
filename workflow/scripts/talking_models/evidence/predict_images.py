"""Predictions of trained models of images. The only place where their eval slice meets a model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import nn

from talking_models.data.images import Examples
from talking_models.evidence.scores import write
from talking_models.models.base import LayeredModel
from talking_models.models.files import Look, load_trained
from talking_models.training.devices import launch
from talking_models.training.image_teacher import teacher_of
from talking_models.training.loader import in_order


def _predicted(
    fabric: Fabric,
    model: LayeredModel,
    look: Look,
    examples: Examples,
    workers: int,
    seed: int,
    teacher: LayeredModel | None = None,
) -> pd.DataFrame:
    """What a model predicts: seed, example, target and prediction, which are classes; and, beside
    its teacher, `teacher`'s class and `kl`, KL(teacher || model) of their probabilities.
    """
    model, found = fabric.to_device(model).eval(), []
    teacher = teacher and fabric.to_device(teacher).eval()
    with torch.no_grad(), fabric.autocast():
        for batch in map(fabric.to_device, in_order(examples, look, workers)):
            own = model(batch).output.float()
            columns = {"target": batch.target, "prediction": own.argmax(-1)}
            if teacher is not None:
                theirs = teacher(batch).output.float()
                logs = own.log_softmax(-1), theirs.log_softmax(-1)
                apart = nn.functional.kl_div(*logs, reduction="none", log_target=True).sum(-1)
                columns |= {"teacher": theirs.argmax(-1), "kl": apart}
            found.append(pd.DataFrame({name: x.cpu() for name, x in columns.items()}))
    frame = pd.concat(found, ignore_index=True).rename_axis("example").reset_index()
    frame.insert(0, "seed", seed)
    return frame


def predict(
    fabric: Fabric,
    models: Path,
    teacher: tuple[Mapping[str, Any], Sequence[Path]] | None,
    examples: Examples,
    workers: int,
) -> pd.DataFrame:
    """What one student predicts, beside its teacher, a form with files, see `_predicted`."""
    student, look, about = load_trained(models)
    taught_by = None if teacher is None else teacher_of(teacher[0], *map(Path, teacher[1]))[0]
    return _predicted(fabric, student, look, examples, workers, about["seed"], taught_by)


def predict_probes(
    fabric: Fabric,
    probed: Mapping[str, tuple[Mapping[str, Any], Path, Path]],
    examples: Examples,
    workers: int,
) -> pd.DataFrame:
    """What linear probes of untouched models predict, `probed` by experiment: each one's form,
    weights and probe. One seed, as a probe has no luck but in the order of its batches.
    """
    frames = []
    for experiment, (form, *files) in probed.items():
        model, look = teacher_of(form, *files)
        frame = _predicted(fabric, model, look, examples, workers, 0)
        frames.append(frame.assign(experiment=experiment))
    return pd.concat(frames, ignore_index=True)


def run(
    models: str | Path,
    teacher: tuple[Mapping[str, Any], Sequence[str | Path]] | None,
    examples: str | Path,
    device: Mapping[str, Any],
    **evidence: Any,
) -> None:
    """Evaluate one student on an eval slice, on one device; `evidence` is what `write` takes."""
    found, one = Examples.read(examples, "eval"), {**device, "devices": 1}
    frame = launch(one, predict, models, teacher, found, device["workers"])
    write(frame, found.task, **evidence)


def run_probes(
    probed: Mapping[str, tuple[Mapping[str, Any], Path, Path]],
    examples: str | Path,
    device: Mapping[str, Any],
    **evidence: Any,
) -> None:
    """Evaluate the reference lines of an eval slice, see `predict_probes`, on one device."""
    found, one = Examples.read(examples, "eval"), {**device, "devices": 1}
    frame = launch(one, predict_probes, probed, found, device["workers"])
    write(frame, found.task, **evidence)
