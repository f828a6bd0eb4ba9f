"""Rows cut into fit, val and eval; tasks, shares and folds of them."""

import numpy as np
import pandas as pd
import pytest

from talking_models.data import parquet
from talking_models.data.canonical import ORDER, content_digest
from talking_models.data.splits import (
    cuts,
    drawn,
    first_part,
    folds,
    members,
    split_ratings,
    task_names,
)

ITEMS = pd.DataFrame(
    {
        "item": range(1, 7),
        "title": [f"Movie {i}" for i in range(1, 7)],
        "categories": [["Drama"], ["Drama", "War"], ["War"], ["Comedy"], [], ["Comedy", "Drama"]],
    }
)
LATEST = {"kind": "latest", "eval": 0.1, "val": 0.1, "share": 1.0}
PER_USER = LATEST | {"kind": "per_user"}


def rolling(window, windows=5, **other):
    return LATEST | {"kind": "rolling", "window": window, "windows": windows, **other}


def some_ratings(n: int, seconds: int = 10**6, seed: int = 0) -> pd.DataFrame:
    """`n` rows with distinct (user, item), shuffled; few `seconds` make many ties."""
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user": np.arange(n) // 6 + 1,
            "item": np.arange(n) % 6 + 1,
            "rating": draw.integers(1, 6, n).astype("float32"),
            "time": draw.integers(0, seconds, n),
        }
    ).sample(frac=1, random_state=seed)


def in_order(ratings: pd.DataFrame) -> pd.DataFrame:
    return ratings.sort_values(ORDER, ignore_index=True)


@pytest.mark.parametrize(
    ("rows", "fraction", "expected"),
    [(100_000, 0.1, 90_000), (10, 0.3, 7), (1001, 0.1, 900), (7, 0.5, 3), (90_000, 0.1, 81_000)],
)
def test_the_cut_is_exact(rows, fraction, expected):
    assert first_part(rows, fraction) == expected


@pytest.mark.parametrize("seconds", [10**6, 3])
@pytest.mark.parametrize("n", [11, 100, 997])
def test_latest_keeps_every_row_once_in_time_order(n, seconds):
    parts = cuts(in_order(some_ratings(n, seconds)), LATEST)
    train = n * 9 // 10
    assert list(parts) == ["fit", "val", "eval"]
    assert [len(part) for part in parts.values()] == [
        train * 9 // 10, train - train * 9 // 10, n - train
    ]  # fmt: skip
    assert np.concatenate(list(parts.values())).tolist() == list(range(n))


@pytest.mark.parametrize("protocol", [LATEST, PER_USER, rolling(4, 5)])
def test_too_few_rows_are_an_error(protocol):
    with pytest.raises(ValueError, match=r"1 ratings are too few: the (fit|val) slice is empty"):
        cuts(some_ratings(1), protocol)


