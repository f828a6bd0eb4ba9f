"""A user's file as a table, whatever form it is in: packed or not, text or Parquet."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from talking_models.errors import SourceError

if TYPE_CHECKING:
    import pandas as pd

# What people call the columns, in lower case without marks; the first that is there is taken.
KNOWN = {
    "user": ("user", "userid", "uid"),
    "item": ("item", "itemid", "movie", "movieid", "sku", "product", "productid"),
    "rating": ("rating", "stars", "score"),
    "time": ("timestamp", "time", "when", "date"),
    "title": ("title", "name"),
    "categories": ("categories", "category", "genres", "genre"),
}
SEPARATORS = ("::", "\t", ";", "|")
SAMPLE = 20  # lines looked at to find the separator


def content(path: str) -> bytes:
    """The bytes of a file, unpacked if it is gzip, or a zip file of one."""
    wanted = "a file of text or Parquet, as it is or packed by gzip or zip"
    try:
        data = Path(path).read_bytes()
        if data.startswith(b"\x1f\x8b"):
            return gzip.decompress(data)
        if data.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                files = [n for n in archive.namelist() if not re.search(r"/$|^__MACOSX|(^|/)\.", n)]
                if len(files) != 1:
                    advice = "unpack it and name one of them"
                    raise SourceError(f"{path} holds {len(files)} files", "one", files[:6], advice)
                return archive.read(files[0])
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        advice = "correct the path, or fetch the file anew"
        raise SourceError(f"{path} cannot be read", wanted, error, advice) from error
    return data


def read_table(path: str, settings: Mapping[str, Any]) -> pd.DataFrame:
    """A file as text, or as Parquet has it; the index is the line, as an editor counts."""
    import pandas as pd
    import pyarrow
    from pyarrow import csv as arrow_csv

    data = content(path)
    try:
        if data.startswith(b"PAR1"):
            table = pd.read_parquet(io.BytesIO(data))
            return table.set_index(pd.RangeIndex(1, len(table) + 1))
        try:
            wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            text = data.decode(settings["encoding"] or ("utf-16" if wide else "utf-8-sig"))
        except UnicodeDecodeError:
            if settings["encoding"]:
                raise
            text = data.decode("latin-1")
        lines = [line for line in text[:100_000].splitlines() if line.strip()][:SAMPLE]
        if not lines:
            raise ValueError("no line in it")
        separator = settings["separator"] or max(
            (",", *SEPARATORS), key=lambda mark: _fields(lines, mark)
        )
        fields = [_parted(line, separator) for line in lines]
        head = settings["header"]
        if head is None:  # names have letters where all other lines have numbers
            first, *others = ([_is_number(f) for f in line] for line in fields)
            named = {plain(name) for name in fields[0]}
            head = (
                bool(named & {n for known in KNOWN.values() for n in known})
                or (not any(first) and any(any(other) for other in others))
                or fields[0] == [str(place) for place in range(len(fields[0]))]
            )
        if len(separator) > 1:
            text, separator = text.replace(separator, "\x1f"), "\x1f"
        width = len(fields[0])
        places = [str(place) for place in range(width)]
        table = arrow_csv.read_csv(
            io.BytesIO(text.encode()),
            arrow_csv.ReadOptions(column_names=places, skip_rows_after_names=int(head)),
            arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(places, pyarrow.string())),
        ).to_pandas()
        table.columns = range(width)
        table.index = _lines(text, separator, len(table), head)
        names = [str(name).strip().split(":")[0] or f"#{n}" for n, name in enumerate(fields[0])]
        if head and len(set(names)) < width:
            raise ValueError(f"two columns have one name: {', '.join(names)}")
        if head and not all(name.isdigit() for name in names):
            table.columns = names
    except (ValueError, LookupError, OSError) as error:  # pandas' and Arrow's are ValueErrors
        advice = "say `separator`, `header` or `encoding` of the data set, or correct the file"
        raise SourceError(
            f"{path} is no table", "the same fields in each line", error, advice
        ) from error
    if table.empty:
        raise SourceError(f"{path} has no rows", "a row at least", "none", "export it again")
    return table


def _lines(text: str, separator: str, rows: int, head: bool) -> Sequence[int]:
    """The line of each row, as an editor counts; a row can have several, and a line none."""
    simple = range(1 + head, 1 + head + rows)
    if text.count("\n") + (not text.endswith("\n")) == rows + head:
        return simple
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    found = [reader.line_num for row in reader if len(row) > 1 or "".join(row).strip()][head:]
    return found if len(found) == rows else simple


def _fields(lines: list[str], separator: str) -> int:
    """How many fields lines have, 0 unless most have the same: marks stand inside of them, too."""
    counts = [len(_parted(line, separator)) for line in lines]
    most = max(set(counts), key=counts.count)
    return most if most > 1 and counts.count(most) >= 0.8 * len(counts) else 0


def _parted(line: str, separator: str) -> list[str]:
    return (
        line.split(separator)
        if len(separator) > 1
        else next(csv.reader([line], delimiter=separator))
    )


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\s*-?\d+([.,]\d+)?\s*", text) is not None


def plain(name: Any) -> str:
    """A column's name in lower case, without marks and types."""
    return re.sub(r"[\W_]", "", str(name).partition(":")[0]).lower()
