"""The training loop of ratings."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import nn

from talking_models.methods import Method
from talking_models.models.base import LayeredModel
from talking_models.training.optimizer import Optimizer, clip
from talking_models.training.shared import (
    HISTORY,
    Progress,
    check_finite,
    forget_untrained,
    gradient_norms,
    has_bfloat16,
)

LOG_LINES = 10


def with_precision(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config with the `precision` that `auto` becomes on this processor."""
    precision = config["precision"]
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16() else "float32"
    return {**config, "precision": precision}


def train(
    student: LayeredModel,
    method: Method,
    teachers: Mapping[str, Any],
    batches: Iterator[Any],
    config: Mapping[str, Any],
    seeds: Sequence[int],
    log: logging.Logger,
    looks: tuple[int, Callable[[], None]] | None = None,
) -> pd.DataFrame:
    """Train `student`, of `seeds`, and the method's modules together with AdamW, in place.

    Args:
        student: what is trained, of S models or a single one.
        method: its loss, and the modules that learn with the student.
        teachers: by id, frozen, of which the loss reads a batch's states.
        batches: one for each step, at least `training.steps` of them.
        config: the job's. Of it are read `precision` (in bfloat16 only products of matrices are),
            `training` (steps, learning rate, weight decay, clip), and for messages `method` and
            `settings`.
        seeds: the S models' seeds, for messages.
        log: takes a line at each look at the history.
        looks: a number of steps, and what is called every so many with the student in eval mode.

    Returns:
        The history at `LOG_LINES` steps, one row per step and loss part or monitor: `step`, `name`,
        `value` (mean over the stack) and, for parts, `gradient_norm` over the student.

    Raises:
        TrainingDiverged: a part of the loss is no finite number.
    """
    own = nn.ModuleDict(dict(method.modules()))
    training, products = config["training"], config["precision"] == "bfloat16"
    steps, rate, decay = (training[key] for key in ("steps", "learning_rate", "weight_decay"))
    optimizer = Optimizer(student, own, steps=steps, lr=rate, decay=decay)
    student.train()
    own.train()
    every = max(1, steps // LOG_LINES)
    history = []
    progress = Progress(log, steps)
    for step in range(steps):
        batch = next(batches)
        optimizer.expect(batch)
        # left before the weights change, of which it keeps rounded copies
        with torch.autocast("cpu", torch.bfloat16, enabled=products):
            loss = method.loss(batch, student, teachers, step)
        total = loss.total
        if not torch.isfinite(total).all():
            check_finite(loss.parts | {"total": total}, step, seeds, config)
        taken = step + 1
        reported = taken % every == 0 or taken == steps
        norms = gradient_norms(loss.parts, student) if reported else {}
        total.sum().backward()
        forget_untrained(method, step, student, own)
        for module in (student, own):
            clip(module, training["clip"], stacked=total.dim() > 0)
        optimizer.step()
        optimizer.zero_grad()
        if looks and taken % looks[0] == 0:
            optimizer.settle()
            student.eval()
            looks[1]()
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
    return pd.DataFrame(history, columns=HISTORY)
