"""TD against Algorithm 1, written out here on raw weights with torch.nn.functional.

`AlgorithmOne` follows section 2 of the specification, one model at a time. The method must give its
values and its gradients; the latter tell a missing or superfluous stop-gradient.
"""

import pytest
import torch
from torch.nn import functional as F
from toys import (
    SMALL_TD,
    PlainMLP,
    assert_same_gradients,
    dense,
    one,
    rating_problem,
    token_problem,
)

EXACT = {"rtol": 1e-9, "atol": 1e-12}


class AlgorithmOne:
    """The loss of model `i` of the stack (None: no stack), from the four modules' weights."""

    def __init__(self, method, i):
        self.i, self.m = i, method
        self.relative = method.settings.distance == "relative"

    def d(self, target, said, of_x=None):
        """Mean squared error, over the variance of the state of x over the examples if relative."""
        error = F.mse_loss(said, target)
        flat = (target if of_x is None else of_x).flatten(0, -2)
        return error / flat.var(0, correction=0).mean() if self.relative else error

    def between_messages(self, a, b):
        if self.relative:
            flat = (m.flatten(0, -2) for m in (a, b))
            a, b = (F.batch_norm(m, None, None, training=True, eps=1e-8) for m in flat)
        return F.mse_loss(a, b)

    def norm(self, x, layer):
        assert list(layer.parameters()) == []  # the linear layer behind it scales and shifts
        return F.layer_norm(x, x.shape[-1:])

    def encode(self, encoder, s, e):
        x = self.norm(torch.cat((s, e), -1), encoder.net[0])
        return dense(F.relu(dense(x, encoder.net[1], self.i)), encoder.net[-1], self.i)

    def decode(self, decoder, m):
        x = F.relu(dense(self.norm(m, decoder.trunk[0]), decoder.trunk[1], self.i))
        return dense(x, decoder.to_low, self.i), dense(x, decoder.to_high, self.i)

    def consistency(self, s, e, s_h, e_h, mode, cut):
        """L_SC and L_MC."""
        t = self.m
        m_g, m_h = self.encode(t.encoder_g, s, e), self.encode(t.encoder_h, s_h, e_h)
        pairs = []
        if mode in ("cross", "both"):
            pairs += [((s_h, e_h), (t.decoder_h, m_g)), ((s, e), (t.decoder_g, m_h))]
        if mode in ("self", "both"):
            pairs += [((s_h, e_h), (t.decoder_h, m_h)), ((s, e), (t.decoder_g, m_g))]
        sc = 0
        for (low, high), (decoder, message) in pairs:
            low_, high_ = self.decode(decoder, message)
            if cut == "state":
                low, high = low.detach(), high.detach()
            sc = sc + self.d(low, low_) + self.d(high, high_)
        return sc, self.between_messages(m_g, m_h)

    def interact(self, s, e, h_g, h_h, n, *, target="previous", cut="none", noise=()):
        """The n terms L_interact, where h_g and h_h interpret and `noise` holds n tensors."""
        first, terms = (s, e), []
        for i in range(n):
            m_g = self.encode(self.m.encoder_g, s, e)
            s_h, _ = self.decode(self.m.decoder_h, m_g)
            if noise:
                s_h = s_h + noise[i] * s_h.detach().std()
            m_h = self.encode(self.m.encoder_h, s_h, h_h(s_h))
            s_new, e_new = self.decode(self.m.decoder_g, m_h)
            a, b, unit = (s, e) if target == "previous" else first, (s_new, e_new), first
            if cut == "state":
                a = [x.detach() for x in a]
            if cut == "state" or (i and target == "previous"):
                unit = [x.detach() for x in unit]
            if cut == "response":
                b = [x.detach() for x in b]
            terms.append(self.d(a[0], b[0], unit[0]) + self.d(a[1], b[1], unit[1]))
            s, e = s_new, h_g(s_new)
        return terms


