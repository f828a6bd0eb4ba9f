import datetime
import hashlib
import struct

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from talking_models.data import parquet
from talking_models.data.canonical import canonicalise, content_digest
from talking_models.data.names import clean_category, clean_title, known_name, slug, title_tokens
from talking_models.data.sources import check
from talking_models.errors import SourceError


def raw() -> tuple[pd.DataFrame, pd.DataFrame]:
    ratings = pd.DataFrame(
        [(2, 10, 3.0, 50), (1, 20, 4.5, 50), (1, 10, 5.0, 50), (3, 20, 1.0, 7)],
        columns=["user", "item", "rating", "time"],
    )
    items = pd.DataFrame(
        [
            (20, " Cafe\u0301  Noir (1999) ", ["unknown", "Children's"]),
            (30, "Never rated", ["Drama"]),
            (10, "Heat (1995)", ["Drama", "Action", "Drama"]),
        ],
        columns=["item", "title", "categories"],
    )
    return ratings, items


def test_canonical_tables_have_fixed_order_types_and_names():
    ratings, items = canonicalise(*raw(), "toys")
    assert ratings.to_numpy().tolist() == [
        [3, 20, 1, 7], [1, 10, 5, 50], [1, 20, 4.5, 50], [2, 10, 3, 50]
    ]  # fmt: skip
    assert ratings.dtypes.astype(str).to_dict() == {
        "user": "int64", "item": "int64", "rating": "float32", "time": "int64"
    }  # fmt: skip
    assert items["item"].tolist() == [10, 20]
    assert items["item"].dtype == np.int64
    assert items["title"].tolist() == ["Heat (1995)", "Caf\u00e9 Noir (1999)"]
    assert items["categories"].tolist() == [["Action", "Drama"], ["Children", "Unknown"]]


