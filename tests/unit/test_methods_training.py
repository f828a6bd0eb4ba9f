"""Every method in the training loop: seeds apart from each other, teacher left alone."""

from dataclasses import replace

import pytest
import torch
from toys import (
    EVERY_METHOD,
    FEATURES,
    LOG,
    STUDENT,
    TEACHER,
    TRAINING,
    Teacher,
    fit_config,
    movielens,
)

from talking_models import methods, objectives
from talking_models.data.features import Vocabulary, encode
from talking_models.methods.base import Loss
from talking_models.models.base import Widths
from talking_models.models.layers import Layers, Streams
from talking_models.models.network import RatingMLP
from talking_models.training import ratings as job
from talking_models.training.batches import RatingData
from talking_models.training.loop import train
from talking_models.training.shared import shuffled_rows
from talking_models.training.teacher import FrozenTeacher

NAMES = ["born_again", "dist", "fd", "fitnet", "group", "hybrid", "ld", "mutual", "rkd", "scratch",
         "srd", "td", "vid"]  # fmt: skip
METHODS = pytest.mark.parametrize("name", EVERY_METHOD)


@pytest.fixture(scope="module")
def checkpoint():
    rows, _, items = movielens()
    return job.fit(rows, items, fit_config("scratch", seeds=1, hidden=TEACHER), {}, LOG)[0]


def doubled(data: RatingData) -> RatingData:
    """In float64, where rounding is too small for Adam to make a step of it.

    In float32 a gradient that is zero but for rounding, such as that of a bias before a batch norm,
    is one that Adam scales up: another stack, another rounding, a difference of up to 1e-3.
    """
    for name in ("rating", "title_weight", "categories"):
        setattr(data, name, getattr(data, name).double())
    return data


def students(name, seeds, checkpoint, teacher_class=None, steps=12, paired=False, **changed):
    """Train the students of `seeds` with dropout and noise; all weights, and the teacher's.

    The checkpoint's first model teaches them all, or if `paired` its i-th one the i-th of them.
    """
    rows, _, items = movielens()
    vocabulary = Vocabulary.of(rows, items)
    data = doubled(RatingData(encode(rows, items, vocabulary)))
    streams = Streams(seeds, "student")
    student = RatingMLP(
        vocabulary.sizes, FEATURES, STUDENT, streams, dropout=0.2, id_dropout=0.2, mean_rating=3.0
    )
    own = doubled(RatingData(encode(rows, items, checkpoint.vocabulary)))
    if paired:
        teacher = FrozenTeacher(checkpoint.stack().double(), own, len(seeds))
    else:
        teacher = FrozenTeacher(checkpoint.first().double(), own)
    layers = Layers(Streams(seeds, "method"))
    cls = methods.METHODS.get(name.split("-")[0])
    method = cls(
        cls.Settings(**EVERY_METHOD[name] | changed),
        objectives.RatingObjective(layers),
        layers,
        student.widths,
        {"teacher": teacher.widths},
    )
    for module in (student, *dict(method.modules()).values()):
        module.double()
    method.prepare({"teacher": teacher.chunks()})
    order = shuffled_rows(len(data), TRAINING["batch_size"], Streams(seeds, "order"))
    before = {n: p.clone() for n, p in teacher.model.state_dict().items()}
    train(
        student,
        method,
        {"teacher": teacher if teacher_class is None else teacher_class(teacher.model)},
        map(data.batch, order),
        fit_config(name, steps=steps),
        seeds,
        LOG,
    )
    weights = dict(student.state_dict())
    for module, m in method.modules():
        weights |= {f"{module}.{n}": p for n, p in m.state_dict().items()}
    return weights, before, teacher.model


