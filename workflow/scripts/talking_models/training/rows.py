"""AdamW for embedding tables: a step costs what the rows that it reads cost.

AdamW moves every row at every step: one that a batch did not read has no gradient, but goes on
along its momentum and decays. Here a row's steps without a gradient are made up for all at once,
when it is read again. Over k = t - u such steps after step u, its first moment is b1^k m, its
second b2^k v, and its weights p are

    d^k p - lr A_u m / (sqrt(v) + eps sqrt(1 - b2^(u+1))),    d = 1 - lr * weight_decay,
    A_u = sum over i = u+1 .. t of  d^(t-i) r^(i-u) sqrt(1 - b2^i) / (1 - b1^i),
    r = b1 / sqrt(b2).

A is one number per step taken and serves all rows. The result is that of torch's AdamW up to
rounding, but for eps (1e-8), whose share in the denominator is kept while a row waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from talking_models.models.network import Embedding
from talking_models.training.adamw import BETA1, BETA2, EPS, move

CHUNK = 1 << 16  # rows that are settled at once
UNREAD = torch.empty(0, dtype=torch.int64), None


class _Read(torch.autograd.Function):
    """Rows of a table as the optimizer has them; the gradient is sparse, of these rows alone."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, rows: Tensor, values: Tensor) -> Tensor:
        ctx.rows, ctx.shape = rows, weight.shape
        return values

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        # NumPy's, as torch's unravel_index imports sympy: half a second and 40 MB
        places = np.stack(np.unravel_index(ctx.rows.numpy(), ctx.shape[:-1]))
        sparse = torch.sparse_coo_tensor(
            torch.from_numpy(places), gradient, ctx.shape, is_coalesced=True, check_invariants=False
        )
        return sparse, None, None


class RowAdamW:
    """AdamW for one table, row by row. It serves the table's reads until training ends.

    Args:
        table: its weights, (*stack, rows, width), are changed in place.
        learning_rate, weight_decay: as AdamW's.
        steps: the most that will be taken.
    """

    def __init__(
        self, table: Embedding, *, learning_rate: float, weight_decay: float, steps: int
    ) -> None:
        self.table, self.weight = table, table.weight
        self.flat = table.weight.detach().flatten(0, -2)
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.tables = self.flat, torch.zeros_like(self.flat), torch.zeros_like(self.flat)
        self.taken = 0
        self.upto = torch.zeros(len(self.flat), dtype=torch.int64)  # u, of each row
        self.owed = torch.zeros(steps + 1, dtype=torch.float64)  # A_u
        self.reach = torch.ones(steps + 1, dtype=torch.float64)  # r^(t-u)
        self.last_read = UNREAD
        table.reader = self

    def read(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """A small table of the rows at `places`, up to date, and where the places are in it."""
        rows, inverse = places.unique(return_inverse=True)
        self.last_read = rows, self.current(rows)
        return _Read.apply(self.weight, rows, self.last_read[1][0]), inverse

    @torch.no_grad()
    def current(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights and both moments of some rows after all steps taken."""
        weight, m, v = (whole.index_select(0, rows) for whole in self.tables)
        upto = self.upto[rows]
        waited = (self.taken - upto).double()
        owed = (-self.learning_rate * self.owed[upto]).float().unsqueeze(-1)
        decayed, shrunk1, shrunk2 = (
            (base**waited).float().unsqueeze(-1)
            for base in (1 - self.learning_rate * self.weight_decay, BETA1, BETA2)
        )
        eps = EPS * (1 - BETA2 ** (upto + 1).double()).sqrt().float().unsqueeze(-1)
        weight.mul_(decayed).addcdiv_(m * owed, v.sqrt().add_(eps))
        return weight, m.mul_(shrunk1), v.mul_(shrunk2)

    @torch.no_grad()
    def step(self) -> None:
        """Take a step with the gradient of the rows read; no step where there is no gradient."""
        if self.weight.grad is None:
            return
        rows, gradient = self._gradient()
        read, state = self.last_read
        if not torch.equal(rows, read):  # the table was read more than once, or as a whole
            state = self.current(rows)
        self.last_read = UNREAD
        weight, m, v = state
        move(
            [weight],
            [gradient],
            ([m], [v]),
            [torch.tensor(float(self.taken))],
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
        )
        for whole, part in zip(self.tables, (weight, m, v), strict=True):
            whole.index_copy_(0, rows, part)
        self.taken += 1
        self.upto[rows] = self.taken
        self._owe()

    def _gradient(self) -> tuple[Tensor, Tensor]:
        """The rows that have a gradient, and theirs."""
        gradient = self.weight.grad
        if not gradient.is_sparse:  # a loss on the table itself
            return torch.arange(len(self.flat)), gradient.flatten(0, -2)
        gradient = gradient.coalesce()
        *model, row = gradient.indices()
        rows = model[0] * self.weight.shape[1] + row if model else row
        return rows, gradient.values()

    def _owe(self) -> None:
        """Bring A up to date with the step just taken."""
        t = self.taken
        self.reach[:t] *= BETA1 / BETA2**0.5
        size = (1 - BETA2**t) ** 0.5 / (1 - BETA1**t)
        self.owed[:t] *= 1 - self.learning_rate * self.weight_decay
        self.owed[:t] += size * self.reach[:t]

    def waiting(self) -> Tensor:
        """The rows that owe steps."""
        return (self.upto < self.taken).nonzero().squeeze(-1)

    @torch.no_grad()
    def settle(self) -> None:
        """Bring the weights of all rows up to date, for reading. Moments and accounts stay."""
        for rows in self.waiting().split(CHUNK):
            self.flat.index_copy_(0, rows, self.current(rows)[0])

    def finish(self) -> None:
        """Settle, and leave the table to itself."""
        self.settle()
        self.table.reader = None


@contextmanager
def settled(tables: Sequence[RowAdamW]) -> Iterator[None]:
    """Within it all weights are up to date; after it they wait again, so that looking on does not
    change what training rounds.
    """
    waiting = []
    for table in tables:
        rows = table.waiting()
        waiting.append((table.flat, rows, table.flat[rows]))
        table.settle()
    yield
    for weights, rows, before in waiting:
        weights.index_copy_(0, rows, before)
