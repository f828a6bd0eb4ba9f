"""Standard errors, intervals and tests: against other computations, and by simulation."""

import numpy as np
import pytest
from scipy import stats
from simulated import Apart, Pictures, World, evidence

from talking_models.evidence.intervals import (
    Difference,
    correlation,
    degrees_of_freedom,
    difference,
    holm,
    two_way,
    with_mean,
)

COVERS = (0.93, 0.97)
EVALUATIONS = 800  # of which 95% +- 0.8% (a standard error) hold the truth


def of_errors(users, td, other):
    """Evidence of two methods' errors, (S, N) each, on the rows of `users`."""
    known, codes = np.unique(users, return_inverse=True)
    sums = np.zeros((2, 1, len(td), len(known), 2))
    for place, errors in enumerate((td, other)):
        for s, row in enumerate(np.asarray(errors, float)):
            sums[place, 0, s, :, 0] = np.bincount(codes, row**2)
    sums[..., 1] = np.bincount(codes)
    return evidence(sums, sums[0, :, 0, :, 1])


# Against other computations


def test_without_seeds_it_is_a_paired_t_test_of_users():
    """Each user with one row and small errors around 1: the RMSE is nearly a mean over users."""
    shifts = np.random.default_rng(0).normal(0, 0.001, 50)
    found = difference(of_errors(range(50), np.ones((1, 50)), [1 + shifts]), "other", "td")
    test = stats.ttest_1samp(shifts, 0)
    assert found.estimate[0] == pytest.approx(shifts.mean(), abs=1e-6)
    assert found.error[0] == pytest.approx(shifts.std(ddof=1) / 50**0.5, rel=0.01)
    assert found.freedom[0] == pytest.approx(49)
    assert found.seed_share[0] == 0
    assert found.p[0] == pytest.approx(test.pvalue, abs=0.01)
    low, high = found.interval()
    assert (low[0], high[0]) == pytest.approx(tuple(test.confidence_interval()), abs=1e-5)


def test_with_users_alike_it_is_a_paired_t_test_of_seeds():
    shifts = np.array([0.01, 0.03, -0.02, 0.05, 0.02])
    same = np.ones((5, 50))
    found = difference(of_errors(range(50), same, same + shifts[:, None]), "other", "td")
    test = stats.ttest_1samp(shifts, 0)
    assert found.estimate[0] == pytest.approx(shifts.mean())
    assert found.error[0] == pytest.approx(shifts.std(ddof=1) / 5**0.5)
    assert found.freedom[0] == pytest.approx(4)
    assert found.seed_share[0] == pytest.approx(1)
    assert found.p[0] == pytest.approx(test.pvalue)


def test_the_two_way_variance_of_a_table_of_users_by_seeds():
    """Independently: sums over all pairs that share a user or a seed, as a sandwich has them."""
    random = np.random.default_rng(1)
    users, seeds = 12, 4
    cells = random.normal(size=(seeds, users)) + random.normal(size=users)
    cells += 0.5 * random.normal(size=(seeds, 1))
    residual = (cells - cells.mean()) / cells.size
    by_user = (residual.sum(0) ** 2).sum() * users / (users - 1)
    by_seed = (residual.sum(1) ** 2).sum() * seeds / (seeds - 1)
    centred = cells - cells.mean(1, keepdims=True)
    both = (centred - centred.mean(0)) / cells.size
    by_both = (both**2).sum() * seeds / (seeds - 1)
    influence = centred[None] / users  # of the mean over users, seed by seed
    variance, share = two_way(cells.mean(1)[None], influence, np.array([users]))
    assert variance[0] == pytest.approx(by_user + by_seed - by_both, rel=1e-9)
    assert share[0] == pytest.approx(by_seed / variance[0])


def test_the_influence_of_a_user_is_what_leaving_it_out_changes():
    world = World(users=200, worth=150, rows=4000, seeds=1).sample(0)
    found = world.influence("td")[0, 0]
    whole = world.per_seed[0, 0, 0]
    for user in (0, 17, 99):
        sums = np.delete(world.sums[0, 0, 0], user, axis=0).sum(0)
        assert whole - (sums[0] / sums[1]) ** 0.5 == pytest.approx(found[user], rel=0.1, abs=1e-5)
    assert found.sum() == pytest.approx(0, abs=1e-6), "it is about the mean"


def test_the_variance_is_never_below_that_over_seeds():
    per_seed = np.array([[0.0, 1.0, 2.0]])
    influence = np.array([[[1.0, -1.0], [-1.0, 1.0], [0.0, 0.0]]])  # all interaction
    variance, share = two_way(per_seed, influence, np.array([2]))
    assert variance[0] == pytest.approx(1 / 3)
    assert share[0] == 1


