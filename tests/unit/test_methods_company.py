"""Several teachers, and students that learn beside each other: TD among n, DML, born-again."""

from functools import reduce
from itertools import combinations, product

import numpy as np
import pytest
import torch
from toys import (
    FEATURES,
    LOG,
    STUDENT,
    TEACHER,
    Teacher,
    doubled,
    fit_config,
    movielens,
    one,
    rating_batch,
    rating_model,
)

from talking_models import methods, objectives
from talking_models.methods.group import Heard
from talking_models.models.layers import Layers, Streams
from talking_models.training import ratings as job

SEEDS = (0, 1)
WIDE = [12, 9]
SETTINGS = {"rounds": 2, "w1": 0.5, "w2": 0.4, "w3": 0.3, "message": 7, "hidden": 9}


class Company:
    """A student with teachers and peers, by a method, on one random batch in float64."""

    def __init__(self, method, settings, teachers=(), peers=(), weights=None, seeds=SEEDS):
        self.student = rating_model(Streams(seeds, "student"))
        self.teachers = {
            name: Teacher(rating_model(Streams([9 + i], name, stacked=False), hidden))
            for i, (name, hidden) in enumerate(teachers)
        }
        self.peers = {n: rating_model(Streams(seeds, f"peer/{n}"), hidden) for n, hidden in peers}
        layers = Layers(Streams(seeds, "method"))
        config = {"method": method, "settings": settings}
        config |= {"weights": weights} if weights else {}
        objective = objectives.RatingObjective(layers)
        self.method = methods.build(
            config, objective, layers, self.student, self.teachers, self.peers
        )
        self.batch = doubled(rating_batch((len(seeds),)))
        self.modules = {"student": self.student, **dict(self.method.modules())}
        for module in (*self.modules.values(), *(t.model for t in self.teachers.values())):
            module.double()
        states = {
            name: [teacher(one(self.batch, i)) for i in range(len(seeds))]
            for name, teacher in self.teachers.items()
        }
        self.method.prepare(states)

    def eval(self):
        for module in self.modules.values():
            module.eval()
        return self

    def loss(self, step=0):
        return self.method.loss(self.batch, self.student, self.teachers, step)

    def parameters(self):
        return {f"{n}.{k}": p for n, m in self.modules.items() for k, p in m.named_parameters()}

    def gradients(self, loss):
        found = torch.autograd.grad(loss.sum(), self.parameters().values(), allow_unused=True)
        return dict(zip(self.parameters(), found, strict=True))


ONE = (("teacher", TEACHER),)
TWO = (*ONE, ("other", WIDE))
THREE = (*TWO, ("third", [6, 5]))


# --- TD among n


EVERY_WAY = product(
    ({"stop_gradient": each} for each in ("none", "response", "state")),
    ({"distance": each} for each in ("relative", "plain")),
    ({"target": each} for each in ("previous", "original")),
    ({"rounds": each} for each in (1, 2)),
)


@pytest.mark.parametrize("replies", ["separate", "mean", "attention"])
@pytest.mark.parametrize(
    "changed",
    [{"rounds": 0}, {"rounds": 3, "noise": 0.2}, {"w2": 0}, {"w3": 0}, {"w2": 0, "w3": 0},
     {"sc_mode": "both"}, {"student_steps": 1, "module_steps": 1},
     *(reduce(dict.__or__, each) for each in EVERY_WAY)],
    ids=lambda changed: "-".join(map(str, changed.values())),
)  # fmt: skip
def test_among_one_student_and_one_teacher_it_is_td_to_the_last_bit(changed, replies):
    settings = SETTINGS | {"dropout": 0.4} | changed
    for step in range(3):
        both = [
            Company("td", settings, ONE), Company("group", settings | {"replies": replies}, ONE)
        ]  # fmt: skip
        losses = [each.loss(step) for each in both]
        assert list(losses[0].parts) == list(losses[1].parts)
        for name, part in losses[0].parts.items():
            assert torch.equal(part, losses[1].parts[name]), name
        td, group = (e.gradients(x.total) for e, x in zip(both, losses, strict=True))
        for name, gradient in group.items():
            party, _, rest = name.removeprefix("parties_").partition("_")
            module, _, rest = rest.partition("_")
            own = f"{module}_{'h' if party else 'g'}_{rest}" if "parties" in name else name
            assert torch.equal(*(torch.zeros(1) if g is None else g for g in (td[own], gradient)))


