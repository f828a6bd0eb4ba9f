"""Scores by hand, and the reference lines against an independent solution."""

import logging

import numpy as np
import pandas as pd
import pytest
from simulated import of_images

from talking_models.data import parquet
from talking_models.evidence import references
from talking_models.evidence.intervals import collect
from talking_models.evidence.scores import (
    COLUMNS,
    job_of,
    labelled,
    of_jobs,
    score,
    stacked,
    write,
)
from talking_models.io import write_parquet
from talking_models.report.tables import gathered
from talking_models.training.bias import PENALTIES, bias_line, choose_penalty

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


# Predictions and their scores

PREDICTION_COLUMNS = [
    "experiment", "data", "split", "task", "seed", "user", "item", "time", "target", "prediction",
]  # fmt: skip
ABOUT = {"experiment": "td", "data": "shop", "split": "latest", "task": "War"}


def predictions_frame(rows, predictions):
    return labelled(stacked(rows, predictions), ABOUT)


def test_predictions_have_one_row_per_rating_and_seed_in_the_promised_columns():
    rows = ratings(3)
    before = rows.copy()
    frame = predictions_frame(rows, np.array([[1, 2, 3], [4, 5, 6]], dtype=np.float32))
    assert list(frame) == PREDICTION_COLUMNS
    assert list(frame["seed"]) == [0, 0, 0, 1, 1, 1]
    assert list(frame["prediction"]) == [1, 2, 3, 4, 5, 6]
    for column in ("user", "item", "time"):
        assert list(frame[column]) == [*rows[column], *rows[column]]
    assert list(frame["target"]) == [*rows["rating"], *rows["rating"]]
    for name, value in ABOUT.items():
        assert set(frame[name]) == {value}
    pd.testing.assert_frame_equal(rows, before)
    more = labelled(stacked(rows, np.ones((1, 3))), {**ABOUT, "seed": "7"})  # as wildcards have it
    assert set(more["seed"]) == {0}


@pytest.mark.parametrize(
    ("errors", "expected"),
    [([[1, 1, 1, 1], [0, 0, 0, 2]], [1.0, 1.0]), ([[0, 0, 0, 2], [0, 0, 0, 4]], [1.0, 2.0])],
)
def test_each_seed_is_scored_by_itself(errors, expected):
    rows = ratings(4).assign(rating=np.float32(3))
    found = score(predictions_frame(rows, 3 + np.array(errors, dtype=np.float32)), ["rmse"])
    assert list(found) == COLUMNS
    assert list(found["seed"]) == [0, 1]
    assert list(found["n_eval"]) == [4, 4]
    assert set(found["metric"]) == {"rmse"}
    assert found["value"].tolist() == expected


def test_several_metrics_have_a_row_each():
    rows = ratings(4).assign(rating=np.float32(3))
    errors = np.array([[0, 0, 0, 2]], dtype=np.float32)
    found = score(predictions_frame(rows, 3 + errors), ["rmse", "mae"]).set_index("metric")
    assert found["value"].to_dict() == {"rmse": 1.0, "mae": 0.5}


def test_a_prediction_that_is_no_number_is_not_written(tmp_path):
    frame = stacked(ratings(2), np.array([[1.0, np.nan]]))
    with pytest.raises(ValueError, match="1 predictions or targets are no numbers"):
        write(frame, "War", ABOUT, ["rmse"], tmp_path / "p.parquet", tmp_path / "m.csv")
    assert not list(tmp_path.iterdir())


def test_a_metric_that_is_no_number_is_not_written(tmp_path):
    frame = stacked(ratings(4).assign(rating=np.float32(3)), np.ones((1, 4)))
    said = "the task 'War' has no ndcg: no user has two different ratings"
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=said):
        write(frame, "War", ABOUT, ["rmse", "ndcg"], tmp_path / "p.parquet", tmp_path / "m.csv")
    assert not list(tmp_path.iterdir())


# Reference lines


@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_bias_model_is_a_ridge_regression_on_indicators(penalty):
    train, rows = ratings(), ratings(seed=1)
    found = bias_line(train, rows, penalty)
    np.testing.assert_allclose(found, dense_ridge(train, rows, penalty), atol=1e-5)


def test_an_unknown_id_has_no_bias():
    train = ratings()
    mean = train["rating"].mean()
    known = train.iloc[[0]]

    def found(**ids):
        return bias_line(train, known.assign(**ids), 5.0)[0]

    unknown = np.int32(999)
    assert found(user=unknown, item=unknown) == pytest.approx(mean)
    # of a known item, that item's bias alone is left, whoever the unknown user is
    item = found(user=unknown)
    assert item == found(user=np.int32(998))
    assert item != pytest.approx(mean)
    assert found() == pytest.approx(item + found(item=unknown) - mean)


def test_user_and_movie_of_the_same_number_are_two_ids():
    train = pd.DataFrame(
        {"user": [1, 1, 2, 2], "item": [1, 2, 1, 2], "rating": [5.0, 3.0, 3.0, 1.0]}
    )
    found = bias_line(train, train, 1e-6)
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


def slices(folder, eval_rows, change=lambda rows: rows):
    rows = change(ratings(300))
    parts = {"fit": rows.iloc[:160], "val": rows.iloc[160:220], "eval": eval_rows}
    for name, part in parts.items():
        about = {"slice": name, "task": "War", "digest": ""}
        parquet.write(part, folder / f"{name}.parquet", about)
    return {name: folder / f"{name}.parquet" for name in parts}


