"""Do the intervals hold what they promise? Simulated evaluations whose truth is known."""

import numpy as np
import pytest
from simulated import World, of_rows
from talking_models.evidence.bootstrap import draw, drawn_rmse
from talking_models.evidence.statistics import difference

EVALUATIONS, DRAWS = 200, 400
# 95%, give or take what 200 evaluations can tell (three standard errors are 4.6%)
BAND = (0.90, 0.99)


def differences(world, evaluations=EVALUATIONS):
    """Estimate, interval and p-value of each of many evaluations, (N, 4)."""
    found = []
    for seed in range(evaluations):
        errors = world.sample(seed)
        one = difference(errors, drawn_rmse(errors, draw(errors, DRAWS)), "other", "td")
        found.append([one.estimate[-1], *(end[-1] for end in one.interval), one.p[-1]])
    return np.array(found)


@pytest.mark.parametrize(
    "world",
    [
        pytest.param({}, id="no difference"),
        pytest.param({"more": 0.05}, id="a difference"),
        pytest.param({"more": 0.05, "seed_sd": 0.0}, id="seeds agree"),
        pytest.param({"more": 0.05, "seed_sd": 0.3}, id="seeds matter most"),
        pytest.param({"seeds": 2, "seed_sd": 0.2}, id="two seeds"),
        pytest.param({"users": 25}, id="few users"),
        pytest.param({"users": 50, "genres": 4, "more": 0.05}, id="mean over genres"),
    ],
)
def test_the_interval_holds_the_truth_in_95_percent_of_evaluations(world):
    world = World(**world)
    _, low, high, p = differences(world).T
    truth = world.difference
    assert (truth == 0) == (world.more == 0)
    assert BAND[0] <= ((low <= truth) & (truth <= high)).mean() <= BAND[1]
    # p-value and interval say the same
    np.testing.assert_array_equal(p < 0.05, (low > 0) | (high < 0))


def test_an_injected_difference_is_found_and_its_size_too():
    world = World(more=0.2, genres=2)
    assert world.difference == pytest.approx(0.1, abs=0.01)
    estimate, low, _, p = differences(world, 50).T
    assert (low > 0).all()
    assert (p < 0.001).all()
    assert estimate.mean() == pytest.approx(world.difference, abs=0.004)


def test_no_difference_is_not_found():
    p = differences(World())[:, 3]
    assert 0.01 <= (p < 0.05).mean() <= 0.10
    assert 0.4 <= (p < 0.5).mean() <= 0.6


def test_what_would_be_detectable_is_found_in_80_percent_of_evaluations():
    """Power as promised: the difference is set to what a first evaluation calls detectable."""
    errors = World().sample(0)
    wanted = difference(
        errors, drawn_rmse(errors, draw(errors, DRAWS)), "other", "td"
    ).detectable()[0]
    spread = World()
    error_variance = spread.user**2 + spread.own**2 + spread.noise**2 + spread.seed_sd**2
    more = (error_variance**0.5 + wanted) ** 2 - error_variance
    assert World(more=more).difference == pytest.approx(wanted, rel=0.02)
    low = differences(World(more=more))[:, 1]
    assert 0.65 <= (low > 0).mean() <= 0.92


def test_drawing_users_is_wider_than_drawing_rows_where_users_differ():
    """Drawing rows takes a user's ratings for independent and claims too much."""
    ratios = []
    for seed in range(20):
        world = World(users=60, seeds=1, seed_sd=0.0)
        users, errors = world.rows(seed)
        found = []
        for units in (users, np.arange(len(users))):
            one = of_rows(units, errors)
            found.append(difference(one, drawn_rmse(one, draw(one, 300)), "other", "td").error[0])
        ratios.append(found[0] / found[1])
    assert np.mean(ratios) > 1.2