def copied(target, source):
    """The same weights, party by party."""
    with torch.no_grad():
        theirs = source.parameters()
        for name, parameter in target.parameters().items():
            parameter.copy_(theirs[name])
    return target


@pytest.mark.parametrize("replies", ["separate", "mean", "attention"])
def test_the_order_of_teachers_changes_nothing_but_rounding(replies):
    settings = SETTINGS | {"replies": replies}
    first = Company("group", settings, THREE).eval()
    again = Company("group", settings, THREE)
    order = [THREE[i][0] for i in (2, 0, 1)]
    again.teachers = {name: again.teachers[name] for name in order}
    again.method.parties = {"": again.method.parties[""]} | {
        name: again.method.parties[name] for name in order
    }
    copied(again.eval(), first)
    found, wanted = again.loss(), first.loss()
    for name, part in wanted.parts.items():
        torch.testing.assert_close(found.parts[name], part, rtol=1e-12, atol=1e-12)


def test_the_order_of_peers_of_unequal_weights_changes_nothing_but_rounding():
    peers, weights = (("a", WIDE), ("b", [6, 5])), {"teacher": 2.0, "a": 3.0, "b": 1.0}
    first = Company("group", SETTINGS, ONE, peers, weights).eval()
    again = copied(Company("group", SETTINGS, ONE, peers[::-1], weights).eval(), first)
    found, wanted = again.loss(), first.loss()
    for name, part in wanted.parts.items():
        torch.testing.assert_close(found.parts[name], part, rtol=1e-12, atol=1e-12)


def test_a_pair_by_itself_is_a_share_of_the_whole():
    whole = Company("group", SETTINGS, TWO, weights={"teacher": 3.0, "other": 1.0}).eval()
    found, total = whole.loss(), {}
    for name, share in (("teacher", 0.75), ("other", 0.25)):
        alone = Company("group", SETTINGS, TWO).eval()
        copied(alone, whole)
        alone.teachers = {name: alone.teachers[name]}
        alone.method.parties = {k: alone.method.parties[k] for k in ("", name)}
        for part, value in alone.loss().parts.items():
            total[part] = total.get(part, 0) + share * value
    for part, value in found.parts.items():
        torch.testing.assert_close(total[part], value)


PEERS = (("a", WIDE), ("b", [6, 5]))


@pytest.mark.parametrize(
    ("teachers", "peers", "weights", "wanted"),
    [
        (TWO, (), {"teacher": 3.0}, {"-teacher": 3 / 4, "-other": 1 / 4}),
        ((), PEERS[:1], None, {"-a": 1.0}),
        (ONE, PEERS[:1], {"teacher": 3.0}, {"-a": 1 / 4, "-teacher": 3 / 4, "a-teacher": 3 / 4}),
        (ONE, PEERS[:1], {"a": 3.0}, {"-a": 5 / 8, "-teacher": 1 / 4, "a-teacher": 1 / 2}),
        (ONE, PEERS, None, dict.fromkeys(
            ("-a", "-b", "-teacher", "a-b", "a-teacher", "b-teacher"), 1 / 3)),
    ],
)  # fmt: skip
def test_a_pair_counts_as_each_of_it_who_learns_counts_the_other(teachers, peers, weights, wanted):
    company = Company("group", SETTINGS, teachers, peers, weights).eval()
    parties, found = company.method.parties, company.loss().parts
    heard = {
        id: Heard(parties[id], model, company.batch)
        for id, model in {"": company.student, **company.peers, **company.teachers}.items()
    }
    apart = {"state_consistency": 0, "message_consistency": 0}
    for pair, share in wanted.items():
        a, b = (heard[id] for id in pair.split("-"))
        between = company.method.message_distance(a.message, b.message)
        apart["message_consistency"] += share * 0.3 * between
        states = company.method.consistency(a, b, b.party.decoder(a.message))
        apart["state_consistency"] += share * 0.4 * states
    for name, part in apart.items():
        torch.testing.assert_close(found[name], part)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_the_pairs_of_each_who_learns_have_the_sum_1_however_many_there_are(size):
    pairs = Company("group", SETTINGS, ONE, PEERS[:size]).method.pairs()
    for id in ("", "a", "b")[: size + 1]:
        assert sum(share for pair, share in pairs.items() if id in pair) == pytest.approx(1)