def run(folder, eval_rows):
    """Lines of one task; the rows of all are its own, with the best for the worst."""
    files = {"predictions": folder / "predictions.parquet", "metrics": folder / "metrics.csv"}
    about, whole = {"data": "shop", "split": "latest"}, folder / "all"
    own = slices(folder, eval_rows)
    whole.mkdir()
    other = slices(whole, eval_rows, of_all)
    references.run(
        *([own[name]] for name in ("fit", "val", "eval")),
        [other["fit"], other["val"]],
        LOG,
        **{name: [path] for name, path in files.items()},
        about=about,
        names=["rmse", "mae"],
    )
    return pd.read_parquet(files["predictions"]), pd.read_csv(files["metrics"])


def of_all(rows):
    return rows.assign(rating=(6 - rows["rating"]).astype("float32"))


def test_the_lines_are_trained_on_fit_and_val_and_laid_out_as_a_students(tmp_path):
    rows = ratings(300)
    train, eval_rows = rows.iloc[:220], rows.iloc[220:]
    frame, scores = run(tmp_path, eval_rows)
    assert list(frame) == [*PREDICTION_COLUMNS, "train_rows"]
    counts = [(train["user"] == user).sum() for user in frame["user"]]
    assert frame["train_rows"].tolist() == counts
    assert list(dict.fromkeys(frame["experiment"])) == ["task-mean", "bias-all", "bias"]
    assert set(frame["seed"]) == {0}
    by_name = {name: part["prediction"].to_numpy() for name, part in frame.groupby("experiment")}
    assert by_name["task-mean"] == pytest.approx(train["rating"].astype(float).mean())
    penalty = choose_penalty(rows.iloc[:160], rows.iloc[160:220])
    expected = dense_ridge(train, eval_rows, penalty)
    np.testing.assert_allclose(by_name["bias"], expected, atol=1e-5)
    turned = dense_ridge(
        of_all(train), eval_rows, choose_penalty(*map(of_all, (rows[:160], rows[160:220])))
    )
    np.testing.assert_allclose(by_name["bias-all"], turned, atol=1e-5)
    error = eval_rows["rating"].to_numpy() - expected
    found = scores[scores["metric"] == "rmse"].set_index("experiment")
    assert found.loc["bias", "value"] == pytest.approx(np.sqrt((error**2).mean()))
    assert list(found["n_eval"]) == [80, 80, 80]


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
    assert sum(map(len, seen)) == 2 * 220  # of the task, and of all
    latest = max(frame["time"].max() for frame in seen)
    assert latest < rows["time"].iloc[220]


def test_of_images_the_seeds_count_that_all_students_have(tmp_path):
    paths = []
    for experiment, seeds in (("td", 3), ("rounds-0", 1)):
        for seed in range(seeds):
            frame = of_images(experiment, [1, 0, seed > 0], seed=seed)
            place = tmp_path / f"pets/given/all/{experiment}/seed{seed}/predictions.parquet"
            write_parquet(place, frame)
            paths.append(place)
    line = tmp_path / "pets/given/all/references/predictions.parquet"
    write_parquet(line, of_images("probe-vit", [1, 1, 1]))
    found = collect([*paths, line], "accuracy")
    assert found.seeds == 1
    assert found.values[found.experiments.index("td")].tolist() == [pytest.approx(1 / 3)]
    whole = collect([*paths[:3], line], "accuracy")
    assert whole.seeds == 3
    assert whole.values[whole.experiments.index("probe-vit")].tolist() == [1]


@pytest.mark.parametrize("metric", ["rmse", "ndcg"])
def test_of_windows_intervals_are_about_what_the_table_shows(metric, tmp_path):
    paths, rows = [], ratings(200)
    for window, part in enumerate((rows.iloc[:90], rows.iloc[90:]), 1):
        for experiment in ("td", "scratch"):
            noise = np.random.default_rng(len(paths)).normal(0, 2, (2, len(part)))
            about = ABOUT | {"experiment": experiment, "split": f"rolling-{window}"}
            frame = labelled(stacked(part, part["rating"].to_numpy() + noise), about)
            paths.append(tmp_path / f"shop/rolling-{window}/war/{experiment}/predictions.parquet")
            write_parquet(paths[-1], frame)
    about = {"pooled": {f"rolling-{window}": "rolling" for window in (1, 2)}, "metric": metric}
    shown = gathered(about, [], paths).groupby("experiment", sort=False)["value"].mean()
    found = collect(paths, metric)
    assert found.experiments == tuple(shown.index)
    assert found.values[:, 0] == pytest.approx(shown.to_numpy(), abs=1e-12)


def test_a_file_is_of_the_job_whose_folder_it_is_in():
    own = "/my/seeds/results/pets/given/all/seed-free/seed1/predictions.parquet"
    other = "results/ml/latest/war/td/history.csv"
    assert job_of(own) == ("pets", "given", "all", "seed-free")
    assert job_of(other) == ("ml", "latest", "war", "td")
    assert of_jobs([own, other, other], [["ml", "latest", "war"]], ["td", "ld"]) == [other]
    assert of_jobs([own, other], [["pets", "given", "all"]], ["seed-free"]) == [own]
    assert of_jobs([f"/ml/latest/war/td/{own}"], [["ml", "latest", "war"]], ["td"]) == []
