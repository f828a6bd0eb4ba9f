"""Draws, differences, tests and ranks in cases small enough to do by hand."""

import numpy as np
import pytest
from scipy import stats
from simulated import World, of_rows, write_predictions
from talking_models.evidence.bootstrap import Draws, collect, draw, drawn_rmse
from talking_models.evidence.statistics import (
    Difference,
    at_least,
    average_rank,
    difference,
    holm,
    with_mean,
)

# Reading predictions


def test_squared_errors_are_summed_by_user_and_seed(tmp_path):
    files = [
        write_predictions(tmp_path / "a", "td", "War", [7, 7, 9], [[1, 2, 3], [0, 1, 0]]),
        write_predictions(tmp_path / "b", "td", "Drama", [9, 9], [[1, 1], [2, 0]]),
        write_predictions(tmp_path / "c", "ld", "War", [7, 7, 9], [[0, 0, 0], [2, 2, 2]]),
        write_predictions(tmp_path / "d", "ld", "Drama", [9, 9], [[3, 0], [0, 0]]),
    ]
    found = collect(files, ["Drama", "War"])
    assert found.experiments == ("td", "ld")
    assert found.tasks == ("Drama", "War")
    assert found.rows.tolist() == [[0, 2], [2, 1]]  # users 7 and 9
    assert found.users.tolist() == [1, 2]
    assert found.squared[0].tolist() == [[[0, 2], [0, 4]], [[5, 9], [1, 0]]]
    assert found.squared[1].tolist() == [[[0, 9], [0, 0]], [[0, 0], [8, 4]]]
    war = [(14 / 3) ** 0.5, (1 / 3) ** 0.5]
    assert found.per_seed[0, 1].tolist() == pytest.approx(war)
    assert found.rmse[0, 1] == pytest.approx(np.mean(war))


def test_order_of_files_and_rows_makes_no_difference(tmp_path):
    one = write_predictions(tmp_path / "a", "td", "War", [1, 2, 2], [[1, 2, 3]])
    two = write_predictions(tmp_path / "b", "ld", "War", [2, 1, 2], [[2, 1, 3]])
    found = collect([one, two], ["War"])
    assert found.squared[0].tolist() == found.squared[1].tolist()
    assert collect([two, one], ["War"]).of(["td"]).squared.tolist() == found.squared[:1].tolist()


def test_a_file_named_twice_counts_once_and_other_genres_not_at_all(tmp_path):
    war = write_predictions(tmp_path / "a", "td", "War", [1, 2], [[1, 2]])
    drama = write_predictions(tmp_path / "b", "td", "Drama", [3], [[9]])
    found = collect([war, drama, war], ["War"])
    assert found.rows.tolist() == [[1, 1]]
    assert found.squared.tolist() == [[[[1, 4]]]]


