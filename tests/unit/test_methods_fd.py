import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from toys import PlainMLP, one, rating_problem, token_problem

from talking_models.methods.fd import counted
from talking_models.models.base import States


def by_hand(*values):
    return torch.tensor(values, dtype=torch.float64)


def partial_l2(t, r):
    """Spec 5.2, as it is written there: 0 if r <= t <= 0, else (t - r)^2."""
    return np.where((r <= t) & (t <= 0), 0.0, (t - r) ** 2)


def margin(features):
    """E[F_c | F_c < 0], 0 where there is none."""
    flat = features.reshape(-1, features.shape[-1])
    return np.array([c[c < 0].mean() if (c < 0).any() else 0.0 for c in flat.T])


def deviation(features):
    """The standard deviation of each channel."""
    return features.reshape(-1, features.shape[-1]).std(0)


@pytest.mark.parametrize(
    ("t", "r", "distance"),
    [(-1, -2, 0), (-1, 0, 1), (2, 1, 1), (2, 3, 1), (-1, -1, 0), (0, -5, 0), (0, 2, 4), (2, -1, 9)],
)
def test_partial_l2_by_hand(t, r, distance):
    t, r = by_hand(t), by_hand(r)
    assert (t - counted(t, r)).square().item() == distance


def test_partial_l2_has_no_gradient_where_it_does_not_count():
    t, r = by_hand(-1, -1, 2, 2), by_hand(-2, 0, 1, -1).requires_grad_()
    (gradient,) = torch.autograd.grad((t - counted(t, r)).square().sum(), r)
    assert gradient.tolist() == [0, 2, -2, -6]


def fd_of(*batches):
    """FD that was shown these features, at both states, of a teacher without a stack."""
    method = rating_problem("fd", {}, seeds=(0,)).method
    method.prepare({"teacher": [States(None, None, None, b, 2 * b) for b in batches]})
    return method


def test_a_feature_below_its_margin_is_raised_to_it():
    method = fd_of(by_hand([-3, 1], [-1, 1]))  # margins -2 and 0, deviations 1 and none
    compared = []
    method.mean_squared = lambda target, response: compared.append(target)
    features = by_hand(-3, -1, 0, 2).reshape(4, 1).repeat(1, 2)
    method.distance(features, method.channels[0], features)
    assert compared[0].tolist() == [[-2, 0], [-1, 0], [0, 0], [2, 2]]


def test_margins_and_deviations_are_those_of_all_batches():
    draw = np.random.default_rng(0)
    batches = [draw.normal(1, 1, (n, 3, 4)) for n in (5, 1, 7)]
    batches[0][0, 0, 0] = 0.0  # zero is not negative
    for b in batches:
        b[..., 2] = np.abs(b[..., 2])  # never negative
    (low, low_scale), (high, high_scale) = fd_of(*map(torch.from_numpy, batches)).channels
    wanted = margin(np.concatenate(batches))
    assert wanted[2] == 0
    assert (wanted[[0, 1, 3]] < 0).all()
    np.testing.assert_allclose(low, wanted)
    np.testing.assert_allclose(high, 2 * wanted)
    np.testing.assert_allclose(low_scale, deviation(np.concatenate(batches)))
    np.testing.assert_allclose(high_scale, 2 * deviation(np.concatenate(batches)))
    assert low.dtype == torch.float64


def test_margins_by_hand():
    batches = torch.tensor([[-1.0, 2.0], [-3.0, -4.0]]), torch.tensor([[5.0, 0.0]])
    (low, _), (high, _) = fd_of(*batches).channels
    assert low.tolist() == [-2.0, -4.0]
    assert high.tolist() == [-4.0, -8.0]
    assert low.dtype == torch.float32


class Connector(nn.Module):
    """Linear without bias, then batch norm in training: torch.nn on the method's own weights."""

    def __init__(self, linear, norm, i):
        super().__init__()
        weight = (linear.weight if i is None else linear.weight[i]).detach()
        self.linear = nn.Linear(*weight.shape, bias=False, dtype=weight.dtype)
        self.linear.weight = nn.Parameter(weight.T.contiguous())
        self.norm = nn.BatchNorm1d(weight.shape[1], dtype=weight.dtype).train()
        at = () if i is None else i
        self.norm.weight = nn.Parameter(norm.weight[at].detach().flatten())
        self.norm.bias = nn.Parameter(norm.bias[at].detach().flatten())
        assert linear.bias is None

    def forward(self, x):
        y = self.linear(x)
        return self.norm(y.flatten(0, -2)).view(y.shape)


