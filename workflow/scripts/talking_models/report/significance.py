"""What differences in the tables are worth: every row against what its table names."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from talking_models.evidence import intervals
from talking_models.evidence.intervals import ALPHA, LOSS, MEAN, TIE, WIN, Evidence, with_mean
from talking_models.evidence.items import Rows, read_rows
from talking_models.evidence.scores import of_jobs
from talking_models.io import write_csv
from talking_models.metrics import METRICS
from talking_models.report.markdown import blocks, grid, interval, write
from talking_models.report.paper import Paper, means, numbers

COLUMNS = [
    "table", "row", "experiment", "against", "data", "task", "metric", "value", "rank",
    "difference", "low", "high", "stderr", "df", "seed_share", "p", "p_holm", "outcome",
    "detectable", "detectable_holm", "half_with_items", "paper_difference", "n_units", "n_seeds",
]  # fmt: skip

METHOD = """\
In brackets stands a difference's 95% interval; \\* differs at 5% after Holm's correction over the
columns. The standard error is that of the users or images drawn again and of the seeds, minus
what both hold (two-way); users and not rows count because a user's ratings are not independent.
Taken as given are training rows, the places in time where the data are cut, items, the settings
that a search chose, and a teacher that all seeds share. How wide the mean's interval would be were
the items drawn again, too, stands beside it. A win is an interval on the side of the row that
others are compared with, a loss one on the other, all else a tie. "Told apart" is the smallest true
difference that such an evaluation finds in 80% of cases. *Same*: the same predictions, as an
ablation has them that changes what the settings have already."""
OPPOSITE = {WIN: LOSS, TIE: TIE, LOSS: WIN}


def evidence_of(
    about: Mapping[str, Any], experiments: Iterable[str], files: Iterable[str | Path]
) -> Evidence:
    """The evidence of some experiments on the columns of a table, of files that have more."""
    return intervals.collect(of_jobs(files, about["columns"], experiments), about["metric"])


def compare(
    about: Mapping[str, Any],
    rows: Mapping[str, str],
    evidence: Evidence,
    ratings: Rows | None,
    paper: Paper,
    published: pd.DataFrame,
) -> pd.DataFrame:
    """One line per row and column, and per row one for the mean over the columns: `COLUMNS`.

    `difference` is the row's metric minus that of `against`, with its 95% interval, `seed_share`
    the seeds' part in the square of `stderr`; `outcome` is `against`'s: win, tie or loss.
    `detectable` is the smallest difference that would be found with a power of 80%; `p_holm` and
    `detectable_holm` are corrected for the number of columns. The mean's `rank` is that of ranks,
    `half_with_items` half the width of its interval if `ratings` were of items drawn again, too.
    """
    against, sign = about["against"], evidence.sign
    values = evidence.values[[evidence.experiments.index(id) for id in rows.values()]]
    ranks = stats.rankdata(-sign * values, axis=0)  # equals share theirs
    name = next((name for name, id in rows.items() if id == against), None)
    theirs = [paper.column(*column) for column in evidence.columns]
    found = []
    for (row, id), own, rank in zip(rows.items(), values, ranks, strict=True):
        cells = pd.DataFrame([*evidence.columns, ("", MEAN)], columns=["data", "task"])
        cells[["row", "experiment"]] = row, id
        cells["value"], cells["rank"] = with_mean(own), with_mean(rank)
        if id != against:
            change = intervals.difference(evidence, id, against)
            cells["difference"], cells["stderr"] = change.estimate, change.error
            cells["low"], cells["high"] = change.interval()
            cells["df"], cells["seed_share"] = change.freedom, change.seed_share
            cells["p"], cells["detectable"] = change.p, change.detectable()
            cells["p_holm"] = [*intervals.holm(change.p[:-1]), np.nan]  # the mean is one test
            cells["outcome"] = [OPPOSITE[outcome] for outcome in change.outcomes]
            cells["detectable_holm"] = [*change.detectable(len(theirs))[:-1], np.nan]
            printed = means(published, row, theirs) - means(published, name, theirs)
            cells["paper_difference"] = with_mean(printed)
            if ratings:
                half = ratings.half_width(id, against)
                cells["half_with_items"] = [*[np.nan] * len(theirs), half]
        cells["n_units"] = [*evidence.units, (evidence.rows > 0).any(axis=0).sum()]
        found.append(cells)
    common = {"table": about["id"], "against": against, "metric": about["metric"]}
    cells = pd.concat(found, ignore_index=True).assign(**common, n_seeds=evidence.seeds)
    return cells.reindex(columns=COLUMNS)


def run(
    tables: Mapping[str, Mapping[str, Any]],
    predictions: Iterable[str | Path],
    references: Iterable[str | Path],
    facts: str | Path | None,
    stamp: str,
    csv: str | Path,
    md: str | Path,
) -> None:
    """The statistics of all tables, which are what the plan says of them, from files to files."""
    paper, files = Paper.read(facts), [*predictions, *references]
    names: dict[str, str] = {}  # the first is meant, of the own table or all
    for about in reversed(tables.values()):
        names |= names_of(about)
    found, pages, shown = [], [METHOD], set()
    for about in tables.values():
        against = about["against"]
        parts, evidence = compared(about, files, paper)
        found += parts
        name = (names | names_of(about)).get(against, f"`{against}`")
        new = (against, evidence.columns) not in shown  # lines once for each comparison
        shown.add((against, evidence.columns))
        pages += page(about["title"], name, parts if new else parts[:1], evidence)
    write_csv(csv, pd.concat(found, ignore_index=True))
    write(md, ["# Differences with their uncertainty", stamp, *pages])


def names_of(about: Mapping[str, Any]) -> dict[str, str]:
    """The rows of a table by their experiments, the first of those that have one."""
    return {id: row for row, id in reversed(about["rows"].items())}


def compared(
    about: Mapping[str, Any], files: Iterable[str | Path], paper: Paper
) -> tuple[list[pd.DataFrame], Evidence]:
    """`compare` of a table's rows, and of its reference lines, from files that may have more."""
    ids = {*about["rows"].values(), about["against"], "references"}
    evidence = evidence_of(about, ids, files)
    ratings = read_rows(of_jobs(files, about["columns"], ids), about["metric"])
    given = evidence, ratings, paper
    parts = [compare(about, about["rows"], *given, numbers(about["paper"]))]
    if about["references"]:
        lines = compare(about, about["references"], *given, numbers(None))
        parts.append(lines.assign(rank=np.nan))
    return parts, evidence


