"""`optimizer.AdamW` against torch's own class."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from talking_models.training.optimizer import AdamW

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