@METHODS
def test_a_seed_trains_alone_as_in_a_stack(name, checkpoint):
    stack, _, _ = students(name, range(5), checkpoint)
    alone, _, _ = students(name, [3], checkpoint)
    assert alone.keys() == stack.keys()
    for key, tensor in alone.items():
        torch.testing.assert_close(
            tensor[0], stack[key][3], rtol=1e-6, atol=1e-6, msg=lambda m, key=key: f"{key}: {m}"
        )
        assert not torch.allclose(tensor[0], stack[key][2], atol=1e-3), key


# --- a teacher for each student


@pytest.fixture(scope="module")
def three():
    """Teachers that differ more than seeds do: their features are of other sizes."""
    rows, _, items = movielens()
    found, _ = job.fit(rows, items, fit_config("scratch", seeds=3, hidden=TEACHER), {}, LOG)
    scale = torch.tensor([1.0, -0.7, 1.9])
    for name in ("hidden_low.weight", "hidden_high.weight", "output.bias"):
        found.weights[name] = found.weights[name] * scale.view(3, 1, 1)
    return found


def of_one(checkpoint, i):
    """Model `i` of a checkpoint as a checkpoint of one."""
    weights = {name: tensor[i : i + 1] for name, tensor in checkpoint.weights.items()}
    return replace(checkpoint, seeds=checkpoint.seeds[i : i + 1], weights=weights)


ROUNDS = [("td", {"rounds": n}) for n in range(3)]
PAIRED = [(name, {}) for name in EVERY_METHOD if name != "td"] + ROUNDS


@pytest.mark.parametrize(("name", "changed"), PAIRED)
def test_a_paired_stack_is_each_student_with_its_own_teacher(name, changed, three):
    stack, before, model = students(name, [0, 1, 2], three, paired=True, **changed)
    assert all(torch.equal(p, before[n]) for n, p in model.state_dict().items())
    for i in range(3):
        alone, _, _ = students(name, [i], of_one(three, i), **changed)
        for key, tensor in alone.items():
            torch.testing.assert_close(
                tensor[0], stack[key][i], rtol=1e-6, atol=1e-6, msg=lambda m, key=key: f"{key}: {m}"
            )
    if name != "scratch":
        first, _, _ = students(name, [0, 1, 2], three, **changed)
        torch.testing.assert_close(first["hidden_low.weight"][0], stack["hidden_low.weight"][0])
        for i in (1, 2):
            gap = (first["hidden_low.weight"][i] - stack["hidden_low.weight"][i]).abs().max()
            assert gap > 1e-3, "another teacher taught the same"


@pytest.mark.parametrize("room", [1 << 30, 0], ids=["cached", "anew"])
def test_each_model_of_a_paired_teacher_answers_interprets_and_has_its_own_margins(
    three, monkeypatch, room
):
    monkeypatch.setattr("talking_models.training.teacher.CACHE_BYTES", room)
    rows, _, items = movielens(5000)  # more than one chunk
    data = RatingData(encode(rows, items, three.vocabulary))
    together = FrozenTeacher(three.stack(), data, 3)
    places = torch.randint(0, len(rows), (3, 50), generator=torch.Generator().manual_seed(0))
    answer = together(data.batch(places))
    interpreted = together.upper(answer.low)

    def fd_of(teacher, seeds):
        layers = Layers(Streams(seeds, "method"))
        objective, widths = objectives.RatingObjective(layers), {"teacher": teacher.widths}
        cls = methods.METHODS.get("fd")
        found = cls(cls.Settings(), objective, layers, Widths(10, 8, True), widths)
        found.prepare({"teacher": teacher.chunks()})
        return found

    fd = fd_of(together, range(3))
    shapes = [tuple(each.shape for each in pair) for pair in fd.channels]
    assert shapes == [((3, 1, 14),) * 2, ((3, 1, 12),) * 2]
    assert not torch.equal(fd.channels[0][0][0], fd.channels[0][0][1])
    for i in range(3):
        alone = FrozenTeacher(of_one(three, i).first(), data)
        states = alone(data.batch(places[i]))
        for name in ("low", "high", "output", "low_pre", "high_pre"):
            torch.testing.assert_close(getattr(answer, name)[i], getattr(states, name))
        torch.testing.assert_close(interpreted[i], alone.upper(states.low))
        own = fd_of(alone, [i])
        for pairs in zip(fd.channels, own.channels, strict=True):
            for of_all, of_one_teacher in zip(*pairs, strict=True):
                torch.testing.assert_close(of_all[i, 0], of_one_teacher)


