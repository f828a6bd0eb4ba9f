"""The training loop of ratings, and what it shares with that of images."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from talking_models.methods import Method
from talking_models.models.base import LayeredModel
from talking_models.training.optimizer import Optimizer, clip

LOG_LINES = 10
HISTORY = ["step", "name", "value", "gradient_norm"]


class TrainingDiverged(ArithmeticError):
    """A loss became NaN or infinite."""


def check_finite(
    parts: dict[str, Tensor], step: int, seeds: Sequence[int], config: Mapping[str, Any]
) -> None:
    """Raise a `TrainingDiverged` that says which part of the loss is no number, where, and why."""
    setting = {key: config[key] for key in ("method", "settings", "training")}
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


def has_bfloat16() -> bool:
    """Whether the processor has instructions for products in bfloat16; torch emulates them
    otherwise, four times as slowly as products in float32.
    """
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in asked)  # not every torch has both


def with_precision(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config with the `precision` that `auto` becomes on this processor."""
    precision = config["precision"]
    if precision == "auto":
        precision = "bfloat16" if has_bfloat16() else "float32"
    return {**config, "precision": precision}


def forget_untrained(method: Method, step: int, student: nn.Module, own: nn.Module) -> None:
    """Drop the gradients of what is not trained at a step: optimizers pass over it then."""
    for module, trained in zip((student, own), method.trains(step), strict=True):
        if not trained:
            module.zero_grad(set_to_none=True)


@dataclass
class Progress:
    """Progress lines with the pace, in `unit`s, of which a step has `many`, and the time left."""

    log: logging.Logger
    steps: int
    begun: int = 0
    unit: str = "steps"
    many: int = 1
    started: float = field(default_factory=time.monotonic)

    def report(self, taken: int, values: Mapping[str, float]) -> float:
        """Write a line after `taken` steps; the pace."""
        steps_per_second = (taken - self.begun) / (time.monotonic() - self.started)
        pace = steps_per_second * self.many
        said = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
        left = (self.steps - taken) / steps_per_second
        line = "step %d/%d  %s  %.1f %s/s  %.0f s left"
        self.log.info(line, taken, self.steps, said, pace, self.unit, left)
        return pace


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
