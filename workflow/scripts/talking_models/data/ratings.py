"""Ratings of the user's own: a file of them, and perhaps one of items, in whatever form they are.

`docs/own-ratings.md` says which forms are understood.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from talking_models.data.base import ALL, CATEGORY, DataKind, DataSettings
from talking_models.data.reading import KNOWN, plain, read_table
from talking_models.errors import SourceError
from talking_models.strict import Strict

if TYPE_CHECKING:
    import pandas as pd

RATINGS, ITEMS = ("user", "item", "rating", "time"), ("item", "title", "categories")
MILLISECONDS = 10**11  # a time of that many seconds lies beyond the year 5000
NONE = ("", "(no genres listed)")
FLAGS, OFF = ("1", "1.0", "True"), ("0", "0.0", "False", "")

Column = Annotated[str, Field(min_length=1)] | Annotated[int, Field(ge=0)]


class Columns(Strict):
    """Names of columns, or their places from 0; null: found by the names that people use."""

    user: Column | None = Field(None, description="Of the ratings: who rated.")
    item: Column | None = Field(None, description="What was rated, in both files.")
    rating: Column | None = Field(None, description="Of the ratings: the number.")
    time: Column | None = Field(None, description="Of the ratings: when.")
    title: Column | None = Field(None, description="Of the items: words about each.")
    categories: Column | list[Column] | None = Field(
        None, description="Of the items: a list of names, or a column of 0 and 1 for each category."
    )


class RatingsSettings(DataSettings):
    """Ratings from files."""

    ratings: str = Field(
        min_length=1, description="CSV, TSV, `::`, `;`, `|` or Parquet, perhaps in gzip or zip."
    )
    items: str | None = Field(
        None, min_length=1, description="The items, likewise; null: there is nothing about them."
    )
    columns: Columns = Field(default_factory=Columns, description="Which column holds what.")
    separator: str | None = Field(
        None, min_length=1, description="What stands between fields; null: found out."
    )
    header: bool | None = Field(
        None, description="Whether the first line holds names; null: found out."
    )
    encoding: str | None = Field(None, description="Of text; null: UTF-8, else Latin-1.")
    time_unit: Literal["s", "ms", "iso"] | None = Field(
        None, description="Seconds or milliseconds since 1970, or dates; null: found out."
    )
    duplicates: Literal["error", "last", "mean"] = Field(
        "error", description="What several ratings of an item by one user become."
    )


class Ratings(DataKind):
    """Ratings of the user's own."""

    family = "ratings"
    Settings = RatingsSettings

    @classmethod
    def files(cls, settings: dict[str, Any]) -> list[str]:
        """The ratings, and the items if there are any."""
        return [path for path in (settings["ratings"], settings["items"]) if path]

    @classmethod
    def read(cls, settings: dict[str, Any]):
        """See `DataKind.read`."""
        return look(settings)[:2]


