"""The one form that all ratings take here, whichever kind of data set they came from.

Ratings are ordered by (time, user, item), so that a split by time is the same everywhere although
many ratings share a second. Items are ordered by id, and those without a rating are left out: a
source that starts from ratings never sees them.
"""

from __future__ import annotations

import hashlib
import logging
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from talking_models.data import DATA, parquet
from talking_models.data.names import clean_category, clean_title
from talking_models.errors import SourceError

log = logging.getLogger(__name__)

ORDER = ["time", "user", "item"]
LATEST = 1 << 36  # seconds: the year 4147; what is later was counted in smaller units
SMALLEST = {"user": "int32", "item": "int32", "rating": "float32", "time": "int64"}
"""Types that `content_digest` hashes where they hold the values."""


def prepare(settings: Mapping[str, Any], ratings_path: str | Path, items_path: str | Path) -> None:
    """Read a data set, bring it into canonical form and write its two Parquet files.

    Args:
        settings: of the data set, as its kind takes them.
        ratings_path, items_path: files to write.

    Raises:
        SourceError: as the kind's `read`; nothing is written then.
    """
    ratings, items = DATA.get(settings["kind"]).read(dict(settings))
    digest = content_digest(ratings, items)
    log.info("%d ratings, %d items, content SHA-256 %s", len(ratings), len(items), digest)
    parquet.write_ratings(ratings, ratings_path, {"digest": digest})
    parquet.write_items(items, items_path)


