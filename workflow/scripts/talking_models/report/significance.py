"""What differences in the tables are worth: every row against what its table names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from talking_models.evidence.intervals import (
    ALPHA,
    LOSS,
    MEAN,
    TIE,
    WIN,
    Evidence,
    collect,
    difference,
    holm,
    with_mean,
)
from talking_models.io import write_csv, write_text
from talking_models.report.markdown import blocks, grid
from talking_models.report.paper import Numbers, Paper, numbers

COLUMNS = [
    "table", "row", "experiment", "against", "data", "task", "metric", "value", "rank",
    "difference", "low", "high", "stderr", "df", "seed_share", "p", "p_holm", "outcome",
    "detectable", "detectable_holm", "paper_difference", "n_units", "n_seeds",
]  # fmt: skip

METHOD = """\
In brackets stands a difference's 95% interval; \\* differs at 5% after Holm's correction over the
columns. The standard error is that of the users or images drawn again and of the seeds, minus
what both hold (two-way); users and not rows count because a user's ratings are not independent.
Items are taken as given, and so is a teacher that all seeds share. A win is an interval on the
side of the row that others are compared with, a loss one on the other, all else a tie. "Told
apart" is the smallest true difference that such an evaluation finds in 80% of cases. *Same*: the
same predictions, as an ablation has them that changes what the settings have already."""


def compare(
    about: Mapping[str, Any],
    rows: Mapping[str, str],
    evidence: Evidence,
    paper: Paper,
    published: Numbers,
) -> pd.DataFrame:
    """One line per row and column, and per row one for the mean over the columns.

    Args:
        about: of the table; its `against` is what rows are compared with.
        rows: row names with experiment ids.
        evidence: of all experiments, on the columns of the table.
        paper, published: what is known of the paper's table.

    Returns:
        The columns `COLUMNS`. `difference` is the row's metric minus that of `against`, `low`,
        `high` and `stderr` its 95% interval and standard error, `seed_share` the seeds' part in
        its square; `p_holm` is corrected for the number of columns, `outcome` is `against`'s: win,
        tie or loss. `detectable` is the smallest difference that would be found with a power of
        80%, `detectable_holm` after the correction. `rank` is the row's; of the mean, the mean of
        its ranks.
    """
    against, columns = about["against"], [*evidence.columns, ("", MEAN)]
    places = [evidence.experiments.index(experiment) for experiment in rows.values()]
    values = with_mean(evidence.values)[places]
    # 1 for the best; equals share their ranks
    ranks = with_mean(rankdata(-evidence.sign * values[:, :-1], axis=0))
    name = next((name for name, id in rows.items() if id == against), None)
    theirs = [paper.column(*column) for column in columns]
    found = []
    for (row, id), own, rank in zip(rows.items(), values, ranks, strict=True):
        cells: dict[str, Any] = {
            "table": about["id"],
            "row": row,
            "experiment": id,
            "against": against,
            "data": [data for data, _ in columns],
            "task": [task for _, task in columns],
            "metric": about["metric"],
            "value": own,
            "rank": rank,
            "n_units": [*evidence.units, (evidence.rows > 0).any(axis=0).sum()],
            "n_seeds": evidence.seeds,
        }
        if id != against:
            change = difference(evidence, id, against)
            low, high = change.interval()
            printed = [_printed(published, row, name, column) for column in theirs[:-1]]
            opposite = {WIN: LOSS, TIE: TIE, LOSS: WIN}
            cells |= {
                "difference": change.estimate,
                "low": low,
                "high": high,
                "stderr": change.error,
                "df": change.freedom,
                "seed_share": change.seed_share,
                "p": change.p,
                "p_holm": [*holm(change.p[:-1]), np.nan],  # the mean is one test
                "outcome": [opposite[outcome] for outcome in change.outcomes],
                "detectable": change.detectable(),
                "detectable_holm": [*change.detectable(len(columns) - 1)[:-1], np.nan],
                "paper_difference": [*printed, np.mean(printed)],
            }
        found.append(pd.DataFrame(cells))
    frames = found or [pd.DataFrame()]  # images have no reference lines yet
    return pd.concat(frames, ignore_index=True).reindex(columns=COLUMNS)


def _printed(published: Numbers, row: str, name: str | None, column: str | None) -> float:
    """The published difference of two rows, NaN where one is not given."""
    one, other = (published.get((each, column), (np.nan,))[0] for each in (row, name))
    return one - other


def run(
    tables: Mapping[str, Mapping[str, Any]],
    predictions: Iterable[str | Path],
    references: Iterable[str | Path],
    facts: str | Path | None,
    stamp: str,
    csv: str | Path,
    md: str | Path,
) -> None:
    """The statistics of all tables, from files to files.

    Args:
        tables: what is to be known of each table (`Plan.about`), by id; its `names` and `columns`
            say which predictions are its own.
        predictions: of all experiments.
        references: of the reference lines.
        facts: see `report.paper.Paper`.
        stamp: what the numbers were made from.
        csv, md: files to write.
    """
    paper = Paper.read(facts)
    files = [*predictions, *references]
    everywhere = [(id, row) for about in tables.values() for row, id in about["rows"].items()]
    parts, pages, shown = [], [METHOD], set()
    for about in tables.values():
        own = [file for file in files if _is_of(file, about)]
        evidence = collect(own, about["metric"])
        rows = compare(about, about["rows"], evidence, paper, numbers(about["paper"]))
        lines = compare(about, about["references"], evidence, paper, {}).assign(rank=np.nan)
        parts += [rows, lines]
        against = about["against"], evidence.columns
        new = lines if against not in shown else lines.iloc[:0]  # once for each comparison
        shown.add(against)
        named = [(id, row) for row, id in about["rows"].items()] + everywhere
        name = next((row for id, row in named if id == about["against"]), f"`{about['against']}`")
        pages += page(about, name, rows, new, evidence)
    found = pd.concat([part for part in parts if len(part)], ignore_index=True)
    write_csv(csv, found)
    write_text(md, "\n\n".join(["# Differences with their uncertainty", stamp, *pages]) + "\n")


def _is_of(file: str | Path, about: Mapping[str, Any]) -> bool:
    """Whether predictions are of a table's columns, by their place."""
    return any(f"/{data}/{split}/{task}/" in str(file) for data, split, task in about["columns"])