@pytest.mark.parametrize("seed", range(5))
def test_canonical_tables_do_not_depend_on_the_order_of_the_input(seed):
    ratings, items = raw()
    expected = canonicalise(ratings, items, "toys")
    shuffled = canonicalise(
        ratings.sample(frac=1, random_state=seed), items.sample(frac=1, random_state=seed), "toys"
    )
    for one, other in zip(expected, shuffled, strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert content_digest(*expected) == content_digest(*shuffled)


def test_ids_given_as_text_are_numbers_and_sort_as_such():
    ratings, items = raw()
    expected = content_digest(*canonicalise(ratings, items, "toys"))
    text = {"user": str, "item": str}
    for r, i in ((text, {"item": str}), (text, {}), ({}, {"item": str}), ({"user": float}, {})):
        found = canonicalise(ratings.astype(r), items.astype(i), "toys")
        assert content_digest(*found) == expected


def change(table, column, row, value):
    """A table with one cell changed, whatever it becomes a column of."""
    values = table[column].tolist()
    values[row] = value
    return table.assign(**{column: values})


BIG = [2**31 + 5, 2**32 + 7, 2**62]


@pytest.mark.parametrize("column", ["user", "item"])
@pytest.mark.parametrize("id", BIG)
@pytest.mark.parametrize("given", [int, str])
def test_ids_of_any_size_are_kept(column, id, given):
    other = {"user": "item", "item": "user"}[column]
    ratings = pd.DataFrame({column: [given(3), given(7), given(id)], other: 1, "rating": 2.0})
    ratings["time"] = [3, 2, 1]
    listed = ratings["item"].drop_duplicates()
    items = pd.DataFrame({"item": listed, "title": "", "categories": [[]] * len(listed)})
    found, listed = canonicalise(ratings, items, "toys")
    assert [int(value) for value in found[column]] == [id, 7, 3]
    assert set(found["item"]) == set(listed["item"])
    content_digest(found, listed)  # no OverflowError


def test_ids_that_are_words_are_text_in_both_tables(tmp_path):
    ratings, items = raw()
    ratings = change(ratings, "user", 0, "alice")
    found, listed = canonicalise(ratings, items, "toys")
    assert found["user"].tolist() == ["3", "1", "1", "alice"]
    assert found["item"].tolist() == [20, 10, 20, 10]
    named = {10: "A-17", 20: 20, 30: "007"}  # one word makes text of all
    ratings["item"], items["item"] = ratings["item"].map(named), items["item"].map(named)
    found, listed = canonicalise(ratings, items, "toys")
    assert listed["item"].tolist() == ["20", "A-17"]
    parquet.write(found, tmp_path / "r")
    parquet.write(listed, tmp_path / "i")
    back = parquet.read_ratings(tmp_path / "r"), parquet.read_items(tmp_path / "i")
    assert content_digest(*back) == content_digest(found, listed)
    only_listed = change(raw()[1], "item", 1, "A-17")  # never rated, and no number
    found, listed = canonicalise(raw()[0], only_listed, "toys")
    assert listed["item"].tolist() == ["10", "20"]


BAD = {
    "half of a user": ("user", 1.5, "column user, row 2", "an id", "1.5"),
    "half of an item": ("item", 20.25, "column item, row 2", "an id", "20.25"),
    "no user": ("user", float("nan"), "column user, row 2", "an id", "nan"),
    "None for an item": ("item", None, "column item, row 2", "an id", "nan"),
    "an empty user": ("user", " ", "column user, row 2", "an id", "' '"),
    "no user of SQL": ("user", "NULL", "column user, row 2", "an id", "'NULL'"),
    "no item of SQL": ("item", "\\N", "column item, row 2", "an id", "\\\\N"),
    "no item of R": ("item", "NA", "column item, row 2", "an id", "'NA'"),
    "a spreadsheet's id": ("user", "1.23E+11", "column user, row 2", "an id", "'1.23E+11'"),
    "an endless user": ("user", float("inf"), "column user, row 2", "an id", "inf"),
    "no rating": ("rating", float("nan"), "column rating, row 2", "a number", "nan"),
    "an endless rating": ("rating", -float("inf"), "column rating, row 2", "a number", "-inf"),
    "a rating that float32 has not": ("rating", 1e39, "column rating, row 2", "a number", "1e+39"),
    "a rating whose square float32 has not": (
        "rating",
        1e30,
        "column rating, row 2",
        "from -1e+15 to 1e+15",
        "1e+30",
    ),
    "a comma": ("rating", "3,5", "column rating, row 2", "a point, not a comma", "'3,5'"),
    "a word": ("rating", "good", "column rating, row 2", "a number", "'good'"),
    "no time": ("time", float("nan"), "column time, row 2", "a number", "nan"),
    "milliseconds": ("time", 1_700_000_000_000, "column time, row 2", "milliseconds", "1700"),
    "nanoseconds": ("time", 1_700_000_000 * 10**9, "column time, row 2", "milliseconds", "17"),
    "a day in words": ("time", "Monday", "column time, row 2", "a number", "'Monday'"),
    "a number for categories": ("categories", 7, "categories, row 2", "a list of names", "7"),
    "a text of categories": ("categories", "Drama|War", "row 2", "a list of names", "'Drama|War'"),
    "no categories": ("categories", None, "categories, row 2", "a list of names", "None"),
    "a category that is none": ("categories", ["War", None], "row 2", "a list", "['War', None]"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_value_that_does_not_belong_is_named_with_column_row_and_value(case):
    column, value, where, expected, found = BAD[case]
    ratings, items = raw()
    if column in ratings:
        ratings = change(ratings, column, 2, value)
    else:
        items = change(items, column, 2, value)
    with pytest.raises(SourceError) as error:
        canonicalise(ratings, items, "shop.csv")
    assert error.value.what.startswith("shop.csv: column ")
    assert where in error.value.what
    assert expected in error.value.expected
    assert found in error.value.found
    assert "np." not in error.value.found
    assert "more such" not in error.value.found


def test_the_number_of_bad_values_is_told():
    ratings, items = raw()
    ratings["rating"] = ["3,5", "4", "-1,0", "1"]
    ratings.index = ["line 2", "line 3", "line 4", "line 5"]
    with pytest.raises(SourceError, match=r"column rating, row line 2") as error:
        canonicalise(ratings, items, "shop.csv")
    assert error.value.found == "'3,5', and 1 more such values"


@pytest.mark.parametrize(
    "times",
    [
        pd.to_datetime(
            ["2020-01-01", "1970-01-01 00:00:07.9", "2020-01-01", "2020-01-02"], format="ISO8601"
        ),
        pd.to_datetime(
            ["2020-01-01T01:00", "1970-01-01T01:00:07", "2020-01-01T01:00", "2020-01-02T01:00"],
            format="ISO8601",
        ).tz_localize("Europe/Berlin"),
        [
            datetime.datetime(2020, 1, 1), datetime.datetime(1970, 1, 1, 0, 0, 7),
            datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 2),
        ],
        ["1577836800", "7.5", " 1577836800", "1577923200.0"],
    ],
    ids=["dates", "with a zone", "objects", "text"],
)  # fmt: skip
def test_times_are_whole_seconds_in_utc(times):
    ratings, items = raw()
    ratings["time"] = pd.Series(times, dtype=object if isinstance(times, list) else None)
    found, _ = canonicalise(ratings, items, "toys")
    assert found["time"].tolist() == [7, 1577836800, 1577836800, 1577923200]


def test_a_missing_date_is_an_error():
    ratings, items = raw()
    ratings["time"] = pd.to_datetime(["2020-01-01", None, "2020-01-01", "2020-01-02"])
    with pytest.raises(SourceError, match="column time, row 1"):
        canonicalise(ratings, items, "toys")


def test_tasks_by_a_column_are_text_in_every_row():
    ratings, items = raw()
    found, _ = canonicalise(ratings.assign(task=[1, 2, 1, 2]), items, "toys")
    assert found["task"].tolist() == ["2", "1", "2", "1"]
    with pytest.raises(SourceError, match="column task, row 1"):
        canonicalise(ratings.assign(task=["web", None, "web", "app"]), items, "toys")
    with pytest.raises(SourceError, match="column task, row 3"):
        canonicalise(ratings.assign(task=["web", "app", "web", " "]), items, "toys")


def test_titles_may_be_missing_and_blank_categories_are_none():
    ratings, items = raw()
    items["title"] = [None, "x", 1984]
    items["categories"] = [[], [], ["War", " ", ""]]
    _, listed = canonicalise(ratings, items, "toys")
    assert listed["title"].tolist() == ["1984", ""]
    assert listed["categories"].tolist() == [["War"], []]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r, m: (pd.concat([r, r[1:2]]), m), "user 1 rated item 20 more than once"),
        (
            lambda r, m: (r, pd.concat([m, m[:1]])),
            r"toys, row 0\n.*\n  found: item 20 is listed twice",
        ),
        (lambda r, m: (r, m[1:]), "1 rated items that are not listed, the first is 20"),
        (lambda r, m: (r.drop(columns="time"), m), "the columns time\n.*user, item, rating"),
        (lambda r, m: (r, m.drop(columns="title")), "the columns title\n.*item, categories"),
        (lambda r, m: (r[:0], m), "no row"),
    ],
)
def test_inconsistent_tables_are_errors(change, message):
    with pytest.raises(SourceError, match=message):
        canonicalise(*change(*raw()), "toys")


