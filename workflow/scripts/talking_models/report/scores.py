"""One number per row of each table, as JSON: what `dvc metrics show` and `diff` read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from talking_models.io import write_text


def run(csvs: Sequence[str | Path], out: str | Path) -> None:
    """From tables as CSV to one JSON file: metric, table, row, the mean over columns."""
    found: dict[str, Any] = {}
    for path in csvs:
        keys = ["metric", "table", "row"]
        for (metric, table, row), cells in pd.read_csv(path).groupby(keys, sort=False):
            found.setdefault(metric, {}).setdefault(table, {})[str(row)] = float(
                cells["mean"].mean()
            )
    write_text(out, json.dumps(found, indent=2, ensure_ascii=False) + "\n")
