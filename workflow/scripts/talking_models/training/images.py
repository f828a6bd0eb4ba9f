"""The training job of images: one student, by one method, on one data set, with one seed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric

from talking_models import methods
from talking_models.data.images import Examples
from talking_models.io import write_csv, write_yaml
from talking_models.models import MODELS
from talking_models.models.base import Frozen, States
from talking_models.models.files import Backbone, save_trained, teacher_of
from talking_models.models.layers import Layers, Streams
from talking_models.objectives import ClassObjective
from talking_models.training.devices import launch, settled
from talking_models.training.image_loop import Learner, micro_batches, train
from talking_models.training.image_teacher import Kept
from talking_models.training.loader import MEASURED, augmented, in_order, shuffled
from talking_models.training.resume import Record, key_of
from talking_models.training.shared import HISTORY


@dataclass(frozen=True)
class Inputs:
    """What a training job reads; never the eval slice."""

    fit: Path
    val: Path
    backbone: Path  # the pre-trained weights that the student starts from
    teachers: Mapping[str, tuple[Path, ...]]  # weights and a probe, or a model trained on the set
    states: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)  # kept, of some of them

    @classmethod
    def of(cls, config: Mapping[str, Any], files: Mapping[str, Any]) -> Inputs:
        """The inputs of a rule, whose teachers are numbered in the order of the config."""
        teachers, states = {}, {}
        for i, id in enumerate(config["teachers"]):
            own = (f"teacher{i}", f"probe{i}")
            teachers[id] = tuple(files[name] for name in own if name in files)
            states[id] = tuple(files.get(f"states{i}", ()))
        return cls(files["fit"], files["val"], files["backbone"], teachers, states)


def fit(
    fabric: Fabric,
    inputs: Inputs,
    config: Mapping[str, Any],
    key: str,
    outputs: Mapping[str, Path],
) -> None:
    """Train one student, in every process of `fabric`; the first one writes."""
    log = logging.getLogger("talking_models")
    training, seed, workers = config["training"], config["seed"], config["device"]["workers"]
    examples, val = Examples.read(inputs.fit, "fit"), Examples.read(inputs.val, "val")
    backbone, form = Backbone.load(inputs.backbone), config["student"]
    look, teachers = backbone.look, {}
    for id, its_form in config["teachers"].items():
        model, theirs = teacher_of(its_form, *inputs.teachers[id], classes=examples.classes)
        if theirs != look:
            raise ValueError(
                f"the student looks at images of {look.size} pixels with mean {look.mean} and std "
                f"{look.std}, its teacher {id} of {theirs.size} pixels with mean {theirs.mean} "
                f"and std {theirs.std}: give the student's entry the teacher's"
            )
        teachers[id] = Kept.of(model, inputs.states.get(id, ()))
    taught_by = [teacher.model for teacher in teachers.values()]
    n = len(examples.classes)
    student, *learning = (
        MODELS.get(own["kind"]).student(own, n, backbone, taught_by)
        for own in (form, *config.get("peers", {}).values())
    )
    peers = dict(zip(config.get("peers", {}), learning, strict=True))
    for model in taught_by:
        model.to(fabric.device)
    layers = Layers(Streams([seed], "method", stacked=False))
    method = methods.build(config, ClassObjective(layers), layers, student, teachers, peers)
    rank, world = fabric.global_rank, fabric.world_size
    micro, mine = micro_batches(training, rank, world)
    share = {"workers": workers, "rank": rank, "world": world}

    def prepare() -> None:
        chunks = -(-training["prepare_images"] // MEASURED)

        def states(teacher: Frozen) -> Iterator[States]:
            for batch in islice(in_order(examples, look, workers), chunks):
                yield teacher(fabric.to_device(batch))

        method.prepare({id: states(teacher) for id, teacher in teachers.items()})

    def accuracy() -> float:
        correct = torch.zeros((), device=fabric.device)
        with torch.no_grad(), fabric.autocast():
            for batch in map(fabric.to_device, in_order(val, look, **share)):
                correct += (student(batch).output.argmax(-1) == batch.target).sum()
        return float(fabric.all_reduce(correct, reduce_op="sum")) / len(val)

    transform = augmented(look, *(training[k] for k in ("smallest_area", "flip", "shift")))
    drawn = {"seed": seed, "batch_size": training["batch_size"], "micro": micro}
    mirror = training["flip"] and training["smallest_area"] == 1
    batches = partial(shuffled, examples, transform, mirror=mirror, **drawn, **share)
    where = f"{world} processes on {fabric.device}, {len(mine)} times {micro} images a step each"
    log.info("%s, %d training images, %s", config["method"], len(examples), where)
    left = Path(outputs["models"]).with_name("checkpoint.safetensors")  # by a killed job
    record = Record(left, key, outputs["board"] if fabric.is_global_zero else None)
    learner = Learner(student, method, teachers, layers.draw)
    train(fabric, learner, batches, accuracy, prepare, config, record, log)
    if fabric.is_global_zero:
        record.board.experiment.close()
        write_csv(outputs["history"], pd.DataFrame(record.history, columns=HISTORY))
        pace = pd.DataFrame(record.throughput, columns=["step", "images_per_second"])
        write_csv(outputs["throughput"], pace)
        write_yaml(outputs["config"], dict(config))
        classes = examples.classes
        save_trained(outputs["models"], student, form, look, classes=classes, seed=seed)
        left.unlink(missing_ok=True)


def run(inputs: Inputs, config: Mapping[str, Any], code: str, outputs: Mapping[str, Path]) -> None:
    """A whole training job, from files to files: `models`, `history`, `config` and `throughput`,
    and `board`, a folder for TensorBoard.

    The effective config, see `config.Config.training_job`, has a `seed`; what a killed job left is
    not read if it is of other code, of which `code` is a digest.
    """
    device = settled(config["device"])
    config = {**config, "device": device}
    # where a job runs changes no more than rounding, but for how many images are taken at once
    what = {**config, "device": device["precision"]}
    what["micro"], _ = micro_batches(config["training"], 0, device["devices"])
    taught = (path for paths in inputs.teachers.values() for path in paths)
    key = key_of([what, code], inputs.fit, inputs.val, inputs.backbone, *taught)
    launch(device, fit, inputs, config, key, outputs)
