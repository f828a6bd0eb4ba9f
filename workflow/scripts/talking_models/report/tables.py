"""Tables of results: tidy numbers for programs, Markdown for people.

A table is told by what the workflow's plan says of it (`plan.Plan.about`): its rows with
their experiments, its columns, its metric, what it is compared with.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from talking_models.data.names import title_tokens
from talking_models.errors import explained
from talking_models.evidence.scores import score
from talking_models.evidence.shares import LEAST, shares
from talking_models.io import write_csv
from talking_models.metrics import METRICS
from talking_models.report import fidelity, searches, significance, strata
from talking_models.report.markdown import blocks, grid, write
from talking_models.report.paper import Paper, numbers, unmatched

COLUMNS = [
    "table", "row", "experiment", "data", "split", "task", "metric", "mean", "stderr", "n_seeds",
    "n_eval", "paper_column", "paper_mean", "paper_stderr",
]  # fmt: skip
KEY = ["data", "split", "task"]


def tidy(
    about: Mapping[str, Any],
    rows: Mapping[str, str],
    metrics: pd.DataFrame,
    paper: Paper,
    published: pd.DataFrame,
) -> pd.DataFrame:
    """One line per row (its name with the experiment that fills it) and column: `COLUMNS`, from
    `evidence.scores.score` of all jobs; `mean` and `stderr` are over seeds.
    """
    metrics = metrics[metrics["metric"] == about["metric"]]
    groups = metrics.groupby(["experiment", *KEY])
    found = groups["value"].agg(mean="mean", stderr="sem", n_seeds="count")
    found = found.join(groups["n_eval"].first())
    columns = metrics[KEY].drop_duplicates().itertuples(index=False, name=None)
    lines = [
        (
            *(about["id"], row, id, data, split, task, about["metric"]),
            *found.loc[(id, data, split, task)],
            paper.column(data, task),
        )
        for (row, id), (data, split, task) in product(rows.items(), columns)
    ]
    cells = pd.DataFrame(lines, columns=COLUMNS[:-2]).astype({"n_seeds": int, "n_eval": int})
    return cells.join(published.add_prefix("paper_"), on=["row", "paper_column"])


def headings(cells: pd.DataFrame, names: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Titles of columns, by data and task: the paper's name first, if it has one."""
    several = cells["data"].nunique() > 1
    found = {}
    columns = cells[["data", "task", "paper_column"]].drop_duplicates()
    for data, task, theirs in columns.itertuples(index=False):
        own = names[data] if task == "all" else f"{names[data]}: {task}" if several else task
        known = pd.isna(theirs) or title_tokens(theirs) == ["".join(title_tokens(own))]
        found[data, task] = own if known else f"{theirs}: {own}"
    return found


