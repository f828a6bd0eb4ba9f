"""The one form that all ratings take here, whichever kind of data set they came from.

Ratings are ordered by (time, user, item), so that a split by time is the same everywhere although
many ratings share a second. Items are ordered by id, and those without a rating are left out: a
source that starts from ratings never sees them.
"""

import hashlib
import logging
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_list_like

from talking_models.data import DATA, parquet
from talking_models.data.names import ITEMS, RATINGS, clean_category, clean_title
from talking_models.errors import SourceError

log = logging.getLogger(__name__)

ORDER = ["time", "user", "item"]
LARGEST = 1e15  # of ratings: float32 holds the sum of their squares
SHOWN = 200  # signs of a bad value
LATEST = 1 << 36  # seconds: the year 4147; what is later was counted in smaller units
MISSING = ("", "NaN", "nan", "None", "<NA>", "NULL", "null", "NA", "N/A", "#N/A", "\\N")
"""What other programs write for an id that they have not."""
SMALLEST = {"user": "int32", "item": "int32", "rating": "float32", "time": "int64"}
"""Types that `content_digest` hashes where they hold the values."""


def prepare(settings: Mapping[str, Any], ratings_path: str | Path, items_path: str | Path) -> None:
    """Read a data set by its settings and write its two Parquet files, or raise as `read`."""
    ratings, items = DATA.get(settings["kind"]).read(dict(settings))
    digest = content_digest(ratings, items)
    log.info("%d ratings, %d items, content SHA-256 %s", len(ratings), len(items), digest)
    parquet.write(ratings, ratings_path, {"digest": digest})
    parquet.write(items, items_path)


