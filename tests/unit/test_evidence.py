"""Scores by hand, and the reference lines against an independent solution."""

import logging

import numpy as np
import pandas as pd
import pytest
from talking_models.evidence.metrics import PREDICTION_COLUMNS, predictions_frame, rmse, score
from talking_models.evidence.names import REFERENCES

from talking_models.data.parquet import write_ratings
from talking_models.evidence import references
from talking_models.evidence.references import PENALTIES, BiasModel, choose_penalty

LOG = logging.getLogger("test")


def ratings(n=200, users=15, items=20, seed=0):
    """Distinct (user, item) pairs whose ratings have user and item effects."""
    draw = np.random.default_rng(seed)
    pairs = draw.permutation(users * items)[:n]
    user, item = pairs // items, pairs % items
    effect = draw.normal(0, 1, users)[user] + draw.normal(0, 1, items)[item]
    return pd.DataFrame(
        {
            "user": (user + 1).astype("int32"),
            "item": (item + 1).astype("int32"),
            "rating": np.clip(np.round(3 + effect), 1, 5).astype("float32"),
            "time": np.arange(n, dtype="int64"),
        }
    )


def dense_ridge(train, rows, penalty):
    """mean + X w with w = (X'X + penalty I)^-1 X'(y - mean), unknown ids contributing nothing."""
    columns = [("user", u) for u in sorted(set(train["user"]))]
    columns += [("item", m) for m in sorted(set(train["item"]))]

    def indicators(frame):
        return np.stack([(frame[kind] == id_).to_numpy(float) for kind, id_ in columns], axis=1)

    mean = train["rating"].astype(float).mean()
    x, y = indicators(train), train["rating"].astype(float).to_numpy() - mean
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return mean + indicators(rows) @ weights


# Metrics


def test_rmse_by_hand():
    rating, prediction = pd.Series([1.0, 2.0, 5.0]), pd.Series([2.0, 2.0, 3.0])
    assert rmse(rating, prediction) == pytest.approx((5 / 3) ** 0.5)  # errors 1, 0, 2
    assert rmse(rating, rating) == 0


def test_predictions_have_one_row_per_rating_and_seed_in_the_promised_columns():
    rows = ratings(3)
    predictions = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32)
    frame = predictions_frame("td", "War", rows, predictions)
    assert list(frame) == PREDICTION_COLUMNS
    assert ",".join(frame) == "experiment,task,seed,user,item,time,rating,prediction"
    assert list(frame["seed"]) == [0, 0, 0, 1, 1, 1]
    assert list(frame["prediction"]) == [1, 2, 3, 4, 5, 6]
    for column in ("user", "item", "time", "rating"):
        assert list(frame[column]) == [*rows[column], *rows[column]]
    assert set(frame["experiment"]) == {"td"}
    assert set(frame["task"]) == {"War"}


def test_the_rows_themselves_stay_as_they_are():
    rows = ratings(3)
    before = rows.copy()
    predictions_frame("td", "War", rows, np.zeros((2, 3), np.float32))
    pd.testing.assert_frame_equal(rows, before)


def test_each_seed_is_scored_by_itself():
    rows = ratings(4).assign(rating=np.float32(3))
    errors = np.array([[1, 1, 1, 1], [0, 0, 0, 2]], dtype=np.float32)
    found = score(predictions_frame("td", "War", rows, 3 + errors))
    assert list(found) == ["experiment", "task", "seed", "n_eval", "rmse"]
    assert list(found["seed"]) == [0, 1]
    assert list(found["n_eval"]) == [4, 4]
    assert found["rmse"].tolist() == [1.0, 1.0]
    errors = np.array([[0, 0, 0, 2], [0, 0, 0, 4]], dtype=np.float32)
    found = score(predictions_frame("td", "War", rows, 3 + errors))
    assert found["rmse"].tolist() == [1.0, 2.0]


# Reference lines


@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_bias_model_is_a_ridge_regression_on_indicators(penalty):
    train, rows = ratings(), ratings(seed=1)
    found = BiasModel(penalty).fit(train).predict(rows)
    np.testing.assert_allclose(found, dense_ridge(train, rows, penalty), atol=1e-5)


