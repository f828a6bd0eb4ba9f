"""Verdicts: every branch of the rule, several differences at once, and the power that it states."""

import numpy as np
import pytest
from scipy import stats
from simulated import World

from talking_models.evidence.intervals import difference
from talking_models.evidence.verdicts import Estimate, Verdict, of_all, of_some, power

REPRODUCED, SMALLER, NO_ADVANTAGE, EQUIVALENT, LESS, OPPOSITE, UNDECIDED, NOT_TESTED = (
    Verdict.REPRODUCED, Verdict.SMALLER, Verdict.NO_ADVANTAGE, Verdict.EQUIVALENT, Verdict.LESS,
    Verdict.OPPOSITE, Verdict.UNDECIDED, Verdict.NOT_TESTED,
)  # fmt: skip
D = 1.0  # the printed difference; half of it is 0.5


def of(low, high, printed=D, freedom=1e6):
    """The estimate with this 95% interval."""
    half = (high - low) / 2
    error = half / stats.t.isf(0.025, freedom)
    return Estimate((low + high) / 2, error, freedom, printed)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.1, 1.1, REPRODUCED),
        (0.1, 1.0, REPRODUCED),  # U >= d
        (1.2, 1.4, REPRODUCED),
        (0.1, 0.9, SMALLER),
        (0.1, 0.3, SMALLER),
        (-0.1, 0.4, EQUIVALENT),
        (-0.3, 0.3, EQUIVALENT),
        (-0.55, 0.49, EQUIVALENT),  # the 90% interval lies within half
        (-1.2, 0.4, NO_ADVANTAGE),
        (-0.7, 0.49, NO_ADVANTAGE),
        (-0.1, 0.51, LESS),  # m <= U < d
        (-0.1, 0.99, LESS),
        (-1.0, -0.1, OPPOSITE),
        (-0.2, -0.1, OPPOSITE),  # even where it lies within half
        (-0.1, 1.01, UNDECIDED),
        (-3.0, 3.0, UNDECIDED),
    ],
)
def test_each_branch_of_the_rule(low, high, expected):
    assert of(low, high).verdict is expected
    assert of(10 * low, 10 * high, 10 * D).verdict is expected, "it has no unit"
    assert of_all([of(low, high)]) is of_some([of(low, high)]) is expected


def test_the_interval_knows_the_degrees_of_freedom():
    one = Estimate(1.0, 0.4, 1e6, D)
    assert one.ends() == pytest.approx((1 - 0.4 * 1.959964, 1 + 0.4 * 1.959964), rel=1e-4)
    assert one.verdict is REPRODUCED
    few = Estimate(1.0, 0.4, 2.0, D)
    assert few.ends(0.9) == pytest.approx((1 - 0.4 * 2.919986, 1 + 0.4 * 2.919986), rel=1e-4)
    assert few.verdict is UNDECIDED


def test_the_same_predictions_test_nothing():
    same = Estimate(0.0, 0.0, 5.0, D)
    assert same.verdict is NOT_TESTED
    assert of_all([same, same]) is of_some([same, same]) is NOT_TESTED
    assert of_all([same, of(0.5, 1.5)]) is UNDECIDED  # one of what it needs is not tested
    assert of_some([same, of(0.5, 1.5)]) is REPRODUCED
    assert of_some([same, of(-0.3, 0.3)]) is UNDECIDED  # it may be the one
    assert of_all([same, of(-1.0, -0.5)]) is OPPOSITE


GOOD, WEAKER, EQUAL, BAD = of(0.5, 1.5), of(0.2, 0.8), of(-0.2, 0.2), of(-1.0, -0.5)
LOW, WORSE, OPEN = of(-0.1, 0.8), of(-1.5, 0.3), of(-0.5, 1.5)


@pytest.mark.parametrize(
    ("estimates", "expected"),
    [
        ([GOOD, GOOD], REPRODUCED),
        ([GOOD, WEAKER], SMALLER),
        ([WEAKER, WEAKER], SMALLER),
        ([GOOD, OPEN], UNDECIDED),
        ([GOOD, EQUAL], NO_ADVANTAGE),  # one is enough to say that not all do
        ([EQUAL, EQUAL], EQUIVALENT),
        ([of(-2.0, -0.01)] * 4, OPPOSITE),  # none as one of four; all of them at once
        ([WEAKER, OPEN], UNDECIDED),  # that one is smaller does not say that the other fails
        ([WEAKER, EQUAL], NO_ADVANTAGE),
        ([GOOD, of(-0.1, 0.99)], UNDECIDED),  # sure alone, and not as one of two
        ([GOOD, of(-0.1, 0.7)], LESS),
        ([GOOD, GOOD, BAD], OPPOSITE),
        ([EQUAL, BAD], OPPOSITE),
        ([of(-0.1, 0.99)] * 3 + [of(-4.0, 0.49)], LESS),  # as all fail, without a correction
        ([of(-0.1, 0.7), of(-3.0, -0.1)], NO_ADVANTAGE),  # surer than the mildest
        ([OPEN, OPEN], UNDECIDED),
    ],
)
def test_a_claim_that_needs_all(estimates, expected):
    assert of_all(estimates) is expected
    assert of_all(estimates[::-1]) is expected


