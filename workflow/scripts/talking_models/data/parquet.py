"""Parquet files of ratings and items: the same content gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from talking_models.io import atomic

pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own keeps what it has freed from the rest

ID = (pa.int64(), pa.string())
RATINGS = {
    "user": ID,
    "item": ID,
    "rating": (pa.float32(),),
    "time": (pa.int64(),),  # seconds since 1970, UTC
    "task": (pa.string(),),
}
"""Columns with the types that they can have; `task` only where tasks are by a column."""
ITEMS = {
    "item": ID,
    "title": (pa.string(),),  # of a film with its year: "Toy Story (1995)"
    "categories": (pa.list_(pa.string()),),
}


def _write(
    frame: pd.DataFrame, columns: dict, path: str | Path, about: Mapping[str, str] | None = None
) -> None:
    # Column by column, as Table.from_pandas would add metadata that holds the pandas version.
    fields, arrays = [], []
    for name, kinds in columns.items():
        if name in frame:
            kind = kinds[-1] if frame[name].dtype.kind not in "iuf" else kinds[0]
            fields.append(pa.field(name, kind, nullable=False))
            arrays.append(pa.array(frame[name].to_numpy(), type=kind))
    schema = pa.schema(fields, metadata=dict(about) if about else None)
    table = pa.Table.from_arrays(arrays, schema=schema)
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=1 << 20)


def _read(path: str | Path, columns: dict) -> pa.Table:
    with pq.ParquetFile(path) as file:  # pq.read_table would import all of Arrow's data sets
        table = file.read(use_threads=False)
    found = dict(zip(table.schema.names, table.schema.types, strict=True))
    for name in columns:
        if name not in found and name != "task":
            raise ValueError(f"{path}: no column {name}, only {', '.join(found)}")
    for name, kind in found.items():
        if kind not in columns.get(name, ()):
            kinds = " or ".join(map(str, columns.get(name, ("a column of this table",))))
            raise ValueError(f"{path}: column {name} is {kind}, not {kinds}")
        bad = pc.is_null(table[name], nan_is_null=True)
        if pc.any(bad).as_py():
            row = bad.index(True).as_py()
            raise ValueError(f"{path}: column {name}, row {row}: {table[name][row]} is no value")
    return table


def write_ratings(
    ratings: pd.DataFrame, path: str | Path, about: Mapping[str, str] | None = None
) -> None:
    """Write rating rows (columns user, item, rating, time, perhaps task) in the order given.

    Args:
        ratings, path: the rows, and the file.
        about: what the file says of itself: `slice` and `task` of a split's part, `digest` of the
            whole data set.
    """
    _write(ratings, RATINGS, path, about)


def about(path: str | Path) -> dict[str, str]:
    """What a file of ratings says of itself."""
    metadata = pq.read_schema(path).metadata or {}
    return {key.decode(): value.decode() for key, value in metadata.items()}


def slice_of(path: str | Path) -> str | None:
    """The part of the split that a file of ratings says it holds."""
    return about(path).get("slice")


def write_items(items: pd.DataFrame, path: str | Path) -> None:
    """Write item rows (columns item, title, categories) in the order given."""
    _write(items, ITEMS, path)


def read_ratings(path: str | Path) -> pd.DataFrame:
    """Rating rows: user and item int64 or str, rating float32, time int64, perhaps task.

    Raises:
        ValueError: the file has other columns, or a value is missing.
    """
    return _read(path, RATINGS).to_pandas()


def read_items(path: str | Path) -> pd.DataFrame:
    """Item rows: item int64 or str, title str, categories list[str]; raises as `read_ratings`."""
    table = _read(path, ITEMS)
    # Plain lists: pandas would hand out numpy arrays, which neither compare nor hash as one value.
    categories = pd.Series(table["categories"].to_pylist(), dtype=object)
    return table.drop_columns(["categories"]).to_pandas().assign(categories=categories)