def test_digest_is_the_documented_byte_order():
    ratings = pd.DataFrame({"user": [1, 2], "item": [7, 7], "rating": [3.5, 1.0], "time": [5, 6]})
    items = pd.DataFrame({"item": [7], "title": ["\u00e9"], "categories": [["War"]]})
    content = b"movielens/1\n" + struct.pack("<Q2i2i2f2q", 2, 1, 2, 7, 7, 3.5, 1.0, 5, 6)
    content += struct.pack("<QiI", 1, 7, 2) + b"\xc3\xa9" + struct.pack("<II", 1, 3) + b"War"
    assert content_digest(ratings, items) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("column", ["user", "item", "rating", "time"])
def test_digest_changes_with_any_rating_cell(column):
    ratings, items = canonicalise(*raw(), "toys")
    before = content_digest(ratings, items)
    ratings.loc[2, column] += 1
    assert content_digest(ratings, items) != before


def test_digest_changes_with_any_item_cell():
    ratings, items = canonicalise(*raw(), "toys")
    digests = {content_digest(ratings, items)}
    for column, value in {
        "item": 11,
        "title": "Heat (1996)",
        "categories": ["ActionDrama"],
    }.items():
        changed = items.copy()
        changed[column] = [value, *changed[column].tolist()[1:]]
        digests.add(content_digest(ratings, changed))
    assert len(digests) == 4