def block(about: Mapping[str, Any], files: Iterable[str | Path], paper: Paper) -> list[str]:
    """Of the page of a table that is made by its name, and not among those of all differences."""
    if not about["apart"]:
        return []
    name = names_of(about).get(about["against"], f"`{about['against']}`")
    return [*page("Differences", name, *compared(about, files, paper)), METHOD]


def page(title: str, name: str, parts: Sequence[pd.DataFrame], evidence: Evidence) -> list[str]:
    """The part of the page that is about one table, compared with `name`.

    `parts` are from `compare`: of its rows, and of the reference lines.
    """
    metric, seeds = evidence.metric, evidence.seeds
    units = f"{evidence.units.max():,} {metric.unit_column}s"
    units += " in the largest column" if len(evidence.columns) > 1 else ""
    better = f"**{'negative' if metric.maximize else 'positive'} where {name} is better**"
    drawn = f"{seeds} seeds" if seeds > 1 else "1 seed: of others nothing is known"
    found = [
        f"## {title}",
        f"A difference is a row's {metric.title} minus that of {name}: {better}. Evaluated on "
        f"{units}, {drawn}.",
    ]
    for part in parts:
        found += [summary(part, name), *by_column(part)]
    return [*found, resolution(parts[0])]


def resolution(rows: pd.DataFrame) -> str:
    """The smallest differences that this evaluation could have told apart, and the paper's."""
    pairs = rows[rows["detectable"].notna()]
    if pairs.empty:
        return "No row differs from what it is compared with."
    cells, mean = pairs[pairs["task"] != MEAN], pairs[pairs["task"] == MEAN]
    n = digits(rows.iloc[0])
    spans = [
        f"{told.median():.{n}f} (median; {told.min():.{n}f} to {told.max():.{n}f})"
        for told in (cells["detectable"], mean["detectable"])
    ]
    text = f"Told apart with a power of 80%: {spans[0]} in one column, "
    text += f"{spans[1]} in the mean over the columns."
    published = cells[cells["paper_difference"].notna()]
    if len(published):
        large = published["paper_difference"].abs() >= published["detectable"]
        text += (
            f" Of the {len(published)} differences that the paper prints for these cells, "
            f"{large.sum()} are as large as that."
        )
    return text


def digits(cell: pd.Series) -> int:
    """Decimals of the metric of a difference."""
    return METRICS.get(cell["metric"]).digits


def summary(rows: pd.DataFrame, name: str) -> str:
    """One line per row: rank, difference of the means over the columns, wins."""
    ranked = rows["rank"].notna().any()
    head = ["Row", *(["Rank"] if ranked else []), "Mean: difference", "Items drawn, too", "p"]
    head += [f"{name}: wins / ties / losses", "after Holm", "Told apart: mean"]
    lines = []
    for row, cells in rows.groupby("row", sort=False):
        each, mean = cells[cells["task"] != MEAN], cells[cells["task"] == MEAN].iloc[0]
        line = [row, *([f"{mean['rank']:.2f}"] if ranked else [])]
        if pd.notna(mean["difference"]):
            sure = each["outcome"].where(each["p_holm"] < ALPHA, TIE)
            wins = [
                " / ".join(str((outcomes == kind).sum()) for kind in (WIN, TIE, LOSS))
                for outcomes in (each["outcome"], sure)
            ]
            p = "< 0.0001" if mean["p"] < 0.0001 else f"{mean['p']:.4f}"
            told = "" if pd.isna(mean["detectable"]) else f"{mean['detectable']:.{digits(mean)}f}"
            none = pd.isna(mean["half_with_items"]) or mean["stderr"] == 0
            more = "" if none else f"± {mean['half_with_items']:.{digits(mean)}f}"
            line += [with_interval(mean), more, p, *wins, told]
        lines.append(line + [""] * (len(head) - len(line)))
    return grid(head, lines)


def by_column(rows: pd.DataFrame) -> list[str]:
    """Differences column by column."""
    cells = rows[rows["difference"].notna() & (rows["task"] != MEAN)]
    found = {}
    for row, own in cells.groupby("row", sort=False):
        names = own["task"].where(own["task"] != "all", own["data"])
        found[row] = pd.Series([with_interval(cell) for _, cell in own.iterrows()], names)
    return blocks("Row", pd.DataFrame(found).T)


def with_interval(cell: pd.Series) -> str:
    """A difference with its interval, marked where it is certain."""
    if cell["stderr"] == 0:
        return "*same*"
    n = digits(cell)
    if pd.isna(cell["stderr"]):  # of a single unit
        return f"{cell['difference']:+.{n}f}"
    text = interval(cell["difference"], cell["low"], cell["high"], n)
    return text + " \\*" if cell["p_holm"] < ALPHA else text
