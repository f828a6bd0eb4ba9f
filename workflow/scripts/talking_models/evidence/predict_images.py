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
from talking_models.models.files import Look, load_trained, teacher_of
from talking_models.training.devices import launch
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
    models: str | Path,
    teacher: Sequence[str | Path],
    form: Mapping[str, Any] | None,
    examples: Examples,
    workers: int,
) -> pd.DataFrame:
    """What one student predicts, beside its teacher, if it has one, see `_predicted`."""
    student, look, about = load_trained(models)
    taught_by = teacher_of(form, *teacher)[0] if teacher else None
    return _predicted(fabric, student, look, examples, workers, about["seed"], taught_by)


def predict_probes(
    fabric: Fabric,
    forms: Mapping[str, Mapping[str, Any]],
    backbones: Sequence[str | Path],
    probes: Sequence[str | Path],
    examples: Examples,
    workers: int,
) -> pd.DataFrame:
    """What linear probes of untouched models predict. One seed, as a probe has no luck but in the
    order of its batches.
    """
    frames = []
    for (experiment, form), *files in zip(forms.items(), backbones, probes, strict=True):
        model, look = teacher_of(form, *files)
        frame = _predicted(fabric, model, look, examples, workers, 0)
        frames.append(frame.assign(experiment=experiment))
    return pd.concat(frames, ignore_index=True)


def run(
    models: str | Path,
    teacher: Sequence[str | Path],
    form: Mapping[str, Any] | None,
    examples: str | Path,
    device: Mapping[str, Any],
    **evidence: Any,
) -> None:
    """Evaluate one student on an eval slice, on one device, beside its teacher: files of a model of
    `form`, none if it has no teacher; `evidence` is what `write` takes.
    """
    found = Examples.read(examples, "eval")
    frame = launch(device, predict, models, teacher, form, found, device["workers"])
    write(frame, found.task, **evidence)


def run_probes(
    forms: Mapping[str, Mapping[str, Any]],
    backbones: Sequence[str | Path],
    probes: Sequence[str | Path],
    examples: str | Path,
    device: Mapping[str, Any],
    **evidence: Any,
) -> None:
    """Evaluate the reference lines of an eval slice, on one device: probes of models whose `forms`
    are by experiment, and their weights, in this order.
    """
    found = Examples.read(examples, "eval")
    frame = launch(device, predict_probes, forms, backbones, probes, found, device["workers"])
    write(frame, found.task, **evidence)