def written_out(problem, n, w, sc_mode="cross", **options):
    """The parts of the loss, by the plain MLP and `AlgorithmOne`: each one value per model."""
    parts = {"label": [], "state_consistency": [], "message_consistency": [], "interact": []}
    teacher = PlainMLP(problem.teacher.model)
    noise = options.pop("noise", ())
    for i in range(len(problem.batch.target)):
        batch, student = one(problem.batch, i), PlainMLP(problem.student, i)
        s, t, by_hand = student(batch), teacher(batch), AlgorithmOne(problem.method, i)
        taught, cut = (t.low.detach(), t.high.detach()), options.get("cut", "none")
        sc, mc = by_hand.consistency(s.low, s.high, *taught, sc_mode, cut)
        own_noise = [x[i] for x in noise]
        rounds = by_hand.interact(
            s.low, s.high, student.upper, teacher.upper, n, noise=own_noise, **options
        )
        parts["label"].append(F.mse_loss(s.output, batch.target))
        parts["state_consistency"].append(w[1] * sc)
        parts["message_consistency"].append(w[2] * mc)
        if n:
            parts["interact"].append(w[0] * sum(rounds))
    return {name: torch.stack(values) for name, values in parts.items() if values}


def td_problem(n, w=(0.7, 0.5, 0.3), **settings):
    """TD without dropout, on three students."""
    weights = {"rounds": n, "w1": w[0], "w2": w[1], "w3": w[2], "dropout": 0.0}
    settings = weights | {"stop_gradient": "none"} | settings
    return rating_problem("td", SMALL_TD | settings)


def assert_same(problem, wanted):
    """Same parts, and a total with the same gradients over student and modules."""
    found = problem.loss()
    assert found.parts.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(
            found.parts[name], value, msg=lambda text, name=name: f"{name}: {text}", **EXACT
        )
    total = sum(wanted.values())
    torch.testing.assert_close(found.total, total, **EXACT)
    parameters = {n: p for n, p in problem.parameters().items() if p.requires_grad}
    assert_same_gradients(found.total, total, parameters, **EXACT)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
@pytest.mark.parametrize("sc_mode", ["cross", "self", "both"])
@pytest.mark.parametrize("distance", ["relative", "plain"])
def test_td_is_algorithm_one_as_corrected(n, sc_mode, distance):
    problem, w = td_problem(n, sc_mode=sc_mode, distance=distance), (0.7, 0.5, 0.3)
    assert_same(problem, written_out(problem, n, w, sc_mode))


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("target", ["previous", "original"])
@pytest.mark.parametrize("cut", ["none", "response", "state"])
def test_targets_and_stop_gradients(n, target, cut):
    problem = td_problem(n, target=target, stop_gradient=cut)
    assert_same(problem, written_out(problem, n, (0.7, 0.5, 0.3), target=target, cut=cut))


def test_the_two_targets_differ_from_the_second_round_on():
    values = {
        (n, target): td_problem(n, target=target).loss().parts["interact"]
        for n in (1, 2)
        for target in ("previous", "original")
    }
    assert torch.equal(values[1, "previous"], values[1, "original"])
    assert not torch.isclose(values[2, "previous"], values[2, "original"], rtol=1e-3).any()


@pytest.mark.parametrize("cut", ["none", "response", "state"])
def test_what_each_stop_gradient_leaves_to_train(cut):
    """`response` leaves the student nothing but its own states as the moving side."""
    problem = td_problem(1, (1.0, 0.0, 0.0), stop_gradient=cut)
    part = problem.loss().parts["interact"].sum()
    parameters = problem.parameters()
    found = torch.autograd.grad(part, list(parameters.values()), allow_unused=True)
    moved = {n.split(".")[0] for n, g in zip(parameters, found, strict=True) if g is not None}
    modules = {"encoder_g_net", "decoder_h_trunk", "decoder_h_to_low", "encoder_h_net",
               "decoder_g_trunk", "decoder_g_to_low", "decoder_g_to_high"}  # fmt: skip
    assert moved == {"student"} | (set() if cut == "response" else modules)