def test_units_of_unequal_size_have_fewer_degrees_of_freedom():
    one, none = np.ones(1), np.zeros(1)
    assert degrees_of_freedom(one, none, np.full((1, 30), 7.0), 1)[0] == pytest.approx(29)
    unequal = np.array([[10.0, 8, 1, 1]])
    found = degrees_of_freedom(one, none, unequal, 1)[0]
    assert found == pytest.approx(max(20**2 / 166 - 1, 1))
    assert degrees_of_freedom(one, one, np.full((1, 30), 7.0), 5)[0] == pytest.approx(4)
    half = degrees_of_freedom(one, one / 2, np.full((1, 41), 7.0), 5)[0]
    assert half == pytest.approx(1 / (0.5 / 4 + 0.5 / 40))


def test_the_mean_of_two_columns_has_hardly_more_of_them_than_the_smaller_one():
    world = Apart((10, 20), (600, 20)).sample(0)
    found = difference(world, "other", "td").freedom
    assert found[:2] == pytest.approx([9, 599])
    small, large = 10 * (1 / 200) ** 2, 600 * (1 / 12000) ** 2  # variances of their means
    assert found[2] == pytest.approx((small + large) ** 2 / (small**2 / 10 + large**2 / 600) - 1)
    found = difference(world, "other", "td", np.array([1e-9, 1.0])).freedom
    assert found[2] == pytest.approx(599), "by weights"


def test_a_unit_alone_says_nothing_of_others():
    found = difference(Apart((1, 20), (30, 20)).sample(0), "other", "td")
    assert np.isfinite(found.estimate).all()
    assert np.isnan(found.error).tolist() == [True, False, True]
    assert found.outcomes[0] == found.outcomes[2] == "tie"
    assert np.isnan(found.p).tolist() == [True, False, True]


def test_the_mean_over_columns_stands_behind_them():
    assert with_mean(np.array([[1.0, 3.0]])).tolist() == [[1, 3, 2]]
    assert with_mean(np.array([[1.0, 3.0]]), weights=np.array([3, 1])).tolist() == [[1, 3, 1.5]]
    world = World(tasks=3, users=60, worth=40, rows=600).sample(0)
    found = difference(world, "other", "td")
    assert found.estimate.shape == found.error.shape == found.p.shape == (4,)
    assert found.estimate[3] == pytest.approx(found.estimate[:3].mean())
    assert found.error[3] < found.error[:3].mean()
    turned = difference(world, "td", "other")
    np.testing.assert_allclose(turned.estimate, -found.estimate)
    np.testing.assert_allclose(turned.error, found.error)


def test_differences_from_one_experiment_go_together():
    """Of three alike, two minus the third share half of what moves them."""
    world, third = World(users=300, worth=300, seed_sd=0.0, both=0.01), []
    found = world.sample(0)
    third = world.sample(1)  # other users: independent of both
    sums = np.concatenate([found.sums, third.sums[:1]])
    sums[..., 1] = sums[:1, ..., 1]
    three = evidence(sums, sums[0, :, 0, :, 1], experiments=("td", "other", "third"))
    pairs = [("td", "other"), ("other", "td"), ("td", "third"), ("other", "third")]
    together = correlation(three, pairs)
    assert np.diag(together) == pytest.approx(1)
    assert together[0, 1] == pytest.approx(-1)
    assert together[2, 3] > 0.5
    np.testing.assert_allclose(together, together.T)
    shown = difference(three, "td", "third"), difference(three, "other", "third")
    apart = difference(three, "td", "other").error[-1] ** 2
    a, b = (each.error[-1] for each in shown)
    assert together[2, 3] == pytest.approx((a**2 + b**2 - apart) / (2 * a * b), abs=0.02)


