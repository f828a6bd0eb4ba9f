"""The training loop of images: SGD on micro-batches, on one device or several, resumable."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from talking_models.methods import Method
from talking_models.models.base import Frozen, LayeredModel
from talking_models.training.board import Board
from talking_models.training.devices import reduce_gradients
from talking_models.training.draws import PlacedStreams
from talking_models.training.loop import check_finite, gradient_norms
from talking_models.training.progress import Progress
from talking_models.training.resume import Resume


class Learner(nn.Module):
    """All that is trained, as one module: the student and the method's own modules.

    Its forward pass is the loss, so that a wrapper for several devices sees every use of a weight.
    """

    def __init__(
        self, student: LayeredModel, method: Method, teachers: Mapping[str, Frozen]
    ) -> None:
        super().__init__()
        self.student = student
        self.own = nn.ModuleDict(dict(method.modules()))
        self.method, self.teachers = method, teachers  # no modules

    def forward(self, batch: Any, step: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Parts of the loss, and monitors."""
        loss = self.method.loss(batch, self.student, self.teachers, step)
        return loss.parts, loss.monitors


@dataclass(frozen=True)
class Micro:
    """How the images of a step are shared out.

    Attributes:
        size: images of a micro-batch.
        mine: the numbers of this process's micro-batches within a step.
    """

    size: int
    mine: range

    @classmethod
    def of(cls, training: Mapping[str, Any], rank: int, world: int) -> Micro:
        """The share of one of `world` processes.

        Raises:
            ValueError: the batch does not divide into whole micro-batches for each process.
        """
        batch, size = training["batch_size"], training["micro_batch_size"]
        size = size or batch // world
        if batch % (size * world):
            raise ValueError(
                f"a batch of {batch} images does not divide into micro-batches of {size} for "
                f"{world} processes"
            )
        return cls(size, range(rank, batch // size, world))


@dataclass
class Logs:
    """Rows of the job's tables: a history that a resumed job repeats exactly, and the pace.

    Attributes:
        history: step, name, value, gradient_norm.
        throughput: step, images_per_second.
    """

    history: list[tuple] = field(default_factory=list)
    throughput: list[tuple] = field(default_factory=list)


def learning_rate(step: int, training: Mapping[str, Any]) -> float:
    """Of step 0, 1, ...: a linear warm-up, then half a cosine to 0."""
    warmup, steps = training["warmup_steps"], training["steps"]
    if step < warmup:
        return training["learning_rate"] * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return training["learning_rate"] * 0.5 * (1 + math.cos(math.pi * progress))


def torch_seed(*place: int) -> int:
    """A seed of torch's own generator for a place in the training."""
    return int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0])


def optimizer_of(learner: nn.Module, training: Mapping[str, Any]) -> torch.optim.SGD:
    """SGD with momentum and without weight decay (Dosovitskiy et al., 2021, Table 4)."""
    return torch.optim.SGD(
        learner.parameters(), lr=training["learning_rate"], momentum=training["momentum"]
    )


def mean_over(values: Mapping[str, list[Tensor]], fabric: Fabric) -> dict[str, float]:
    """The mean of each value over the micro-batches of all processes."""
    means = torch.stack([torch.stack(found).mean() for found in values.values()])
    return dict(zip(values, fabric.all_reduce(means, reduce_op="mean").tolist(), strict=True))


def train(
    fabric: Fabric,
    learner: Learner,
    batches: Callable[[range], Iterator[Any]],
    draws: PlacedStreams,
    accuracy: Callable[[], float],
    *,
    training: Mapping[str, Any],
    seed: int,
    setting: Any,
    resume: Resume,
    prepare: Callable[[], None],
    log: logging.Logger,
    board: Board | None = None,
) -> Logs:
    """Train in place, from the step that a killed job came to.

    Args:
        fabric: launched; every process calls this.
        learner: student and modules.
        batches: this process's micro-batches of a range of steps.
        draws: of the method's training noise.
        accuracy: of the student on the val slice.
        training: the keys of `models.kind.ImageTraining`.
        seed: for messages.
        setting: what to name in an error.
        resume: where the state is kept.
        prepare: called once, when all is on its device.
        log: gets progress lines with the time left.
        board: gets the rows of the logs; None in processes other than the first.

    Raises:
        TrainingDiverged: a loss part became NaN or infinite.
    """
    student, own, method = learner.student, learner.own, learner.method
    learner.to(fabric.device)  # before the optimizer: XLA makes new parameters
    sgd = optimizer_of(learner, training)
    module, optimizer = fabric.setup(learner, sgd)
    prepare()
    begun, logs = resume.load(learner, sgd, log)
    logs = Logs(**logs) if logs else Logs()
    steps, micro = training["steps"], Micro.of(training, fabric.global_rank, fabric.world_size)
    waiting = batches(range(begun, steps))
    module.train()
    progress = Progress(log, steps, begun, of=("images", training["batch_size"]))
    for step in range(begun, steps):
        taken = step + 1
        last = taken == steps
        measured = taken % training["log_every"] == 0  # gradient norms cost a backward pass each
        shown = measured or last
        looked = taken % training["evaluate_every"] == 0 or last
        for group in sgd.param_groups:
            group["lr"] = learning_rate(step, training)
        values: dict[str, list[Tensor]] = {}
        norms: dict[str, float] = {}
        for number in micro.mine:
            batch = fabric.to_device(next(waiting))
            draws.seek(step, number)
            torch.manual_seed(torch_seed(seed, step, number))  # what a timm model itself draws
            with fabric.no_backward_sync(module, enabled=number != micro.mine[-1]):
                parts, monitors = module(batch, step)
                total = sum(parts.values())
                if not torch.isfinite(total):
                    check_finite(parts | {"total": total}, step, (seed,), setting)
                if measured and number == micro.mine[-1]:
                    norms = gradient_norms(parts, student)
                fabric.backward(total / len(micro.mine))
            for name, value in (parts | monitors).items():
                values.setdefault(name, []).append(value.detach().float())
        for part, trained in zip((student, own), method.trains(step), strict=True):
            if not trained:  # SGD passes over parameters without a gradient
                part.zero_grad(set_to_none=True)
        reduce_gradients(fabric, sgd)
        norm = fabric.clip_gradients(
            module, optimizer, max_norm=training["clip"], error_if_nonfinite=False
        )
        if not torch.isfinite(norm):
            check_finite({"gradient norm": norm}, step, (seed,), setting)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if shown:
            means = mean_over(values, fabric)
            logs.history += [(taken, name, v, norms.get(name)) for name, v in means.items()]
            logs.throughput.append((taken, progress.report(taken, means)))
        if looked:
            module.eval()
            share = accuracy()
            module.train()
            logs.history.append((taken, "val_accuracy", share, None))
            log.info("step %d/%d  val accuracy %.4f", taken, steps, share)
        if board is not None and (shown or looked):
            board.show(logs.history, logs.throughput)
        if taken % training["checkpoint_every"] == 0 and not last and fabric.is_global_zero:
            resume.save(taken, learner, sgd, vars(logs))
    module.eval()
    return logs