class Noise:
    """Stands for a stream: hands out known noise, and keeps the shapes asked for."""

    stacked = True

    def __init__(self, *noise):
        self.noise, self.shapes = list(noise), []

    def normal(self, shape):
        self.shapes.append(tuple(shape))
        return self.noise.pop(0)


def test_noise_enters_the_interpretation_and_the_encoder_alike():
    problem = td_problem(2, noise=0.2)
    draw = torch.Generator().manual_seed(0)
    noise = [torch.randn(3, 11, 14, generator=draw, dtype=torch.float64) for _ in range(2)]
    problem.method.noise.draw = Noise(*noise, *noise)
    scaled = [0.2 * x for x in noise]
    assert_same(problem, written_out(problem, 2, (0.7, 0.5, 0.3), noise=scaled))
    assert problem.method.noise.draw.shapes == [(11, 14)] * 2


def test_without_training_there_is_no_noise():
    noisy, silent = td_problem(2, noise=0.5), td_problem(2)
    assert not torch.allclose(noisy.loss().parts["interact"], silent.loss().parts["interact"])
    found = noisy.eval().loss().parts["interact"]
    torch.testing.assert_close(found, silent.loss().parts["interact"], **EXACT)


def test_dropout_of_the_modules_acts_in_training_only():
    problem, without = td_problem(1, dropout=0.5), td_problem(1)
    found = problem.loss()
    for name in ("state_consistency", "message_consistency", "interact"):
        assert not torch.isclose(found.parts[name], without.loss().parts[name]).any()
    assert torch.equal(found.parts["label"], without.loss().parts["label"])
    wanted = written_out(problem, 1, (0.7, 0.5, 0.3))
    torch.testing.assert_close(problem.eval().loss().total, sum(wanted.values()), **EXACT)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_td_on_tokens_is_algorithm_one_too(n):
    settings = {"rounds": n, "w1": 0.7, "w2": 0.5, "w3": 0.3, "dropout": 0.0, **SMALL_TD}
    settings["stop_gradient"] = "none"
    problem = token_problem("td", settings)
    student, teacher, batch = problem.student, problem.teacher.model, problem.batch
    s, t, by_hand = student(batch), teacher(batch), AlgorithmOne(problem.method, None)
    sc, mc = by_hand.consistency(s.low, s.high, t.low, t.high, "cross", "none")
    wanted = {
        "label": F.cross_entropy(s.output, batch.target),
        "state_consistency": 0.5 * sc,
        "message_consistency": 0.3 * mc,
    }
    if n:
        rounds = by_hand.interact(s.low, s.high, student.upper, teacher.upper, n)
        wanted["interact"] = 0.7 * sum(rounds)
    found = problem.loss()
    assert found.parts.keys() == wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(found.parts[name], value)
    parameters = {n: p for n, p in problem.parameters().items() if p.requires_grad}
    assert_same_gradients(found.total, sum(wanted.values()), parameters, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("setup", [td_problem, None], ids=["stack", "tokens"])
def test_parts_and_monitors_have_one_value_per_model(setup):
    problem = setup(1) if setup else token_problem("td", {"rounds": 1, **SMALL_TD})
    loss = problem.loss()
    shape = (3,) if setup else ()
    for name, value in (loss.parts | loss.monitors).items():
        assert value.shape == shape, name


def test_the_monitor_is_the_deviation_of_the_messages_over_the_batch():
    """A message that no longer depends on the example tells a collapse (spec 2.3, point 6)."""
    problem = td_problem(1)
    found = problem.loss().monitors["message_std"]
    for i in range(3):
        s = PlainMLP(problem.student, i)(one(problem.batch, i))
        message = AlgorithmOne(problem.method, i).encode(problem.method.encoder_g, s.low, s.high)
        torch.testing.assert_close(found[i], message.std(0).mean(), **EXACT)
    assert not found.requires_grad
