import numpy as np
import pandas as pd
import pytest

from talking_models.data import parquet
from talking_models.data.canonical import ORDER
from talking_models.data.splits import (
    category_rows,
    densest_categories,
    first_part,
    split,
    time_split,
)

ITEMS = pd.DataFrame(
    {
        "item": pd.Series(range(1, 7), dtype="int32"),
        "title": [f"Movie {i}" for i in range(1, 7)],
        "categories": [["Drama"], ["Drama", "War"], ["War"], ["Comedy"], [], ["Comedy", "Drama"]],
    }
)


def some_ratings(n: int, seconds: int = 10**6, seed: int = 0) -> pd.DataFrame:
    """`n` rows with distinct (user, item), shuffled; few `seconds` make many ties."""
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user": (np.arange(n) // 6 + 1).astype("int32"),
            "item": (np.arange(n) % 6 + 1).astype("int32"),
            "rating": draw.integers(1, 6, n).astype("float32"),
            "time": draw.integers(0, seconds, n),
        }
    ).sample(frac=1, random_state=seed)


@pytest.mark.parametrize(
    ("rows", "fraction", "expected"),
    [(100_000, 0.1, 90_000), (10, 0.3, 7), (1001, 0.1, 900), (7, 0.5, 3), (90_000, 0.1, 81_000)],
)
def test_the_cut_is_exact(rows, fraction, expected):
    assert first_part(rows, fraction) == expected


@pytest.mark.parametrize("seconds", [10**6, 3])
@pytest.mark.parametrize("n", [11, 100, 997])
def test_split_keeps_every_row_once_in_time_order(n, seconds):
    ratings = some_ratings(n, seconds)
    parts = time_split(ratings)
    train = n * 9 // 10
    assert [len(parts[name]) for name in ("fit", "val", "eval")] == [
        train * 9 // 10, train - train * 9 // 10, n - train
    ]  # fmt: skip
    joined = pd.concat(parts.values(), ignore_index=True)
    pd.testing.assert_frame_equal(joined, ratings.sort_values(ORDER, ignore_index=True))
    assert all(part.index[0] == 0 for part in parts.values())


def test_ties_at_the_cut_do_not_depend_on_the_order_of_the_input():
    ratings = some_ratings(100, seconds=1)
    one, other = time_split(ratings), time_split(ratings.sample(frac=1, random_state=9))
    for name in one:
        pd.testing.assert_frame_equal(one[name], other[name])
    assert one["eval"]["user"].min() >= one["val"]["user"].max()


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5])
def test_fractions_outside_0_and_1_are_errors(fraction):
    with pytest.raises(ValueError, match=f"between 0 and 1, found {fraction}"):
        time_split(some_ratings(100), eval_fraction=fraction)


def test_too_few_rows_are_an_error():
    with pytest.raises(ValueError, match="the fit slice is empty"):
        time_split(some_ratings(1))


def test_a_movie_counts_for_each_of_its_genres():
    rows = some_ratings(60)
    assert set(category_rows(rows, ITEMS, "Drama")["item"]) == {1, 2, 6}
    assert set(category_rows(rows, ITEMS, "War")["item"]) == {2, 3}
    kept = category_rows(rows, ITEMS, "War")
    expected = rows[rows["item"].isin([2, 3])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, expected)
    with pytest.raises(ValueError, match=r"Did you mean 'Comedy'.*Comedy, Drama, War"):
        category_rows(rows, ITEMS, "Comdy")


def test_densest_categories_counts_rows_and_breaks_ties_by_name():
    # Ten rows of each item: Drama 30, Comedy 20, War 20.
    assert densest_categories(some_ratings(60), ITEMS, 3) == ["Drama", "Comedy", "War"]
    only_war = some_ratings(60).query("item == 3")
    assert densest_categories(only_war, ITEMS, 2) == ["War", "Comedy"]


def test_split_writes_every_slice_of_every_task(tmp_path, caplog):
    caplog.set_level("INFO")
    parquet.write_ratings(some_ratings(600), tmp_path / "ratings.parquet")
    parquet.write_items(ITEMS, tmp_path / "items.parquet")
    paths = (tmp_path / "ratings.parquet", tmp_path / "items.parquet", tmp_path / "tasks")
    split(*paths, ["War", "Drama"], 0.1, 0.1)
    written = {path.relative_to(tmp_path / "tasks").as_posix() for path in paths[2].rglob("*.*")}
    assert written == {
        f"{task}/{name}.parquet"
        for task in ("all", "war", "drama")
        for name in ("fit", "val", "eval")
    }
    assert len(parquet.read_ratings(paths[2] / "all/eval.parquet")) == 60
    assert set(parquet.read_ratings(paths[2] / "war/fit.parquet")["item"]) == {2, 3}
    assert "configured War, Drama; densest Drama," in caplog.text
    caplog.clear()
    split(*paths, ["Drama"], 0.1, 0.1)
    assert "not the" not in caplog.text


def test_a_genre_without_rows_in_a_slice_is_an_error(tmp_path):
    ratings = some_ratings(600)
    ratings.loc[ratings["item"] == 3, "time"] = -1
    ratings = ratings[ratings["item"] != 2]
    parquet.write_ratings(ratings, tmp_path / "ratings.parquet")
    parquet.write_items(ITEMS, tmp_path / "items.parquet")
    with pytest.raises(ValueError, match="'War' has no rows in the val slice"):
        split(tmp_path / "ratings.parquet", tmp_path / "items.parquet", tmp_path, ["War"], 0.1, 0.1)
