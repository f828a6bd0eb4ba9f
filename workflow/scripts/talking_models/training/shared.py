"""What the training loops of ratings and of images share."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from talking_models.methods import Method
from talking_models.models.base import LayeredModel
from talking_models.models.layers import Streams

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


def shuffled_rows(n: int, size: int, order: Streams) -> Iterator[Tensor]:
    """Rows (*stack, size) without end: each epoch is a new permutation of 0..n-1 for each model.

    A batch may hold the end of one epoch and the start of the next, so every batch is full.
    """
    left = order.permutation(n)
    while True:
        while left.shape[-1] < size:
            left = torch.cat((left, order.permutation(n)), -1)
        yield left[..., :size]
        left = left[..., size:]