@pytest.mark.parametrize(
    ("estimates", "expected"),
    [
        ([GOOD, BAD], REPRODUCED),
        ([WEAKER, BAD, BAD], SMALLER),
        ([WEAKER, GOOD], REPRODUCED),
        ([of(0.01, 0.9), EQUAL], UNDECIDED),  # sure alone, and not as the best of two
        ([EQUAL, EQUAL], EQUIVALENT),
        ([EQUAL, WORSE], NO_ADVANTAGE),
        ([EQUAL, BAD], EQUIVALENT),  # as mild as of the one that leaves most
        ([WORSE, LOW], LESS),
        ([BAD, BAD], OPPOSITE),
        ([BAD, OPEN], UNDECIDED),
    ],
)
def test_a_claim_that_needs_some(estimates, expected):
    assert of_some(estimates) is expected
    assert of_some(estimates[::-1]) is expected


def test_without_an_interval_nothing_is_decided():
    assert of_all([Estimate(-0.5, np.nan, 1.0, D)]) is UNDECIDED
    assert of_all([Estimate(-0.5, np.nan, 1.0, D), BAD]) is OPPOSITE
    assert of_some([Estimate(0.5, np.nan, 1.0, D)] * 2) is UNDECIDED


def test_looking_at_many_seldom_finds_an_opposite_by_chance():
    """Of five true claims with an effect of nothing, one alone is opposite in 2.5% each."""
    random = np.random.default_rng(0)
    found = [
        of_all([Estimate(random.normal(), 1.0, 1e6, 8.0) for _ in range(5)]) for _ in range(1000)
    ]
    assert found.count(OPPOSITE) / 1000 <= 0.035
    alone = [Estimate(random.normal(), 1.0, 1e6, 8.0).verdict for _ in range(1000)]
    assert alone.count(OPPOSITE) / 1000 == pytest.approx(0.025, abs=0.015)
    best = [
        of_some([Estimate(random.normal(), 1.0, 1e6, 8.0) for _ in range(5)]) for _ in range(1000)
    ]
    assert (best.count(REPRODUCED) + best.count(SMALLER)) / 1000 <= 0.035


# Power


def test_power_against_the_normal_distribution():
    """Many degrees of freedom: P(L > 0) = P(z > 1.96 - truth / error)."""
    error, printed = 0.3, 1.0
    for truth in (0.0, 0.5, 1.0, -1.0):
        found = power([Estimate(0, error, 1e7, printed)], np.eye(1), of_all, truth, draws=4000)
        assert sum(found.values()) == pytest.approx(1)
        positive = found.get(REPRODUCED, 0) + found.get(SMALLER, 0)
        assert positive == pytest.approx(stats.norm.sf(1.959964 - truth / error), abs=0.025)
        opposite = stats.norm.sf(1.959964 + truth / error)
        assert found.get(OPPOSITE, 0) == pytest.approx(opposite, abs=0.025)


def test_power_of_a_claim_is_that_of_all_its_comparisons_together():
    """Each alone is reproduced in 85% or so; all four only if they go together."""
    each = [Estimate(0, 1 / 3, 1e7, 1.0)] * 4
    alone = sum(
        power(each[:1], np.eye(1), of_all, 1.0, 2000).get(v, 0) for v in (REPRODUCED, SMALLER)
    )
    apart = sum(power(each, np.eye(4), of_all, 1.0, 2000).get(v, 0) for v in (REPRODUCED, SMALLER))
    assert alone == pytest.approx(stats.norm.sf(1.96 - 3), abs=0.03)
    assert apart == pytest.approx(alone**4, abs=0.04)
    as_one = sum(
        power(each, np.ones((4, 4)), of_all, 1.0, 2000).get(v, 0) for v in (REPRODUCED, SMALLER)
    )
    assert as_one == pytest.approx(alone, abs=0.03)
    assert power(each, np.eye(4), of_some, 0.5) == power(each, np.eye(4), of_some, 0.5)


RIGHT = {
    0.0: {EQUIVALENT, NO_ADVANTAGE, LESS, UNDECIDED},
    0.5: {SMALLER, REPRODUCED, LESS, UNDECIDED},
    1.0: {REPRODUCED, UNDECIDED},
    -1.0: {OPPOSITE, NO_ADVANTAGE},
}


@pytest.mark.parametrize("times", RIGHT, ids=["nothing", "half", "the paper's", "the opposite"])
def test_a_known_truth_gets_the_right_verdict_as_often_as_the_page_says(times):
    """The paper claims d; where the truth is that many times d, we evaluate and judge."""
    printed, evaluations = 0.03, 300
    level = (World.noise**2 + 0.3**2 + 2 * 0.15**2) ** 0.5
    world = World(more=(abs(times) * printed + level) ** 2 - level**2)
    assert world.difference == pytest.approx(abs(times) * printed)
    better, other = ("td", "other") if times >= 0 else ("other", "td")
    found, size = [], []
    for seed in range(evaluations):
        one = difference(world.sample([5, seed]), other, better)
        found.append(Estimate(one.estimate[0], one.error[0], one.freedom[0], printed).verdict)
        size.append((one.error[0], one.freedom[0]))
    error, freedom = np.median(size, axis=0)
    stated = power([Estimate(0, error, freedom, printed)], np.eye(1), of_all, times, 2000)
    for verdict in Verdict:
        assert found.count(verdict) / evaluations == pytest.approx(
            stated.get(verdict, 0), abs=0.09
        ), verdict
    assert np.mean([verdict in RIGHT[times] for verdict in found]) >= 0.93
