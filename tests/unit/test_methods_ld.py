"""Scratch, LD and FitNet: the methods whose loss is one formula."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from toys import PlainMLP, assert_same_gradients, dense, one, rating_problem, token_problem

EXACT = {"rtol": 1e-9, "atol": 1e-12}


def assert_same(problem, wanted):
    """Same parts and the same gradients over student and method."""
    found = problem.loss()
    assert found.parts.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found.parts[name], value, **EXACT)
    assert_same_gradients(found.total, sum(wanted.values()), problem.parameters(), **EXACT)


def per_model(problem, loss):
    """`loss(states, teacher's states, target, i)` of every model, by the plain MLP."""
    teacher, values = PlainMLP(problem.teacher.model), []
    for i in range(len(problem.batch.target)):
        batch = one(problem.batch, i)
        states = PlainMLP(problem.student, i)(batch)
        with torch.no_grad():
            taught = teacher(batch)
        values.append(loss(states, taught, batch.target, i))
    return torch.stack(values)


def label(states, taught, target, i):
    return F.mse_loss(states.output, target)


def test_scratch_is_the_label_loss_and_never_asks_the_teacher():
    problem = rating_problem("scratch", {}, mute=True)
    assert_same(problem, {"label": per_model(problem, label)})
    assert problem.own() == {}
    problem.teacher = None
    assert list(problem.loss().parts) == ["label"]


@pytest.mark.parametrize("weight", [0.3, 2.0])
def test_ld_of_ratings_is_the_mean_squared_difference_of_the_outputs(weight):
    problem = rating_problem("ld", {"weight": weight, "temperature": 3.0})
    logit = per_model(problem, lambda s, t, *_: F.mse_loss(s.output, t.output))
    assert_same(problem, {"label": per_model(problem, label), "logit": weight * logit})
    assert problem.own() == {}


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_ld_of_classes_is_t_squared_kl(temperature):
    problem = token_problem("ld", {"weight": 0.7, "temperature": temperature})
    student, teacher = problem.student(problem.batch), problem.teacher.model(problem.batch)
    kl = F.kl_div(
        (student.output / temperature).log_softmax(-1),
        (teacher.output / temperature).softmax(-1),
        reduction="batchmean",
    )
    found = problem.loss()
    torch.testing.assert_close(found.parts["logit"], 0.7 * temperature**2 * kl)
    torch.testing.assert_close(
        found.parts["label"], F.cross_entropy(student.output, problem.batch.target)
    )


def test_fitnet_regresses_the_teachers_lower_state_with_a_relu_where_that_has_one():
    problem = rating_problem("fitnet", {"weight": 0.7})
    assert problem.teacher.widths.nonnegative

    def hint(states, taught, target, i):
        predicted = F.relu(dense(states.low, problem.method.regressor, i))
        return F.mse_loss(predicted, taught.low) / taught.low.var(0, correction=0).mean()

    assert_same(
        problem, {"label": per_model(problem, label), "hint": 0.7 * per_model(problem, hint)}
    )
    assert problem.method.regressor.weight.shape == (3, 10, 14)


def test_fitnet_on_signed_states_has_a_linear_regressor():
    problem = token_problem("fitnet", {"weight": 0.7})
    student, teacher = problem.student(problem.batch), problem.teacher.model(problem.batch)
    regressor = nn.Linear(6, 10)
    regressor.weight = nn.Parameter(problem.method.regressor.weight.detach().T)
    regressor.bias = nn.Parameter(problem.method.regressor.bias.detach()[0])
    predicted = regressor(student.low)
    assert (predicted < 0).any()
    found = problem.loss().parts["hint"]
    variance = teacher.low.flatten(0, 1).var(0, correction=0).mean()
    torch.testing.assert_close(found, 0.7 * F.mse_loss(predicted, teacher.low) / variance)


@pytest.mark.parametrize("method", ["ld", "fitnet"])
def test_a_weight_of_zero_leaves_the_label_loss(method):
    problem, scratch = rating_problem(method, {"weight": 0.0}), rating_problem("scratch", {})
    assert torch.equal(problem.loss().total, scratch.loss().total)


def test_fitnet_trains_the_student_up_to_the_lower_state_only():
    problem = rating_problem("fitnet", {})
    parameters = problem.parameters()
    found = torch.autograd.grad(
        problem.loss().parts["hint"].sum(), list(parameters.values()), allow_unused=True
    )
    untouched = {n for n, g in zip(parameters, found, strict=True) if g is None}
    assert untouched == {
        f"student.{layer}.{what}"
        for layer in ("hidden_high", "output")
        for what in ("weight", "bias")
    }
