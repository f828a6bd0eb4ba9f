"""The statistics of all tables as a page: what differs from TD, and what cannot be said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from talking_models.evaluation.selection import Selection
from talking_models.evaluation.statistics import ALPHA, LOSS, MEAN, TIE, WIN
from talking_models.report.markdown import blocks, grid
from talking_models.report.tables import heading

REFERENCES, SELECTION = "references", "selection"
"""The `table` of the reference lines, and of the best settings on eval."""

METHOD = """\
A difference is a row's RMSE minus that of {name}, in stars: **positive where {name} is better**.
In brackets its 95% interval; \\* differs at 5% after Holm's correction over the genres.

Interval and p-value belong to a t-test whose standard error is the standard deviation over
{draws:,} draws of users and seeds. A draw holds the same users and seeds for both sides; users and
not rows are drawn because {users} users gave all evaluation rows. Movies are taken as given, and so
is the teacher that the students learn from. A win is an interval above 0, a loss one below 0, all
else a tie. "Told apart" is the smallest true difference that such an evaluation finds in 80% of
cases, by an interval that leaves out 0. *Same*: the same predictions, as an ablation has them that
changes what the tuned settings have already."""


def page(
    found: pd.DataFrame,
    titles: Mapping[str, str],
    against: str,
    best: Selection | None,
    candidates: Sequence[str],
    draws: int,
    stamp: str,
) -> str:
    """The page.

    Args:
        found: from `talking_models.report.significance`.
        titles: headings of its tables.
        against: the experiment that all others are compared with.
        best: the best of `candidates` on eval; None if there is only one.
        candidates: the settings of `against` that were compared.
        draws: how many there were.
        stamp: what the numbers were made from.
    """
    names = found.loc[(found["experiment"] == against) & (found["table"] != SELECTION), "method"]
    name = names.iloc[0] if len(names) else f"`{against}`"
    parts = [
        f"# Differences from {name}, with their uncertainty",
        stamp,
        METHOD.format(name=name, draws=draws, users=found["n_users"].max()),
        "## What can be told apart",
        resolution(found),
        selection(best, candidates, name),
    ]
    for table in (*(table for table in titles if table != REFERENCES), REFERENCES):
        rows = found[found["table"] == table]
        parts += [f"## {titles[table]}", summary(rows, name), *by_genre(rows)]
    return "\n\n".join(parts) + "\n"


def resolution(found: pd.DataFrame) -> str:
    """The smallest differences that this evaluation could have told apart, and the paper's."""
    pairs = found[found["detectable"].notna() & (found["table"] != REFERENCES)]
    pairs = pairs.drop_duplicates(["experiment", "task"])
    if pairs.empty:
        return "The tables have no row to compare with."
    genres, means = pairs[pairs["task"] != MEAN], pairs[pairs["task"] == MEAN]
    text = (
        f"A true difference that would have been found with a power of 80%, over all rows of the "
        f"tables: {_range(genres['detectable'])} in one genre; {_range(genres['detectable_holm'])} "
        f"at the strictest step of Holm's correction; {_range(means['detectable'])} in the mean "
        f"over the genres. The users of the evaluation rows, not the seeds, make up "
        f"{1 - means['seed_share'].median():.0%} of the variance of the latter (median)."
    )
    published = found[found["paper_difference"].notna() & (found["task"] != MEAN)]
    published = published[published["detectable"].notna()]
    if len(published):
        large = published["paper_difference"].abs() >= published["detectable"]
        text += (
            f" Of the {len(published)} differences that the paper prints for these rows and "
            f"genres, {large.sum()} are as large as what we could have told apart in the same cell."
        )
    return text


def _range(values: pd.Series) -> str:
    return f"{values.median():.4f} (median; {values.min():.4f} to {values.max():.4f})"


def selection(best: Selection | None, candidates: Sequence[str], name: str) -> str:
    """The line on picking settings by their score on eval."""
    if best is None:
        return f"Selection on eval: not shown, the tables have only one setting of {name}."
    listed = ", ".join(f"`{id_}`" for id_ in candidates)
    return (
        f"Selection on eval, **as the paper's own numbers seem to be made and none of ours is**: "
        f"taking for each genre whichever of {len(candidates)} settings ({listed}) is best on the "
        f"evaluation rows would lower the mean over the genres from {best.own.mean():.4f} to "
        f"{best.rmse.mean():.4f}, by {best.apparent:.4f}. Scored on users and seeds that had no "
        f"part in the choice, the same rule changes it by {-best.honest:+.4f}: "
        f"{best.flattery:.4f} of the gain is flattery."
    )


def summary(rows: pd.DataFrame, name: str) -> str:
    """One line per method: rank, difference of the means over the genres, wins."""
    ranked = rows["rank"].notna().any()
    header = [
        "Method",
        *(["Average rank"] if ranked else []),
        "Mean over genres: difference",
        "p",
        f"{name}: wins / ties / losses",
        "after Holm",
        "by the mean alone",
        "Told apart: one genre (median)",
        "mean over genres",
    ]
    lines = []
    for method, cells in rows.groupby("method", sort=False):
        genres, mean = cells[cells["task"] != MEAN], cells[cells["task"] == MEAN].iloc[0]
        line = [method, *([f"{mean['rank']:.2f}"] if ranked else [])]
        if pd.isna(mean["difference"]):
            lines.append([*line, *([""] * (len(header) - len(line)))])
            continue
        alone = genres["difference"].map(lambda d: WIN if d > 0 else LOSS if d < 0 else TIE)
        holm = genres["outcome"].where(genres["p_holm"] < ALPHA, TIE)
        line += [
            _with_interval(mean),
            _p(mean["p"]),
            *(_count(outcomes) for outcomes in (genres["outcome"], holm, alone)),
            *(_told_apart(x) for x in (genres["detectable"].median(), mean["detectable"])),
        ]
        lines.append(line)
    return grid(header, lines)


def by_genre(rows: pd.DataFrame) -> Iterable[str]:
    """Differences genre by genre, some genres side by side."""
    compared = rows[rows["difference"].notna() & (rows["task"] != MEAN)]
    if compared.empty:
        return
    cells = compared.set_index(["method", "task"])
    methods = list(dict.fromkeys(compared["method"]))
    for block in blocks(list(dict.fromkeys(compared["task"]))):
        yield grid(
            ["Method", *map(heading, block)],
            [[m, *(_with_interval(cells.loc[(m, t)]) for t in block)] for m in methods],
        )


def _told_apart(smallest: float) -> str:
    return "" if pd.isna(smallest) else f"{smallest:.4f}"


def _with_interval(cell: pd.Series) -> str:
    if cell["stderr"] == 0:
        return "*same*"
    mark = " \\*" if cell["p_holm"] < ALPHA else ""
    return f"{cell['difference']:+.4f} [{cell['low']:+.4f}, {cell['high']:+.4f}]{mark}"


def _p(p: float) -> str:
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _count(outcomes: pd.Series) -> str:
    return " / ".join(str((outcomes == kind).sum()) for kind in (WIN, TIE, LOSS))
