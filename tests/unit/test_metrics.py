"""Metrics against values by hand and scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    mean_absolute_error,
    ndcg_score,
    root_mean_squared_error,
)

from talking_models.metrics import METRICS


def value(name, frame):
    metric = METRICS.get(name)
    return float(metric.value(metric.evidence(frame).sum().to_numpy()))


def ratings(n=300, users=20, seed=0, levels=5):
    draw = np.random.default_rng(seed)
    target = draw.integers(1, levels + 1, n).astype(float)
    return pd.DataFrame(
        {
            "user": draw.integers(0, users, n),
            "target": target,
            "prediction": target + draw.normal(size=n),
        }
    )


BY_HAND = pd.DataFrame(
    {"user": [7, 7, 9], "target": [1.0, 2.0, 5.0], "prediction": [2.0, 2.0, 3.0]}
)


def test_the_metrics_there_are_and_what_pages_say_of_them():
    assert set(METRICS.names()) == {"accuracy", "mae", "ndcg", "rmse"}
    better = {name: METRICS.get(name).maximize for name in METRICS.names()}
    assert better == {"accuracy": True, "mae": False, "ndcg": True, "rmse": False}
    assert METRICS.get("ndcg").title == "NDCG@10"
    assert METRICS.get("accuracy").unit_column == "example"


def test_rmse_and_mae_by_hand():
    assert value("rmse", BY_HAND) == pytest.approx((5 / 3) ** 0.5)  # errors 1, 0, 2
    assert value("mae", BY_HAND) == pytest.approx(1.0)
    assert value("rmse", BY_HAND.assign(prediction=BY_HAND["target"])) == 0
    found = METRICS.get("rmse").evidence(BY_HAND)
    assert found.to_numpy().tolist() == [[1, 2], [4, 1]]
    assert list(found.index) == [7, 9]
    assert METRICS.get("mae").evidence(BY_HAND).to_numpy().tolist() == [[1, 2], [2, 1]]


@pytest.mark.parametrize(
    ("name", "theirs"), [("rmse", root_mean_squared_error), ("mae", mean_absolute_error)]
)
def test_errors_are_scikit_learns(name, theirs):
    frame = ratings()
    assert value(name, frame) == pytest.approx(theirs(frame["target"], frame["prediction"]))


def test_accuracy_is_the_share_that_is_right():
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"example": np.arange(100), "target": draw.integers(0, 3, 100), "prediction": 1}
    )
    assert value("accuracy", frame) == accuracy_score(frame["target"], frame["prediction"])
    assert value("accuracy", frame.assign(target=1)) == 1


def test_ndcg_by_hand():
    """Best first: gains 3, 0, 1 at the discounts 1, log2(3), 2; ideal 3, 1, 0."""
    frame = pd.DataFrame({"user": 1, "target": [4.0, 1.0, 2.0], "prediction": [0.9, 0.8, 0.1]})
    ideal = 3 + 1 / np.log2(3)
    assert value("ndcg", frame) == pytest.approx((3 + 1 / 2) / ideal)
    best = frame.assign(prediction=frame["target"])
    assert value("ndcg", best) == pytest.approx(1)
    # one prediction for all: each place has the mean gain
    flat = frame.assign(prediction=3.0)
    discounts = 1 + 1 / np.log2(3) + 1 / 2
    assert value("ndcg", flat) == pytest.approx(4 / 3 * discounts / ideal)


def test_ndcg_is_the_mean_of_scikit_learns_over_users():
    frame = ratings(600, users=15)
    assert (frame.groupby("user").size() > 10).all(), "users with more than ten items"
    lowest = frame["target"].min()
    theirs = [
        ndcg_score([rows["target"] - lowest], [rows["prediction"]], k=10)
        for _, rows in frame.groupby("user")
    ]
    assert value("ndcg", frame) == pytest.approx(np.mean(theirs))


def test_users_with_nothing_to_order_are_left_out_of_ndcg():
    frame = pd.DataFrame(
        {
            "user": [1, 1, 2, 3, 3],
            "target": [1.0, 5.0, 4.0, 3.0, 3.0],
            "prediction": [1.0, 2.0, 1.0, 1.0, 2.0],
        }
    )
    found = METRICS.get("ndcg").evidence(frame)
    assert found.loc[[2, 3]].to_numpy().tolist() == [[0, 0], [0, 0]]
    assert value("ndcg", frame) == 1


@pytest.mark.parametrize("name", ["rmse", "mae", "ndcg", "accuracy"])
def test_evidence_adds_up_over_units(name):
    """What all intervals rest on: the sums over parts are the evidence of the whole."""
    metric = METRICS.get(name)
    frame = ratings().assign(example=range(300), prediction=lambda f: f["prediction"].round())
    if name == "ndcg":  # the lowest rating is the task's, so that each part needs it
        frame.loc[frame.groupby("user").head(1).index, "target"] = 1.0
    unit = frame[metric.unit_column]
    parts = [frame[unit % 2 == half] for half in (0, 1)]
    whole = metric.evidence(frame).sum().to_numpy(float)
    np.testing.assert_allclose(sum(metric.evidence(p).sum().to_numpy(float) for p in parts), whole)