def feature_loss(method, states: States, taught: States, channels, i, distance):
    """1/2 at the lower state, 1 at the higher; the states before their ReLU."""
    total = 0.0
    for stage, weight, (m, scale) in (("low", 0.5, channels[0]), ("high", 1.0, channels[1])):
        linear, norm = (getattr(method, f"{kind}_{stage}") for kind in ("connect", "norm"))
        r = Connector(linear, norm, i)(getattr(states, f"{stage}_pre")).detach().numpy()
        t = getattr(taught, f"{stage}_pre").detach().numpy()
        if distance == "l2":
            total += weight * ((t / scale - r) ** 2).mean()
        else:
            total += weight * partial_l2(np.maximum(t, m) / scale, r).mean()
    return total


def shake(problem):
    """New norms have scale 1 and shift 0: give them other ones."""
    draw = torch.Generator().manual_seed(5)
    for norm in (problem.method.norm_low, problem.method.norm_high):
        for p in norm.parameters():
            p.data.add_(torch.rand(p.shape, generator=draw).to(p.dtype) - 0.3)


@pytest.mark.parametrize("distance", ["partial_l2", "l2"])
def test_fd_is_its_formula_for_each_model(distance):
    problem = rating_problem("fd", {"weight": 0.7, "distance": distance})
    shake(problem)
    batches = [one(problem.batch, i) for i in range(3)]
    plain = PlainMLP(problem.teacher.model)
    taught = [plain(b) for b in batches]  # all that the toy showed the method before training
    seen = [
        np.concatenate([getattr(t, name).detach().numpy() for t in taught])
        for name in ("low_pre", "high_pre")
    ]
    channels = [(margin(features), deviation(features)) for features in seen]
    found = problem.loss().parts
    assert list(found) == ["label", "feature"]
    for i in range(3):
        states = PlainMLP(problem.student, i)(batches[i])
        wanted = feature_loss(problem.method, states, taught[i], channels, i, distance)
        assert found["feature"][i].item() == pytest.approx(0.7 * wanted, rel=1e-9)
        label = F.mse_loss(states.output, batches[i].target).item()
        assert found["label"][i].item() == pytest.approx(label, rel=1e-12)


@pytest.mark.parametrize("distance", ["partial_l2", "l2"])
def test_fd_on_tokens_normalises_over_batch_and_tokens(distance):
    problem = token_problem("fd", {"weight": 0.7, "distance": distance})
    shake(problem)
    states, taught = problem.student(problem.batch), problem.teacher(problem.batch)
    seen = [getattr(taught, n).numpy() for n in ("low", "high")]
    channels = [(margin(features), deviation(features)) for features in seen]
    wanted = feature_loss(problem.method, states, taught, channels, None, distance)
    assert problem.loss().parts["feature"].item() == pytest.approx(0.7 * wanted, rel=1e-5)


def test_the_two_stages_weigh_one_half_and_one():
    """Responses far above the teacher's features: every channel counts its whole distance."""
    problem = rating_problem("fd", {"weight": 1.0, "distance": "l2"})
    parts = []
    for stage in ("low", "high"):
        for name in ("low", "high"):  # a connector whose scale is 0 answers with its shift
            norm = getattr(problem.method, f"norm_{name}")
            norm.weight.data.zero_()
            norm.bias.data.fill_(1e4 if name == stage else 0)
        parts.append(problem.loss().parts["feature"])
    torch.testing.assert_close(
        parts[1] / parts[0], torch.full((3,), 2.0).double(), rtol=1e-3, atol=0
    )


def test_fd_alone_looks_at_the_training_rows():
    def never():
        raise AssertionError("the teacher's states were read")
        yield

    for method in ("scratch", "ld", "fitnet", "td"):
        rating_problem(method, {}).method.prepare({"teacher": never()})
    with pytest.raises(AssertionError, match="were read"):
        rating_problem("fd", {}).method.prepare({"teacher": never()})


def test_the_gradient_reaches_student_connectors_and_norms_but_no_margin():
    problem = rating_problem("fd", {})
    part = problem.loss().parts["feature"].sum()
    parameters = {n: p for n, p in problem.parameters().items() if "output" not in n}
    for name, g in zip(
        parameters, torch.autograd.grad(part, list(parameters.values())), strict=True
    ):
        assert g.flatten(1).any(1).all(), name
    assert not any(each.requires_grad for pair in problem.method.channels for each in pair)
    assert set(problem.own()) == {"connect_low", "connect_high", "norm_low", "norm_high"}
