"""A curve along splits as a table: what its lines gain over another, and how sure that is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from talking_models.evidence.intervals import collect, difference
from talking_models.io import write_csv
from talking_models.metrics import METRICS
from talking_models.report.markdown import grid, interval, write

COLUMNS = ["data", "split", "line", "metric", "against", "level", "gain", "low", "high"]


def gains(
    predictions: Sequence[str | Path],
    lines: Mapping[str, str],
    against: str,
    metric: str,
    splits: Mapping[str, str],
) -> pd.DataFrame:
    """One row per data set, value of the splits and line, means over tasks: the `level` of what is
    compared with, and the `gain` over it, with its 95% interval from `low` to `high`.

    `splits` are ids in paths with their values; the predictions of one value are pooled.
    """
    groups: dict[tuple[str, str], list] = {}
    for path in predictions:
        data, split = str(path).split("/")[-5 if "/seed" not in str(path) else -6 :][:2]
        groups.setdefault((data, splits[split]), []).append(path)
    rows = []
    for (data, value), files in groups.items():
        evidence = collect(files, metric)
        level = evidence.values[evidence.experiments.index(against)].mean()
        for row, id in lines.items():
            change = difference(evidence, id, against)
            ends = [end[-1] for end in change.interval()]
            rows.append((data, value, row, metric, against, level, change.estimate[-1], *ends))
    return pd.DataFrame(rows, columns=COLUMNS)


def page(found: pd.DataFrame, about: Mapping[str, Any], stamp: str) -> list[str]:
    """The page: a table for each data set; what is better, and not by chance, is bold."""
    metric, parts = METRICS.get(about["metric"]), [f"# {about['title']}", stamp]
    for data, own in found.groupby("data", sort=False):
        levels = own.groupby("split", sort=False)["level"].first()
        rows = [[about["against"], *(f"{level:.4f}" for level in levels)]]
        for line, cells in own.groupby("line", sort=False):
            said = [line]
            for cell in cells.itertuples():
                change = interval(cell.gain, cell.low, cell.high)
                better = cell.low > 0 if metric.maximize else cell.high < 0
                said.append(f"**{change}**" if better else change)
            rows.append(said)
        parts += [f"## {about['names'][data]}", grid(["", *levels.index], rows)]
    return [
        *parts,
        f"{metric.title} of {about['against']}, and under it that of each method minus it, with "
        "95% intervals over users and seeds; means over tasks. Bold: better, and the interval "
        "leaves 0 out.",
    ]


def run(
    predictions: Sequence[str | Path],
    about: Mapping[str, Any],
    stamp: str,
    csv: str | Path,
    md: str | Path,
) -> None:
    """From prediction files to the table of a curve; `about` is what the plan says of it."""
    keys = ("lines", "against", "metric", "splits")
    found = gains(predictions, *(about[key] for key in keys))
    write_csv(csv, found)
    write(md, page(found, about, stamp))
