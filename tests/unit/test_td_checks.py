"""The checks that section 10 of the specification asks of an implementation of TD."""

import pytest
import torch
from toys import (
    LOG,
    SMALL_TD,
    TEACHER,
    fit_config,
    movielens,
    rating_problem,
)

from talking_models import methods, objectives
from talking_models.models.base import Widths
from talking_models.models.layers import Layers, Streams
from talking_models.training import ratings as job

ONLY_W1 = {"w1": 1.0, "w2": 0.0, "w3": 0.0}


def td(settings, **options):
    return rating_problem("td", {"dropout": 0.0, **SMALL_TD, **settings}, **options)


def gradients(problem, loss):
    """Of all parameters by name; None where the loss does not depend on one."""
    parameters = problem.parameters()
    found = torch.autograd.grad(loss.sum(), list(parameters.values()), allow_unused=True)
    return dict(zip(parameters, found, strict=True))


# --- 1


@pytest.mark.parametrize("w1", [0.0, 1.0, 10.0])
def test_no_rounds_give_exactly_the_label_and_consistency_losses(w1):
    found = td({"rounds": 0, "w1": w1, "w2": 0.5, "w3": 0.25}).loss()
    unit = td({"rounds": 0, "w2": 1.0, "w3": 1.0}).loss().parts
    assert list(found.parts) == ["label", "state_consistency", "message_consistency"]
    wanted = unit["label"] + 0.5 * unit["state_consistency"] + 0.25 * unit["message_consistency"]
    assert torch.equal(found.total, wanted)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_rounds_of_weight_zero_are_no_rounds(n):
    problem = td({"rounds": n, "w1": 0.0, "w2": 0.5, "w3": 0.25})
    assert torch.equal(problem.loss().total, td({"rounds": 0, "w2": 0.5, "w3": 0.25}).loss().total)
    assert problem.teacher.interpreted == 0


@pytest.mark.parametrize("n", [0, 2])
def test_all_weights_zero_train_the_scratch_student_bit_for_bit(n):
    """With dropout everywhere: TD's own random numbers must not disturb the student's."""
    train, _, items = movielens()
    teacher, _ = job.fit(train, items, fit_config("scratch", seeds=1, hidden=TEACHER), {}, LOG)
    teachers = {"teacher": teacher}
    zero = {"rounds": n, "w1": 0.0, "w2": 0.0, "w3": 0.0, "dropout": 0.3, **SMALL_TD}
    scratch, history = job.fit(train, items, fit_config("scratch"), {}, LOG)
    talked, other = job.fit(train, items, fit_config("td", zero), teachers, LOG)
    for name, tensor in scratch.weights.items():
        assert torch.equal(tensor, talked.weights[name]), name
    assert history.equals(other)
    real = zero | {"w1": 0.5}
    different, _ = job.fit(train, items, fit_config("td", real), teachers, LOG)
    same = torch.equal(scratch.weights["hidden_low.bias"], different.weights["hidden_low.bias"])
    assert same == (n == 0)


# --- 2 (that training leaves the teacher's weights alone: test_methods_training.py)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_without_consistency_losses_the_teacher_never_sees_the_batch(n):
    problem = td({"rounds": n, **ONLY_W1}, mute=True)
    assert list(problem.loss().parts) == (["label", "interact"] if n else ["label"])
    assert problem.teacher.interpreted == n


@pytest.mark.parametrize("weights", [{"w2": 0.1, "w3": 0.0}, {"w2": 0.0, "w3": 0.1}])
def test_one_consistency_loss_is_enough_to_show_the_teacher_the_batch_once(weights):
    problem = td({"rounds": 2, "w1": 1.0, **weights})
    problem.loss()
    assert problem.teacher.asked == 1
    problem.teacher.mute = True
    with pytest.raises(AssertionError, match="shown the batch"):
        problem.loss()