def look(settings: Mapping[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Ratings and items in canonical form, and which column was taken for what.

    Raises:
        SourceError: a file cannot be read, lacks a column, or holds a value that does not belong:
            with file, column, line and value.
    """
    import pandas as pd

    from talking_models.data.canonical import canonicalise

    path, by, given = settings["ratings"], settings["tasks"]["by"], settings["columns"]
    table = read_table(path, settings)
    taken = {key: column(table, path, key, given[key]) for key in RATINGS}
    if len(set(taken.values())) < len(taken):
        advice = "say which is which in `columns`"
        raise SourceError(f"{path}: a column is taken twice", "four columns", taken, advice)
    rows = pd.DataFrame({key: table[name] for key, name in taken.items()})
    for key in ("user", "item"):
        _check_ids(rows[key], f"{path}: column {key}")
    rows["time"] = times(rows["time"], path, settings["time_unit"])
    if by not in (ALL, CATEGORY):
        rows["task"] = table[column(table, path, "tasks.by", by)].astype(str)
    rows = once(rows, settings["duplicates"])
    items = pd.DataFrame({"item": rows["item"].drop_duplicates(), "title": ""})
    items["categories"] = [[] for _ in range(len(items))]
    if settings["items"]:
        items, found = read_items(settings["items"], settings)
        taken = found | taken  # the ratings' name of the item
    ratings, items = canonicalise(rows, items, f"{path} and {settings['items'] or 'no items'}")
    if by == CATEGORY and not items["categories"].map(len).any():
        raise SourceError(
            f"{settings['items'] or path}: no item has a category",
            "categories, as tasks are by category",
            "none",
            "name a file of `items` and its column `categories`, or say `tasks: {by: all}` or a "
            "column of the ratings",
        )
    return ratings, items, taken


def read_items(path: str, settings: Mapping[str, Any]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A file of items, and which column was taken for what; title and categories may be absent."""
    import pandas as pd

    given, table = settings["columns"], read_table(path, settings)
    said = {key: given[key] for key in ITEMS}
    if isinstance(said["item"], int) or said["item"] not in (None, *table.columns):
        said["item"] = None if list(table.columns) != list(range(table.shape[1])) else 0
    found: dict[str, Any] = {"item": column(table, path, "item", said["item"], ITEMS)}
    for key in ITEMS[1:]:
        if said[key] is not None or _known(table, key, ITEMS) is not None:
            several = said[key] if isinstance(said[key], list) else None
            found[key] = [column(table, path, key, each, ITEMS) for each in several or [said[key]]]
    items = pd.DataFrame({"item": table[found["item"]]}, index=table.index)
    items["title"] = table[found["title"][0]] if "title" in found else ""
    flags = found.get("categories", [])
    if len(flags) > 1:
        on = table[flags].astype(str)
        bad = ~on.isin([*FLAGS, *OFF])
        if bad.any(axis=None):
            (line, name), advice = bad.stack().idxmax(), "name the columns of categories only"
            what = f"{path}: column {name}, row {line}"
            raise SourceError(what, "0 or 1", repr(on[name][line]), advice)
        chosen = [
            [str(name) for name, flag in zip(flags, row, strict=True) if flag in FLAGS]
            for row in on.itertuples(index=False)
        ]
    else:
        chosen = [names(value) for value in table[flags[0]]] if flags else [[]] * len(items)
    return items.assign(categories=pd.Series(chosen, index=items.index, dtype=object)), found


def _check_ids(values: pd.Series, what: str) -> None:
    """An error where an id is missing but was written down, or is a number and not whole."""
    text = values.drop_duplicates()
    text = text[text.map(lambda value: isinstance(value, str))].str.strip()
    bad = text.isin(["", "NaN", "nan", "None", "<NA>"])
    if text.str.fullmatch(r"-?\d+(\.\d+)?").all():
        bad |= text.str.contains(".", regex=False)
    if bad.any():
        line = bad.idxmax()
        advice = "correct the file, or what `columns` says of it"
        raise SourceError(f"{what}, row {line}", "an id", repr(values[line]), advice)


def _known(table: pd.DataFrame, key: str, order: Sequence[str]) -> Any:
    """The column that people would take for one of ours, None if there is none."""
    by_name = {plain(name): name for name in reversed(table.columns)}
    if list(table.columns) == list(range(table.shape[1])):  # no names: the usual order
        place = order.index(key) if key in order else table.shape[1]
        return place if place < table.shape[1] else None
    words = (*KNOWN.get(key, ()), *(["id"] if order is ITEMS and key == "item" else []))
    return next((by_name[name] for name in words if name in by_name), None)


def column(
    table: pd.DataFrame, path: str, key: str, said: Any, order: Sequence[str] = RATINGS
) -> Any:
    """The name of a column that was named, or that people would take."""
    found = said if said in table.columns else None
    if isinstance(said, int) and found is None and said < table.shape[1]:
        found = table.columns[said]
    if said is None:
        found = _known(table, key, order)
    if found is None:
        there = list(map(str, table.columns))
        near = difflib.get_close_matches(str(said or key), there, n=1, cutoff=0.4)
        hint = f"; nearest: {near[0]}" if near else ""
        expected = repr(said) if said is not None else f"one of {', '.join(KNOWN[key])}"
        advice = f"say its name: `columns: {{{key}: ...}}`"
        raise SourceError(
            f"{path} has no column for {key}", expected, ", ".join(there) + hint, advice
        )
    return found


def times(values: pd.Series, path: str, unit: str | None) -> pd.Series:
    """Times in seconds, from seconds, milliseconds or dates."""
    import pandas as pd

    number = pd.to_numeric(values, errors="coerce") if values.dtype.kind != "M" else None
    if unit is None and number is not None and number.notna().mean() > 0.5:
        unit = "ms" if number.abs().median() >= MILLISECONDS else "s"
    if unit in ("s", "ms"):
        number = number // 1000 if unit == "ms" else number
        return values.where(number.isna(), number) if number.isna().any() else number
    dates = pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601")
    if dates.isna().any():
        line = dates.index[dates.isna()][0]
        advice = "write dates as 2020-01-31 12:00:00, or say `time_unit`"
        what = f"{path}: column time, row {line}"
        raise SourceError(
            what, "a time in seconds, milliseconds or ISO 8601", repr(values[line]), advice
        )
    return dates.dt.tz_localize(None)


def names(value: Any) -> list[str]:
    """The categories of an item: of `a|b`, of `["a", "b"]`, of a list, of nothing."""
    if value is None or isinstance(value, float):
        return []
    if not isinstance(value, str):
        return [str(name) for name in value]
    text = value.strip()
    if text.startswith("["):
        found = re.findall(r"\"([^\"]*)\"|'([^']*)'", text)
        return [a or b for a, b in found]
    return [name for name in (part.strip() for part in text.split("|")) if name not in NONE]


def once(rows: pd.DataFrame, duplicates: str) -> pd.DataFrame:
    """One rating for each user and item, as the setting says; `error` leaves it to the check."""
    import pandas as pd

    if duplicates == "error":
        return rows
    ordered = rows.sort_values(
        "time", kind="stable", key=lambda time: pd.to_numeric(time, errors="coerce")
    )
    last = ordered.drop_duplicates(["user", "item"], keep="last")
    if duplicates == "mean":
        number = pd.to_numeric(ordered["rating"], errors="coerce")
        mean = number.groupby([ordered["user"], ordered["item"]]).transform("mean")
        last = last.assign(rating=mean[last.index].where(mean.notna(), last["rating"]))
    return last.sort_index()
