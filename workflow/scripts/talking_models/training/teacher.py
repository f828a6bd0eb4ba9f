"""A teacher while a student learns: frozen, its answers on the training rows computed once."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from talking_models.models.base import Frozen, LayeredModel, LazyStates, States
from talking_models.training.batches import RatingData

CACHE_BYTES = 1 << 30  # per kind of state; 350,000 rows of a state of 512 + 256


class FrozenTeacher(Frozen):
    """Trained models of ratings that answer by row: one, which teaches all students, or a stack of
    `stack`, whose i-th model teaches the i-th student.

    `data` are the training rows in the student's order, with the teacher's own vocabulary.
    """

    def __init__(self, model: LayeredModel, data: RatingData, stack: int | None = None) -> None:
        super().__init__(model)
        self.data, self.stack = data, stack
        self.widths = replace(model.widths, stacked=stack is not None)
        self.cached: dict[str, Tensor] = {}
        states = 4 * len(data) * (stack or 1) * (model.widths.low + model.widths.high)
        self.caches = states <= CACHE_BYTES

    def chunks(self) -> Iterator[States]:
        """The states on all training rows, in order, some thousand rows at a time."""
        return map(super().__call__, self.data.in_order(self.stack))

    def on_all_rows(self, name: str) -> Tensor:
        """One of the states on all training rows, (N, ...) or (S x N, ...), computed once."""
        if name not in self.cached:
            done, rows = 0, int(self.stack is not None)  # the axis of the rows
            for states in self.chunks():
                chunk = getattr(states, name)
                size = chunk.shape[rows]
                if not done:  # one piece of memory, not chunks that are joined
                    shape = (*chunk.shape[:rows], len(self.data), *chunk.shape[rows + 1 :])
                    whole = chunk.new_empty(shape)
                whole.narrow(rows, done, size).copy_(chunk)
                done += size
            self.cached[name] = whole.flatten(0, rows)
        return self.cached[name]

    def __call__(self, batch: Any) -> States | LazyStates:
        """The states on the rows of a batch, without gradient."""
        rows = batch.rows
        if not self.caches:
            return super().__call__(self.data.batch(rows))
        places = rows
        if self.stack is not None:  # each model's rows lie behind those of the one before it
            places = rows + len(self.data) * torch.arange(self.stack).unsqueeze(-1)
        places = places.flatten()
        return LazyStates(
            lambda name: self.on_all_rows(name).index_select(0, places).unflatten(0, rows.shape)
        )