def test_no_gradient_reaches_the_teachers_weights():
    problem = td({"rounds": 2, "w1": 1.0, "w2": 1.0, "w3": 1.0})
    problem.loss().total.sum().backward()
    assert all(p.grad is None for p in problem.teacher.model.parameters())


# --- 3


def test_one_round_moves_all_four_modules_and_the_students_states():
    problem = td({"rounds": 1, **ONLY_W1})
    found = gradients(problem, problem.loss().parts["interact"])
    for name, gradient in found.items():
        if name.startswith(("decoder_h_to_high", "student.output")):
            assert gradient is None, name  # e'_h is discarded; the head is not asked
        else:
            assert gradient.flatten(1).any(1).all(), name  # not zero for any model of the stack


def test_consistency_alone_trains_the_upper_half_of_the_teachers_decoder():
    """No round reads e'_h, so D_h's upper half learns from L_SC only (spec 2.3, point 2)."""
    problem = td({"rounds": 2, "w1": 1.0, "w2": 1.0, "w3": 1.0})
    half = "decoder_h_to_high.weight"
    names = ("label", "state_consistency", "message_consistency", "interact")
    reached = [gradients(problem, problem.loss().parts[name])[half] is not None for name in names]
    assert reached == [False, True, False, False]


def test_the_first_message_is_decoded_once_for_consistency_and_the_first_round():
    """One D_h(m_g^0), with one dropout mask, is compared with the teacher and interpreted."""
    problem = td({"rounds": 2, "w1": 1.0, "w2": 1.0, "w3": 1.0, "dropout": 0.5})
    calls, interpreted, upper = [], [], problem.teacher.upper
    problem.method.decoder_h.to_low.register_forward_hook(lambda m, i, out: calls.append(out))
    problem.teacher.upper = lambda low: interpreted.append(low) or upper(low)
    problem.loss()
    assert len(calls) == 2
    assert all(torch.equal(a, b) for a, b in zip(calls, interpreted, strict=True))


def test_the_gradient_passes_through_the_teachers_interpretation():
    problem = td({"rounds": 1, **ONLY_W1})
    through = gradients(problem, problem.loss().parts["interact"])
    upper = problem.teacher.upper
    problem.teacher.upper = torch.no_grad()(upper)
    around = gradients(problem, problem.loss().parts["interact"])
    for name in ("decoder_h_to_low.weight", "decoder_h_trunk.1.weight", "encoder_g_net.3.weight"):
        assert not torch.isclose(through[name], around[name], rtol=1e-3).flatten(1).all(1).any()
    for name in ("encoder_h_net.1.weight", "decoder_g_to_low.weight"):
        torch.testing.assert_close(through[name], around[name])


def test_the_gradient_passes_through_the_students_interpretation_in_round_two():
    problem = td({"rounds": 2, **ONLY_W1})
    through = gradients(problem, problem.loss().parts["interact"])
    upper, calls = problem.student.upper, []

    def interpret(low):
        calls.append(low.shape)
        return upper(low).detach()

    problem.student.upper = interpret
    around = gradients(problem, problem.loss().parts["interact"])
    assert calls == [(3, 11, 10)]
    name = "decoder_g_to_low.weight"
    assert not torch.isclose(through[name], around[name], rtol=1e-3).flatten(1).all(1).any()


# --- 4


def paper_td():
    """TD of the paper's sizes, without a stack."""
    layers = Layers(Streams([0], "method", stacked=False))
    td = methods.METHODS.get("td")
    student, teachers = Widths(128, 64, True), {"teacher": Widths(512, 256, True)}
    return td(td.Settings(), objectives.RatingObjective(layers), layers, student, teachers)


