"""AdamW for a student and a method's modules: a step costs what the table rows that it reads cost.

AdamW moves every row of an embedding table at every step: one that a batch did not read has no
gradient, but goes on along its momentum and decays. In a large table a row's steps without a
gradient are made up for all at once, before it is read again. Over k = t - u such steps after
step u, its first moment is b1^k m, its second b2^k v, and its weights p are

    d^k p - lr A_u m / (sqrt(v) + eps sqrt(1 - b2^(u+1))),    d = 1 - lr * weight_decay,
    A_u = sum over i = u+1 .. t of  d^(t-i) r^(i-u) sqrt(1 - b2^i) / (1 - b1^i),
    r = b1 / sqrt(b2).

A is one number per step taken and serves all rows. The result is that of torch's AdamW up to
rounding, but for eps (1e-8), whose share in the denominator is kept while a row waits.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from talking_models.models.base import LayeredModel
from talking_models.models.network import Embedding

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # torch's defaults
CHUNK = 1 << 16  # rows that are settled at once
LARGE = 1 << 12  # rows of a table; to move all of a smaller one takes less time than to pick some
step_of = partial(  # in place: of weights, gradients, moments, and how many steps each has taken
    adam,
    max_exp_avg_sqs=[],
    fused=True,
    amsgrad=False,
    beta1=BETA1,
    beta2=BETA2,
    eps=EPS,
    maximize=False,
    decoupled_weight_decay=True,
)


class AdamW:
    """AdamW on whole tensors. One without a gradient is passed over, as torch does.

    `torch.optim.AdamW` would take the same steps, but imports torch's compiler when it is first
    used: a second and 150 MB of every training job.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], *, lr: float, decay: float) -> None:
        self.rates = {"lr": lr, "weight_decay": decay}
        self.states = [
            (p, torch.zeros_like(p.data), torch.zeros_like(p.data), torch.zeros(()))
            for p in parameters
        ]

    @torch.no_grad()
    def step(self) -> None:
        """Move what has a gradient."""
        moved = [(s[0], s[0].grad, *s[1:]) for s in self.states if s[0].grad is not None]
        if moved:
            p, gradients, m, v, taken = map(list, zip(*moved, strict=True))
            step_of(p, gradients, m, v, state_steps=taken, **self.rates)


class RowAdamW:
    """AdamW for one table, row by row.

    Its weights, (*stack, rows, width), are changed in place, in at most `steps` steps. In between
    they are up to date in the rows that were expected, and after `settle` in all.
    """

    def __init__(self, table: Embedding, *, steps: int, lr: float, decay: float) -> None:
        self.table, self.flat = table, table.weight.detach().flatten(0, -2)
        self.rates = {"lr": lr, "weight_decay": decay}
        self.kept = 1 - lr * decay  # of a weight, in a step without a gradient
        # weights and moments of each row after its last step
        self.states = self.flat.clone(), torch.zeros_like(self.flat), torch.zeros_like(self.flat)
        self.taken = 0
        self.upto = torch.zeros(len(self.flat), dtype=torch.int64)  # u, of each row
        self.owed = torch.zeros(steps + 1, dtype=torch.float64)  # A_u
        self.reach = torch.ones(steps + 1, dtype=torch.float64)  # r^(t-u)
        table.sparse = True

    def expect(self, ids: Tensor) -> None:
        """Bring the rows up to date that `ids` (*stack, ...) name, and those of unknown ids."""
        expected = torch.zeros(self.table.weight.shape[:-1], dtype=torch.bool)
        expected.scatter_(-1, ids.flatten(expected.dim() - 1), True)
        expected[..., 0] = True
        self.settle(expected.flatten())

    @torch.no_grad()
    def settle(self, some: Tensor | bool = True) -> None:
        """Bring rows up to date, for reading. States and accounts stay."""
        waiting = (self.upto < self.taken) & some
        for rows in waiting.nonzero().squeeze(-1).split(CHUNK):
            self._write(self.flat, rows, self._current(rows))

    def _current(self, rows: Tensor) -> Tensor:
        weight, m, v = (whole.index_select(0, rows) for whole in self.states)
        upto = self.upto[rows]
        waited = (self.taken - upto).double()
        owed = (-self.rates["lr"] * self.owed[upto]).float().unsqueeze(-1)
        decayed = (self.kept**waited).float().unsqueeze(-1)
        eps = EPS * (1 - BETA2 ** (upto + 1).double()).sqrt().float().unsqueeze(-1)
        return weight.mul_(decayed).addcdiv_(m.mul_(owed), v.sqrt_().add_(eps))

    @staticmethod
    def _write(table: Tensor, rows: Tensor, values: Tensor) -> None:
        table.numpy()[rows.numpy()] = values.numpy()  # in half the time of index_copy_

    @torch.no_grad()
    def step(self) -> None:
        """Take a step with the gradient of the rows read; no step where there is no gradient."""
        gradient = self.table.weight.grad
        if gradient is None:
            return
        if gradient.is_sparse:
            gradient = gradient.coalesce()
            *model, row = gradient.indices()
            rows = model[0] * gradient.shape[1] + row if model else row
            gradient = gradient.values()
        else:  # a loss on the table itself
            rows, gradient = torch.arange(len(self.flat)), gradient.flatten(0, -2)
            self.settle()
        waited = (self.taken - self.upto[rows]).double()
        weight, m, v = (w.index_select(0, rows) for w in (self.flat, *self.states[1:]))
        m.mul_((BETA1**waited).float().unsqueeze(-1))
        v.mul_((BETA2**waited).float().unsqueeze(-1))
        taken = torch.tensor(float(self.taken))
        step_of([weight], [gradient], [m], [v], state_steps=[taken], **self.rates)
        for whole, part in zip((self.flat, *self.states), (weight, weight, m, v), strict=True):
            self._write(whole, rows, part)
        self.taken += 1
        self.upto[rows] = self.taken
        t = self.taken  # A and r after it
        self.reach[:t] *= BETA1 / BETA2**0.5
        self.owed[:t] *= self.kept
        self.owed[:t] += (1 - BETA2**t) ** 0.5 / (1 - BETA1**t) * self.reach[:t]


