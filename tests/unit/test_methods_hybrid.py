import pytest
import torch
from toys import PlainMLP, Problem, Teacher, one, rating_problem, token_problem

from talking_models.methods import hybrid
from talking_models.methods.hybrid import gradient_cosine
from talking_models.models.base import States

WEIGHTS = {"logit_weight": 0.7, "feature_weight": 0.4}


class TellTale(Teacher):
    """Answers with given ratings; its features are those of the model."""

    def __init__(self, model, output):
        super().__init__(model)
        self.output = output

    def __call__(self, batch):
        s = super().__call__(batch)
        return States(s.low, s.high, self.output, s.low_pre, s.high_pre)


def opposed_and_agreed(settings) -> Problem:
    """Three students whose teacher asks for the opposite of the label, for it, and for neither.

    The label's residual is y - t. A teacher that says y_h = 2 y - t has the residual -(y - t),
    so its gradient is the label's turned round: cosine -1. One that says t agrees: cosine 1.
    One that says y has no gradient: cosine 0.
    """
    problem = rating_problem("hybrid", settings)
    y, t = problem.student(problem.batch).output.detach(), problem.batch.target
    said = torch.stack((2 * y[0] - t[0], t[1], y[2]))
    problem.teacher = TellTale(problem.teacher.model, said)
    return problem


def test_hybrid_is_the_weighted_sum_of_ld_and_fd():
    """FD and Hybrid draw their connectors from the same streams, in the same order."""
    found = rating_problem("hybrid", WEIGHTS).loss().parts
    ld = rating_problem("ld", {"weight": 0.7}).loss().parts
    fd = rating_problem("fd", {"weight": 0.4}).loss().parts
    assert list(found) == ["label", "logit", "feature"]
    torch.testing.assert_close(found["label"], ld["label"])
    torch.testing.assert_close(found["logit"], ld["logit"])
    torch.testing.assert_close(found["feature"], fd["feature"])
    assert (found["feature"] > 0).all()


@pytest.mark.parametrize(("key", "value"), [("temperature", 2.0), ("distance", "l2")])
def test_the_settings_of_its_two_halves_reach_them(key, value):
    found = token_problem("hybrid", WEIGHTS | {key: value}).loss().parts
    half = {"temperature": ("ld", "logit", 0.7), "distance": ("fd", "feature", 0.4)}[key]
    method, part, weight = half
    alone = token_problem(method, {"weight": weight, key: value}).loss().parts[part]
    torch.testing.assert_close(found[part], alone)
    assert not torch.isclose(alone, token_problem(method, {"weight": weight}).loss().parts[part])


def test_the_gate_is_decided_for_each_seed():
    problem = opposed_and_agreed(WEIGHTS | {"gate": "grad_cos"})
    free = opposed_and_agreed(WEIGHTS).loss()
    found = problem.loss()
    cosine = found.monitors["logit_cosine"]
    torch.testing.assert_close(cosine, torch.tensor([-1.0, 1.0, 0.0]).double(), atol=1e-9, rtol=0)
    assert found.parts["logit"][0] == 0
    assert torch.equal(found.parts["logit"][1:], free.parts["logit"][1:])
    assert free.parts["logit"][0] > 0
    assert torch.equal(found.parts["label"], free.parts["label"])
    assert free.monitors == {}


@pytest.mark.parametrize(
    ("phi", "on"), [(-1.0, [1, 1, 1]), (0.0, [1, 0, 1]), (0.5, [0, 0, 1]), (0.75, [0, 0, 0])]
)
def test_the_gate_is_open_from_phi_upwards(monkeypatch, phi, on):
    cosine = torch.tensor([0.0, -0.25, 0.5])
    monkeypatch.setattr(hybrid, "gradient_cosine", lambda *_: cosine)
    found = rating_problem("hybrid", WEIGHTS | {"gate": "grad_cos", "phi": phi}).loss().parts
    free = rating_problem("hybrid", WEIGHTS).loss().parts
    for name in ("logit", "feature"):
        assert torch.equal(found[name], free[name] * torch.tensor(on))
        assert (free[name] > 0).all()


def test_a_closed_gate_cuts_the_gradient_and_an_open_one_passes_it():
    problem = opposed_and_agreed(WEIGHTS | {"gate": "grad_cos"})
    loss = problem.loss()
    weight = problem.student.hidden_high.weight
    (gradient,) = torch.autograd.grad(loss.parts["logit"].sum(), weight)
    assert not gradient[0].any()
    assert gradient[1].any()


def test_the_cosines_are_those_of_the_whole_backbone():
    """All weights but the output layer's, as one vector per seed, by the plain MLP."""
    problem = rating_problem("hybrid", WEIGHTS | {"gate": "grad_cos"})
    found = problem.loss()
    free = rating_problem("hybrid", WEIGHTS)
    for i in range(3):
        batch, plain = one(problem.batch, i), PlainMLP(problem.student, i)
        output = plain(batch).output
        taught = PlainMLP(problem.teacher.model)(batch).output.detach()
        label, logit = (output - batch.target).square().mean(), (output - taught).square().mean()
        names = [n for n, _ in problem.student.named_parameters() if not n.startswith("output")]
        parameters = [p for n, p in problem.student.named_parameters() if n in names]

        def vector(loss, parameters=parameters, i=i):
            parts = torch.autograd.grad(loss, parameters, retain_graph=True)
            return torch.cat([g[i].flatten() for g in parts])

        a, b = vector(label), vector(logit)
        cosine = (a @ b / (a.norm() * b.norm())).item()
        assert found.monitors["logit_cosine"][i].item() == pytest.approx(cosine, abs=1e-9)
        feature = free.loss().parts["feature"][i]
        parameters = [p for n, p in free.student.named_parameters() if n in names]
        b = torch.autograd.grad(feature, parameters)
        b = torch.cat([g[i].flatten() for g in b])
        cosine = (a @ b / (a.norm() * b.norm())).item()
        assert found.monitors["feature_cosine"][i].item() == pytest.approx(cosine, abs=1e-9)


def test_gradient_cosine_by_hand():
    """Gradients (1, 0) and (1, 1) of the first model, (0, 2) and (0, -3), (1, 1) and (0, 0)."""
    p = torch.zeros(3, 2, requires_grad=True)
    a = (p * torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])).sum(1)
    b = (p * torch.tensor([[1.0, 1.0], [0.0, -3.0], [0.0, 0.0]])).sum(1)
    torch.testing.assert_close(gradient_cosine(a, b, [p]), torch.tensor([0.5**0.5, -1.0, 0.0]))


def test_gradient_cosine_joins_several_tensors_and_counts_an_unused_one_as_zero():
    """Gradients (3, 4 | 0) and (3, 0 | 4): 9 / 25."""
    p, q = torch.zeros(2, requires_grad=True), torch.zeros(1, requires_grad=True)
    a, b = 3 * p[0] + 4 * p[1], 3 * p[0] + 4 * q[0]
    assert gradient_cosine(a, b, [p, q]).item() == pytest.approx(9 / 25)
    assert gradient_cosine(a, b, [p, q]).shape == ()


def test_the_label_loss_is_never_gated():
    problem = token_problem("hybrid", WEIGHTS | {"gate": "grad_cos", "phi": 1.0})
    found = problem.loss()
    assert found.parts["label"] > 0
    assert found.parts["logit"] == 0
    assert found.parts["feature"] == 0
    assert all(value.shape == () for value in found.monitors.values())
