"""AdamW on whole tensors: torch's fused step, called as a function.

`torch.optim.AdamW` would take the same step, but imports torch's compiler when it is first used: a
second and 150 MB of every training job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # torch's defaults


def move(
    weights: Sequence[Tensor],
    gradients: Sequence[Tensor],
    moments: tuple[Sequence[Tensor], Sequence[Tensor]],
    taken: Sequence[Tensor],
    *,
    learning_rate: float,
    weight_decay: float,
) -> None:
    """One step of AdamW, in place.

    Args:
        weights, gradients: of equal shapes.
        moments: the first and second moment of each.
        taken: the steps taken before, one float32 number for each weight; each gets one more.
        learning_rate, weight_decay: AdamW's.
    """
    with torch.no_grad():
        adam(
            list(weights),
            list(gradients),
            *map(list, moments),
            [],
            list(taken),
            fused=True,
            amsgrad=False,
            beta1=BETA1,
            beta2=BETA2,
            lr=learning_rate,
            weight_decay=weight_decay,
            eps=EPS,
            maximize=False,
            decoupled_weight_decay=True,
        )


class AdamW:
    """AdamW for some parameters. One without a gradient is passed over, as torch does.

    Args:
        parameters: are changed in place.
        learning_rate, weight_decay: AdamW's.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], *, learning_rate: float, weight_decay: float
    ) -> None:
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.state = [
            (p, torch.zeros_like(p.data), torch.zeros_like(p.data), torch.zeros(()))
            for p in parameters
        ]

    def step(self) -> None:
        """Move what has a gradient."""
        moved = [state for state in self.state if state[0].grad is not None]
        if not moved:
            return
        weights, m, v, taken = zip(*moved, strict=True)
        move(
            weights,
            [weight.grad for weight in weights],
            (m, v),
            taken,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
        )
