"""Parquet files of ratings and items: the same content gives the same bytes."""

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


def write(frame: pd.DataFrame, path: str | Path, about: Mapping[str, str] | None = None) -> None:
    """Write rows of ratings or items in the order given, and what the file says of itself: of
    ratings the `digest` of the whole data set, of a split's part also its `slice` and `task`.
    """
    # Column by column, as Table.from_pandas would add metadata that holds the pandas version.
    fields, arrays, columns = [], [], RATINGS if "rating" in frame else ITEMS
    for name in (name for name in columns if name in frame):
        kind = columns[name][0 if frame[name].dtype.kind in "iuf" else -1]
        fields.append(pa.field(name, kind, nullable=False))
        arrays.append(pa.array(frame[name].to_numpy(), type=kind))
    schema = pa.schema(fields, metadata=dict(about) if about else None)
    with atomic(path) as temporary:
        table = pa.Table.from_arrays(arrays, schema=schema)
        pq.write_table(table, temporary, compression="zstd", row_group_size=1 << 20)


def _read(path: str | Path, columns: dict) -> pa.Table:
    with pq.ParquetFile(path) as file:  # pq.read_table would import all of Arrow's data sets
        table = file.read(use_threads=False)
    found = dict(zip(table.schema.names, table.schema.types, strict=True))
    if missing := [name for name in columns if name not in found and name != "task"]:
        raise ValueError(f"{path}: no column {missing[0]}, only {', '.join(found)}")
    for name, kind in found.items():
        kinds = columns.get(name, ("a column of this table",))
        if kind not in kinds:
            raise ValueError(f"{path}: column {name} is {kind}, not {' or '.join(map(str, kinds))}")
        row = pc.index(pc.is_null(table[name], nan_is_null=True), True).as_py()
        if row >= 0:
            raise ValueError(f"{path}: column {name}, row {row}: {table[name][row]} is no value")
    return table


def about(path: str | Path) -> dict[str, str]:
    """What a file of ratings says of itself."""
    metadata = pq.read_schema(path).metadata or {}
    return {key.decode(): value.decode() for key, value in metadata.items()}


def read_ratings(path: str | Path) -> pd.DataFrame:
    """Rating rows; a `ValueError` if the file has other columns or types, or a value is missing."""
    return _read(path, RATINGS).to_pandas()


def read_items(path: str | Path) -> pd.DataFrame:
    """Item rows, with categories as list[str]; raises as `read_ratings`."""
    table = _read(path, ITEMS)
    # Plain lists: pandas would hand out numpy arrays, which neither compare nor hash as one value.
    categories = pd.Series(table["categories"].to_pylist(), dtype=object)
    return table.drop_columns(["categories"]).to_pandas().assign(categories=categories)
