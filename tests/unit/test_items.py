"""Intervals of items drawn again, too: against those of users and seeds, and by simulation."""

import numpy as np
import pytest
from simulated import of_ratings, write_job

from talking_models.evidence.intervals import collect, difference
from talking_models.evidence.items import read_rows, rows_of
from talking_models.metrics import METRICS

RMSE = METRICS.get("rmse")


def evaluation(seed, users=80, items=60, ratings=1500, seeds=3, of_item=0.3, of_user=0.1):
    """Two methods; users, items and seeds differ in how much worse `other` does with them."""
    random = np.random.default_rng(seed)
    places = random.choice(users * items, ratings, replace=False)
    user, item = places // items, places % items
    common = random.normal(0, 1, ratings)
    more = random.normal(0, of_user, users)[user] + random.normal(0, of_item, items)[item]
    frames = []
    for id, by in (("td", np.zeros(ratings)), ("other", more)):
        went = random.normal(0, 0.02, (seeds, 1)) + random.normal(0, 0.1, (seeds, ratings))
        frame = of_ratings(id, "War", user, common * (1 + by + went))
        frames.append(frame.assign(item=np.tile(item, seeds)))
    return frames


def test_where_each_item_is_rated_once_nothing_is_added(tmp_path):
    """Items that all differ are the ratings themselves; two tasks that share users, two windows."""
    random, files = np.random.default_rng(0), []
    users = np.repeat(np.arange(30), 4)
    for id in ("td", "other"):
        for task in ("War", "Drama"):
            for split in ("rolling-1", "rolling-2"):
                frame = of_ratings(id, task, users, random.normal(0, 1, (3, 120)), split=split)
                apart = {"War": 0, "Drama": 1000}[task] + {"rolling-1": 0, "rolling-2": 500}[split]
                files.append(write_job(tmp_path, frame.assign(item=frame["item"] + apart)))
    shown = difference(collect(files, "rmse"), "td", "other")
    low, high = (end[-1] for end in shown.interval())
    found = read_rows(files, "rmse").half_width("td", "other")
    assert found == pytest.approx((high - low) / 2, rel=0.02)


def test_an_interval_is_never_narrower_for_it(tmp_path):
    for seed in range(20):
        frames = evaluation(seed, users=30, items=200, ratings=300, seeds=2, of_item=0.01)
        files = [write_job(tmp_path, frame) for frame in frames]
        low, high = (
            end[-1] for end in difference(collect(files, "rmse"), "td", "other").interval()
        )
        found = read_rows(files, "rmse").half_width("td", "other")
        assert found >= (high - low) / 2 - 1e-9


def test_metrics_without_items_have_none(tmp_path):
    path = write_job(tmp_path, of_ratings("td", "War", [1, 2], [[1.0, 2.0]]))
    assert read_rows([path], "ndcg") is None
    assert read_rows([path], "accuracy") is None


def test_one_seed_stands_for_all():
    td, other = evaluation(1)
    once = rows_of([td, other[other["seed"] == 0]], RMSE)
    assert (once.influence[1, 0] == once.influence[1, 2]).all()
    assert once.half_width("td", "other") > 0
    assert once.half_width("td", "td") == 0


def test_they_hold_the_truth_where_items_matter_and_others_do_not():
    """Over endlessly many users, items and seeds: sd of 1 against sqrt(1 + 0.3^2 + 0.1^2)."""
    common, own = 1 + 0.02**2 + 0.1**2, 0.3**2 + 0.1**2
    truth = np.sqrt(common + own) - np.sqrt(common)
    held, without, evaluations = 0, 0, 300
    for seed in range(evaluations):
        frames = evaluation([3, seed])
        rows = rows_of(frames, RMSE)
        apart = rows.per_seed[1] - rows.per_seed[0]
        held += abs(apart.mean() - truth) <= rows.half_width("other", "td")
        alone = [frame.assign(item=np.tile(np.arange(1500), 3)) for frame in frames]
        without += abs(apart.mean() - truth) <= rows_of(alone, RMSE).half_width("other", "td")
    assert 0.91 <= held / evaluations <= 0.98
    assert without / evaluations < 0.85