@torch.no_grad()
def clip(module: nn.Module, most: float, *, stacked: bool) -> None:
    """Scale gradients down to a norm of `most`, of each model of a stack by itself: what the
    parameters of one would be scaled by alone.

    At first a loss that is relative to what a student's states vary by is hundreds of times the
    label's, and AdamW's second moment would remember that for a thousand steps.
    """
    graded = [p for p in module.parameters() if p.grad is not None]
    if not graded:
        return
    if not stacked:
        nn.utils.clip_grad_norm_(graded, most)
        return
    squares = graded[0].new_zeros(len(graded[0]))
    for p in graded:
        if p.grad.is_sparse:
            p.grad = p.grad.coalesce()
            (models, *_), values = p.grad.indices(), p.grad.values()
            own = values.new_zeros(len(p)).index_add_(0, models, values.square().sum(-1))
        else:
            own = torch.linalg.vector_norm(p.grad.flatten(1), dim=1).square()  # one pass
        squares += own
    scale = (most / squares.sqrt()).clamp(max=1)
    for p in graded if (scale < 1).any() else ():
        if p.grad.is_sparse:
            p.grad.values().mul_(scale[p.grad.indices()[0]].unsqueeze(-1))
        else:
            p.grad.mul_(scale.view(-1, *(1,) * (p.dim() - 1)))


class Optimizer:
    """One AdamW to its user, for at most `steps` steps of a student and a method's modules."""

    def __init__(
        self, student: LayeredModel, own: nn.Module, *, steps: int, lr: float, decay: float
    ) -> None:
        self.modules = student, own
        given = {"steps": steps, "lr": lr, "decay": decay}
        self.rows = {
            field: RowAdamW(table, **given)
            for field, table in student.tables().items()
            if table.weight.shape[-2] > LARGE
        }
        by_row = {rows.table.weight for rows in self.rows.values()}
        rest = [p for module in self.modules for p in module.parameters() if p not in by_row]
        # biases and the scales of norms, one row for each model, do not decay
        matrices = [p for p in rest if p.dim() > 1 and p.shape[-2] > 1]
        others = [p for p in rest if p.dim() < 2 or p.shape[-2] == 1]
        self.parts = [
            AdamW(matrices, lr=lr, decay=decay),
            AdamW(others, lr=lr, decay=0.0),
            *self.rows.values(),
        ]

    def expect(self, batch: Any) -> None:
        """Bring the rows of the student's tables up to date that it may read of a batch."""
        for field, table in self.rows.items():
            table.expect(getattr(batch, field))

    def step(self) -> None:
        """Move what has a gradient."""
        for part in self.parts:
            part.step()

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for module in self.modules:
            module.zero_grad(set_to_none=True)

    def settle(self) -> None:
        """Make all weights what AdamW would have made of them by now, for reading."""
        for table in self.rows.values():
            table.settle()