def canonicalise(
    ratings: pd.DataFrame, items: pd.DataFrame, what: str, duplicates: str = "error"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Bring raw tables into canonical order, types and names. A `SourceError` names column, row
    and value if a value is missing or of another sort, a user rated an item twice, an item is
    listed twice, or a rated item is not listed.

    Args:
        ratings: user, item, rating, time (dates, or seconds since 1970), perhaps task; in any
            order, and with the index that messages call rows by.
        items: item, title, categories (list of str), likewise; extra items are dropped.
        duplicates: what several ratings of an item by one user become, see `RatingsSettings`.

    Returns:
        ratings: user and item int64 or str, rating float32, time int64, perhaps task str.
        items: item likewise, title str, categories list[str] (sorted, no repeats).
    """
    for table, names in ((ratings, RATINGS), (items, ITEMS)):
        if missing := [name for name in names if name not in table]:
            raise _error(what, f"the columns {', '.join(missing)}", ", ".join(map(str, table)))
    if ratings.empty:
        raise _error(what, "ratings", "no row")
    text = _is_text(ratings["item"]) or _is_text(items["item"])
    table = {
        "user": _ids(ratings["user"], what, _is_text(ratings["user"])),
        "item": _ids(ratings["item"], what, text),
        "rating": _numbers(ratings["rating"], what, LARGEST),
        "time": _seconds(ratings["time"], what),
    }
    if "task" in ratings:
        table["task"] = _whole(ratings["task"], what).astype(str).str.strip()
        check(ratings["task"], table["task"] == "", what, "a name")
    ratings, pair = pd.DataFrame(table).sort_values(ORDER, kind="stable"), ["user", "item"]
    if duplicates == "mean":
        ratings["rating"] = ratings.groupby(pair)["rating"].transform("mean")
    if duplicates != "error":
        ratings = ratings.drop_duplicates(pair, keep="last")
    for row, user, item in ratings[pair][ratings.duplicated(pair)].itertuples(name=None):
        found = f"user {user} rated item {item} more than once"
        raise _error(f"{what}, row {row}", "one rating for each user and item", found)
    names = items["categories"]
    check(names, ~names.map(_are_names), what, "a list of names")
    items = pd.DataFrame(
        {
            "item": _ids(items["item"], what, text),
            "title": items["title"].astype(object).fillna("").astype(str).map(clean_title),
            "categories": [
                sorted({clean_category(name) for name in own if name.strip()}) for own in names
            ],
        }
    )
    for row, again in items["item"][items["item"].duplicated()].items():
        raise _error(f"{what}, row {row}", "each item listed once", f"item {again} is listed twice")
    absent = ratings["item"][~ratings["item"].isin(items["item"])]
    for row, item in absent.items():
        found = f"{absent.nunique()} rated items that are not listed, the first is {item}"
        raise _error(f"{what}, row {row}", "every rated item among the items", found)
    ratings["rating"] = ratings["rating"].astype("float32")
    items = items[items["item"].isin(ratings["item"])]
    return ratings.reset_index(drop=True), items.sort_values("item", ignore_index=True)


def _error(what: str, expected: str, found: str) -> SourceError:
    advice = "correct the source, or what the configuration says of it"
    return SourceError(what, expected, found, advice)


def check(values: pd.Series, bad: pd.Series, what: str, expected: str) -> None:
    """A `SourceError` that names a column's first bad value, if there is one."""
    if bad.any():
        found, more = repr(values[bad].tolist()[0]), int(bad.sum()) - 1
        found = found if len(found) <= SHOWN else f"{found[:SHOWN]}..."
        found += f", and {more} more such values" if more else ""
        row = values.index[bad][0]
        raise _error(f"{what}: column {values.name}, row {row}", expected, found)


def _is_text(values: pd.Series) -> bool:
    """Whether ids are text: not all of them whole numbers that int64 holds."""
    if values.dtype.kind == "u":
        return bool((values > np.iinfo("int64").max).any())
    if values.dtype.kind in "if":
        return False
    text = pd.Series(values.dropna().unique()).astype(str)
    return not bool(text.str.fullmatch(r"-?(0|[1-9]\d{0,17})").all())


def _whole(values: pd.Series, what: str) -> pd.Series:
    """Values of which none is missing, and which are whole if they are numbers."""
    check(values, values.isna(), what, "an id")
    if values.dtype.kind != "f":
        return values
    broken = ~np.isfinite(values) | (values != np.floor(values)) | (values.abs() >= 2**53)
    check(values, broken, what, "an id: a whole number or text")
    return values.astype("int64")


def _ids(values: pd.Series, what: str, text: bool) -> pd.Series:
    values = _whole(values, what)
    if not text:
        return values.astype("int64")
    found = values.astype(str).str.strip()
    bad = found.isin(MISSING)
    # numbers, and so a fraction is no id, nor is what a spreadsheet rounded (1.23E+11)
    if found.str.fullmatch(r"-?\d+(\.\d+([Ee][+-]?\d+)?)?").all():
        bad |= found.str.contains(".", regex=False)
    check(values, bad, what, "an id")
    return found


def _numbers(values: pd.Series, what: str, largest: float) -> pd.Series:
    """Values as float64, of a size of `largest` at most."""
    found = pd.to_numeric(values, errors="coerce").astype("float64")
    bad = found.isna()
    comma = values[bad].astype(str).str.fullmatch(r"\s*-?\d+,\d+\s*").any()
    check(values, bad, what, "a number" + (" with a point, not a comma" if comma else ""))
    check(values, found.abs() > largest, what, f"a number from {-largest:g} to {largest:g}")
    return found


def _seconds(values: pd.Series, what: str) -> pd.Series:
    """Times as int64 seconds since 1970, UTC."""
    values = values.infer_objects()  # dates among objects
    if values.dtype.kind == "M":
        check(values, values.isna(), what, "a time")
        if values.dt.tz is not None:
            values = values.dt.tz_convert(None)
        return values.dt.floor("s").astype("datetime64[s]").astype("int64")
    found = np.floor(_numbers(values, what, np.finfo("float32").max))
    late = found.abs() > LATEST
    check(values, late, what, "seconds since 1970; these look like milliseconds")
    return found.astype("int64")


def _are_names(value: Any) -> bool:
    return is_list_like(value) and all(isinstance(name, str) for name in value)


def content_digest(ratings: pd.DataFrame, items: pd.DataFrame) -> str:
    """SHA-256 (hex) of canonical tables, independent of how they are stored.

    The bytes, all numbers little-endian: the text "movielens/1" and a line feed; the number of
    ratings (uint64); the columns user (int32), item (int32), rating (float32) and time (int64),
    each whole; the number of items (uint64); then per item its id (int32), its title, the number
    of its categories (uint32) and each category, where a text is its length in bytes (uint32) and
    its UTF-8. Ids that int32 does not hold are taken as texts, and so is a column `task`.
    """
    digest = hashlib.sha256(b"movielens/1\n" + struct.pack("<Q", len(ratings)))
    small = {name: _fits(ratings[name], kind) for name, kind in SMALLEST.items()}
    for name in (*SMALLEST, *(["task"] if "task" in ratings else [])):
        if small.get(name):
            little_endian = np.dtype(SMALLEST[name]).newbyteorder("<")
            digest.update(ratings[name].to_numpy().astype(little_endian).tobytes())
        else:
            digest.update(b"".join(map(_text, ratings[name].astype(str))))
    digest.update(struct.pack("<Q", len(items)))
    for item, title, categories in items[["item", "title", "categories"]].itertuples(index=False):
        id = struct.pack("<i", item) if small["item"] else _text(str(item))
        digest.update(id + _text(title) + struct.pack("<I", len(categories)))
        digest.update(b"".join(map(_text, categories)))
    return digest.hexdigest()


def _fits(values: pd.Series, kind: str) -> bool:
    return values.dtype.kind in "iuf" and (kind != "int32" or bool(values.abs().max() < 2**31))


def _text(value: str) -> bytes:
    data = value.encode("utf-8")
    return struct.pack("<I", len(data)) + data
