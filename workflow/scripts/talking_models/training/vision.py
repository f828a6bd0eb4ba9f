"""The vision job: one student, by one method, on one data set, with one seed."""

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
from talking_models.data.vision import Examples
from talking_models.data.vision_loader import augmented, in_order, shuffled
from talking_models.io import write_csv, write_yaml
from talking_models.models.layers import Layers
from talking_models.models.vit import FrozenViT, LayeredViT
from talking_models.models.vit_files import Backbone, load_student, save_student
from talking_models.tasks import Classification
from talking_models.training.board import Board
from talking_models.training.devices import launch
from talking_models.training.draws import PlacedStreams
from talking_models.training.vision_checkpoint import Checkpoint, key_of
from talking_models.training.vision_loop import Learner, Logs, Micro, train

MEASURE_BATCH = 256  # images at once, where nothing is learnt


@dataclass(frozen=True)
class Inputs:
    """What a training job reads.

    Attributes:
        fit, minival: slices of a data set.
        backbone: the pre-trained teacher, which the student starts from.
        probe: the teacher's classifier; None for a method without a teacher.
        finetuned: a teacher that was trained on the data set, instead.
    """

    fit: Path
    minival: Path
    backbone: Path
    probe: Path | None = None
    finetuned: Path | None = None


@dataclass(frozen=True)
class Outputs:
    """Where a training job writes.

    Attributes:
        models, history, throughput, config: files.
        board: a folder for TensorBoard.
    """

    models: Path
    history: Path
    throughput: Path
    config: Path
    board: Path

    @property
    def checkpoint(self) -> Path:
        """What a killed job goes on from; it goes when the job ends."""
        return Path(self.models).with_name("checkpoint.safetensors")


def accuracy(
    fabric: Fabric, student: LayeredViT, examples: Examples, backbone: Backbone, workers: int
) -> float:
    """The share of examples whose class the student predicts; each process takes a part of them."""
    correct = torch.zeros((), device=fabric.device)
    share = in_order(
        examples, backbone.look, MEASURE_BATCH, workers, fabric.global_rank, fabric.world_size
    )
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
    examples = Examples.read(inputs.fit, "fit")
    minival = Examples.read(inputs.minival, "minival")
    backbone = Backbone.load(inputs.backbone)
    student = backbone.student(config["blocks"], config["student_cut"], len(examples.classes))

    teacher = None
    if methods.method_class(config["method"]).has_teacher:
        teacher = FrozenViT(teacher_of(inputs, backbone, config["teacher_cut"]))
        teacher.model.to(fabric.device)
    draws = PlacedStreams([seed], "method", stacked=False)
    layers = Layers(draws)
    method = methods.build(config, Classification(layers), layers, student, teacher)

    def prepare() -> None:
        if teacher is not None:
            seen = in_order(examples, backbone.look, MEASURE_BATCH, workers)
            chunks = islice(seen, -(-training["prepare_images"] // MEASURE_BATCH))
            method.prepare(teacher(fabric.to_device(batch)) for batch in chunks)

    micro = Micro.of(training, fabric.global_rank, fabric.world_size)
    log.info(
        "%s on %s, %d training images, %d micro-batches of %d for each of %d processes on %s",
        config["method"],
        examples.dataset,
        len(examples),
        len(micro.mine),
        micro.size,
        fabric.world_size,
        fabric.device,
    )
    checkpoint = Checkpoint(outputs.checkpoint, key)
    board = Board(outputs.board) if fabric.is_global_zero else None
    logs = train(
        fabric,
        Learner(student, method, teacher),
        lambda steps: shuffled(
            examples,
            augmented(backbone.look, training["smallest_area"], training["flip"]),
            seed=seed,
            batch_size=training["batch_size"],
            micro=micro.size,
            steps=steps,
            workers=workers,
            rank=fabric.global_rank,
            world=fabric.world_size,
        ),
        layers.draw,
        lambda: accuracy(fabric, student, minival, backbone, workers),
        training=training,
        seed=seed,
        setting={name: config[name] for name in ("method", "settings", "training")},
        checkpoint=checkpoint,
        prepare=prepare,
        log=log,
        board=board,
    )
    if fabric.is_global_zero:
        board.close()
        write(outputs, student, backbone, config, logs)
        checkpoint.remove()


def teacher_of(inputs: Inputs, backbone: Backbone, cut: tuple[int, int]) -> LayeredViT:
    """The teacher of a job, whose outputs are logits."""
    if inputs.finetuned is None:
        return backbone.teacher(cut, inputs.probe)
    return load_student(inputs.finetuned)[0]


def write(
    outputs: Outputs,
    student: LayeredViT,
    backbone: Backbone,
    config: Mapping[str, Any],
    logs: Logs,
) -> None:
    """All files of a job that has ended."""
    columns = ["step", "name", "value", "gradient_norm"]
    write_csv(outputs.history, pd.DataFrame(logs.history, columns=columns))
    pace = pd.DataFrame(logs.throughput, columns=["step", "images_per_second"])
    write_csv(outputs.throughput, pace)
    write_yaml(outputs.config, dict(config))
    save_student(outputs.models, student, backbone, seed=config["seed"])


def run(inputs: Inputs, config: Mapping[str, Any], code: str, outputs: Outputs) -> None:
    """A whole training job, from files to files.

    Args:
        inputs: files to read; never the eval slice.
        config: the effective config, see `config_vision.Vision.job`.
        code: a digest of the code; a checkpoint of other code is not read.
        outputs: files to write.
    """
    files = [path for path in vars(inputs).values() if path is not None]
    # where a job runs changes no more than rounding
    what = {name: value for name, value in config.items() if name != "device"}
    launch(config["device"], fit, inputs, config, key_of([what, code], *files), outputs)
