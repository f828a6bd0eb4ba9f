"""The training loop: one optimiser step after another on a method's loss."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from talking_models.methods import Method
from talking_models.models.base import LayeredModel
from talking_models.training.optimizer import Optimizer
from talking_models.training.progress import Progress
from talking_models.training.setup import products_in

LOG_LINES = 10


class TrainingDiverged(ArithmeticError):
    """A loss became NaN or infinite."""


@dataclass(frozen=True)
class Watch:
    """What is looked at while a student trains.

    Attributes:
        look: called with the student in eval mode; it changes nothing.
        every: steps between two looks.
    """

    look: Callable[[], None]
    every: int


def check_finite(parts: dict[str, Tensor], step: int, seeds: tuple[int, ...], setting: Any) -> None:
    """Stop where a part of the loss is not a number.

    Raises:
        TrainingDiverged: with the step, the part, the seed and the setting.
    """
    for name, part in parts.items():
        for seed, value in zip(seeds, part.reshape(-1).tolist(), strict=True):
            if not -float("inf") < value < float("inf"):
                raise TrainingDiverged(
                    f"loss part '{name}' is {value} at step {step}, seed {seed}, with {setting}; "
                    "try a lower learning_rate or a lower weight of that part"
                )


def gradient_norms(parts: dict[str, Tensor], student: LayeredModel) -> dict[str, float]:
    """Norm of each part's gradient over the student, all models of the stack together.

    It tells whether a term moves the student at all, or is absorbed by the method's own modules.
    """
    norms = {}
    for name, part in parts.items():
        gradients = torch.autograd.grad(
            part.sum(), student.backbone(), retain_graph=True, allow_unused=True
        )
        dense = (g.coalesce().values() if g.is_sparse else g for g in gradients if g is not None)
        norms[name] = sum(float(g.square().sum()) for g in dense) ** 0.5
    return norms


def train(
    student: LayeredModel,
    method: Method,
    teachers: Mapping[str, Any],
    batches: Iterator[Any],
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    precision: str,
    seeds: tuple[int, ...],
    setting: Any,
    log: logging.Logger,
    watch: Watch | None = None,
) -> pd.DataFrame:
    """Train `student` and the method's modules together with AdamW, in place.

    Args:
        student: a model or stack of models.
        method: what is minimised.
        teachers: frozen, by id; see `Method.loss`.
        batches: one is taken per step.
        steps: optimiser steps.
        learning_rate: constant.
        weight_decay: of AdamW, for weights and embedding tables.
        precision: of the matrix products, see `setup.products_in`.
        seeds: of the models of the stack, for messages.
        setting: what to name in an error: the effective settings.
        log: gets about ten progress lines.
        watch: what is looked at meanwhile.

    Returns:
        The history at those steps, one row per step and loss part or monitor: `step`, `name`,
        `value` (mean over the stack) and, for parts, `gradient_norm` over the student.

    Raises:
        TrainingDiverged: a loss part became NaN or infinite.
    """
    own = nn.ModuleDict(dict(method.modules()))
    optimizer = Optimizer(
        student, own, learning_rate=learning_rate, weight_decay=weight_decay, steps=steps
    )
    student.train()
    own.train()
    every = max(1, steps // LOG_LINES)
    history = []
    progress = Progress(log, steps)
    for step in range(steps):
        batch = next(batches)
        optimizer.expect(batch)
        with products_in(precision):
            loss = method.loss(batch, student, teachers, step)
        total = loss.total
        if not torch.isfinite(total).all():
            check_finite(loss.parts | {"total": total}, step, seeds, setting)
        reported = (step + 1) % every == 0 or step + 1 == steps
        norms = gradient_norms(loss.parts, student) if reported else {}
        total.sum().backward()
        for module, trained in zip((student, own), method.trains(step), strict=True):
            if not trained:  # AdamW passes over parameters without a gradient
                module.zero_grad(set_to_none=True)
        optimizer.step()
        optimizer.zero_grad()  # before the next step's memory is taken
        taken = step + 1
        if watch is not None and taken % watch.every == 0:
            optimizer.settle()
            student.eval()
            watch.look()
            student.train()
        if reported:
            values = {
                name: float(v.detach().mean()) for name, v in (loss.parts | loss.monitors).items()
            }
            history += [(taken, name, v, norms.get(name)) for name, v in values.items()]
            progress.report(taken, values)
    optimizer.settle()
    student.eval()
    own.eval()
    return pd.DataFrame(history, columns=["step", "name", "value", "gradient_norm"])