def canonicalise(
    ratings: pd.DataFrame, items: pd.DataFrame, what: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Bring raw tables into canonical order, types and names.

    Args:
        ratings: columns user, item, rating, time and perhaps task, in any order; the index says
            what messages call a row.
        items: columns item, title, categories (list of str), likewise; extra items are dropped.
        what: the source, for messages.

    Returns:
        ratings: user and item int64 or str, rating float32, time int64 (seconds since 1970), and
            task str if it was there.
        items: item as in the ratings, title str, categories list[str] (sorted, no repeats).

    Raises:
        SourceError: with column, row and value: a value is missing or of another sort, a user
            rated an item twice, an item is listed twice, a rated item is not listed.
    """
    missing = [name for name in (*ORDER, "rating") if name not in ratings]
    if missing:
        raise _error(what, f"the columns {', '.join(missing)}", ", ".join(map(str, ratings)))
    if ratings.empty:
        raise _error(what, "ratings", "no row")
    listed = set(map(type, items["item"])) if items["item"].dtype == object else set()
    text = str in listed or _is_text(ratings["item"])
    found = {
        "user": ids(ratings["user"], what, "user", _is_text(ratings["user"])),
        "item": ids(ratings["item"], what, "item", text),
        "rating": numbers(ratings["rating"], what, "rating").astype("float32"),
        "time": seconds(ratings["time"], what),
    }
    if "task" in ratings:
        found["task"] = ratings["task"].astype(str)
    ratings = pd.DataFrame(found).sort_values(ORDER, kind="stable")
    twice = ratings.duplicated(["user", "item"])
    if twice.any():
        row = ratings[twice].iloc[0]
        raise _error(
            f"{what}, row {ratings.index[twice][0]}",
            "one rating for each user and item",
            f"user {row['user']} rated item {row['item']} more than once",
        )
    items = pd.DataFrame(
        {
            "item": ids(items["item"], what, "item", text),
            "title": ["" if pd.isna(title) else clean_title(title) for title in items["title"]],
            "categories": [
                _categories(c, what, row)
                for row, c in zip(items.index, items["categories"], strict=True)
            ],
        }
    )
    if items["item"].duplicated().any():
        again = items["item"][items["item"].duplicated()].iloc[0]
        raise _error(what, "each item listed once", f"item {again} is listed twice")
    absent = ~ratings["item"].isin(items["item"])
    if absent.any():
        raise _error(
            what,
            "every rated item among the items",
            f"{ratings['item'][absent].nunique()} rated items that are not listed, the first is "
            f"{ratings['item'][absent].iloc[0]} (row {ratings.index[absent][0]})",
        )
    items = items[items["item"].isin(ratings["item"])]
    return ratings.reset_index(drop=True), items.sort_values("item", ignore_index=True)


def _error(what: str, expected: str, found: str) -> SourceError:
    advice = "correct the source, or what the configuration says of it"
    return SourceError(what, expected=expected, found=found, advice=advice)


def _at(values: pd.Series, bad: pd.Series, what: str, column: str, expected: str) -> SourceError:
    """The error of a column's first bad value."""
    row = values.index[bad][0]
    found = f"{values[bad].iloc[0]!r}"
    if int(bad.sum()) > 1:
        found += f", and {int(bad.sum()) - 1} more such values"
    return _error(f"{what}: column {column}, row {row}", expected, found)


def _is_text(values: pd.Series) -> bool:
    """Whether ids are text: not all of them whole numbers that int64 holds."""
    if values.dtype.kind in "iuf":
        return False
    text = values.dropna().astype(str)
    whole = text.str.fullmatch(r"-?(0|[1-9]\d{0,17})")
    return not bool(whole.all())


def ids(values: pd.Series, what: str, column: str, text: bool) -> pd.Series:
    """Ids as int64 or as text, none of them missing."""
    if values.isna().any():
        raise _at(values, values.isna(), what, column, "an id")
    if values.dtype.kind == "f":
        broken = ~np.isfinite(values) | (values != np.floor(values)) | (values.abs() >= 2**53)
        if broken.any():
            raise _at(values, broken, what, column, "an id: a whole number or text")
    if values.dtype.kind == "u" and (values > np.iinfo("int64").max).any():
        text = True
    if not text:
        return values.astype("int64")
    if values.dtype.kind == "f":
        values = values.astype("int64")
    found = values.astype(str).str.strip()
    if (found == "").any():
        raise _at(values, found == "", what, column, "an id")
    return found


def numbers(values: pd.Series, what: str, column: str) -> pd.Series:
    """Values as finite float64."""
    found = pd.to_numeric(values, errors="coerce").astype("float64")
    bad = ~np.isfinite(found)
    if bad.any():
        comma = values[bad].astype(str).str.fullmatch(r"-?\d+,\d+").any()
        expected = "a number" + (" with a point, not a comma" if comma else "")
        raise _at(values, bad, what, column, expected)
    return found


def seconds(values: pd.Series, what: str) -> pd.Series:
    """Times as int64 seconds since 1970, UTC; from dates or from seconds."""
    if values.dtype.kind == "M":
        if values.isna().any():
            raise _at(values, values.isna(), what, "time", "a time")
        return values.astype("datetime64[s]").astype("int64")
    found = np.floor(numbers(values, what, "time"))
    late = found.abs() > LATEST
    if late.any():
        raise _at(values, late, what, "time", "seconds since 1970; these look like milliseconds")
    return found.astype("int64")


def _categories(value: Any, what: str, row: Any) -> list[str]:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise _error(f"{what}: column categories, row {row}", "a list of names", repr(value))
    return sorted({clean_category(str(name)) for name in value})


def content_digest(ratings: pd.DataFrame, items: pd.DataFrame) -> str:
    """SHA-256 (hex) of canonical tables, independent of how they are stored.

    The bytes, all numbers little-endian: the text "movielens/1" and a line feed; the number of
    ratings (uint64); the columns user (int32), item (int32), rating (float32) and time (int64),
    each whole; the number of items (uint64); then per item its id (int32), its title, the number
    of its categories (uint32) and each category, where a text is its length in bytes (uint32) and
    its UTF-8. Ids that int32 does not hold are taken as texts, and so is a column `task`.
    """
    digest = hashlib.sha256(b"movielens/1\n" + struct.pack("<Q", len(ratings)))
    columns = {**SMALLEST, **({"task": "text"} if "task" in ratings else {})}
    small = {name: _fits(ratings[name], kind) for name, kind in columns.items()}
    for column, kind in columns.items():
        if small[column]:
            little_endian = np.dtype(kind).newbyteorder("<")
            digest.update(ratings[column].to_numpy().astype(little_endian).tobytes())
        else:
            digest.update(b"".join(map(_text, ratings[column].astype(str))))
    digest.update(struct.pack("<Q", len(items)))
    for item, title, categories in zip(
        items["item"], items["title"], items["categories"], strict=True
    ):
        id = struct.pack("<i", item) if small["item"] else _text(str(item))
        digest.update(id + _text(title) + struct.pack("<I", len(categories)))
        digest.update(b"".join(map(_text, categories)))
    return digest.hexdigest()


def _fits(values: pd.Series, kind: str) -> bool:
    if kind == "text" or values.dtype.kind not in "iuf":
        return False
    return kind != "int32" or bool(values.abs().max() < 2**31)


def _text(value: str) -> bytes:
    data = value.encode("utf-8")
    return struct.pack("<I", len(data)) + data
