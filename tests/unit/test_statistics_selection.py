"""What picking settings on the eval rows pretends to gain."""

import numpy as np
import pytest
from simulated import of_rows
from talking_models.evidence.bootstrap import draw
from talking_models.evidence.selection import best_on_eval

USERS = np.repeat(np.arange(60), 5)


def settings(count, seed, better=0.0, seeds=3, genres=4):
    """Settings that differ by chance alone, but for the last one, which is better throughout."""
    random = np.random.default_rng(seed)
    common = random.normal(0, 0.9, (genres, 1, len(USERS)))
    errors = {
        f"td-{i}": common + random.normal(0, 0.4, (genres, seeds, len(USERS))) for i in range(count)
    }
    errors[f"td-{count - 1}"] *= 1 - better
    return of_rows(USERS, errors, [f"Genre {g}" for g in range(genres)]), list(errors)


def test_the_best_of_each_genre_by_hand():
    errors = of_rows(
        [1, 2], {"td": [[[1, 1]], [[2, 2]]], "a": [[[2, 2]], [[1, 1]]], "b": [[[3, 3]], [[3, 3]]]},
        ["Drama", "War"],
    )  # fmt: skip
    found = best_on_eval(errors, draw(errors, 100), ["td", "a", "b"], "td")
    assert found.chosen == ("td", "a")
    assert found.rmse.tolist() == [1, 1]
    assert found.own.tolist() == [1, 2]
    assert found.apparent == 0.5
    # both users agree, so that who picks and who is scored makes no difference
    assert found.honest == pytest.approx(0.5)
    assert found.flattery == pytest.approx(0)


def test_of_settings_that_differ_by_chance_the_gain_is_all_flattery():
    found = [
        best_on_eval(e, draw(e, 300), ids, "td-0") for e, ids in (settings(6, s) for s in range(15))
    ]
    apparent = np.array([one.apparent for one in found])
    assert (apparent > 0).all()
    assert np.mean([one.honest for one in found]) == pytest.approx(0, abs=0.2 * apparent.mean())


def test_a_setting_that_is_better_is_better_for_others_too():
    errors, ids = settings(4, 0, better=0.2)
    found = best_on_eval(errors, draw(errors, 300), ids, "td-0")
    assert set(found.chosen) == {"td-3"}
    assert found.honest == pytest.approx(found.apparent, rel=0.15)
    assert found.apparent > 0.1


def test_more_settings_flatter_more():
    few, many = (
        np.mean([best_on_eval(e, draw(e, 50), ids, "td-0").apparent for e, ids in made])
        for made in ([settings(n, s) for s in range(10)] for n in (2, 10))
    )
    assert many > few


def test_one_seed_can_only_be_scored_itself():
    errors, ids = settings(3, 0, seeds=1)
    found = best_on_eval(errors, draw(errors, 200), ids, "td-0")
    assert np.isfinite(found.honest)
    assert found.honest < found.apparent


def test_other_experiments_and_their_order_make_no_difference():
    errors, ids = settings(4, 0)
    some = best_on_eval(errors, draw(errors, 100), ids[:3], "td-0")
    alone = best_on_eval(errors.of(ids[:3]), draw(errors, 100), ids[:3], "td-0")
    assert some.honest == alone.honest
    assert some.chosen == alone.chosen
    assert "td-3" not in some.chosen
