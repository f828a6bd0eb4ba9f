"""Tables of results: tidy numbers for programs, Markdown for people.

A table is told by what the workflow's plan says of it (`plan.Plan.about`): its rows with
their experiments, its columns, its metric, what it is compared with.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from talking_models.evidence.scores import score
from talking_models.io import write_csv, write_text
from talking_models.metrics import METRICS
from talking_models.report.markdown import blocks, grid
from talking_models.report.paper import Numbers, Paper, numbers, unmatched

log = logging.getLogger(__name__)

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
    published: Numbers,
) -> pd.DataFrame:
    """One line per row and column.

    Args:
        about: of the table.
        rows: row names with the experiment ids that fill them.
        metrics: as `evidence.scores.score` gives them, of all jobs, column by column.
        paper, published: what is known of the paper's table.

    Returns:
        The columns `COLUMNS`; `mean` and `stderr` are over seeds.
    """
    metrics = metrics[metrics["metric"] == about["metric"]]
    groups = metrics.groupby(["experiment", *KEY])
    found = groups["value"].agg(["mean", "sem", "count"]).join(groups["n_eval"].first())
    columns = list(dict.fromkeys(metrics[KEY].itertuples(index=False, name=None)))
    lines = []
    for row, experiment in rows.items():
        for data, split, task in columns:
            cell, theirs = found.loc[(experiment, data, split, task)], paper.column(data, task)
            own = (cell["mean"], cell["sem"], int(cell["count"]), int(cell["n_eval"]))
            printed = published.get((row, theirs), (None, None))
            place = (about["id"], row, experiment, data, split, task, about["metric"])
            lines.append((*place, *own, theirs, *printed))
    return pd.DataFrame(lines, columns=COLUMNS)


def headings(cells: pd.DataFrame, names: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Titles of columns, by data and task: the paper's name first, if it has one."""
    several = cells["data"].nunique() > 1
    found = {}
    for data, task, theirs in (
        cells[["data", "task", "paper_column"]].drop_duplicates().itertuples(index=False)
    ):
        own = names[data] if task == "all" else f"{names[data]}: {task}" if several else task
        found[data, task] = own if pd.isna(theirs) or theirs == own else f"{theirs}: {own}"
    return found


class Page:
    """A table for people: ours in the published layout, then ours beside the paper's."""

    def __init__(
        self,
        about: Mapping[str, Any],
        cells: pd.DataFrame,
        references: pd.DataFrame,
        like_theirs: pd.DataFrame,
    ) -> None:
        """See `tidy`; `like_theirs` are the cells on the examples that the paper counts."""
        self.about, self.metric = about, METRICS.get(about["metric"])
        self.heads = headings(cells, about["names"])
        self.cells, self.lines, self.theirs = map(_frames, (cells, references, like_theirs))
        self.rows, self.references = (
            list(dict.fromkeys(frame["row"])) for frame in (cells, references)
        )
        self.several = len(self.heads) > 1 and cells["data"].nunique() == 1

    def number(self, value: float) -> str:
        """A value of the metric."""
        return f"{value:.{self.metric.digits}f}"

    def worse(self, a: float, b: float) -> bool:
        """Whether a is worse than b."""
        return a < b if self.metric.maximize else a > b

    def cell(self, row: str, column: tuple[str, str]) -> str:
        """Mean and standard error, marked."""
        mean, stderr = (self.cells[key].loc[row, column] for key in ("mean", "stderr"))
        text = self.number(mean) + ("" if pd.isna(stderr) else f" ± {self.number(stderr)}")
        candidates = [name for name in self.rows if name in self.about["bold"]]
        if row in candidates:
            values = self.cells["mean"].loc[candidates, column]
            best = values.max() if self.metric.maximize else values.min()
            text = f"**{text}**" if mean == best else text
        mark = self.references[-1] if self.references else None
        lost = mark is not None and self.worse(mean, self.lines["mean"].loc[mark, column])
        return f"{text} †" if lost else text

    def blocks(self, rows: Sequence[tuple[str, Any, Any]]) -> list[str]:
        """Some columns side by side, the mean of all behind the last ones.

        Args:
            rows: name, a function from column to cell, the mean of all as text.
        """
        parts, parted = [], blocks(list(self.heads))
        for block in parted:
            last = self.several and block is parted[-1]
            head = ["Method", *(self.heads[c] for c in block), *(["Mean of all"] if last else [])]
            lines = [
                [name, *(cell(c) for c in block), *([mean] if last else [])]
                for name, cell, mean in rows
            ]
            parts.append(grid(head, lines))
        return parts

    def ours(self) -> list[str]:
        """Our numbers, with the reference lines."""
        untuned = self.about["untuned"]
        mean = self.cells["mean"].mean(axis=1)
        rows = [
            (
                f"{row} ‡" if row in untuned else row,
                lambda c, row=row: self.cell(row, c),
                self.number(mean[row]),
            )
            for row in self.rows
        ]
        rows += [
            (
                f"_{name}_",
                lambda c, name=name: self.number(self.lines["mean"].loc[name, c]),
                self.number(self.lines["mean"].loc[name].mean()),
            )
            for name in self.references
        ]
        return self.blocks(rows)

    def notes(self) -> str:
        """What the marks mean."""
        metric, about = self.metric, self.about
        better = "higher" if metric.maximize else "lower"
        units = {unit for unit in about["units"].values() if unit}
        unit = metric.unit if metric.unit is not None else " or ".join(sorted(units))
        several = not self.cells["stderr"].isna().all(axis=None)
        found = [
            f"{metric.title}{f' in {unit}' if unit else ''}, {better} is better"
            + ("; mean ± standard error over seeds." if several else ", of one seed.")
        ]
        candidates = [name for name in self.rows if name in about["bold"]]
        if candidates:
            best = "highest" if metric.maximize else "lowest"
            found.append(f"**Bold**: the {best} mean among {', '.join(candidates)}.")
        if self.references:
            mark = self.references[-1]
            mean, line = self.cells["mean"], self.lines["mean"].loc[mark]
            losing = int((mean.lt(line) if metric.maximize else mean.gt(line)).to_numpy().sum())
            found.append(
                f"_Italic_: reference lines without a network. † worse than _{mark}_, which holds "
                f"for {losing} of {mean.size} cells."
            )
        if about["untuned"]:
            found.append("‡ its settings are the configuration's, beside rows that were tuned.")
        return " ".join(found)

    def beside_paper(self, remarks: Sequence[str]) -> list[str]:
        """The second block: each mean of ours with the paper's behind it."""
        theirs = self.theirs["paper_mean"]
        if theirs.isna().all(axis=None):
            return [" ".join(remarks)] if remarks else []
        ours = self.theirs["mean"]

        def beside(mean: float, published: float) -> str:
            printed = "not given" if pd.isna(published) else self.number(published)
            return f"{self.number(mean)} / {printed}"

        rows = [
            (
                row,
                lambda c, row=row: beside(ours.loc[row, c], theirs.loc[row, c]),
                beside(ours.loc[row].mean(), theirs.loc[row].mean(skipna=False)),
            )
            for row in self.rows
        ]
        why = (
            "The paper names neither its tasks nor its cut of the data, so that a difference "
            "between columns may come from there; compare methods within a column."
        )
        return ["## Ours / the paper's", *self.blocks(rows), " ".join([why, *remarks])]


