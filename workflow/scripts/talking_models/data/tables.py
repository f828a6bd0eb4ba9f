"""Parquet files of ratings and movies: the same content gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from talking_models.io import atomic

pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own keeps what it has freed from the rest

RATINGS = pa.schema(
    [
        pa.field("user", pa.int32(), nullable=False),
        pa.field("movie", pa.int32(), nullable=False),
        pa.field("rating", pa.float32(), nullable=False),  # stars, 0.5 or 1 to 5
        pa.field("timestamp", pa.int64(), nullable=False),  # seconds since 1970, UTC
    ]
)
MOVIES = pa.schema(
    [
        pa.field("movie", pa.int32(), nullable=False),
        pa.field("title", pa.string(), nullable=False),  # with its year: "Toy Story (1995)"
        pa.field("genres", pa.list_(pa.string()), nullable=False),
    ]
)


def _write(frame: pd.DataFrame, schema: pa.Schema, path: str | Path) -> None:
    # Column by column, as Table.from_pandas would add metadata that holds the pandas version.
    columns = [pa.array(frame[field.name].to_numpy(), type=field.type) for field in schema]
    table = pa.Table.from_arrays(columns, schema=schema)
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=1 << 20)


def _read(path: str | Path, schema: pa.Schema) -> pa.Table:
    with pq.ParquetFile(path) as file:  # pq.read_table would import all of Arrow's data sets
        table = file.read(use_threads=False)
    if table.schema.names != schema.names or table.schema.types != schema.types:
        raise ValueError(f"{path}: expected the columns {schema}, found {table.schema}")
    return table


def write_ratings(ratings: pd.DataFrame, path: str | Path, slice: str | None = None) -> None:
    """Write rating rows (columns user, movie, rating, timestamp) in the order given.

    Args:
        ratings: the rows.
        path: the file.
        slice: the part of the split that the rows are, if any; it is written into the file.
    """
    _write(ratings, RATINGS.with_metadata({"slice": slice} if slice else None), path)


def slice_of(path: str | Path) -> str | None:
    """The part of the split that a file of ratings says it holds."""
    metadata = pq.read_schema(path).metadata or {}
    return metadata.get(b"slice", b"").decode() or None


def write_movies(movies: pd.DataFrame, path: str | Path) -> None:
    """Write movie rows (columns movie, title, genres) in the order given."""
    _write(movies, MOVIES, path)


def read_ratings(path: str | Path) -> pd.DataFrame:
    """Rating rows: user int32, movie int32, rating float32 (stars), timestamp int64 (seconds).

    Raises:
        ValueError: the file has other columns.
    """
    return _read(path, RATINGS).to_pandas()


def read_movies(path: str | Path) -> pd.DataFrame:
    """Movie rows: movie int32, title str, genres list[str].

    Raises:
        ValueError: the file has other columns.
    """
    table = _read(path, MOVIES)
    # Plain lists: pandas would hand out numpy arrays, which neither compare nor hash as one value.
    genres = pd.Series(table["genres"].to_pylist(), dtype=object)
    return table.drop_columns(["genres"]).to_pandas().assign(genres=genres)
