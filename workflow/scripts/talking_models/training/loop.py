"""The training loop: one optimiser step after another on a method's loss."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from talking_models.methods import Method
from talking_models.models.base import LayeredModel
from talking_models.training.setup import products_in

LOG_LINES = 10


class TrainingDiverged(ArithmeticError):
    """A loss became NaN or infinite."""


def parameter_groups(modules: list[nn.Module], weight_decay: float) -> list[dict[str, Any]]:
    """Weights and embeddings decay; biases and the scales of norms (one row per model) do not."""
    parameters = [p for module in modules for p in module.parameters()]
    decay = [p for p in parameters if p.dim() > 1 and p.shape[-2] > 1]
    rest = [p for p in parameters if p.dim() <= 1 or p.shape[-2] == 1]
    return [
        {"params": decay, "weight_decay": weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]


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
        norms[name] = sum(float(g.square().sum()) for g in gradients if g is not None) ** 0.5
    return norms


def train(
    student: LayeredModel,
    method: Method,
    teacher: Any,
    batches: Iterator[Any],
    *,
    steps: int,
    learning_rate: float,
    weight_decay: float,
    precision: str,
    seeds: tuple[int, ...],
    setting: Any,
    log: logging.Logger,
    watch: Callable[[int], None] | None = None,
) -> pd.DataFrame:
    """Train `student` and the method's modules together with AdamW, in place.

    Args:
        student: a model or stack of models.
        method: what is minimised.
        teacher: frozen; see `Method.loss`.
        batches: one is taken per step.
        steps: optimiser steps.
        learning_rate: constant.
        weight_decay: of AdamW, for weights and embeddings.
        precision: of the matrix products, see `setup.products_in`.
        seeds: of the models of the stack, for messages.
        setting: what to name in an error: the effective settings.
        log: gets about ten progress lines.
        watch: called after each step with the number of steps taken, the student in training mode.

    Returns:
        The history at those steps, one row per step and loss part or monitor: `step`, `name`,
        `value` (mean over the stack) and, for parts, `gradient_norm` over the student.

    Raises:
        TrainingDiverged: a loss part became NaN or infinite.
    """
    own = nn.ModuleDict(dict(method.modules()))
    optimizer = torch.optim.AdamW(
        parameter_groups([student, own], weight_decay), lr=learning_rate, fused=True
    )
    student.train()
    own.train()
    every = max(1, steps // LOG_LINES)
    history = []
    started = time.monotonic()
    for step in range(steps):
        with products_in(precision):
            loss = method.loss(next(batches), student, teacher, step)
        total = loss.total
        if not torch.isfinite(total).all():
            check_finite(loss.parts | {"total": total}, step, seeds, setting)
        reported = (step + 1) % every == 0 or step + 1 == steps
        norms = gradient_norms(loss.parts, student) if reported else {}
        optimizer.zero_grad(set_to_none=True)
        total.sum().backward()
        for module, trained in zip((student, own), method.trains(step), strict=True):
            if not trained:  # AdamW passes over parameters without a gradient
                module.zero_grad(set_to_none=True)
        optimizer.step()
        taken = step + 1
        if watch is not None:
            watch(taken)
        if reported:
            values = {
                name: float(v.detach().mean()) for name, v in (loss.parts | loss.monitors).items()
            }
            history += [(taken, name, v, norms.get(name)) for name, v in values.items()]
            pace = taken / (time.monotonic() - started)
            log.info(
                "step %d/%d  %s  %.1f steps/s  %.0f s left",
                taken,
                steps,
                "  ".join(f"{name} {value:.4f}" for name, value in values.items()),
                pace,
                (steps - taken) / pace,
            )
    student.eval()
    own.eval()
    return pd.DataFrame(history, columns=["step", "name", "value", "gradient_norm"])