def test_tables_survive_the_files_and_give_the_same_bytes(tmp_path):
    ratings, items = canonicalise(*raw(), "toys")
    for name in ("one", "two"):
        parquet.write(ratings, tmp_path / name / "ratings.parquet")
        parquet.write(items, tmp_path / name / "items.parquet")
    back = (
        parquet.read_ratings(tmp_path / "one/ratings.parquet"),
        parquet.read_items(tmp_path / "one/items.parquet"),
    )
    pd.testing.assert_frame_equal(back[0], ratings)
    assert back[1]["categories"].tolist() == items["categories"].tolist()
    assert content_digest(*back) == content_digest(ratings, items)
    for file in ("ratings.parquet", "items.parquet"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    with pytest.raises(ValueError, match=r"items\.parquet: no column user, only item, title"):
        parquet.read_ratings(tmp_path / "one/items.parquet")


def test_check_refuses_other_counts_and_takes_variants_without_reference(caplog):
    caplog.set_level("INFO")
    ratings, items = canonicalise(*raw(), "toys")
    with pytest.raises(SourceError, match="other content than the original") as error:
        check(ratings, items, "100k", "wheel")
    assert "100000" in error.value.expected
    assert "4 ratings" in error.value.found
    check(ratings, items, "1m", "tfds")
    assert content_digest(ratings, items) in caplog.text


@pytest.mark.parametrize("row", [0, 3])
def test_a_file_with_a_missing_value_is_refused_with_column_and_row(row, tmp_path):
    ratings, _ = canonicalise(*raw(), "toys")
    ratings.loc[row, "rating"] = np.nan
    parquet.write(ratings, tmp_path / "r")
    with pytest.raises(ValueError, match=f"r: column rating, row {row}: nan is no value"):
        parquet.read_ratings(tmp_path / "r")
    columns = {"item": [10, 20], "title": ["x", None], "categories": [["a"], ["b"]]}
    pq.write_table(pa.table(columns), tmp_path / "i")
    with pytest.raises(ValueError, match="i: column title, row 1: None is no value"):
        parquet.read_items(tmp_path / "i")


def test_a_file_with_other_types_is_refused(tmp_path):
    ratings, _ = canonicalise(*raw(), "toys")
    ratings.astype({"user": "int32"}).to_parquet(tmp_path / "r")
    with pytest.raises(ValueError, match="r: column user is int32, not int64 or string"):
        parquet.read_ratings(tmp_path / "r")
    parquet.write(ratings, tmp_path / "more")
    pd.read_parquet(tmp_path / "more").assign(age=7).to_parquet(tmp_path / "more")
    with pytest.raises(ValueError, match="more: column age is int64, not a column of this table"):
        parquet.read_ratings(tmp_path / "more")


@pytest.mark.parametrize(
    ("title", "tokens"),
    [
        ("Toy Story (1995)", ["toy", "story", "1995"]),
        ("Children's_Hour, The (1961) ", ["children", "s", "hour", "the", "1961"]),
        ("Cite\u0301 des enfants perdus", ["cit\u00e9", "des", "enfants", "perdus"]),
        ("unknown", ["unknown"]),
        ("$1,000,000!", ["1", "000", "000"]),
        ("...", []),
    ],
)
def test_title_tokens(title, tokens):
    assert title_tokens(title) == tokens


def test_names_are_cleaned():
    assert clean_title("  A \t B\n") == "A B"
    assert [clean_category(g) for g in ("Children's", "unknown", "Sci-Fi ")] == [
        "Children", "Unknown", "Sci-Fi"
    ]  # fmt: skip


def test_slugs():
    assert slug("Sci-Fi") == "sci-fi"
    assert slug("Children's") == "children"
    assert slug("(no genres listed)") == "no-genres-listed"
    for name in ("All", "--"):
        with pytest.raises(ValueError, match="cannot name a task"):
            slug(name)


def test_an_unknown_task_names_the_nearest_and_all_known():
    known = ["War", "Sci-Fi", "Drama"]
    assert known_name("Sci-Fi", known) == "Sci-Fi"
    with pytest.raises(ValueError, match=r"unknown task 'scifi'") as error:
        known_name("scifi", known)
    assert "known: Drama, Sci-Fi, War; nearest: Sci-Fi" in str(error.value)
    with pytest.raises(ValueError, match=r"unknown task 'Qqq'; known: Drama, Sci-Fi, War$"):
        known_name("Qqq", known)