def test_the_modules_have_the_papers_sizes():
    method = paper_td()
    shapes = {name: [] for name in ("encoder_g", "encoder_h", "decoder_g", "decoder_h")}
    count = 0
    for name, module in method.modules():
        for p in module.parameters():
            if p.shape[0] > 1:
                shapes["_".join(name.split("_")[:2])].append(tuple(p.shape))
            count += p.numel()
    assert shapes == {
        "encoder_g": [(192, 256), (256, 128)],
        "encoder_h": [(768, 256), (256, 128)],
        "decoder_g": [(128, 256), (256, 128), (256, 64)],
        "decoder_h": [(128, 256), (256, 512), (256, 256)],
    }
    assert count == 624_832


def test_messages_and_states_have_the_papers_sizes():
    method = paper_td()
    zeros = [torch.zeros(5, width) for width in (128, 64, 512, 256)]
    assert method.encoder_g(*zeros[:2]).shape == method.encoder_h(*zeros[2:]).shape == (5, 128)
    assert [x.shape[-1] for x in method.decoder_g(torch.zeros(5, 128))] == [128, 64]
    assert [x.shape[-1] for x in method.decoder_h(torch.zeros(5, 128))] == [512, 256]
    assert method.decoder_h(torch.zeros(5, 128)).low.shape == (5, 512)


def test_an_encoder_refuses_the_other_models_states():
    method = paper_td()
    with pytest.raises(ValueError, match="takes 192 features, not 768"):
        method.encoder_g(torch.zeros(5, 512), torch.zeros(5, 256))
    with pytest.raises(ValueError, match="takes 768 features, not 192"):
        method.encoder_h(torch.zeros(5, 128), torch.zeros(5, 64))
    with pytest.raises(ValueError, match="takes 18 features, not 26"):
        td({}).method.encoder_g(torch.zeros(3, 5, 14).double(), torch.zeros(3, 5, 12).double())


# --- 5


def test_the_decoded_higher_teacher_state_is_discarded():
    def replace_high(problem):
        problem.method.decoder_h.to_high.weight.data.add_(100)

    problem = td({"rounds": 2, **ONLY_W1})
    before = problem.loss().parts["interact"]
    replace_high(problem)
    assert torch.equal(problem.loss().parts["interact"], before)


def test_the_decoded_lower_teacher_state_of_round_two_counts():
    """Only the second call of the layer is shifted: the first round stays as it was."""
    plain, shifted = (td({"rounds": 2, **ONLY_W1}) for _ in range(2))
    calls = []

    def shift(module, inputs, output):
        calls.append(None)
        return output + 1 if len(calls) == 2 else output

    shifted.method.decoder_h.to_low.register_forward_hook(shift)
    difference = shifted.loss().parts["interact"] - plain.loss().parts["interact"]
    assert len(calls) == 2
    assert (difference.abs() > 1e-4).all()


def test_the_decoded_higher_student_state_is_compared_but_not_passed_on():
    """Shifting e'_g by c in round 1 changes that round's loss, and as a target the next one's.

    With `target=original` the second round must not see it: its state is the interpreted one.
    """
    plain, shifted = (td({"rounds": 2, "target": "original", **ONLY_W1}) for _ in range(2))
    once = td({"rounds": 1, "target": "original", **ONLY_W1})
    calls = []

    def shift(module, inputs, output):
        calls.append(None)
        return output + 1 if len(calls) == 1 else output

    shifted.method.decoder_g.to_high.register_forward_hook(shift)
    total = shifted.loss().parts["interact"] - plain.loss().parts["interact"]
    calls.clear()
    once_shifted = td({"rounds": 1, "target": "original", **ONLY_W1})
    once_shifted.method.decoder_g.to_high.register_forward_hook(shift)
    first = once_shifted.loss().parts["interact"] - once.loss().parts["interact"]
    assert (first.abs() > 1e-4).all()
    torch.testing.assert_close(total, first)


# --- 6 (for each kind of model: test_models.py)


def test_the_teacher_interprets_its_own_lower_state_as_its_higher_one():
    problem = td({"rounds": 1})
    states = problem.teacher(problem.batch)
    assert torch.equal(problem.teacher.upper(states.low), states.high)
