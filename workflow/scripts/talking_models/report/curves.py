"""A curve along splits as a table: what its lines gain over another, and how sure that is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from talking_models.evidence.intervals import ALPHA, collect, difference, holm
from talking_models.evidence.scores import job_of
from talking_models.io import write_csv
from talking_models.metrics import METRICS
from talking_models.report import searches
from talking_models.report.markdown import grid, interval, write

COLUMNS = [
    "data", "split", "line", "metric", "against", "level", "gain", "low", "high", "p", "p_holm",
    "parameters", "in_tables", "steps", "flops",
]  # fmt: skip
TAKES = (
    "What a student weighs, in the first task, and the operations in the products of its training, "
    "in brackets how many times as many as that of {}; without its teachers' training, and what "
    "they answer once on all rows."
)


def gains(
    predictions: Sequence[str | Path],
    lines: Mapping[str, str],
    against: str,
    metric: str,
    splits: Mapping[str, str],
    costs: Sequence[str | Path] = (),
) -> pd.DataFrame:
    """One row per data set, value of the splits and line, means over tasks: the `level` of what is
    compared with, whose own row is the first, and the `gain` over it, with its 95% interval from
    `low` to `high` and its `p`, in `p_holm` corrected for the number of lines; and what training
    takes, see `evidence.cost`, as far as it was counted.

    `splits` are ids in paths with their values; the predictions of one value are pooled.
    """
    groups: dict[tuple[str, str], list] = {}
    for path in predictions:
        data, split, *_ = job_of(path)
        groups.setdefault((data, splits[split]), []).append(path)
    spent = {}
    for path in costs:
        data, split, _, id = job_of(path)
        spent[data, splits[split], id] = pd.read_csv(path).iloc[0].to_dict()
    rows = []
    for (data, value), files in groups.items():
        evidence = collect(files, metric)
        level = evidence.values[evidence.experiments.index(against)].mean()
        common = {"data": data, "split": value, "metric": metric, "against": against}
        common["level"] = level
        named = {against: against, **lines}
        changes = {row: difference(evidence, id, against) for row, id in named.items()}
        others = {row: changes[row].p[-1] for row, id in named.items() if id != against}
        p = pd.Series(others, dtype=float)
        sure = pd.Series(holm(p.to_numpy()), p.index)
        for row, change in changes.items():
            low, high = (end[-1] for end in change.interval())
            own = {"line": row, "gain": change.estimate[-1], "low": low, "high": high}
            own |= {"p": p.get(row), "p_holm": sure.get(row)}
            rows.append({**common, **own, **spent.get((data, value, named[row]), {})})
    return pd.DataFrame(rows, columns=COLUMNS)


def page(found: pd.DataFrame, about: Mapping[str, Any], stamp: str) -> list[str]:
    """The page: a table for each data set; what is better, and not by chance, is bold."""
    metric, parts = METRICS.get(about["metric"]), [f"# {about['title']}", stamp]
    names = {line: f"{line} ‡" for line in about["untuned"]}
    for data, own in found.groupby("data", sort=False):
        values, rows, takes = own["split"].unique(), [], []
        for line, cells in own.groupby("line", sort=False):
            name = names.get(line, line)
            texts = [name]
            for cell in cells.itertuples():
                change = interval(cell.gain, cell.low, cell.high, metric.digits)
                better = (cell.gain > 0) == metric.maximize and cell.p_holm < ALPHA
                change = f"**{change}**" if better else change
                level = f"{cell.level:.{metric.digits}f}"
                texts.append(level if line == about["against"] else change)
            rows.append(texts)
            takes.append([name, *spent(cells, own[own["line"] == about["against"]])])
        parts += [f"## {about['names'][data]}", grid(["", *values], rows)]
        if own["flops"].notna().any():
            head = ["", "Parameters", "without tables", *(f"GFLOP, {value}" for value in values)]
            parts += [grid(head, takes), TAKES.format(about["against"])]
    note = (
        f"{metric.title} of {about['against']}, and under it that of each method minus it, with "
        "95% intervals over users and seeds; means over tasks. Bold: better, at 5% after Holm's "
        "correction over the lines of a column."
    )
    return [*parts, f"{note} {searches.UNTUNED}" if names else note]


def spent(cells: pd.DataFrame, others: pd.DataFrame) -> list[str]:
    """What a line's student weighs, and what its training takes for each split, in brackets how
    many times as much as that of `others`.
    """
    weight, rest = cells["parameters"].max(), cells["in_tables"].max()
    times = cells["flops"].to_numpy() / others["flops"].to_numpy()
    flops = [
        f"{flop / 1e9:.{int(flop < 1e10)}f} ({x:.{int(x < 10)}f}×)"
        for flop, x in zip(cells["flops"], times, strict=True)
    ]
    return [f"{weight:,.0f}", f"{weight - rest:,.0f}", *flops]


def run(
    predictions: Sequence[str | Path],
    costs: Sequence[str | Path],
    choices: Sequence[str | Path],
    about: Mapping[str, Any],
    stamp: str,
    csv: str | Path,
    md: str | Path,
) -> None:
    """From files of predictions, of costs and of choices to the table of a curve; `about` is what
    the plan says of it.
    """
    keys = ("lines", "against", "metric", "splits")
    found = gains(predictions, *(about[key] for key in keys), costs)
    write_csv(csv, found)
    write(md, [*page(found, about, stamp), *searches.block(about["searched"], choices)])