class Page:
    """A table for people: ours in the published layout, then ours beside the paper's."""

    def __init__(self, about: Mapping[str, Any], cells: pd.DataFrame, lines: pd.DataFrame) -> None:
        """See `tidy`; `lines` are the cells of the reference lines."""
        self.about, self.metric = about, METRICS.get(about["metric"])
        self.heads = headings(cells, about["names"])
        self.mean, self.stderr = self.wide(cells, "mean"), self.wide(cells, "stderr")
        self.lines = self.wide(lines, "mean")
        sign = 1 if self.metric.maximize else -1
        self.bold = [row for row in self.mean.index if row in about["bold"]]
        candidates = sign * self.mean.loc[self.bold]
        self.best = candidates.eq(candidates.max()).reindex(self.mean.index, fill_value=False)
        mark = sign * self.lines.iloc[-1] if len(lines) else -np.inf
        self.lost = (sign * self.mean).lt(mark)

    def wide(self, cells: pd.DataFrame, key: str) -> pd.DataFrame:
        """A number of some cells, rows by (data, task)."""
        wide = cells.set_index(["row", "data", "task"])[key].astype(float).unstack([1, 2])
        return wide.reindex(index=cells["row"].unique(), columns=list(self.heads))

    def number(self, value: float) -> str:
        """A value of the metric."""
        return f"{value:.{self.metric.digits}f}"

    def blocks(self, cells: pd.DataFrame, means: Sequence[str]) -> list[str]:
        """Some columns side by side, the mean of all behind the last ones."""
        several = len(self.heads) > 1 and len({data for data, _ in self.heads}) == 1
        cells = cells.set_axis(list(self.heads.values()), axis=1)
        return blocks("Method", cells, means if several else ())

    def ours(self) -> list[str]:
        """Our numbers, with the reference lines."""
        text = self.mean.map(self.number)
        text += self.stderr.map(lambda e: "" if pd.isna(e) else f" ± {self.number(e)}")
        text = text.mask(self.best, "**" + text + "**")
        text = text.mask(self.lost, text + " †")
        text = text.rename(index={row: f"{row} ‡" for row in self.about["untuned"]})
        lines = self.lines.map(self.number).rename(index="_{}_".format)
        means = pd.concat([self.mean, self.lines]).mean(axis=1)
        return self.blocks(pd.concat([text, lines]), means.map(self.number))

    def notes(self) -> str:
        """What the marks mean."""
        metric, one = self.metric, self.stderr.isna().all(axis=None)
        better, best = ("higher", "highest") if metric.maximize else ("lower", "lowest")
        units = " or ".join(sorted({*self.about["units"].values()} - {""}))
        unit = units if metric.unit is None else metric.unit
        found = [
            f"{metric.title}{f' in {unit}' if unit else ''}, {better} is better"
            + (", of one seed." if one else "; mean ± standard error over seeds.")
        ]
        if self.bold:
            found.append(f"**Bold**: the {best} mean among {', '.join(self.bold)}.")
        if len(self.lines):
            found.append(
                f"_Italic_: reference lines, {self.about['lines']}. † worse than "
                f"_{self.lines.index[-1]}_, which holds for {self.lost.to_numpy().sum()} of "
                f"{self.lost.size} cells."
            )
        if self.about["untuned"]:
            found.append(searches.UNTUNED)
        return " ".join(found)

    def beside_paper(self, cells: pd.DataFrame, remarks: Sequence[str]) -> list[str]:
        """The second block: each mean of ours, on what the paper counts, with the paper's."""
        ours, theirs = self.wide(cells, "mean"), self.wide(cells, "paper_mean")
        if theirs.isna().all(axis=None):
            return [" ".join(remarks)] if remarks else []
        whole = ours.mean(axis=1), theirs.mean(axis=1, skipna=False)
        both = [
            own.map(self.number) + " / " + paper.map(self.number).mask(paper.isna(), "not given")
            for own, paper in ((ours, theirs), whole)
        ]
        why = (
            "The paper names neither its tasks nor its cut of the data, so that a difference "
            "between columns may come from there; compare methods within a column."
        )
        return ["## Ours / the paper's", *self.blocks(*both), " ".join([why, *remarks])]


def run(
    about: Mapping[str, Any],
    metrics: Iterable[str | Path],
    references: Sequence[str | Path],
    predictions: Sequence[str | Path],
    histories: Sequence[str | Path],
    lines: Sequence[str | Path],
    choices: Iterable[str | Path],
    facts: str | Path | None,
    stamp: str,
    csv: str | Path,
    md: str | Path,
) -> None:
    """A table from the files of its jobs, from files to files.

    Args:
        metrics, references: of all jobs, column by column, and of the reference lines.
        predictions, lines: of all jobs, and of the reference lines.
        histories: of the jobs that trained.
        choices: of the searches behind the rows.
        facts, stamp: see `report.paper`, and what the numbers were made from, in words.
    """
    paper, published = Paper.read(facts), numbers(about["paper"])
    scores = gathered(about, metrics, predictions)
    cells = tidy(about, about["rows"], scores, paper, published)
    own = gathered(about, references, lines) if references else scores
    page = Page(about, cells, tidy(about, about["references"], own, paper, numbers(None)))
    remarks = unmatched(published, about["rows"], cells["paper_column"])
    names = about["names"]
    counted = [f"{n:,} of {names[data]}" for data, n in paper.first.items() if data in names]
    if counted:
        remarks.append(f"Both count the first evaluation examples alone: {', '.join(counted)}.")
    first = on_first(scores, predictions, paper, about["metric"])
    beside = page.beside_paper(tidy(about, about["rows"], first, paper, published), remarks)
    write_csv(csv, cells)
    more = [
        *significance.block(about, [*predictions, *lines], paper),
        *strata.block(about, predictions, lines),
        *fidelity.block(about, predictions),
        *of_gradient(about, shares(histories, about["columns"], about["rows"].values())),
        *searches.block(about["searched"], choices),
    ]
    write(md, [f"# {about['title']}", stamp, *page.ours(), page.notes(), *beside, *more])


