"""Every method in the training loop: seeds apart from each other, teacher left alone."""

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
from talking_models.models.layers import Layers, Streams
from talking_models.models.mlp import RatingMLP
from talking_models.training import ratings as job
from talking_models.training.batches import RatingData, shuffled_rows
from talking_models.training.loop import train
from talking_models.training.teacher import FrozenTeacher

METHODS = pytest.mark.parametrize("name", EVERY_METHOD)


@pytest.fixture(scope="module")
def checkpoint():
    rows, _, items = movielens()
    return job.fit(rows, items, fit_config("scratch", seeds=1, hidden=TEACHER), None, LOG)[0]


def doubled(data: RatingData) -> RatingData:
    """In float64, where rounding is too small for Adam to make a step of it.

    In float32 a gradient that is zero but for rounding, such as that of a bias before a batch norm,
    is one that Adam scales up: another stack, another rounding, a difference of up to 1e-3.
    """
    for name in ("rating", "title_weight", "categories"):
        setattr(data, name, getattr(data, name).double())
    return data


def students(name, seeds, checkpoint, teacher_class=None, steps=12):
    """Train the students of `seeds` with dropout and noise; all weights, and the teacher's."""
    rows, _, items = movielens()
    vocabulary = Vocabulary.of(rows, items)
    data = doubled(RatingData(encode(rows, items, vocabulary)))
    streams = Streams(seeds, "student")
    student = RatingMLP(
        vocabulary.sizes, FEATURES, STUDENT, streams, dropout=0.2, id_dropout=0.2, mean_rating=3.0
    )
    own = doubled(RatingData(encode(rows, items, checkpoint.vocabulary)))
    teacher = FrozenTeacher(checkpoint.first().double(), own)
    layers = Layers(Streams(seeds, "method"))
    cls = methods.method_class(name.split("-")[0])
    method = cls(
        cls.Settings(**EVERY_METHOD[name]),
        objectives.RatingObjective(layers),
        layers,
        student.widths,
        teacher.widths,
    )
    for module in (student, *dict(method.modules()).values()):
        module.double()
    method.prepare(teacher.chunks())
    order = shuffled_rows(len(data), TRAINING["batch_size"], Streams(seeds, "order"))
    before = {n: p.clone() for n, p in teacher.model.state_dict().items()}
    train(
        student,
        method,
        teacher if teacher_class is None else teacher_class(teacher.model),
        map(data.batch, order),
        steps=steps,
        learning_rate=TRAINING["learning_rate"],
        weight_decay=TRAINING["weight_decay"],
        precision="float32",
        seeds=tuple(seeds),
        setting=name,
        log=LOG,
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
    five, _ = job.fit(rows, items, config | {"seeds": 5}, checkpoint, LOG)
    two, _ = job.fit(rows, items, config, checkpoint, LOG)
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


# --- the register


def test_every_method_is_among_those_tested():
    assert {name.split("-")[0] for name in EVERY_METHOD} == set(methods.names())


def test_a_method_is_found_by_the_name_of_its_file():
    assert methods.names() == ["fd", "fitnet", "hybrid", "ld", "scratch", "td"]
    for name in methods.names():
        cls = methods.method_class(name)
        assert issubclass(cls, methods.Method)
        assert cls.__module__ == f"talking_models.methods.{name}"
        assert methods.settings_class(name) is cls.Settings
    with pytest.raises(KeyError, match=r"no method 'kd'.*hybrid, ld"):
        methods.method_class("kd")
    with pytest.raises(KeyError):
        methods.method_class("_base")


@pytest.mark.parametrize("name", methods.names())
def test_defaults_lie_within_the_search_space(name):
    for key, field in methods.settings_class(name).model_fields.items():
        search = (field.json_schema_extra or {}).get("search", {})
        if "low" in search:
            assert search["low"] <= field.default <= search["high"], key
            assert search["low"] > 0 or not search["log"], key
        if "choices" in search:
            assert field.default in search["choices"], key


@pytest.mark.parametrize("name", methods.names())
def test_an_unknown_setting_is_refused(name):
    with pytest.raises(ValueError, match="wieght"):
        methods.settings_class(name)(wieght=1)