@pytest.mark.parametrize("name", ["ld", "fitnet", "td"])
def test_a_job_takes_its_teachers_as_teacher_seed_says(name, three):
    rows, _, items = movielens()
    config = fit_config(name.split("-")[0], EVERY_METHOD[name], seeds=3)
    first, _ = job.fit(rows, items, config, {"teacher": three}, LOG)
    one, _ = job.fit(rows, items, config, {"teacher": of_one(three, 0)}, LOG)
    paired, _ = job.fit(rows, items, config | {"teacher_seed": "paired"}, {"teacher": three}, LOG)
    for key, tensor in first.weights.items():
        assert torch.equal(tensor, one.weights[key]), "`first` looked at another teacher"
    torch.testing.assert_close(
        first.weights["hidden_low.weight"][0], paired.weights["hidden_low.weight"][0]
    )
    for i in (1, 2):
        assert not torch.allclose(
            first.weights["hidden_low.weight"][i], paired.weights["hidden_low.weight"][i], atol=1e-4
        )


@pytest.mark.parametrize("name", ["ld", "fitnet", "td"])
def test_a_student_of_one_seed_learns_from_the_model_of_that_seed(name, three):
    """As of a draw, whose teacher learnt from all rows, with all seeds."""
    rows, _, items = movielens()
    config = fit_config(name, EVERY_METHOD[name], seeds=1)
    config |= {"teacher_seed": "paired", "first_seed": 2}
    taught, _ = job.fit(rows, items, config, {"teacher": three}, LOG)
    alone, _ = job.fit(rows, items, config, {"teacher": three.of([2])}, LOG)
    for key, tensor in taught.weights.items():
        assert torch.equal(tensor, alone.weights[key])
    with pytest.raises(ValueError, match="seeds \\[0, 1, 2\\], not of \\[3\\]"):
        three.of([3])


def test_a_paired_teacher_that_lacks_a_seed_says_so(three):
    rows, _, items = movielens()
    config = fit_config("ld", seeds=5) | {"teacher_seed": "paired"}
    said = (
        r"paired, but teacher has models of the seeds \[0, 1, 2\], and students \[0, 1, 2, 3, 4\]"
    )
    with pytest.raises(ValueError, match=said):
        job.fit(rows, items, config, {"teacher": three}, LOG)


@METHODS
def test_training_leaves_the_teacher_bit_identical(name, checkpoint):
    _, before, model = students(name, [0, 1], checkpoint, steps=5)
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key])
        assert torch.equal(tensor, checkpoint.weights[key][0].double())
    for p in model.parameters():
        assert p.grad is None
        assert not p.requires_grad
    assert not model.training


@pytest.mark.parametrize("name", ["scratch", "ld", "fitnet", "td"])
def test_a_job_of_more_seeds_has_the_students_of_fewer(name, checkpoint):
    rows, _, items = movielens()
    config = fit_config(name.split("-")[0], EVERY_METHOD[name], seeds=2)
    five, _ = job.fit(rows, items, config | {"seeds": 5}, {"teacher": checkpoint}, LOG)
    two, _ = job.fit(rows, items, config, {"teacher": checkpoint}, LOG)
    assert two.seeds == [0, 1]
    assert five.seeds == [0, 1, 2, 3, 4]
    for key, tensor in two.weights.items():
        torch.testing.assert_close(tensor, five.weights[key][:2], rtol=1e-4, atol=1e-5, msg=key)


