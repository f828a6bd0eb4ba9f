"""The paper's tables of accuracies, rebuilt: tidy numbers for programs, Markdown for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from statsmodels.stats.multitest import multipletests

from talking_models.data.vision_sets import column
from talking_models.evaluation.accuracy import compare, interval
from talking_models.io import write_csv, write_text
from talking_models.report.markdown import grid

COLUMNS = [
    "table",
    "method",
    "dataset",
    "mean",
    "stderr",
    "n_seeds",
    "n_eval",
    "paper_mean",
    "paper_stderr",
]
NOT_RUN = "not run"
Cells = Mapping[tuple[str, str], Mapping[str, Any]]


def tidy(
    table: str,
    rows: Mapping[str, str],
    metrics: pd.DataFrame,
    paper: pd.DataFrame | None,
    score: str = "accuracy",
) -> pd.DataFrame:
    """One row per method and column: the paper's data sets, then others that were run.

    Args:
        table: the table's number.
        rows: row names with the experiment ids that fill them.
        metrics: what `evaluation.vision.score` gives, of all jobs.
        paper: published numbers: method, genre_or_dataset, mean, stderr; None for no comparison.
        score: which accuracy: on all examples, or `accuracy_first`.

    Returns:
        The columns `COLUMNS`. `mean` and `stderr` are over seeds, and empty where nothing was run.
    """
    metrics = metrics.assign(column=metrics["dataset"].map(column))
    groups = metrics.groupby(["experiment", "column"])
    scores = groups[score].agg(["mean", "sem"])
    counts = groups[[score, "n_eval"]].agg({score: "count", "n_eval": "first"})
    published: dict[Any, Any] = {}
    if paper is not None:
        published = paper.set_index(["method", "genre_or_dataset"])[["mean", "stderr"]].T.to_dict()
    columns = dict.fromkeys([*(name for _, name in published), *metrics["column"]])
    found = []
    for method, experiment in rows.items():
        for name in columns:
            key, theirs = (experiment, name), published.get((method, name), {})
            run = key in scores.index
            found.append(
                (
                    table,
                    method,
                    name,
                    scores.loc[key, "mean"] if run else None,
                    scores.loc[key, "sem"] if run else None,
                    int(counts.loc[key, score]) if run else 0,
                    int(counts.loc[key, "n_eval"]) if run else None,
                    theirs.get("mean"),
                    theirs.get("stderr"),
                )
            )
    types = {"n_seeds": "Int64", "n_eval": "Int64"}
    return pd.DataFrame(found, columns=COLUMNS).astype(types)


def paired(
    rows: Mapping[str, str], against: str, predictions: pd.DataFrame
) -> dict[tuple[str, str], str]:
    """Each row against one experiment, by method and column: words for a cell.

    Args:
        rows: row names with experiment ids.
        against: the experiment that they are compared with.
        predictions: of all jobs; seed 0 is compared.
    """
    found = {}
    right = predictions.assign(right=predictions["label"] == predictions["predicted"])
    for dataset, group in right[right["seed"] == 0].groupby("dataset", sort=False):
        by = {id: part["right"].to_numpy() for id, part in group.groupby("experiment")}
        pairs = {
            method: compare(by[id], by[against])
            for method, id in rows.items()
            if id != against and id in by
        }
        if not pairs:
            continue
        corrected = multipletests([pair.p for pair in pairs.values()], method="holm")[1]
        for (method, pair), p in zip(pairs.items(), corrected, strict=True):
            found[method, column(dataset)] = (
                f"{pair.difference:+.4f} [{pair.low:+.4f}, {pair.high:+.4f}], "
                f"{pair.only_a} : {pair.only_b}, p = {p:.2g}"
            )
    return found


def _each(cells: pd.DataFrame) -> Cells:
    return {(cell["method"], cell["dataset"]): cell for cell in cells.to_dict("records")}


def _ours(cell: Mapping[str, Any]) -> str:
    if pd.isna(cell["mean"]):
        return NOT_RUN
    low, high = interval(round(cell["mean"] * cell["n_eval"]), cell["n_eval"])
    spread = "" if pd.isna(cell["stderr"]) else f" ± {cell['stderr']:.4f}"
    return f"{cell['mean']:.4f}{spread} [{low:.4f}, {high:.4f}]"


def _beside(cell: Mapping[str, Any]) -> str:
    ours = NOT_RUN if pd.isna(cell["mean"]) else f"{cell['mean']:.5f}"
    theirs = cell["paper_mean"]
    return f"{ours} / {'not given' if pd.isna(theirs) else f'{theirs:.5f}'}"


def markdown(
    title: str,
    cells: pd.DataFrame,
    first: pd.DataFrame,
    pairs: Mapping[tuple[str, str], str],
    bold: Sequence[str],
    stamp: str,
) -> str:
    """The table for people: ours, ours beside the paper's, and paired tests.

    Args:
        title: what it shows.
        cells: from `tidy`.
        first: from `tidy`, on the examples that the paper's numbers count.
        pairs: from `paired`.
        bold: methods among which the best mean of a column is printed in bold.
        stamp: what the numbers were made from, some sentences.
    """
    methods, columns = (list(dict.fromkeys(cells[name])) for name in ("method", "dataset"))
    each, like_theirs = _each(cells), _each(first)
    candidates = [method for method in methods if method in bold]
    best = {
        name: max(candidates, key=lambda method: each[method, name]["mean"])
        for name in columns
        if candidates and not pd.isna(each[methods[0], name]["mean"])
    }

    def rows(cell: Any) -> list[list[str]]:
        return [[method, *(cell(method, name) for name in columns)] for method in methods]

    def ours(method: str, name: str) -> str:
        text = _ours(each[method, name])
        return f"**{text}**" if best.get(name) == method else text

    header = ["Method", *columns]
    notes = [
        "Accuracy on the whole evaluation split, higher is better, with Wilson's 95% interval over "
        "its images; ± is the standard error over seeds, where there are several."
    ]
    if candidates:
        notes.append(f"**Bold**: the highest mean among {', '.join(candidates)}.")
    notes.append("A column that was not run says so: it has no number of ours.")
    parts = [
        f"# Table {cells['table'].iloc[0]}: {title}",
        stamp,
        grid(header, rows(ours)),
        " ".join(notes),
    ]
    if not first["paper_mean"].isna().all():
        parts += [
            "## Ours / the paper's",
            grid(header, rows(lambda *key: _beside(like_theirs[key]))),
            "Both on the first 9,728 (CIFAR) or 49,664 (ImageNet) evaluation images: all of the "
            "paper's accuracies are fractions of these numbers, so that its evaluation seems to "
            "have left out the last, partial batch of 512.",
        ]
    if pairs:
        compared = [row for row in rows(lambda *key: pairs.get(key, "")) if any(row[1:])]
        parts += [
            "## Against TD",
            grid(header, compared),
            "Difference of accuracy to TD with its 95% interval, how many images only this method "
            "or only TD has right, and McNemar's exact test, corrected over the rows of a column "
            "(Holm). Seed 0, on the whole split.",
        ]
    return "\n\n".join(parts) + "\n"


def data_stamp(slices: Iterable[str | Path]) -> str:
    """How many images of each data set were trained on and evaluated."""
    counts: dict[str, dict[str, int]] = {}
    for path in slices:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        sizes = counts.setdefault(column(found["dataset"]), {})
        sizes[found["slice"]] = found["stop"] - found["start"]
    return " ".join(
        f"{name}: {sizes['fit']:,} training images, {sizes['eval']:,} evaluation images."
        for name, sizes in counts.items()
    )


def run(
    table: str,
    spec: Mapping[str, Any],
    metrics: Iterable[str | Path],
    predictions: Iterable[str | Path],
    slices: Iterable[str | Path],
    paper: str | Path | None,
    against: str | None,
    stamp: str,
    csv: str | Path,
    md: str | Path,
) -> None:
    """A table from the files of its jobs, from files to files; see `tidy` and `markdown`.

    Args:
        table: its number.
        spec: title, rows and bold, as in the configuration.
        metrics, predictions: of all jobs.
        slices: the fit and eval slices of all data sets.
        paper: published numbers, if there are any.
        against: the experiment that others are compared with, if it was run.
        stamp: model and steps.
        csv, md: files to write.
    """
    published = None if paper is None else pd.read_csv(paper)
    scores = pd.concat([pd.read_csv(path) for path in dict.fromkeys(metrics)], ignore_index=True)
    frames = [pd.read_parquet(path) for path in dict.fromkeys(predictions)]
    cells, first = (
        tidy(table, spec["rows"], scores, published, score)
        for score in ("accuracy", "accuracy_first")
    )
    pairs = paired(spec["rows"], against, pd.concat(frames)) if against else {}
    stamps = f"{stamp} {data_stamp(slices)}"
    write_csv(csv, cells)
    write_text(md, markdown(spec["title"], cells, first, pairs, spec["bold"], stamps))
