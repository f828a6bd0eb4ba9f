"""Every method on a model that is nothing like the rating MLP: plain torch.nn, tokens, classes.

Only layers, task and models differ from MovieLens; this is what a vision transformer asks for.
"""

import pytest
import torch
from toys import EVERY_METHOD, LOG, fit_config, token_batch, token_problem

from talking_models.training.loop import train

METHODS = pytest.mark.parametrize("name", EVERY_METHOD)


def problem_of(name):
    return token_problem(name.split("-")[0], EVERY_METHOD[name])


@METHODS
def test_a_few_steps_lower_the_loss_and_move_every_weight_that_is_read(name):
    problem = problem_of(name)
    before = {n: p.detach().clone() for n, p in problem.parameters().items()}
    taught = {n: p.clone() for n, p in problem.teacher.model.named_parameters()}
    optimizer = torch.optim.SGD(list(problem.parameters().values()), lr=0.05)
    totals = []
    for step in range(30):
        loss = problem.loss(step)
        for part, value in loss.parts.items():
            assert value.shape == (), part
            assert torch.isfinite(value), part
        totals.append(loss.total.item())
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    assert totals[-1] < 0.95 * totals[0]  # VID begins at the logarithm of its variance
    moved = {n for n, p in problem.parameters().items() if not torch.equal(p, before[n])}
    assert moved == set(before)
    for n, p in problem.teacher.model.named_parameters():
        assert torch.equal(p, taught[n])
        assert p.grad is None


@pytest.mark.parametrize("name", ["fd", "td"])
def test_the_training_loop_takes_a_plain_torch_model(name):
    """Its biases have one axis, its class token three."""
    problem = problem_of(name)
    batches = (token_batch(seed=seed) for seed in range(5))
    history = train(
        problem.student,
        problem.method,
        problem.teachers,
        batches,
        fit_config("a test", steps=5),
        (0,),
        LOG,
    )
    assert set(history["step"]) == {1, 2, 3, 4, 5}
    assert "label" in set(history["name"])
    assert history["value"].notna().all()


@METHODS
def test_the_parts_do_not_depend_on_the_order_of_the_examples(name):
    problem = problem_of(name).eval()
    parts = problem.loss().parts
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    problem.batch = type(problem.batch)(problem.batch.x[order], problem.batch.target[order])
    for part, value in problem.loss().parts.items():
        torch.testing.assert_close(value, parts[part], rtol=1e-4, atol=1e-6)