# By simulation


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(World(), id="as MovieLens-100K"),
        pytest.param(World(seed_sd=0.0), id="seeds agree"),
        pytest.param(World(seed_sd=0.02), id="seeds matter most"),
        pytest.param(World(seeds=3), id="three seeds"),
        pytest.param(World(seeds=3, seed_sd=0.02), id="three seeds that matter most"),
        pytest.param(World(seeds=3, both=0.5), id="three seeds, each with its users"),
        pytest.param(World(seeds=1, seed_sd=0.0), id="one seed"),
        pytest.param(World(more=0.05), id="a difference"),
        pytest.param(World(users=30, worth=12, rows=400), id="few users"),
        pytest.param(World(tasks=3, rows=1500), id="mean over tasks"),
        pytest.param(Apart((10, 20), (600, 20)), id="mean over a small and a large task"),
        pytest.param(Pictures(), id="images"),
        pytest.param(Pictures(seed_sd=0.2), id="images, seeds matter most"),
        pytest.param(Pictures(seeds=1, seed_sd=0.0), id="images, one seed"),
    ],
)
def test_intervals_hold_the_truth_in_95_percent_of_evaluations(world):
    held = 0
    for seed in range(EVALUATIONS):
        found = difference(world.sample([7, seed]), "other", "td")
        low, high = (end[-1] for end in found.interval())
        held += low <= world.difference <= high
        assert (found.p[-1] < 0.05) == (low > 0 or high < 0), "p-value and interval say the same"
    assert COVERS[0] <= held / EVALUATIONS <= COVERS[1]


def test_a_difference_is_found_as_often_as_promised():
    """The true difference is what such evaluations call detectable, in the middle of them."""
    promised = np.median([difference(World().sample(i), "other", "td").detectable()[0]
                          for i in range(40)])  # fmt: skip
    variance = World.noise**2 + 0.3**2 + 2 * 0.15**2
    world = World(more=(variance**0.5 + promised) ** 2 - variance)
    assert world.difference == pytest.approx(promised)
    found = [difference(world.sample(seed), "other", "td") for seed in range(300)]
    assert 0.7 <= np.mean([one.interval()[0][0] > 0 for one in found]) <= 0.9
    estimates = [one.estimate[0] for one in found]
    assert np.mean(estimates) == pytest.approx(promised, rel=0.05)


def test_rows_instead_of_users_would_claim_too_much():
    world = World(users=60, worth=30, rows=1200, seeds=1, seed_sd=0.0, own=0.4)
    found = [difference(world.sample(seed), "other", "td").error[0] for seed in range(40)]
    estimates = [difference(world.sample(seed), "other", "td").estimate[0] for seed in range(200)]
    assert np.mean(found) == pytest.approx(np.std(estimates), rel=0.2)


# Outcomes, power, corrections


def test_equal_predictions_are_a_tie_with_p_1():
    world = World(users=20, worth=15, rows=200).sample(0)
    world.sums[1] = world.sums[0]
    found = difference(world, "other", "td")
    assert found.estimate.tolist() == found.error.tolist() == [0, 0]
    assert found.p.tolist() == [1, 1]
    assert found.outcomes == ["tie", "tie"]
    assert np.concatenate(found.interval()).tolist() == [0] * 4
    assert np.isnan(found.detectable()).all()


@pytest.mark.parametrize(
    ("sign", "outcomes"),
    [(1, ["win", "tie", "loss", "tie"]), (-1, ["loss", "tie", "win", "tie"])],
)
def test_a_win_needs_the_whole_interval(sign, outcomes):
    estimate, error = np.array([1.0, 1.0, -1.0, 0.0]), np.array([0.4, 0.6, 0.4, 0.1])
    found = Difference(estimate, error, np.full(4, 99.0), np.zeros(4), sign)
    assert found.outcomes == outcomes
    for p, outcome in zip(found.p, found.outcomes, strict=True):
        assert (p < 0.05) == (outcome != "tie")


def test_what_is_called_detectable_is_found_in_80_percent_of_cases():
    found = Difference(np.zeros(2), np.array([0.5, 2.0]), np.array([1e6, 20.0]), np.zeros(2), 1)
    assert found.detectable()[0] == pytest.approx(0.5 * (1.959964 + 0.841621), rel=1e-4)
    assert found.detectable(8)[0] == pytest.approx(0.5 * (2.734369 + 0.841621), rel=1e-4)
    random = np.random.default_rng(0)
    # few degrees of freedom: the standard error itself is an estimate
    errors = 2.0 * np.sqrt(random.chisquare(20, 100_000) / 20)
    estimates = random.normal(found.detectable()[1], 2.0, 100_000)
    assert (estimates / errors > stats.t.isf(0.025, 20)).mean() == pytest.approx(0.8, abs=0.015)


def test_holm_by_hand():
    # sorted: 0.01 * 4, 0.02 * 3, 0.03 * 2, 0.04 * 1, each at least the one before
    found = holm(np.array([0.04, 0.01, 0.03, 0.02]))
    assert found.tolist() == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.5, 0.9])).tolist() == [1, 1]
    assert holm(np.array([0.03])).tolist() == [0.03]
