"""One number per row of each table, as JSON: what `dvc metrics show` and `diff` read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from talking_models.io import write_text


def means(csvs: Mapping[str, str | Path]) -> dict[str, dict[str, float]]:
    """The mean RMSE over the genres, in stars, of each table's rows.

    Args:
        csvs: ids of tables with their files, see `report.tables`.
    """
    found = {}
    for table, path in csvs.items():
        rows = pd.read_csv(path).groupby("method", sort=False)["mean"].mean()
        found[table] = {str(method): float(mean) for method, mean in rows.items()}
    return found


def run(tables: Sequence[str], csvs: Sequence[str | Path], out: str | Path) -> None:
    """From tables as CSV, in the order of `tables`, to one JSON file."""
    found = {"rmse": means(dict(zip(tables, csvs, strict=True)))}
    write_text(out, json.dumps(found, indent=2, ensure_ascii=False) + "\n")
