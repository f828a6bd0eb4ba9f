"""AdamW for a student and a method's modules: embedding tables by row, all else as a whole."""

from __future__ import annotations

from contextlib import AbstractContextManager
from itertools import filterfalse

from torch import nn

from talking_models.models.base import LayeredModel
from talking_models.training.adamw import AdamW
from talking_models.training.rows import RowAdamW, settled


def decays(p: nn.Parameter) -> bool:
    """Weights decay; biases and the scales of norms (one row per model) do not."""
    return p.dim() > 1 and p.shape[-2] > 1


class Optimizer:
    """One AdamW to its user.

    Args:
        student: its tables are trained row by row, see `rows`.
        own: the method's modules.
        learning_rate, weight_decay: AdamW's.
        steps: the most that will be taken.
    """

    def __init__(
        self,
        student: LayeredModel,
        own: nn.Module,
        *,
        learning_rate: float,
        weight_decay: float,
        steps: int,
    ) -> None:
        self.modules = student, own
        self.rows = [
            RowAdamW(table, learning_rate=learning_rate, weight_decay=weight_decay, steps=steps)
            for table in student.tables()
        ]
        by_row = {table.weight for table in student.tables()}
        rest = [p for module in self.modules for p in module.parameters() if p not in by_row]
        self.whole = [
            AdamW(filter(decays, rest), learning_rate=learning_rate, weight_decay=weight_decay),
            AdamW(filterfalse(decays, rest), learning_rate=learning_rate, weight_decay=0.0),
        ]

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for module in self.modules:
            module.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Move what has a gradient."""
        for part in (*self.whole, *self.rows):
            part.step()

    def settled(self) -> AbstractContextManager[None]:
        """Within it all weights are what AdamW would have made of them by now."""
        return settled(self.rows)

    def finish(self) -> None:
        """End training: the weights are what AdamW would have made of them."""
        for table in self.rows:
            table.finish()
