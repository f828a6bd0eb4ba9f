"""`optimizer.AdamW` against torch's own class."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from talking_models.training.optimizer import AdamW, clip

ROOT = Path(__file__).parents[2]
SHAPES = [(3, 5, 4), (3, 1, 4), (7,)]


def moved(optimizer_of, steps=20):
    """Parameters after some steps; the second has no gradient in the first five."""
    draw = torch.Generator().manual_seed(0)
    parameters = [nn.Parameter(torch.randn(shape, generator=draw)) for shape in SHAPES]
    optimizer = optimizer_of(parameters)
    for step in range(steps):
        for n, p in enumerate(parameters):
            gradient = torch.randn(p.shape, generator=draw)
            p.grad = None if n == 1 and step < 5 else gradient
        optimizer.step()
    return parameters


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_it_takes_the_steps_of_torchs_adamw_bit_for_bit(decay):
    ours = moved(lambda p: AdamW(p, lr=0.01, decay=decay))
    torchs = moved(lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=decay, fused=True))
    for p, q in zip(ours, torchs, strict=True):
        assert torch.equal(p, q)


class Stacked(nn.Module):
    """Parameters of two models, a table among them."""

    def __init__(self):
        super().__init__()
        draw = torch.Generator().manual_seed(1)
        self.matrix = nn.Parameter(torch.randn(2, 3, 4, generator=draw))
        self.bias = nn.Parameter(torch.randn(2, 1, 4, generator=draw))
        self.table = nn.Parameter(torch.randn(2, 5, 3, generator=draw))
        self.unused = nn.Parameter(torch.ones(2, 2))

    def learn(self):
        """Gradients: of the first model small, of the second large."""
        rows = self.table[[0, 0, 1, 1], [0, 2, 1, 4]].unflatten(0, (2, 2))
        size = torch.tensor([0.01, 10.0]).view(2, 1, 1)
        loss = (size * self.matrix.square()).sum() + (size * self.bias).sum()
        (loss + (size * rows.square()).sum()).backward()


@pytest.mark.parametrize("sparse", [True, False])
def test_each_model_of_a_stack_is_clipped_as_if_it_were_alone(sparse):
    stacked = Stacked()
    stacked.learn()
    if sparse:  # as the student's tables have theirs: (model, row) by width, not summed up
        grad = stacked.table.grad.to_dense()
        indices = torch.cartesian_prod(torch.arange(2), torch.arange(5)).T.repeat(1, 2)
        values = torch.cat([grad.flatten(0, 1) / 4, grad.flatten(0, 1) * 0.75])
        stacked.table.grad = torch.sparse_coo_tensor(
            indices, values, stacked.table.shape, check_invariants=True
        )
    wanted = []
    for model in range(2):
        alone = [nn.Parameter(p[model].detach()) for p in stacked.parameters()]
        for p, q in zip(alone, stacked.parameters(), strict=True):
            p.grad = None if q.grad is None else q.grad.to_dense()[model].clone()
        nn.utils.clip_grad_norm_(alone, 1.0)
        wanted.append([p.grad for p in alone])
    clip(stacked, 1.0, stacked=True)
    for found, *each in zip(stacked.parameters(), *wanted, strict=True):
        assert (found.grad is None) == (each[0] is None)
        if found.grad is not None:
            torch.testing.assert_close(found.grad.to_dense(), torch.stack(each))
    norms = [sum(g.square().sum() for g in of if g is not None).sqrt() for of in wanted]
    assert norms[0] < 0.5  # left as it was
    assert norms[1] == pytest.approx(1, abs=1e-4)


def test_without_any_gradient_nothing_moves():
    parameter = nn.Parameter(torch.ones(3, 2))
    optimizer = AdamW([parameter], lr=0.1, decay=0.1)
    optimizer.step()
    assert torch.equal(parameter, torch.ones(3, 2))


def test_a_training_job_imports_nothing_heavy_that_it_does_not_need(tmp_path):
    """torch's compiler would cost each job a second and 150 MB, sympy half a second and 40 MB."""
    code = """
import sys
import torch
from toys import LOG, fit_config, movielens
from talking_models.data.parquet import write
from talking_models.training import ratings as job
from talking_models.training.setup import one_thread
one_thread()
assert torch.are_deterministic_algorithms_enabled()
rows, _, items = movielens()
write(rows, "fit.parquet", {"slice": "fit"})
job.fit(job.read_rows(["fit.parquet"]), items, fit_config("scratch"), {}, LOG)
for heavy in ("torch._dynamo", "sympy", "pyarrow.dataset"):
    assert heavy not in sys.modules, heavy
"""
    folders = (ROOT / "workflow" / "scripts", Path(__file__).parent)
    environment = {"PYTHONPATH": ":".join(map(str, folders))}
    command = [sys.executable, "-c", code]
    subprocess.run(command, check=True, env=environment, cwd=tmp_path, timeout=120)