def test_modules_grow_with_the_parties():
    counts = [
        sum(p.numel() for p in Company("group", SETTINGS, teachers).parameters().values())
        for teachers in (ONE, (*ONE, ("b", TEACHER)), (*ONE, ("b", TEACHER), ("c", TEACHER)))
    ]
    assert counts[2] - counts[1] == counts[1] - counts[0] > 0


def test_equal_weights_of_attention_are_the_mean_of_replies():
    mean = Company("group", SETTINGS | {"replies": "mean"}, TWO).eval()
    weighed = Company("group", SETTINGS | {"replies": "attention"}, TWO).eval()
    with torch.no_grad():
        weighed.method.attention.key.weight.zero_()
    torch.testing.assert_close(weighed.loss().parts["interact"], mean.loss().parts["interact"])


def test_attention_is_a_softmax_over_who_answers():
    method = Company("group", SETTINGS | {"replies": "attention"}, TWO).method
    draw = torch.Generator().manual_seed(0)
    asked, *replies = (torch.randn(2, 5, 7, generator=draw).double() for _ in range(3))
    with torch.no_grad():
        found = method.attention(asked, replies, [0.75, 0.25])
        w_q, w_k = (m.weight.numpy() for m in (method.attention.query, method.attention.key))
    for i in range(2):
        q, given = asked[i].numpy() @ w_q[i], np.stack([r[i].numpy() for r in replies])
        scores = np.einsum("bd,abd->ab", q, given @ w_k[i]) / np.sqrt(7)
        odds = np.exp(scores) * np.array([[0.75], [0.25]])
        wanted = np.einsum("ab,abd->bd", odds / odds.sum(0), given)
        np.testing.assert_allclose(found[i].numpy(), wanted, rtol=1e-6)


@pytest.mark.parametrize("replies", ["separate", "mean", "attention"])
def test_every_weight_of_a_conversation_among_four_learns(replies):
    company = Company("group", SETTINGS | {"replies": replies}, TWO, (("beside", WIDE),))
    loss = company.loss()
    assert list(loss.parts) == [
        "label", "label_beside", "state_consistency", "message_consistency", "interact"
    ]  # fmt: skip
    still = {n for n, g in company.gradients(loss.total).items() if g is None or not g.any()}
    assert not still


def test_without_a_teacher_two_students_talk():
    company = Company("td", SETTINGS, (), (("beside", STUDENT),))
    loss = company.loss()
    assert set(loss.parts) >= {"label", "label_beside", "interact"}
    gradients = company.gradients(loss.parts["interact"])
    assert all(gradients[f"{n}.hidden_low.weight"].any() for n in ("student", "peers_beside"))


# --- one-way methods with several teachers


@pytest.mark.parametrize(
    ("method", "settings"), [("ld", {}), ("fitnet", {}), ("fd", {}), ("hybrid", {}), ("vid", {})]
)
def test_a_method_of_one_teacher_takes_the_mean_over_several(method, settings):
    alone = Company(method, settings, ONE).eval()
    twice = Company(method, settings, (*ONE, ("again", TEACHER))).eval()
    twice.teachers["again"] = twice.teachers["teacher"]
    second = twice.method.each["again"]
    second.prepare({"again": [alone.teachers["teacher"](one(alone.batch, i)) for i in range(2)]})
    for module in ("teacher", "again"):
        own = dict(alone.method.modules())
        for name, other in twice.method.each[module].modules():
            other.load_state_dict(own[name].state_dict())
    found, wanted = twice.loss().parts, alone.loss().parts
    assert list(found) == list(wanted)
    for name, part in wanted.items():
        torch.testing.assert_close(found[name], part)


def test_weights_of_teachers_weigh_the_mean():
    weights = {"teacher": 3.0, "other": 1.0}
    both = Company("ld", {}, TWO, weights=weights).eval().loss().parts["logit"]
    apart = [Company("ld", {}, [t]).eval() for t in TWO]
    apart[1].teachers = {"other": Company("ld", {}, TWO).eval().teachers["other"]}
    each = [c.loss().parts["logit"] for c in apart]
    torch.testing.assert_close(both, 0.75 * each[0] + 0.25 * each[1])


# --- DML and born-again


