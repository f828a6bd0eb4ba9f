"""The training job of images: one student, by one method, on one data set, with one seed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
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
from talking_models.models.base import Frozen, LayeredModel
from talking_models.models.files import Backbone, Look, kind_of, load_trained, read, save_trained
from talking_models.models.layers import Layers
from talking_models.objectives import ClassObjective
from talking_models.training.board import Board
from talking_models.training.devices import launch
from talking_models.training.draws import PlacedStreams
from talking_models.training.image_loop import Learner, Logs, Micro, train
from talking_models.training.loader import augmented, in_order, shuffled
from talking_models.training.resume import Resume, key_of

MEASURE_BATCH = 256  # images at once, where nothing is learnt


@dataclass(frozen=True)
class Inputs:
    """What a training job reads.

    Attributes:
        fit, val: slices of a data set.
        backbone: the pre-trained weights that the student starts from.
        teachers: by id, the files of each: pre-trained weights and a probe, or a model that was
            trained on the data set.
    """

    fit: Path
    val: Path
    backbone: Path
    teachers: Mapping[str, tuple[Path, ...]]

    @classmethod
    def of(cls, config: Mapping[str, Any], files: Mapping[str, Any]) -> Inputs:
        """The inputs of a rule, whose teachers are numbered in the order of the config."""
        names = ("teacher", "probe")
        teachers = {
            id: tuple(files[f"{name}{i}"] for name in names if f"{name}{i}" in files)
            for i, id in enumerate(config["teachers"])
        }
        return cls(files["fit"], files["val"], files["backbone"], teachers)

    @property
    def files(self) -> list[Path]:
        """All of them."""
        taught = (path for paths in self.teachers.values() for path in paths)
        return [self.fit, self.val, self.backbone, *taught]


@dataclass(frozen=True)
class Outputs:
    """Where a training job writes.

    Attributes:
        models, history, config, throughput: files.
        board: a folder for TensorBoard.
    """

    models: Path
    history: Path
    config: Path
    throughput: Path
    board: Path

    @property
    def resume(self) -> Path:
        """What a killed job goes on from; it goes when the job ends."""
        return Path(self.models).with_name("checkpoint.safetensors")


def accuracy(
    fabric: Fabric, student: LayeredModel, examples: Examples, look: Look, workers: int
) -> float:
    """The share of examples whose class the student predicts; each process takes a part of them."""
    correct = torch.zeros((), device=fabric.device)
    share = in_order(examples, look, MEASURE_BATCH, workers, fabric.global_rank, fabric.world_size)
    with torch.no_grad(), fabric.autocast():
        for batch in map(fabric.to_device, share):
            correct += (student(batch).output.argmax(-1) == batch.target).sum()
    return float(fabric.all_reduce(correct, reduce_op="sum")) / len(examples)


def fit(
    fabric: Fabric, inputs: Inputs, config: Mapping[str, Any], key: str, outputs: Outputs
) -> None:
    """Train one student, in every process of `fabric`; the first one writes."""
    log = logging.getLogger("talking_models")
    training, seed, workers = config["training"], config["seed"], config["device"]["workers"]
    examples, val = Examples.read(inputs.fit, "fit"), Examples.read(inputs.val, "val")
    backbone, form = Backbone.load(inputs.backbone), config["student"]
    look = backbone.look
    teachers = {
        id: Frozen(teacher_of(form, *inputs.teachers[id]))
        for id, form in config["teachers"].items()
    }
    for id, (file, *_) in inputs.teachers.items():
        check_look(id, look_of(file), look)
    taught_by = [teacher.model for teacher in teachers.values()]
    student = MODELS.get(form["kind"]).student(form, len(examples.classes), backbone, taught_by)
    for teacher in teachers.values():
        teacher.model.to(fabric.device)
    layers = Layers(PlacedStreams([seed], "method", stacked=False))
    method = methods.build(config, ClassObjective(layers), layers, student, teachers)

    def prepare() -> None:
        chunks = -(-training["prepare_images"] // MEASURE_BATCH)

        def states(teacher: Frozen) -> Any:
            for batch in islice(in_order(examples, look, MEASURE_BATCH, workers), chunks):
                yield teacher(fabric.to_device(batch))

        method.prepare({id: states(teacher) for id, teacher in teachers.items()})

    micro = Micro.of(training, fabric.global_rank, fabric.world_size)
    log.info(
        "%s, %d training images, %d micro-batches of %d for each of %d processes on %s",
        config["method"],
        len(examples),
        len(micro.mine),
        micro.size,
        fabric.world_size,
        fabric.device,
    )
    resume = Resume(outputs.resume, key)
    board = Board(outputs.board) if fabric.is_global_zero else None
    logs = train(
        fabric,
        Learner(student, method, teachers),
        lambda steps: shuffled(
            examples,
            augmented(look, training["smallest_area"], training["flip"]),
            seed=seed,
            batch_size=training["batch_size"],
            micro=micro.size,
            steps=steps,
            workers=workers,
            rank=fabric.global_rank,
            world=fabric.world_size,
        ),
        layers.draw,
        lambda: accuracy(fabric, student, val, look, workers),
        training=training,
        seed=seed,
        setting={name: config[name] for name in ("method", "settings", "training")},
        resume=resume,
        prepare=prepare,
        log=log,
        board=board,
    )
    if fabric.is_global_zero:
        board.close()
        write(outputs, student, look, examples.classes, config, logs)
        resume.remove()


def teacher_of(form: Mapping[str, Any], file: Path, probe: Path | None = None) -> LayeredModel:
    """A teacher whose outputs are logits: pre-trained with a probe, or trained on the data set."""
    if kind_of(file) != "backbone":
        return load_trained(file)[0]
    weights = None if probe is None else read(probe, "probe")[0]
    return MODELS.get(form["kind"]).teacher(form, Backbone.load(file), weights)


def look_of(file: Path) -> Look:
    """How a teacher looks at images."""
    if kind_of(file) != "backbone":
        return load_trained(file)[1]
    return Backbone.load(file).look


def check_look(teacher: str, theirs: Look, ours: Look) -> None:
    """Student and teacher are shown the same pixels; a ValueError if they differ on which."""
    if theirs != ours:
        raise ValueError(
            f"the student looks at images of {ours.size} pixels with mean {ours.mean} and std "
            f"{ours.std}, its teacher {teacher} of {theirs.size} pixels with mean {theirs.mean} "
            f"and std {theirs.std}: give the student's entry the teacher's"
        )


def write(
    outputs: Outputs,
    student: LayeredModel,
    look: Look,
    classes: list[str],
    config: Mapping[str, Any],
    logs: Logs,
) -> None:
    """All files of a job that has ended."""
    columns = ["step", "name", "value", "gradient_norm"]
    write_csv(outputs.history, pd.DataFrame(logs.history, columns=columns))
    pace = pd.DataFrame(logs.throughput, columns=["step", "images_per_second"])
    write_csv(outputs.throughput, pace)
    write_yaml(outputs.config, dict(config))
    about = {"classes": classes, "seed": config["seed"]}
    save_trained(outputs.models, student, config["student"], look, **about)


def run(inputs: Inputs, config: Mapping[str, Any], code: str, outputs: Outputs) -> None:
    """A whole training job, from files to files.

    Args:
        inputs: files to read; never the eval slice.
        config: the effective config, see `config.Config.training_job`, with a `seed`.
        code: a digest of the code; a checkpoint of other code is not read.
        outputs: files to write.
    """
    # where a job runs changes no more than rounding
    what = {name: value for name, value in config.items() if name != "device"}
    launch(config["device"], fit, inputs, config, key_of([what, code], *inputs.files), outputs)