def of_gradient(about: Mapping[str, Any], found: pd.DataFrame) -> list[str]:
    """How much the parts of each row's loss move the student, from `evidence.shares`."""
    named = {part: part.replace("_", " ") for part in found}
    rows = [
        [row, *("" if pd.isna(x) else f"{x:.0%}" for x in found.loc[id, list(named)])]
        for row, id in about["rows"].items()
        if id in found.index
    ]
    note = (
        "The norm of each part's gradient over the student in per cent of the label's, as it is "
        "weighted; means over training and tasks. Leaving out a part of less than 5% tests nothing."
    )
    off = [
        f"{row} ({named[part]} of {base})"
        for row, base, part in left_out(about, found)
        if found.loc[about["rows"][base], part] < LEAST
    ]
    note += f" *Not tested*: {', '.join(off)}." if off else ""
    table = grid(["Method", *named.values()], rows)
    return ["## What moves the student", table, note] if rows else []


def left_out(about: Mapping[str, Any], found: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Rows that lack a part of the loss of another row which they are like; that row, the part."""
    searched, rows = about["searched"], about["rows"]
    for row, base in searched["like"].items():
        whole = next((each for each, id in searched["rows"].items() if id == base), None)
        if whole in rows and {rows[row], rows[whole]} <= {*found.index}:
            own, full = found.loc[rows[row]], found.loc[rows[whole]]
            yield from ((row, whole, part) for part in found if full[part] > 0 and own.isna()[part])


def read_scores(path: str | Path, metric: str) -> pd.DataFrame:
    """The metrics of a job; a `SourceError` if the file is none of its, or was cut."""
    wrong, advice = f"{path} holds no metrics of a job", "remove it and run again"
    with explained(wrong, f"whole lines, some of {metric}", advice):
        text = Path(path).read_text(encoding="utf-8")
        frame = pd.read_csv(StringIO(text), dtype={"value": float})
        if metric not in set(frame["metric"]) or not text.endswith("\n"):
            raise ValueError(f"{len(frame)} lines that end with {text[-40:]!r}")
    return frame


def gathered(
    about: Mapping[str, Any], metrics: Iterable[str | Path], predictions: Iterable[str | Path]
) -> pd.DataFrame:
    """Metrics of some jobs; of windows of a split, or draws, on the predictions of all."""
    if not about["pooled"]:
        frames = [read_scores(path, about["metric"]) for path in dict.fromkeys(metrics)]
        return pd.concat(frames, ignore_index=True)
    found = pd.concat(map(pd.read_parquet, dict.fromkeys(predictions)), ignore_index=True)
    return score(found.replace({"split": about["pooled"]}), [about["metric"]])


def on_first(
    scores: pd.DataFrame, predictions: Iterable[str | Path], paper: Paper, metric: str
) -> pd.DataFrame:
    """Metrics on those examples alone that the paper's numbers count, where it says so."""
    if not paper.first:
        return scores
    frames = [pd.read_parquet(path) for path in dict.fromkeys(predictions)]
    frames = [frame for frame in frames if frame["data"].iloc[0] in paper.first]
    parts = [frame[frame["example"] < paper.first[frame["data"].iloc[0]]] for frame in frames]
    counted = [score(part, [metric]) for part in parts]
    rest = scores[~scores["data"].isin(paper.first)] if counted else scores
    return pd.concat([*counted, rest], ignore_index=True)