@METHODS
def test_a_cached_teacher_teaches_as_one_that_answers_anew(name, checkpoint):
    """Here the teacher's vocabulary is the student's, so that it may read the student's batch."""
    cached, _, _ = students(name, [0, 1], checkpoint, steps=6)
    anew, _, _ = students(name, [0, 1], checkpoint, Teacher, steps=6)
    for key, tensor in cached.items():
        torch.testing.assert_close(tensor, anew[key], rtol=1e-6, atol=1e-6, msg=key)


@pytest.mark.parametrize("name", [n for n in EVERY_METHOD if n != "scratch"])
def test_a_method_makes_another_student_than_scratch(name, checkpoint):
    taught, _, _ = students(name, [0], checkpoint, steps=5)
    scratch, _, _ = students("scratch", [0], checkpoint, steps=5)
    assert not torch.allclose(taught["hidden_low.weight"], scratch["hidden_low.weight"], atol=1e-4)


# --- several teachers


class Both(methods.Method):
    """Learns from the mean of its teachers' outputs."""

    def build(self, layers, student, teachers):
        self.names = list(teachers)

    def prepare(self, states):
        assert list(states) == self.names
        assert all(sum(len(s.output) for s in of) == 120 for of in states.values())

    def loss(self, batch, student, teachers, step):
        output = student(batch).output
        said = sum(teacher(batch).output for teacher in teachers.values()) / len(teachers)
        return Loss({"logit": self.objective.logit_loss(output, said, 1.0)}, {})


def test_a_method_can_have_several_teachers(three, monkeypatch):
    rows, _, items = movielens()
    made = []

    def get(name):
        made.append(name)
        return Both

    monkeypatch.setattr(methods.METHODS, "get", get)
    one, other = of_one(three, 0), of_one(three, 2)
    config = fit_config("both", steps=1, dropout=0.0, id_dropout=0.0)
    history = {}
    for name, of in {"ab": (one, other), "a": (one,), "b": (other,)}.items():
        taught = dict(zip(("large", "small"), of, strict=False))
        history[name] = job.fit(rows, items, config, taught, LOG)[1]["value"].item()
    assert set(made) == {"both"}
    assert len(set(history.values())) == 3


def test_a_method_with_one_teacher_refuses_none_and_several():
    only = methods.Method.only
    assert only({"large": 1}) == 1
    with pytest.raises(ValueError, match="this method has one teacher, not none"):
        only({})
    with pytest.raises(ValueError, match="this method has one teacher, not large, small"):
        only({"large": 1, "small": 2})


# --- the register


def test_every_method_is_among_those_tested():
    with_peers = {"born_again", "mutual"}  # test_methods_company.py
    assert {name.split("-")[0] for name in EVERY_METHOD} | with_peers == set(NAMES)


def test_a_method_is_found_by_the_name_of_its_file():
    assert methods.METHODS.names() == NAMES
    for name in NAMES:
        cls = methods.METHODS.get(name)
        assert issubclass(cls, methods.Method)
        assert cls.__module__ == f"talking_models.methods.{name}"
    with pytest.raises(KeyError, match=r"no Method 'kd'.*hybrid, ld.*nearest: \w+"):
        methods.METHODS.get("kd")
    with pytest.raises(KeyError):
        methods.METHODS.get("base")


@pytest.mark.parametrize("name", NAMES)
def test_defaults_lie_within_the_search_space(name):
    for key, field in methods.METHODS.get(name).Settings.model_fields.items():
        search = (field.json_schema_extra or {}).get("search", {})
        if "low" in search:
            assert search["low"] <= field.default <= search["high"], key
            assert search["low"] > 0 or not search["log"], key
        if "choices" in search:
            assert field.default in search["choices"], key


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_setting_is_refused(name):
    with pytest.raises(ValueError, match="wieght"):
        methods.METHODS.get(name).Settings(wieght=1)
