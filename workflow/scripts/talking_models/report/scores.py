"""One number per row of each table, as JSON: what `dvc metrics show` and `diff` read."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from talking_models.io import write_text


def run(csvs: Sequence[str | Path], out: str | Path) -> None:
    """From tables as CSV to one JSON file: metric, table, row, the mean over columns."""
    found: dict[str, dict] = {}
    for path in csvs:
        for key, cells in pd.read_csv(path).groupby(["metric", "table", "row"], sort=False):
            metric, table, row = key
            found.setdefault(metric, {}).setdefault(table, {})[str(row)] = cells["mean"].mean()
    write_text(out, json.dumps(found, indent=2, ensure_ascii=False) + "\n")
