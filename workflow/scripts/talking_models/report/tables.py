"""Tables of the paper, rebuilt: tidy numbers for programs, Markdown for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from talking_models.io import write_csv, write_text
from talking_models.report.markdown import blocks, grid

PAPER_GENRES = (
    "Drama",
    "Comedy",
    "Action",
    "Thriller",
    "Romance",
    "Adventure",
    "Sci-Fi",
    "War",
)
"""Genre 1 to Genre 8 of the paper, which names none: the eight densest of 100k, dense to sparse."""

COLUMNS = [
    "table",
    "method",
    "genre",
    "task",
    "mean",
    "stderr",
    "n_seeds",
    "n_eval",
    "paper_mean",
    "paper_stderr",
]


def label(task: str) -> str:
    """A genre's number in the paper, such as 'Genre 1', or its name if it has none.

    The numbers are 100k's, so that a subset of the genres, or another variant, keeps them.
    """
    return f"Genre {PAPER_GENRES.index(task) + 1}" if task in PAPER_GENRES else task


def tidy(
    table: str,
    rows: Mapping[str, str],
    metrics: pd.DataFrame,
    tasks: Sequence[str],
    paper: pd.DataFrame | None,
) -> pd.DataFrame:
    """One row per method and genre.

    Args:
        table: the table's number.
        rows: row names with the experiment ids that fill them.
        metrics: columns experiment, genre (a genre's name), seed, n_eval, rmse.
        tasks: genre names, in the order to print.
        paper: published numbers: method, genre_or_dataset, mean, stderr; None for no comparison.

    Returns:
        The columns `COLUMNS`; `mean` and `stderr` of the RMSE over seeds, in stars.
    """
    scores = metrics.groupby(["experiment", "genre"])["rmse"].agg(["mean", "sem", "count"])
    n_eval = metrics.groupby(["experiment", "genre"])["n_eval"].first()
    published = {}
    if paper is not None:
        published = paper.set_index(["method", "genre_or_dataset"])[["mean", "stderr"]].T.to_dict()
    found = []
    for method, experiment in rows.items():
        for task in tasks:
            cell, theirs = scores.loc[experiment, task], published.get((method, label(task)), {})
            found.append(
                (
                    table,
                    method,
                    label(task),
                    task,
                    cell["mean"],
                    cell["sem"],
                    int(cell["count"]),
                    n_eval[experiment, task],
                    theirs.get("mean"),
                    theirs.get("stderr"),
                )
            )
    return pd.DataFrame(found, columns=COLUMNS)


def _spread(mean: float, stderr: float) -> str:
    return f"{mean:.4f}" if pd.isna(stderr) else f"{mean:.4f} ± {stderr:.4f}"


def heading(task: str) -> str:
    """The title of a genre's column: its number in the paper, if it has one, and its name."""
    return task if label(task) == task else f"{label(task)}: {task}"


def _header(tasks: Iterable[str], *more: str) -> list[str]:
    return ["Method", *map(heading, tasks), *more]


def markdown(
    title: str,
    cells: pd.DataFrame,
    references: pd.DataFrame,
    bold: Sequence[str],
    stamp: str,
) -> str:
    """The table for people: ours in the paper's layout, then ours beside the paper's.

    Args:
        title: what it shows.
        cells: from `tidy`.
        references: from `tidy`, the reference lines; the last one is the mark to beat.
        bold: methods among which the best mean of a genre is printed in bold.
        stamp: what the numbers were made from, a sentence or two.
    """
    tasks = list(dict.fromkeys(cells["task"]))
    ours = cells.pivot(index="method", columns="task", values="mean")
    spreads = cells.set_index(["method", "task"])[["mean", "stderr"]]
    lines = references.pivot(index="method", columns="task", values="mean")
    methods, names = list(dict.fromkeys(cells["method"])), list(dict.fromkeys(references["method"]))
    mark = names[-1]
    candidates = [method for method in methods if method in bold]
    best = ours.loc[candidates].idxmin() if candidates else {}

    def cell(method: str, task: str) -> str:
        text = _spread(*spreads.loc[(method, task)])
        text = f"**{text}**" if best.get(task) == method else text
        return f"{text} †" if ours.loc[method, task] > lines.loc[mark, task] else text

    def mean(frame: pd.DataFrame, method: str) -> str:
        return f"{frame.loc[method].mean():.4f}"

    parts = [f"# Table {cells['table'].iloc[0]}: {title}", stamp]
    parted = blocks(tasks)
    for block in parted:
        last = block is parted[-1]
        rows = [
            [m, *(cell(m, t) for t in block), *([mean(ours, m)] if last else [])] for m in methods
        ]
        rows += [
            [
                f"_{n}_",
                *(f"{lines.loc[n, t]:.4f}" for t in block),
                *([mean(lines, n)] if last else []),
            ]
            for n in names
        ]
        parts.append(grid(_header(block, *(["Mean of all"] if last else [])), rows))
    notes = ["RMSE in stars, lower is better; mean ± standard error over seeds."]
    if candidates:
        notes.append(f"**Bold**: the lowest mean among {', '.join(candidates)}.")
    losing = int((ours > lines.loc[mark]).to_numpy().sum())
    notes.append(
        f"_Italic_: reference lines without a network. † worse than _{mark}_, which holds for "
        f"{losing} of {ours.size} cells."
    )
    parts.append(" ".join(notes))
    parts += _beside_paper(cells, tasks)
    return "\n\n".join(parts) + "\n"


def _beside_paper(cells: pd.DataFrame, tasks: Sequence[str]) -> list[str]:
    """The second block: each mean of ours with the paper's behind it."""
    theirs = cells.pivot(index="method", columns="task", values="paper_mean")
    if theirs.isna().all(axis=None):
        return []
    ours = cells.pivot(index="method", columns="task", values="mean")
    methods = list(dict.fromkeys(cells["method"]))

    def beside(mean: float, published: float) -> str:
        return f"{mean:.4f} / {'not given' if pd.isna(published) else f'{published:.4f}'}"

    def cell(method: str, task: str) -> str:
        return beside(ours.loc[method, task], theirs.loc[method, task])

    parts = ["## Ours / the paper's"]
    parted = blocks(tasks)
    for block in parted:
        last = block is parted[-1]
        rows = []
        for method in methods:
            row = [method, *(cell(method, task) for task in block)]
            if last:
                row.append(beside(ours.loc[method].mean(), theirs.loc[method].mean(skipna=False)))
            rows.append(row)
        parts.append(grid(_header(block, *(["Mean of all"] if last else [])), rows))
    parts.append(
        "The paper names neither its genres nor its cut of the data, so that a difference between "
        "columns may come from there; compare methods within a column."
    )
    return parts


def run(
    table: str,
    title: str,
    rows: Mapping[str, str],
    bold: Sequence[str],
    tasks: Sequence[str],
    metrics: Iterable[str | Path],
    reference_rows: Mapping[str, str],
    reference_metrics: Iterable[str | Path],
    paper: str | Path | None,
    stamp: str,
    csv: str | Path,
    md: str | Path,
) -> None:
    """A table from the metrics of its jobs, from files to files; see `tidy` and `markdown`."""
    published = None if paper is None else pd.read_csv(paper)
    scores = pd.concat([pd.read_csv(path) for path in dict.fromkeys(metrics)], ignore_index=True)
    cells = tidy(table, rows, scores, tasks, published)
    scores = pd.concat([pd.read_csv(path) for path in reference_metrics], ignore_index=True)
    references = tidy(table, reference_rows, scores, tasks, None)
    write_csv(csv, cells)
    write_text(md, markdown(title, cells, references, bold, stamp))