def test_an_unknown_id_has_no_bias():
    train = ratings()
    model = BiasModel(5.0).fit(train)
    mean = train["rating"].mean()
    known = train.iloc[[0]]
    unknown = known.assign(user=np.int32(999), item=np.int32(999))
    assert model.predict(unknown)[0] == pytest.approx(mean)
    # of a known item, that item's bias alone is left, whoever the unknown user is
    halves = [known.assign(user=np.int32(user)) for user in (998, 999)]
    one, other = (model.predict(half)[0] for half in halves)
    assert one == other
    assert one != pytest.approx(mean)
    users_alone = model.predict(known.assign(item=np.int32(999)))[0]
    assert model.predict(known)[0] == pytest.approx(one + users_alone - mean)


def test_user_and_movie_of_the_same_number_are_two_ids():
    train = pd.DataFrame(
        {"user": [1, 1, 2, 2], "item": [1, 2, 1, 2], "rating": [5.0, 3.0, 3.0, 1.0]}
    )
    found = BiasModel(1e-6).fit(train).predict(train)
    np.testing.assert_allclose(found, train["rating"], atol=1e-4)  # user +-1, item +-1


def test_the_penalty_is_the_best_one_on_the_val_rows():
    rows = ratings(300)
    fit, val = rows.iloc[:200], rows.iloc[200:]
    scores = {
        penalty: np.sqrt(np.mean((val["rating"] - dense_ridge(fit, val, penalty)) ** 2))
        for penalty in PENALTIES
    }
    assert len({round(value, 6) for value in scores.values()}) == len(PENALTIES)
    assert choose_penalty(fit, val) == min(scores, key=scores.get)


def slices(folder, eval_rows):
    rows = ratings(300)
    parts = {"fit": rows.iloc[:160], "val": rows.iloc[160:220], "eval": eval_rows}
    for name, part in parts.items():
        write_ratings(part, folder / f"{name}.parquet")
    return {name: folder / f"{name}.parquet" for name in parts}


def run(folder, eval_rows):
    files = {"predictions": folder / "predictions.parquet", "metrics": folder / "metrics.csv"}
    references.run("War", **slices(folder, eval_rows), **files, log=LOG)
    return pd.read_parquet(files["predictions"]), pd.read_csv(files["metrics"])


def test_both_lines_are_trained_on_fit_and_val_and_laid_out_as_a_students(tmp_path):
    rows = ratings(300)
    train, eval_rows = rows.iloc[:220], rows.iloc[220:]
    frame, scores = run(tmp_path, eval_rows)
    assert list(frame) == PREDICTION_COLUMNS
    assert list(dict.fromkeys(frame["experiment"])) == list(REFERENCES.values())
    assert set(frame["seed"]) == {0}
    by_name = {name: part["prediction"].to_numpy() for name, part in frame.groupby("experiment")}
    assert by_name["genre-mean"] == pytest.approx(train["rating"].astype(float).mean())
    penalty = choose_penalty(rows.iloc[:160], rows.iloc[160:220])
    expected = dense_ridge(train, eval_rows, penalty)
    np.testing.assert_allclose(by_name["user-movie-bias"], expected, atol=1e-5)
    error = eval_rows["rating"].to_numpy() - expected
    found = scores.set_index("experiment")
    assert found.loc["user-movie-bias", "rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert list(found["n_eval"]) == [80, 80]


def test_eval_rows_choose_nothing(tmp_path, caplog):
    rows = ratings(300).iloc[220:]
    opposite = rows.assign(rating=(6 - rows["rating"]).astype("float32"))
    said, predicted = [], []
    for i, eval_rows in enumerate((rows, opposite)):
        folder = tmp_path / str(i)
        folder.mkdir()
        caplog.clear()
        with caplog.at_level(logging.INFO):
            frame, _ = run(folder, eval_rows)
        said.append([r.getMessage() for r in caplog.records if "penalty" in r.getMessage()])
        predicted.append(frame["prediction"].to_numpy())
    assert said[0]
    assert said[0] == said[1]
    np.testing.assert_array_equal(*predicted)


def test_the_penalty_is_chosen_without_the_eval_rows(tmp_path, monkeypatch):
    seen = []

    def chosen(*frames):
        seen.extend(frames)
        return 1.0

    monkeypatch.setattr(references, "choose_penalty", chosen)
    rows = ratings(300)
    run(tmp_path, rows.iloc[220:])
    assert sum(map(len, seen)) == 220
    latest = max(frame["time"].max() for frame in seen)
    assert latest < rows["time"].iloc[220]