@pytest.mark.parametrize(("n", "windows"), [(1000, 5), (1003, 4), (97, 7)])
def test_rolling_windows_tile_the_last_half_and_read_only_what_is_earlier(n, windows):
    rows = in_order(some_ratings(n, seconds=n // 3))
    found = [cuts(rows, rolling(window, windows)) for window in range(windows)]
    tiled = np.concatenate([window["eval"] for window in found])
    assert tiled.tolist() == list(range(n // 2, n))
    for window in found:
        read = np.concatenate([window["fit"], window["val"]])
        assert read.tolist() == list(range(window["eval"][0])), "all that is earlier is read"
        assert len(window["fit"]) == first_part(len(read), 0.1)
        assert rows["time"][read].max() <= rows["time"][window["eval"]].min()
    sizes = [len(window["eval"]) for window in found]
    assert max(sizes) - min(sizes) <= 1


def test_per_user_keeps_the_latest_rows_of_each_user():
    rows = in_order(
        pd.concat([some_ratings(600), some_ratings(600).assign(user=7, item=range(600))])
    )
    rows = rows.drop_duplicates(["user", "item"], ignore_index=True)
    parts = cuts(rows, PER_USER | {"eval": 0.2, "val": 0.5})
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(len(rows)))
    for user, own in rows.groupby("user"):
        of = {name: own.index.intersection(part).tolist() for name, part in parts.items()}
        train = len(own) * 4 // 5
        assert of["fit"] + of["val"] + of["eval"] == own.index.tolist(), user
        assert [len(of[name]) for name in ("fit", "val")] == [train // 2, train - train // 2]
    assert all((np.diff(part) > 0).all() for part in parts.values())


def test_a_user_of_one_row_is_not_in_every_slice_per_user():
    rows = pd.DataFrame({"user": ["a"] * 10 + ["b"], "item": range(11), "time": range(11)})
    parts = cuts(rows, PER_USER | {"val": 0.2})
    assert parts["eval"].tolist() == [9, 10]
    assert parts["val"].tolist() == [7, 8]


def test_a_larger_share_holds_a_smaller_one():
    rows = in_order(some_ratings(3000))
    shares = {share: rows[drawn(len(rows), share)] for share in (0.1, 0.3, 0.9)}
    for share, part in shares.items():
        assert abs(len(part) - 3000 * share) < 100
        assert part.index.is_monotonic_increasing
    keys = [set(zip(part["user"], part["item"], strict=True)) for part in shares.values()]
    assert keys[0] < keys[1] < keys[2]
    assert drawn(3000, 1.0).all()


def test_folds_roll_over_the_last_tenths():
    assert folds(90_000, 3) == [(63_000, 72_000), (72_000, 81_000), (81_000, 90_000)]
    assert folds(1_003, 2) == [(802, 902), (902, 1_003)]
    for n, count in ((5, 10), (3, 3)):
        with pytest.raises(ValueError, match=f"{n} training rows are too few for {count} folds"):
            folds(n, count)


# Tasks


def test_an_item_counts_for_each_of_its_categories():
    rows = some_ratings(60)
    of = members("category", ITEMS, rows)
    assert list(of) == ["Comedy", "Drama", "War"]
    assert set(rows["item"][of["Drama"]]) == {1, 2, 6}
    assert set(rows["item"][of["War"]]) == {2, 3}
    assert of["War"].tolist() == rows["item"].isin([2, 3]).tolist()


def test_a_task_can_be_a_column_and_one_without_rows_has_none():
    rows = some_ratings(60).assign(task=["web", "app"] * 30)
    of = members("channel", ITEMS, rows)
    assert list(of) == ["app", "web"]
    assert of["app"].tolist() == [False, True] * 30
    assert of["shop"].tolist() == [False] * 60
    assert rows[of["shop"]].empty


def test_items_without_categories_have_no_tasks():
    bare = ITEMS.assign(categories=[[] for _ in range(6)])
    assert dict(members("category", bare, some_ratings(60))) == {}


def test_densest_counts_rows_and_breaks_ties_by_name():
    # Ten rows of each item: Drama 30, Comedy 20, War 20.
    def densest(rows, count):
        sizes = {n: int(of.sum()) for n, of in members("category", ITEMS, rows).items()}
        names = task_names({f"densest-{i}": None for i in range(count)}, sizes, "toys")
        return list(names.values())

    assert densest(some_ratings(60), 3) == ["Drama", "Comedy", "War"]
    assert densest(some_ratings(60).query("item == 3"), 2) == ["War", "Comedy"]
    with pytest.raises(ValueError, match=r"toys has 3 tasks, not 4: \['Drama', 'Comedy', 'War'\]"):
        densest(some_ratings(60), 4)


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(ValueError, match=r"'Comdy'; known: Comedy, Drama, War; nearest: Comedy"):
        task_names({"comdy": "Comdy"}, {"War": 3, "Drama": 9, "Comedy": 4}, "toys")


# Files


def written(folder, ratings, tasks, by="category", protocol=LATEST):
    """The slices of a split, by task and slice, as files hold them."""
    parquet.write(ratings, folder / "ratings.parquet")
    parquet.write(ITEMS, folder / "items.parquet")
    paths = {
        (task, slice): folder / "x" / task / "slices" / f"{slice}.parquet"
        for task in tasks
        for slice in ("fit", "val", "eval")
    }
    tables = folder / "ratings.parquet", folder / "items.parquet"
    split_ratings(*tables, protocol, by, tasks, list(paths.values()))
    found = {path.relative_to(folder / "x").as_posix() for path in (folder / "x").rglob("*.*")}
    assert found == {f"{task}/slices/{slice}.parquet" for task, slice in paths}
    return {key: parquet.read_ratings(path) for key, path in paths.items()}


TASKS = {"all": "all", "war": "War", "drama": "Drama"}


def test_split_writes_every_slice_of_every_task(tmp_path, caplog):
    caplog.set_level("INFO")
    ratings = some_ratings(600)
    found = written(tmp_path, ratings, TASKS)
    whole = pd.concat([found["all", name] for name in ("fit", "val", "eval")], ignore_index=True)
    pd.testing.assert_frame_equal(whole, in_order(ratings))
    assert len(found["all", "eval"]) == 60
    assert set(found["war", "fit"]["item"]) == {2, 3}
    about = parquet.about(tmp_path / "x/war/slices/val.parquet")
    digest = content_digest(in_order(ratings), ITEMS)
    assert about == {"digest": digest, "slice": "val", "task": "War"}
    assert "War: fit " in caplog.text


def test_ties_at_the_cut_do_not_depend_on_the_order_of_the_file(tmp_path):
    ratings = some_ratings(100, seconds=1)
    one = written(tmp_path / "one", ratings, {"all": "all"})
    other = written(tmp_path / "two", ratings.sample(frac=1, random_state=9), {"all": "all"})
    for key in one:
        pd.testing.assert_frame_equal(one[key], other[key])
    assert one["all", "eval"]["user"].min() >= one["all", "val"]["user"].max()


def test_densest_tasks_have_ids_of_their_own_and_the_names_in_their_files(tmp_path):
    found = written(tmp_path, some_ratings(600), {"all": "all", "densest-1": None})
    assert set(found["densest-1", "fit"]["item"]) == {1, 2, 6}
    assert parquet.about(tmp_path / "x/densest-1/slices/fit.parquet")["task"] == "Drama"


def test_tasks_by_a_column_go_through_the_files(tmp_path):
    ratings = some_ratings(600).assign(task=["Web shop", "app"] * 300)
    tasks = {"all": "all", "web-shop": "Web shop", "app": "app"}
    found = written(tmp_path, ratings, tasks, by="channel")
    assert set(found["web-shop", "fit"]["task"]) == {"Web shop"}
    both = len(found["web-shop", "eval"]) + len(found["app", "eval"])
    assert both == len(found["all", "eval"]) == 60
    with pytest.raises(ValueError, match=r"ratings\.parquet: unknown task 'Webshop'.*; nearest: "):
        written(tmp_path, ratings, {"all": "all", "webshop": "Webshop"}, by="channel")


@pytest.mark.parametrize("slice", ["fit", "val", "eval"])
@pytest.mark.parametrize("by", ["category", "channel"])
def test_a_task_without_rows_in_a_slice_is_an_error_that_says_which(slice, by, tmp_path):
    ratings = in_order(some_ratings(600)).assign(task="other")
    place = cuts(ratings, LATEST)[slice]
    ratings.loc[np.setdiff1d(np.arange(600), place)[::2], "task"] = "War"
    ratings.loc[ratings.index.isin(place) & ratings["item"].isin([2, 3]), "item"] = 4
    said = rf"ratings\.parquet: the task 'War' has no rows in the {slice} slice: leave it out"
    with pytest.raises(ValueError, match=said):
        written(tmp_path, ratings, {"all": "all", "war": "War"}, by=by)


def test_a_share_thins_training_rows_and_leaves_eval_whole(tmp_path):
    whole = written(tmp_path / "one", some_ratings(3000), TASKS)
    part = written(tmp_path / "two", some_ratings(3000), TASKS, protocol=LATEST | {"share": 0.3})
    for task in TASKS:
        pd.testing.assert_frame_equal(whole[task, "eval"], part[task, "eval"])
        for slice in ("fit", "val"):
            kept_rows, rows = len(part[task, slice]), len(whole[task, slice])
            assert (kept_rows == rows) if task == "all" else (0.1 < kept_rows / rows < 0.5)
            merged = part[task, slice].merge(whole[task, slice])
            assert len(merged) == kept_rows


def test_shares_of_a_draw_are_nested_and_draws_differ(tmp_path):
    def rows(share, draw):
        protocol = LATEST | {"share": share, "draw": draw}
        folder = tmp_path / f"{share}-{draw}"
        found = written(folder, some_ratings(3000), TASKS, protocol=protocol)["war", "fit"]
        return set(found.itertuples(index=False, name=None))

    assert rows(0.1, 1) < rows(0.3, 1)
    assert not rows(0.1, 2) < rows(0.3, 1)


def test_a_share_that_leaves_nothing_says_where(tmp_path):
    with pytest.raises(ValueError, match=r"'all' has no rows in the (fit|val) slice"):
        written(tmp_path, some_ratings(60), {"all": "all"}, protocol=LATEST | {"share": 0.001})


def test_users_whose_rows_all_lie_in_eval_are_said(tmp_path, caplog):
    ratings = some_ratings(594)
    late = some_ratings(6).assign(user="zoe", time=10**7)
    rows = pd.concat([ratings, late], ignore_index=True).astype({"user": str})
    written(tmp_path, rows, {"all": "all"}, protocol=LATEST | {"eval": 0.01})
    assert "1 of 1 users in eval have no training row" in caplog.text
    assert "the first is zoe; 6 of 6 eval rows are theirs" in caplog.text
    caplog.clear()
    written(tmp_path, rows, {"all": "all"}, protocol=PER_USER | {"eval": 0.2})
    assert "no training row" not in caplog.text


@pytest.mark.parametrize("protocol", [rolling(0, 2), rolling(1, 2), PER_USER | {"val": 0.3}])
def test_files_follow_the_protocol(protocol, tmp_path):
    ratings = in_order(some_ratings(600))
    found = written(tmp_path, ratings, {"all": "all"}, protocol=protocol)
    for name, places in cuts(ratings, protocol).items():
        pd.testing.assert_frame_equal(
            found["all", name], ratings.iloc[places].reset_index(drop=True)
        )