def _frames(cells: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Each number of some cells as a frame: rows by (data, task)."""
    if cells.empty:
        return dict.fromkeys(("mean", "stderr", "paper_mean"), pd.DataFrame())
    wide = cells.pivot(index="row", columns=["data", "task"])
    return {key: wide[key].astype(float) for key in ("mean", "stderr", "paper_mean")}


def run(
    about: Mapping[str, Any],
    metrics: Iterable[str | Path],
    references: Iterable[str | Path],
    predictions: Iterable[str | Path],
    facts: str | Path | None,
    published: str | Path | None,
    stamp: str,
    csv: str | Path,
    md: str | Path,
) -> None:
    """A table from the files of its jobs, from files to files.

    Args:
        about: of the table, see above.
        metrics: of all jobs, column by column.
        references: metrics of the reference lines.
        predictions: of the jobs of data sets of which the paper counts some examples alone.
        facts, published: see `report.paper`.
        stamp: what the numbers were made from, a sentence or two.
        csv, md: files to write.
    """
    paper, printed = Paper.read(facts), numbers(published)
    scores = pd.concat([pd.read_csv(path) for path in dict.fromkeys(metrics)], ignore_index=True)
    cells = tidy(about, about["rows"], scores, paper, printed)
    lines = [pd.read_csv(path) for path in references]
    lines = pd.concat(lines, ignore_index=True) if lines else scores
    line_cells = tidy(about, about["references"], lines, paper, {})
    remarks = unmatched(printed, about["rows"], cells["paper_column"])
    for remark in remarks:
        log.warning(remark)
    first = on_first(scores, predictions, paper, about["metric"])
    page = Page(about, cells, line_cells, tidy(about, about["rows"], first, paper, printed))
    parts = [f"# {about['title']}", stamp, *page.ours(), page.notes(), *page.beside_paper(remarks)]
    write_csv(csv, cells)
    write_text(md, "\n\n".join(parts) + "\n")


def on_first(
    scores: pd.DataFrame, predictions: Iterable[str | Path], paper: Paper, metric: str
) -> pd.DataFrame:
    """Metrics on those examples alone that the paper's numbers count, where it says so."""
    frames = [pd.read_parquet(path) for path in dict.fromkeys(predictions)]
    parts = [frame[frame["example"] < paper.first[frame["data"].iloc[0]]] for frame in frames]
    counted = [score(part, [metric]) for part in parts]
    rest = scores[~scores["data"].isin(paper.first)] if counted else scores
    return pd.concat([*counted, rest], ignore_index=True)
