"""Trials of a search that differ in their weights alone, trained as one stack of models."""

import numpy as np
import pytest
import torch
from toys import EVERY_METHOD, LOG, SEARCH, TEACHER, fit_config, movielens

from talking_models.methods.base import NotAFactor, Weights
from talking_models.training.ratings import fit
from talking_models.tuning.folds import FoldScores
from talking_models.tuning.space import factors, stacks

WEIGHTS = (0.3, 2.0, 9.0)


@pytest.mark.parametrize("name", [name for name in EVERY_METHOD if name != "scratch"])
def test_trials_in_one_stack_train_as_each_alone(name):
    """Each with weights of its own, of every method."""
    rows, _, items = movielens(200)
    whole = fit_config("scratch", hidden=TEACHER, steps=3)
    teacher, _ = fit(rows, items, whole, {}, LOG)
    config = fit_config(name.partition("-")[0], EVERY_METHOD[name])
    told = {"drama": "Drama"}, "category", SEARCH, {"teacher": [teacher] * 2}
    score = FoldScores(rows, items, {"drama": config}, *told)
    names = factors(config["method"])
    trials = [{"settings": {name: w / (1 + i) for i, name in enumerate(names)}} for w in WEIGHTS]
    assert stacks(trials, config["method"]) == [[0, 1, 2]]
    together = score(trials, 1, [5, 70, 6])
    for trial, seed, found in zip(trials, [5, 70, 6], together, strict=True):
        np.testing.assert_allclose(found, score([trial], 1, [seed])[0], rtol=1e-4)
    assert not np.allclose(together[0], together[2], rtol=1e-3)


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([{"settings": {"w1": w}} for w in range(1, 9)], [[*range(6)], [6, 7]]),
        ([{"settings": {"w1": w}} for w in (1, 0, 0, 2)], [[0], [1, 2], [3]]),
        ([{"settings": {"w1": 1, "rounds": n}} for n in (1, 1, 2)], [[0, 1], [2]]),
        ([{"settings": {"w1": 1}, "training": {"x": n}} for n in (1, 2, 2)], [[0], [1, 2]]),
        ([{"settings": {"module_steps": n}} for n in (50, 100)], [[0], [1]]),
    ],
)
def test_a_stack_differs_in_weights_alone(trials, expected):
    assert stacks(trials, "td") == expected


def test_one_that_diverges_leaves_the_others_of_its_stack():
    rows, _, items = movielens(100)
    config = fit_config("ld", {"weight": 0.5})
    teacher, _ = fit(rows, items, fit_config("scratch", steps=2), {}, LOG)
    told = {"drama": config}, {"drama": "Drama"}, "category", SEARCH, {"teacher": [teacher] * 2}
    score = FoldScores(rows, items, *told)
    trials = [{"settings": {"weight": weight}} for weight in (0.5, 1e39, 2.0)]
    found = score(trials, 0, [1, 2, 3])
    assert "loss part 'logit' is inf" in found[1]
    for at in (0, 2):
        np.testing.assert_array_equal(found[at], score([trials[at]], 0, [at + 1])[0])


@pytest.mark.parametrize(
    "used",
    [
        lambda w, x: x + w, lambda w, x: w + x, lambda w, x: x - w, lambda w, x: 1 - w,
        lambda w, x: x / w, lambda w, x: w / x, lambda w, x: x**w, lambda w, x: 2**w,
        lambda w, x: x.clamp(min=w), lambda w, x: torch.full((2,), float(w)), lambda w, x: 2 * w,
    ],
)  # fmt: skip
def test_a_weight_of_each_model_is_a_factor_and_nothing_else(used):
    weight, part = Weights([1.0, 3.0]), torch.tensor([2.0, 2.0])
    assert (weight * part).tolist() == (part * weight).tolist() == [2.0, 6.0]
    assert weight
    with pytest.raises(NotAFactor):
        used(weight, part)