def page(
    about: Mapping[str, Any],
    name: str,
    rows: pd.DataFrame,
    lines: pd.DataFrame,
    evidence: Evidence,
) -> list[str]:
    """The part of the page that is about one table; `name` is what its rows are compared with."""
    metric, seeds = evidence.metric, evidence.seeds
    units = f"{evidence.units.max():,} {metric.unit_column}s"
    units += " in the largest column" if len(evidence.columns) > 1 else ""
    parts = [
        f"## {about['title']}",
        f"A difference is a row's {metric.title} minus that of {name}: "
        f"**{'negative' if metric.maximize else 'positive'} where {name} is better**. Evaluated on "
        f"{units}, " + (f"{seeds} seeds." if seeds > 1 else "1 seed: of others nothing is known."),
    ]
    for part in (rows, lines):
        if len(part):
            parts += [summary(part, name), *by_column(part)]
    return [*parts, resolution(rows)]


def resolution(rows: pd.DataFrame) -> str:
    """The smallest differences that this evaluation could have told apart, and the paper's."""
    pairs = rows[rows["detectable"].notna()]
    if pairs.empty:
        return "No row differs from what it is compared with."
    cells, means = pairs[pairs["task"] != MEAN], pairs[pairs["task"] == MEAN]
    text = (
        f"Told apart with a power of 80%: {_range(cells['detectable'])} in one column, "
        f"{_range(means['detectable'])} in the mean over the columns."
    )
    published = cells[cells["paper_difference"].notna()]
    if len(published):
        large = published["paper_difference"].abs() >= published["detectable"]
        text += (
            f" Of the {len(published)} differences that the paper prints for these cells, "
            f"{large.sum()} are as large as that."
        )
    return text


def _range(values: pd.Series) -> str:
    return f"{values.median():.4f} (median; {values.min():.4f} to {values.max():.4f})"


def summary(rows: pd.DataFrame, name: str) -> str:
    """One line per row: rank, difference of the means over the columns, wins."""
    ranked = rows["rank"].notna().any()
    head = ["Row", *(["Rank"] if ranked else []), "Mean: difference", "p"]
    head += [f"{name}: wins / ties / losses", "after Holm", "Told apart: mean"]
    lines = []
    for row, cells in rows.groupby("row", sort=False):
        each, mean = cells[cells["task"] != MEAN], cells[cells["task"] == MEAN].iloc[0]
        line = [row, *([f"{mean['rank']:.2f}"] if ranked else [])]
        if pd.isna(mean["difference"]):
            lines.append([*line, *([""] * (len(head) - len(line)))])
            continue
        sure = each["outcome"].where(each["p_holm"] < ALPHA, TIE)
        told = mean["detectable"]
        line += [
            with_interval(mean),
            _p(mean["p"]),
            *(_count(outcomes) for outcomes in (each["outcome"], sure)),
            "" if pd.isna(told) else f"{told:.4f}",
        ]
        lines.append(line)
    return grid(head, lines)


def by_column(rows: pd.DataFrame) -> Iterable[str]:
    """Differences column by column, some side by side."""
    compared = rows[rows["difference"].notna() & (rows["task"] != MEAN)]
    if compared.empty:
        return
    cells = compared.set_index(["row", "data", "task"])
    columns = list(compared[["data", "task"]].drop_duplicates().itertuples(index=False, name=None))
    for block in blocks(columns):
        names = [data if task == "all" else task for data, task in block]
        yield grid(
            ["Row", *names],
            [
                [row, *(with_interval(cells.loc[(row, *column)]) for column in block)]
                for row in dict.fromkeys(compared["row"])
            ],
        )


def with_interval(cell: pd.Series) -> str:
    """A difference with its interval."""
    if cell["stderr"] == 0:
        return "*same*"
    mark = " \\*" if cell["p_holm"] < ALPHA else ""
    return f"{cell['difference']:+.4f} [{cell['low']:+.4f}, {cell['high']:+.4f}]{mark}"


def _p(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _count(outcomes: pd.Series) -> str:
    return " / ".join(str((outcomes == kind).sum()) for kind in (WIN, TIE, LOSS))