def test_a_single_seed_stands_for_all(tmp_path):
    line = write_predictions(tmp_path / "a", "bias", "War", [1, 2], [[1, 2]])
    student = write_predictions(tmp_path / "b", "td", "War", [1, 2], [[0, 0], [1, 0], [0, 1]])
    found = collect([line, student], ["War"])
    assert found.squared[0, 0].tolist() == [[1, 4]] * 3
    assert found.squared[1, 0].tolist() == [[0, 0], [1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("users", "errors"), [([1, 1], [[0, 0]] * 3), ([1, 2], [[0, 0]] * 2), ([1], [[0]] * 3)]
)
def test_what_was_evaluated_on_other_rows_or_seeds_cannot_be_compared(tmp_path, users, errors):
    files = [
        write_predictions(tmp_path / "a", "td", "War", [1, 2], [[0, 0]] * 3),
        write_predictions(tmp_path / "b", "ld", "War", users, errors),
    ]
    with pytest.raises(ValueError, match="ld was not evaluated on the ratings of td"):
        collect(files, ["War"])


def test_an_experiment_without_one_of_the_genres_cannot_be_compared(tmp_path):
    files = [
        write_predictions(tmp_path / "a", "td", "War", [1, 2], [[0, 0]]),
        write_predictions(tmp_path / "b", "td", "Drama", [1, 2], [[0, 0]]),
        write_predictions(tmp_path / "c", "ld", "War", [1, 2], [[0, 0]]),
    ]
    with pytest.raises(ValueError, match="ld was not evaluated"):
        collect(files, ["War", "Drama"])


# Drawing


def test_a_draw_has_one_user_and_one_seed_less_than_there_are():
    errors = World(users=40, seeds=5).sample(0)
    draws = draw(errors, 300)
    assert draws.users.shape == (300, 40)
    assert draws.seeds.shape == (300, 5)
    assert set(draws.users.sum(axis=1)) == {39}
    assert set(draws.seeds.sum(axis=1)) == {4}
    single = draw(World(users=40, seeds=1).sample(0), 10)
    assert single.seeds.tolist() == [[1]] * 10


def test_the_same_data_gives_the_same_draws_and_another_seed_others():
    errors = World(users=30).sample(0)
    first, again, other = draw(errors, 50), draw(errors, 50), draw(errors, 50, seed=1)
    np.testing.assert_array_equal(first.users, again.users)
    np.testing.assert_array_equal(first.seeds, again.seeds)
    assert (first.users != other.users).any()
    np.testing.assert_array_equal(drawn_rmse(errors, first), drawn_rmse(errors, again))


def test_the_rmse_of_a_draw_by_hand():
    errors = of_rows([1, 1, 2, 3], {"td": [[[1, 2, 3, 4], [0, 1, 2, 0]]]})
    draws = Draws(np.array([[2.0, 1, 0], [1, 1, 1]]), np.array([[3.0, 1], [1, 1]]))
    found = drawn_rmse(errors, draws)
    # user 1 twice, user 2 once: 2 * 5 + 9 of 5 rows, and 2 * 1 + 4; the first seed weighs 3 / 4
    assert found[0, 0, 0] == pytest.approx(0.75 * (19 / 5) ** 0.5 + 0.25 * (6 / 5) ** 0.5)
    assert found[1, 0, 0] == pytest.approx(errors.rmse[0, 0])


def test_draws_without_a_rating_in_a_genre_are_left_out():
    errors = of_rows(range(6), {"td": np.ones((2, 1, 6))}, ["Drama", "War"])
    errors.rows[1, 1:] = 0  # War has a single user
    draws = draw(errors, 1000)
    assert (draws.users[:, 0] > 0).all()
    assert 500 < len(draws.users) == len(draws.seeds) < 1000
    assert np.isfinite(drawn_rmse(errors, draws)).all()


def test_too_few_users_are_an_error_that_says_where():
    errors = of_rows([1, 2], {"td": np.ones((2, 1, 2))}, ["Drama", "War"])
    errors.rows[0, 1], errors.rows[1, 0] = 0, 0  # a draw is one user, who has one of the genres
    with pytest.raises(ValueError, match=r"too few users.*'Drama': 1, 'War': 1"):
        draw(errors, 100)


# Differences


def test_the_variance_over_draws_of_users_is_the_textbooks():
    """Each user with one row and small errors around 1: the RMSE is nearly a mean over users."""
    random = np.random.default_rng(0)
    shifts = random.normal(0, 0.001, 50)
    errors = of_rows(range(50), {"td": np.ones((1, 1, 50)), "ld": (1 + shifts)[None, None]})
    found = difference(errors, drawn_rmse(errors, draw(errors)), "ld", "td")
    assert found.estimate[0] == pytest.approx(shifts.mean(), abs=1e-6)
    assert found.error[0] == pytest.approx(shifts.std(ddof=1) / 50**0.5, rel=0.03)
    assert found.freedom[0] == pytest.approx(49)
    assert found.seed_share[0] == 0
    low, high = found.interval
    expected = stats.ttest_1samp(shifts, 0).confidence_interval()
    assert (low[0], high[0]) == pytest.approx(tuple(expected), abs=2e-5)
    assert found.p[0] == pytest.approx(stats.ttest_1samp(shifts, 0).pvalue, abs=0.02)


def test_the_variance_over_draws_of_seeds_is_the_textbooks():
    """All users alike: only seeds differ, and the test is a paired t-test of 5 seeds."""
    shifts = np.array([0.01, 0.03, -0.02, 0.05, 0.02])
    same = np.ones((1, 5, 50))
    errors = of_rows(range(50), {"td": same, "ld": same + shifts[:, None]})
    found = difference(errors, drawn_rmse(errors, draw(errors)), "ld", "td")
    test = stats.ttest_1samp(shifts, 0)
    assert found.estimate[0] == pytest.approx(shifts.mean())
    assert found.error[0] == pytest.approx(shifts.std(ddof=1) / 5**0.5, rel=0.03)
    assert found.freedom[0] == pytest.approx(4, rel=0.1)
    assert found.seed_share[0] == pytest.approx(1, abs=0.05)
    assert found.p[0] == pytest.approx(test.pvalue, abs=0.02)
    assert found.p_positive[0] == pytest.approx(test.pvalue / 2, abs=0.01)
    assert found.p_positive[0] + found.p_negative[0] == pytest.approx(1)


def test_the_difference_of_the_means_is_the_mean_of_the_differences():
    errors = World(users=40, genres=3).sample(0)
    found = difference(errors, drawn_rmse(errors, draw(errors, 200)), "other", "td")
    assert found.estimate.shape == (4,)
    assert found.estimate[-1] == pytest.approx(found.estimate[:-1].mean())
    np.testing.assert_allclose(found.estimate, np.diff(with_mean(errors.rmse), axis=0)[0])


def test_turned_round_everything_changes_its_sign():
    errors = World(users=40, more=0.05).sample(0)
    drawn = drawn_rmse(errors, draw(errors, 200))
    one, other = (difference(errors, drawn, *names) for names in (("td", "other"), ("other", "td")))
    np.testing.assert_allclose(one.estimate, -other.estimate)
    np.testing.assert_allclose(one.interval[0], -other.interval[1])
    np.testing.assert_allclose(one.p, other.p)
    np.testing.assert_allclose(one.p_positive, other.p_negative)


def test_equal_predictions_are_a_tie_without_a_doubt():
    rows = np.random.default_rng(0).normal(size=(1, 5, 30))
    errors = of_rows(range(30), {"td": rows, "same": rows})
    found = difference(errors, drawn_rmse(errors, draw(errors, 100)), "same", "td")
    assert found.estimate.tolist() == found.error.tolist() == [0, 0]
    assert found.p.tolist() == [1, 1]
    assert found.outcomes == ["tie", "tie"]
    assert np.concatenate(found.interval).tolist() == [0] * 4


def test_a_win_needs_the_whole_interval():
    estimate, error = np.array([1.0, 1.0, -1.0, 0.0]), np.array([0.4, 0.6, 0.4, 0.1])
    found = Difference(estimate, error, np.full(4, 99.0), np.zeros(4))
    assert found.outcomes == ["win", "tie", "loss", "tie"]
    for p, outcome in zip(found.p, found.outcomes, strict=True):
        assert (p < 0.05) == (outcome != "tie")


def test_equal_predictions_have_no_detectable_difference():
    found = Difference(np.zeros(2), np.array([0.0, 0.5]), np.full(2, 9.0), np.zeros(2))
    assert np.isnan(found.detectable()).tolist() == [True, False]
    assert found.p.tolist() == [1.0, 1.0]


def test_what_is_called_detectable_is_found_in_80_percent_of_cases():
    found = Difference(np.zeros(2), np.array([0.5, 2.0]), np.array([1e6, 20.0]), np.zeros(2))
    assert found.detectable()[0] == pytest.approx(0.5 * (1.959964 + 0.841621), rel=1e-4)
    assert found.detectable(8)[0] == pytest.approx(0.5 * (2.734369 + 0.841621), rel=1e-4)
    random = np.random.default_rng(0)
    estimates = random.normal(found.detectable()[0], 0.5, 100_000)
    assert (estimates / 0.5 > 1.959964).mean() == pytest.approx(0.8, abs=0.01)
    # few degrees of freedom: the standard error itself is an estimate
    errors = 2.0 * np.sqrt(random.chisquare(20, 100_000) / 20)
    estimates = random.normal(found.detectable()[1], 2.0, 100_000)
    assert (estimates / errors > stats.t.isf(0.025, 20)).mean() == pytest.approx(0.8, abs=0.015)


# Several tests at once


def test_holm_by_hand():
    # sorted: 0.01 * 4, 0.02 * 3, 0.03 * 2, 0.04 * 1, each at least the one before
    assert holm(np.array([0.04, 0.01, 0.03, 0.02])).tolist() == pytest.approx(
        [0.06, 0.04, 0.06, 0.06]
    )
    assert holm(np.array([0.5, 0.9])).tolist() == [1, 1]
    assert holm(np.array([0.03])).tolist() == [0.03]


def test_at_least_so_many_effects_by_hand():
    p = np.array([0.2, 0.001, 0.01, 0.004])
    assert at_least(p, 1) == pytest.approx(4 * 0.001)  # Bonferroni
    assert at_least(p, 2) == pytest.approx(3 * 0.004)
    assert at_least(p, 3) == pytest.approx(2 * 0.01)
    assert at_least(p, 4) == pytest.approx(0.2)  # all of them: the largest
    assert at_least(np.array([0.6, 0.7]), 1) == 1
    for count in (0, 5):
        with pytest.raises(ValueError, match=f"at least {count} of 4"):
            at_least(p, count)


def test_at_least_so_many_effects_is_rarely_found_where_there_is_one_less():
    """Two real effects of four, dependent: "at least three" must come up in 5% of cases or less."""
    random = np.random.default_rng(0)
    common = random.normal(size=(20_000, 1))
    z = 0.7 * common + 0.51**0.5 * random.normal(size=(20_000, 4)) + [8, 8, 0, 0]
    found = np.array([at_least(p, 3) for p in stats.norm.sf(z)])
    assert 0.01 < (found <= 0.05).mean() <= 0.055


def test_equals_share_their_average_rank():
    rmse = np.array([[1.0, 2.0, 1.0], [1.0, 1.0, 3.0], [0.5, 3.0, 2.0]])
    # genre by genre: 2.5 2 1, 2.5 1 3, 1 3 2
    assert average_rank(rmse).tolist() == pytest.approx([5.5 / 3, 6.5 / 3, 2.0])
    assert average_rank(np.ones((4, 2))).tolist() == [2.5] * 4
