"""The teacher while a student learns: frozen, its answers on the training rows computed once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor

from talking_models.models.base import LayeredModel, States
from talking_models.training.batches import RatingData

STATES = tuple(field.name for field in fields(States))
CACHE_BYTES = 1 << 30  # per kind of state; 350,000 rows of a state of 512 + 256


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
        self.cached: dict[str, Tensor] = {}
        self.caches = 4 * len(data) * (model.widths.low + model.widths.high) <= CACHE_BYTES

    def chunks(self) -> Iterator[States]:
        """The states on all training rows, in order, some thousand rows at a time."""
        with torch.no_grad():
            for batch in self.data.in_order():
                yield self.model(batch)

    def on_all_rows(self, name: str) -> Tensor:
        """One of the states on all training rows, (N, ...), computed when it is first asked for."""
        if name not in self.cached:
            done = 0
            for states in self.chunks():
                chunk = getattr(states, name)
                if not done:  # one piece of memory, not chunks that are joined
                    whole = chunk.new_empty(len(self.data), *chunk.shape[1:])
                whole[done : done + len(chunk)] = chunk
                done += len(chunk)
            self.cached[name] = whole
        return self.cached[name]

    def __call__(self, batch: Any) -> States | CachedStates:
        """The states on the rows of a batch, without gradient."""
        if self.caches:
            return CachedStates(self, batch.rows)
        with torch.no_grad():
            return self.model(self.data.batch(batch.rows))

    def upper(self, low: Tensor) -> Tensor:
        """Interpret a lower state that somebody else wrote; the gradient reaches `low`."""
        return self.model.upper(low)


class CachedStates:
    """A teacher's `States` on some rows, each looked up when it is read."""

    def __init__(self, teacher: FrozenTeacher, rows: Tensor) -> None:
        self.teacher, self.rows = teacher, rows

    def __getattr__(self, name: str) -> Tensor:
        if name not in STATES:
            raise AttributeError(name)
        found = self.teacher.on_all_rows(name).index_select(0, self.rows.flatten())
        value = found.unflatten(0, self.rows.shape)
        setattr(self, name, value)
        return value