def test_mutual_learning_by_hand():
    company = Company("mutual", {"weight": 0.5}, (), (("b", WIDE), ("c", STUDENT))).eval()
    models = {"": company.student, **company.peers}
    loss, y = company.loss(), company.batch.target
    with torch.no_grad():
        outputs = {n: m(company.batch).output for n, m in models.items()}
    for name, own in outputs.items():
        after = f"_{name}" if name else ""
        others = [outputs[n] for n in outputs if n != name]
        wanted = 0.5 * sum((own - other).square().mean(-1) for other in others) / 2
        torch.testing.assert_close(loss.parts[f"label{after}"], (own - y).square().mean(-1))
        torch.testing.assert_close(loss.parts[f"logit{after}"], wanted)
    gradients = company.gradients(loss.parts["logit"])
    assert all((g is None or not g.any()) == n.startswith("peers") for n, g in gradients.items())


def test_born_again_trains_the_peer_and_then_the_student_on_what_it_says():
    settings = {"weight": 2.0, "first_steps": 5}
    company = Company("born_again", settings, (), (("before", STUDENT),))
    assert [company.method.trains(step) for step in (4, 5)] == [(False, True), (True, False)]
    first = company.loss(4)
    moved = {n for n, g in company.gradients(first.total).items() if g is not None}
    assert all(name.startswith("peers_before") for name in moved)
    company.eval()
    second = company.loss(5)
    with torch.no_grad():
        ours, theirs = (m(company.batch).output for m in (company.student, company.peers["before"]))
    wanted = (ours - company.batch.target).square().mean(-1) + 2 * (ours - theirs).square().mean(-1)
    torch.testing.assert_close(second.total, wanted)
    moved = {n for n, g in company.gradients(second.total).items() if g is not None}
    assert all(name.startswith("student") for name in moved)


# --- a whole training


def beside(*hidden):
    """Models of a job's `peers`, by their ids."""
    form = {"kind": "mlp", "features": FEATURES}
    return {f"peer{n}": form | {"hidden": widths} for n, widths in enumerate(hidden)}


WITH_PEERS = {
    "mutual": ({}, beside(WIDE, STUDENT)),
    "born_again": ({"first_steps": 5}, beside(STUDENT)),
    "td": (SETTINGS, beside(WIDE)),
}


@pytest.mark.parametrize("method", WITH_PEERS)
def test_a_seed_with_peers_trains_alone_as_in_a_stack(method):
    (rows, _, items), (settings, peers) = movielens(), WITH_PEERS[method]
    teachers = {}
    if method == "td":
        teach = fit_config("scratch", seeds=1, hidden=TEACHER) | {"model": "teacher"}
        teachers["teacher"] = job.fit(rows, items, teach, {}, LOG)[0]
    asked = fit_config(method, settings, seeds=3) | {"peers": peers}
    stack, history = job.fit(rows, items, asked, teachers, LOG)
    alone, _ = job.fit(rows, items, asked | {"seeds": 1, "first_seed": 2}, teachers, LOG)
    untaught, _ = job.fit(rows, items, fit_config("scratch", seeds=3), {}, LOG)
    assert alone.weights.keys() == stack.weights.keys() == untaught.weights.keys()
    for name, weight in alone.weights.items():
        torch.testing.assert_close(weight[0], stack.weights[name][2], rtol=1e-4, atol=1e-4)
        assert not torch.allclose(weight[0], stack.weights[name][1], atol=1e-3), name
    learnt = "hidden_low.weight"
    assert not torch.allclose(stack.weights[learnt], untaught.weights[learnt], atol=1e-3)
    assert np.isfinite(history["value"]).all()


def test_peers_of_one_form_begin_apart_and_draw_apart():
    """As the student, whose form it is too, does from them."""
    rows, _, items = movielens()
    asked = fit_config("mutual") | {"peers": beside(STUDENT, STUDENT)}
    begun = job.begin(rows, items, asked, {})
    models = [begun.student, *begun.method.peers.values()]
    ones = torch.ones(2, 50, 10)
    for first, second in combinations(models, 2):
        for name, weight in first.named_parameters():
            if "bias" not in name:  # which begin at 0, or at the mean rating
                assert not torch.isclose(weight, dict(second.named_parameters())[name]).any(), name
        assert not torch.equal(first.dropout(ones), second.dropout(ones))
