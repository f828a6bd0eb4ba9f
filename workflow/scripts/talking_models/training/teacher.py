"""The teacher while a student learns: frozen, its answers on the training rows computed once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor

from talking_models.models.base import LayeredModel, States
from talking_models.training.batches import RatingData


class CachedStates:
    """A teacher's `States` on some rows, each looked up when it is read."""

    def __init__(self, cache: FrozenTeacher, rows: Tensor) -> None:
        self.cache, self.rows = cache, rows

    @cached_property
    def low_pre(self) -> Tensor:
        """(*stack, B, low)."""
        return self.cache.states.low_pre[self.rows]

    @cached_property
    def high_pre(self) -> Tensor:
        """(*stack, B, high)."""
        return self.cache.states.high_pre[self.rows]

    @cached_property
    def low(self) -> Tensor:
        """s_h, (*stack, B, low)."""
        return self.cache.states.low[self.rows]

    @cached_property
    def high(self) -> Tensor:
        """e_h, (*stack, B, high)."""
        return self.cache.states.high[self.rows]

    @cached_property
    def output(self) -> Tensor:
        """y_h, (*stack, B)."""
        return self.cache.states.output[self.rows]


class FrozenTeacher:
    """A trained model that answers by row and interprets, and never learns.

    Args:
        model: one trained model (no stack's axis).
        data: the training rows, encoded with the teacher's own vocabulary, in the student's order.
    """

    def __init__(self, model: LayeredModel, data: RatingData) -> None:
        self.model = model.eval().requires_grad_(False)
        self.data = data
        self.widths = model.widths

    def chunks(self) -> Iterator[States]:
        """The states on all training rows, in order, some thousand rows at a time."""
        with torch.no_grad():
            for batch in self.data.in_order():
                yield self.model(batch)

    @cached_property
    def states(self) -> States:
        """The states on all training rows, (N, ...): computed when they are first asked for."""
        chunks = list(self.chunks())
        return States(
            **{name: torch.cat([getattr(c, name) for c in chunks]) for name in vars(chunks[0])}
        )

    def __call__(self, batch) -> CachedStates:
        """The states on the rows of a batch, without gradient."""
        return CachedStates(self, batch.rows)

    def upper(self, low: Tensor) -> Tensor:
        """Interpret a lower state that somebody else wrote; the gradient reaches `low`."""
        return self.model.upper(low)
