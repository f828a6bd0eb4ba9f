"""What TD trains when: consistency losses switched off late, separate training (Table 8)."""

from itertools import pairwise

import pytest
import torch
from toys import LOG, SMALL_TD, fit_config, rating_batch, rating_problem

from talking_models.methods.td import TDSettings
from talking_models.training.loop import train

SEPARATE = {"student_steps": 3, "module_steps": 2, "w1": 0.5, "w2": 0.4, "w3": 0.3}


def td(settings, **options):
    return rating_problem("td", {**SMALL_TD, **settings}, double=False, **options)


def run(problem, steps):
    """Train on a fixed sequence of batches; return copies of all weights before each step."""
    before = []

    def recorded():
        for seed in range(steps):
            before.append({n: p.detach().clone() for n, p in problem.parameters().items()})
            yield rating_batch((3,), n=100, seed=seed)  # reads every row of the tables: none waits

    history = train(
        problem.student,
        problem.method,
        problem.teachers,
        recorded(),
        fit_config("td", steps=steps, weight_decay=0.1),  # must not touch what is not trained
        (0, 1, 2),
        LOG,
    )
    before.append({n: p.detach().clone() for n, p in problem.parameters().items()})
    return before, history


def changed(before, after):
    """Whether all of the student, and whether all of the modules moved; None if only some did."""
    answer = []
    for mine in (True, False):
        moved = {
            not torch.equal(before[n], after[n]) for n in before if n.startswith("student.") == mine
        }
        answer.append(moved.pop() if len(moved) == 1 else None)
    return tuple(answer)


# --- consistency_until_step


@pytest.mark.parametrize("until", [None, 0, 4])
def test_consistency_losses_stop_after_the_given_step(until):
    problem = td({"rounds": 1, "w2": 0.4, "w3": 0.3, "consistency_until_step": until})
    both = {"label", "state_consistency", "message_consistency", "interact"}
    for step in (0, 3, 4, 5, 1000):
        on = until is None or step < until
        assert set(problem.loss(step).parts) == (both if on else {"label", "interact"})


def test_without_the_consistency_losses_the_teacher_is_not_asked_any_more():
    problem = td({"rounds": 1, "consistency_until_step": 2})
    for step in range(5):
        problem.loss(step)
    assert problem.teacher.asked == 2
    assert problem.teacher.interpreted == 5


def test_the_rounds_go_on_as_before_without_the_consistency_losses():
    on = td({"rounds": 2, "dropout": 0.0}).loss(5)
    off = td({"rounds": 2, "dropout": 0.0, "consistency_until_step": 5}).loss(5)
    for name in ("label", "interact"):
        assert torch.equal(on.parts[name], off.parts[name])


# --- separate training


def test_the_stages_follow_each_other():
    method = td({"student_steps": 3, "module_steps": 2}).method
    student, modules = (True, False), (False, True)
    assert [method.trains(step) for step in range(7)] == [
        *[student] * 3, *[modules] * 2, (True, True), (True, True)
    ]  # fmt: skip
    assert td({}).method.trains(0) == (True, True)
    assert td({"module_steps": 1}).method.trains(0) == modules


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_each_stage_trains_what_it_should_and_nothing_else(rounds):
    problem = td(SEPARATE | {"rounds": rounds}, dropout=0.1)
    weights, history = run(problem, steps=8)
    moved = [changed(a, b) for a, b in pairwise(weights)]
    assert moved[:3] == [(True, False)] * 3
    assert moved[3:5] == [(False, True)] * 2
    assert moved[5:] == [(True, True)] * 3
    names = {step: set(of["name"]) for step, of in history.groupby("step")}
    consistency = {"state_consistency", "message_consistency", "message_std"}
    rest = consistency | ({"interact"} if rounds else set())
    assert [names[s] for s in (3, 4, 5, 6)] == [{"label"}, rest, rest, rest | {"label"}]


def test_the_first_stage_is_the_scratch_student_bit_for_bit():
    settings = {"student_steps": 6, "rounds": 2}
    talked, _ = run(td(settings, dropout=0.3, id_dropout=0.2), steps=6)
    problem = rating_problem("scratch", {}, double=False, dropout=0.3, id_dropout=0.2)
    scratch, _ = run(problem, steps=6)
    for name, value in scratch[-1].items():
        assert torch.equal(talked[-1][name], value), name


def test_the_first_stage_asks_the_teacher_nothing():
    problem = td(SEPARATE | {"rounds": 2}, mute=True)
    for step in range(3):
        assert list(problem.loss(step).parts) == ["label"]
    assert problem.teacher.interpreted == 0


def test_the_module_stage_has_the_losses_of_the_whole_but_the_label():
    problem = td({"rounds": 2, "dropout": 0.0, "student_steps": 1, "module_steps": 1})
    modules, everything = problem.loss(1), problem.loss(2)
    assert "label" not in modules.parts
    for name, value in modules.parts.items():
        assert torch.equal(value, everything.parts[name])
    torch.testing.assert_close(
        modules.total + everything.parts["label"], everything.total, rtol=1e-6, atol=0
    )


@pytest.mark.parametrize(
    "weights",
    [
        {"w1": 0, "w2": 0, "w3": 0},
        {"rounds": 0, "consistency_until_step": 1},
        {"rounds": 0, "consistency_until_step": 3},
    ],
)
def test_a_module_stage_with_nothing_to_train_is_refused_or_does_nothing(weights):
    """Tuning may draw a weight of 0 for every term, in an experiment with separate training."""
    try:
        settings = TDSettings(student_steps=2, module_steps=2, **weights)
    except ValueError:
        return
    problem = td(settings.model_dump() | SMALL_TD)
    states, _ = run(problem, steps=5)
    assert changed(states[2], states[4]) == (False, False)
    assert changed(states[4], states[5])[0]
