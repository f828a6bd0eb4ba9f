"""A user's files as canonical tables: packed or not, text or Parquet, columns found by their names.

The index of every table is the line, as an editor counts, so that messages can name it.
"""

import csv
import gzip
import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow
from pyarrow import csv as arrow_csv

from talking_models.data.base import ALL, CATEGORY
from talking_models.data.canonical import canonicalise, check
from talking_models.data.fields import categories_of, times, values_of
from talking_models.data.names import ITEMS, RATINGS
from talking_models.errors import SourceError, explained, nearest

# What people call the columns, in lower case without marks; the first that is there is taken.
KNOWN = {
    "user": ("user", "userid", "uid"),
    "item": ("item", "itemid", "movie", "movieid", "sku", "product", "productid"),
    "rating": ("rating", "stars", "score"),
    "time": ("timestamp", "time", "when", "date"),
    "title": ("title", "name"),
    "categories": ("categories", "category", "genres", "genre"),
}
SEPARATORS = (",", "::", "\t", ";", "|")
SAMPLE = 20  # lines looked at to find the separator
ON, OFF = ("1", "1.0", "True"), ("0", "0.0", "False", "")


def look(settings: Mapping[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Ratings and items in canonical form, and which column was taken for what. `SourceError` if
    a file cannot be read, lacks a column, or holds a value that does not belong: with file, column,
    line and value.
    """
    path, by, said = settings["ratings"], settings["tasks"]["by"], settings["columns"]
    table = read_table(path, settings)
    taken = {key: _column(table, path, key, said[key], RATINGS) for key in RATINGS}
    if len(set(taken.values())) < len(taken):
        advice = "say which is which in `columns`"
        raise SourceError(f"{path}: a column is taken twice", "four columns", str(taken), advice)
    rows = table[list(taken.values())].set_axis(list(taken), axis=1)
    for key in taken:
        rows[key] = values_of(rows[key], path)
    rows["time"] = times(rows["time"], path, settings["time_unit"])
    if by not in (ALL, CATEGORY):
        own = table[_column(table, path, "tasks.by", by, RATINGS)]
        rows["task"] = values_of(own, path).astype(str)
    items = pd.DataFrame({"item": rows["item"].drop_duplicates(), "title": ""})
    items["categories"] = [[] for _ in items.index]
    if settings["items"]:
        items, found = _items(settings["items"], settings)
        taken = found | taken  # the ratings' name of the item
    what = f"{path} and {settings['items'] or 'no items'}"
    ratings, items = canonicalise(rows, items, what, settings["duplicates"])
    if by == CATEGORY and not items["categories"].map(len).any():
        raise SourceError(
            f"{settings['items'] or path}: no item has a category",
            "categories, as tasks are by category",
            "none",
            "name a file of `items` and its column `categories`, or say `tasks: {by: all}` or a "
            "column of the ratings",
        )
    return ratings, items, taken


def _items(path: str, settings: Mapping[str, Any]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A file of items, and which column was taken for what; title and categories may be absent."""
    said, table = settings["columns"], read_table(path, settings)
    item = said["item"] if said["item"] in table and not isinstance(said["item"], int) else None
    found: dict[str, Any] = {"item": _column(table, path, "item", item, ITEMS)}
    for key in ITEMS[1:]:
        if said[key] is not None or _known(table, key, ITEMS) is not None:
            several = said[key] if isinstance(said[key], list) else [said[key]]
            named = (_column(table, path, key, each, ITEMS) for each in several)
            found[key] = list(dict.fromkeys(named))
    flags = found.get("categories", [])
    on = table[flags].astype(str)
    listed = isinstance(said["categories"], list)
    if len(flags) > 1 or (listed and on.isin([*ON, *OFF]).all(axis=None)):
        for name in flags:
            check(on[name], ~on[name].isin([*ON, *OFF]), path, "0 or 1")
        names = on.columns.astype(str)
        chosen = [names[row].tolist() for row in on.isin(ON).to_numpy()]
    elif flags:
        own = table[flags[0]]
        chosen = pd.Series([categories_of(value) for value in own], own.index, dtype=object)
        check(own, chosen.isna(), path, "names as `a|b`, or a list of names")
    else:
        chosen = [[]] * len(table)
    title = values_of(table[found["title"][0]], path) if "title" in found else ""
    columns = {"item": values_of(table[found["item"]], path), "title": title}
    return pd.DataFrame(columns, table.index).assign(categories=chosen), found


def _column(table: pd.DataFrame, path: str, key: str, said: Any, order: Sequence[str]) -> Any:
    """The name of a column by its name or place, or of the one that people would take."""
    there = list(table.columns)
    if said in there:
        return said
    if isinstance(said, int) and said < len(there):
        return there[said]
    if said is None and (found := _known(table, key, order)) is not None:
        return found
    names = [*map(str, there)]
    found = ", ".join(names) + nearest(str(said or key), names)
    advice = f"say its name: `columns: {{{key}: ...}}`"
    if len(there) == 1:
        found = f"one column alone, {there[0]}; it begins with {str(table.iloc[0, 0])[:60]!r}"
        advice = "say the `separator` of its fields"
    elif key == "tasks.by":
        advice = "name one of them: `tasks: {by: ...}`"
    raise SourceError(
        f"{path} has no column for {key}",
        f"one of {', '.join(KNOWN[key])}" if said is None else repr(said),
        found,
        advice,
    )


def _known(table: pd.DataFrame, key: str, order: Sequence[str]) -> Any:
    """The column that people would take for one of ours, None if there is none."""
    if list(table.columns) == list(range(table.shape[1])):  # no names: the usual order
        place = order.index(key)
        return place if place < table.shape[1] else None
    by_name = {_plain(name): name for name in reversed(table.columns)}
    words = (*KNOWN[key], *(["id"] if order is ITEMS and key == "item" else []))
    return next((by_name[name] for name in words if name in by_name), None)


# Files


def read_table(path: str, settings: Mapping[str, Any]) -> pd.DataFrame:
    """A file as text, or as Parquet has it."""
    data = _content(path)
    advice = "say `separator`, `header` or `encoding` of the data set, or correct the file"
    with explained(f"{path} is no table", "the same fields in each line", advice):
        if data.startswith(b"PAR1"):
            table = pd.read_parquet(io.BytesIO(data))
            if any(table.index.names):  # pandas keeps columns there
                table = table.reset_index()
            table.index = range(1, len(table) + 1)
        else:
            table = _text_table(data, settings)
    if table.empty:
        raise SourceError(f"{path} has no rows", "a row at least", "none", "export it again")
    return table


def _content(path: str) -> bytes:
    """The bytes of a file, unpacked if it is gzip, or a zip file of one."""
    wanted = "a file of text or Parquet, as it is or packed by gzip or zip"
    with explained(f"{path} cannot be read", wanted, "correct the path, or fetch the file anew"):
        data = Path(path).read_bytes()
        if data.startswith(b"\x1f\x8b"):
            return gzip.decompress(data)
        if not data.startswith(b"PK\x03\x04"):
            return data
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [n for n in archive.namelist() if not re.search(r"/$|^__MACOSX|(^|/)\.", n)]
            if len(files) != 1:
                raise ValueError(f"{len(files)} files in it, not one: {', '.join(files[:6])}")
            return archive.read(files[0])


def _text_table(data: bytes, settings: Mapping[str, Any]) -> pd.DataFrame:
    try:
        text = data.decode(settings["encoding"] or "utf-8-sig")
    except UnicodeDecodeError:
        if settings["encoding"]:
            raise
        text = data.decode("latin-1")
    lines = [line for line in text[:100_000].splitlines() if line.strip()][:SAMPLE]
    if not lines:
        raise ValueError("no line in it")
    if "\0" in text:  # of files that are no text, and of UTF-16
        raise ValueError(f"NUL signs: no text, or in another encoding; it begins {data[:24]!r}")
    if re.match(r"\s*(\[?\s*\{|<)", text):
        raise ValueError(f"JSON, HTML or the like, no lines of fields; it begins {text[:24]!r}")
    separator = settings["separator"] or max(SEPARATORS, key=lambda mark: _fields(lines, mark))
    first, *others = (_parted(line, separator) for line in lines)
    places = [str(place) for place in range(len(first))]
    head = settings["header"]
    if head is None:  # names have letters where all other lines have numbers
        head = (
            first == places
            or any(_plain(name) in known for name in first for known in KNOWN.values())
            or (not any(map(_is_number, first)) and any(map(_is_number, chain(*others))))
        )
    quoted = len(separator) == 1  # `::` stands in no field, and a quote is one like other signs
    if not quoted:
        text, separator = text.replace(separator, "\x1f"), "\x1f"
    table = arrow_csv.read_csv(
        io.BytesIO(text.encode()),
        arrow_csv.ReadOptions(column_names=places, skip_rows_after_names=int(head)),
        arrow_csv.ParseOptions(
            delimiter=separator, quote_char=quoted and '"', newlines_in_values=quoted
        ),
        arrow_csv.ConvertOptions(column_types=dict.fromkeys(places, pyarrow.string())),
    ).to_pandas()
    names = [str(name).strip().split(":")[0] or f"#{n}" for n, name in enumerate(first)]
    if head and len(set(names)) < len(names):
        raise ValueError(f"two columns have one name: {', '.join(names)}")
    named = head and not all(name.isdigit() for name in names)
    table.columns = names if named else range(len(names))
    table.index = _lines(text, separator, quoted, len(table), head)
    return table


def _lines(text: str, separator: str, quoted: bool, rows: int, head: bool) -> Sequence[int]:
    """The line of each row; a row can have several, and a line none."""
    simple = range(1 + head, 1 + head + rows)
    if text.count("\n") + (not text.endswith("\n")) == rows + head:
        return simple
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting)
    found = [reader.line_num for row in reader if len(row) > 1 or "".join(row).strip()][head:]
    return found if len(found) == rows else simple


def _fields(lines: list[str], separator: str) -> int:
    """How many fields lines have, 0 unless most have the same: marks stand inside of them, too."""
    counts = [len(_parted(line, separator)) for line in lines]
    most = max(set(counts), key=counts.count)
    return most if most > 1 and counts.count(most) >= 0.8 * len(counts) else 0


def _parted(line: str, separator: str) -> list[str]:
    if len(separator) > 1:
        return line.split(separator)
    return next(csv.reader([line], delimiter=separator))


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*-?\d+([.,]\d+)?\s*", text) is not None


def _plain(name: Any) -> str:
    """A column's name in lower case, without marks and types."""
    return re.sub(r"[\W_]", "", str(name).partition(":")[0]).lower()
