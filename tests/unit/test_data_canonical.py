import hashlib
import struct

import numpy as np
import pandas as pd
import pytest

from talking_models.data import parquet
from talking_models.data.canonical import canonicalise, check, content_digest
from talking_models.data.names import (
    clean_genre,
    clean_title,
    known_genre,
    slug,
    task_names,
    title_tokens,
)
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
    ratings, items = canonicalise(*raw())
    assert ratings.to_numpy().tolist() == [
        [3, 20, 1, 7], [1, 10, 5, 50], [1, 20, 4.5, 50], [2, 10, 3, 50]
    ]  # fmt: skip
    assert ratings.dtypes.astype(str).to_dict() == {
        "user": "int32", "item": "int32", "rating": "float32", "time": "int64"
    }  # fmt: skip
    assert items["item"].tolist() == [10, 20]
    assert items["item"].dtype == np.int32
    assert items["title"].tolist() == ["Heat (1995)", "Caf\u00e9 Noir (1999)"]
    assert items["categories"].tolist() == [["Action", "Drama"], ["Children", "Unknown"]]


@pytest.mark.parametrize("seed", range(5))
def test_canonical_tables_do_not_depend_on_the_order_of_the_input(seed):
    ratings, items = raw()
    expected = canonicalise(ratings, items)
    shuffled = canonicalise(
        ratings.sample(frac=1, random_state=seed), items.sample(frac=1, random_state=seed)
    )
    for one, other in zip(expected, shuffled, strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert content_digest(*expected) == content_digest(*shuffled)


def test_ids_given_as_text_are_numbers_and_sort_as_such():
    ratings, items = raw()
    as_text = canonicalise(ratings.astype({"user": str, "item": str}), items.astype({"item": str}))
    assert content_digest(*as_text) == content_digest(*canonicalise(ratings, items))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r, m: (pd.concat([r, r[1:2]]), m), "user 1 rated item 20 more than once"),
        (lambda r, m: (r, pd.concat([m, m[:1]])), "item 20 is listed twice"),
        (lambda r, m: (r, m[1:]), "1 rated items are not listed, the first is 20"),
    ],
)
def test_inconsistent_tables_are_errors(change, message):
    with pytest.raises(ValueError, match=message):
        canonicalise(*change(*raw()))


def test_digest_is_the_documented_byte_order():
    ratings = pd.DataFrame({"user": [1, 2], "item": [7, 7], "rating": [3.5, 1.0], "time": [5, 6]})
    items = pd.DataFrame({"item": [7], "title": ["\u00e9"], "categories": [["War"]]})
    content = b"movielens/1\n" + struct.pack("<Q2i2i2f2q", 2, 1, 2, 7, 7, 3.5, 1.0, 5, 6)
    content += struct.pack("<QiI", 1, 7, 2) + b"\xc3\xa9" + struct.pack("<II", 1, 3) + b"War"
    assert content_digest(ratings, items) == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("column", ["user", "item", "rating", "time"])
def test_digest_changes_with_any_rating_cell(column):
    ratings, items = canonicalise(*raw())
    before = content_digest(ratings, items)
    ratings.loc[2, column] += 1
    assert content_digest(ratings, items) != before


def test_digest_changes_with_any_movie_cell():
    ratings, items = canonicalise(*raw())
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
    ratings, items = canonicalise(*raw())
    for name in ("one", "two"):
        parquet.write_ratings(ratings, tmp_path / name / "ratings.parquet")
        parquet.write_items(items, tmp_path / name / "items.parquet")
    back = (
        parquet.read_ratings(tmp_path / "one/ratings.parquet"),
        parquet.read_items(tmp_path / "one/items.parquet"),
    )
    pd.testing.assert_frame_equal(back[0], ratings)
    assert back[1]["categories"].tolist() == items["categories"].tolist()
    assert content_digest(*back) == content_digest(ratings, items)
    for file in ("ratings.parquet", "items.parquet"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    with pytest.raises(ValueError, match=r"items\.parquet: expected the columns"):
        parquet.read_ratings(tmp_path / "one/items.parquet")


def test_check_refuses_other_counts_and_takes_variants_without_reference(caplog):
    caplog.set_level("INFO")
    ratings, items = canonicalise(*raw())
    with pytest.raises(SourceError, match="other counts than the original") as error:
        check(ratings, items, "100k", "wheel")
    assert "100000" in error.value.expected
    assert "'ratings': 4" in error.value.found
    assert check(ratings, items, "1m", "tfds") == content_digest(ratings, items)
    assert "No reference digest is known for 1m" in caplog.text
    assert content_digest(ratings, items) in caplog.text


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
    assert [clean_genre(g) for g in ("Children's", "unknown", "Sci-Fi ")] == [
        "Children", "Unknown", "Sci-Fi"
    ]  # fmt: skip


def test_slugs_and_task_names():
    assert slug("Sci-Fi") == "sci-fi"
    assert slug("Children's") == "children"
    assert slug("(no genres listed)") == "no-genres-listed"
    assert task_names(["Drama", "Film-Noir"]) == ["all", "drama", "film-noir"]
    with pytest.raises(ValueError, match="listed twice among Drama, drama"):
        task_names(["Drama", "drama"])
    for name in ("All", "--"):
        with pytest.raises(ValueError, match="cannot name a genre task"):
            slug(name)


def test_an_unknown_genre_names_the_nearest_and_all_known():
    known = ["War", "Sci-Fi", "Drama"]
    assert known_genre("Sci-Fi", known) == "Sci-Fi"
    with pytest.raises(ValueError, match=r"unknown genre 'scifi'\. Did you mean 'Sci-Fi'") as error:
        known_genre("scifi", known)
    assert "Known genres: Drama, Sci-Fi, War" in str(error.value)
    with pytest.raises(ValueError, match=r"unknown genre 'Qqq'\. Known genres"):
        known_genre("Qqq", known)
