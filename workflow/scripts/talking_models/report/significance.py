"""What differences in the tables are worth: every row against one experiment, TD."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from talking_models.evaluation.bootstrap import Errors, collect, draw, drawn_rmse
from talking_models.evaluation.selection import Selection, best_on_eval
from talking_models.evaluation.statistics import (
    MEAN,
    average_rank,
    difference,
    holm,
    with_mean,
)
from talking_models.io import write_csv, write_text
from talking_models.report.significance_page import REFERENCES, SELECTION, page
from talking_models.report.tables import label

COLUMNS = [
    "table",
    "method",
    "experiment",
    "against",
    "genre",
    "task",
    "rmse",
    "rank",
    "difference",
    "low",
    "high",
    "stderr",
    "df",
    "seed_share",
    "p",
    "p_holm",
    "outcome",
    "detectable",
    "detectable_holm",
    "paper_difference",
    "n_users",
    "n_seeds",
]


def compare(
    table: str,
    rows: Mapping[str, str],
    errors: Errors,
    drawn: np.ndarray,
    against: str,
    paper: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row per method and genre, and per method one for the mean over the genres.

    Args:
        table: the table's number.
        rows: row names with experiment ids.
        errors: of all experiments.
        drawn: (B, E, G) RMSE of its draws.
        against: the id to compare with. Its own rows have a rank and no difference.
        paper: published numbers: method, genre_or_dataset, mean.

    Returns:
        The columns `COLUMNS`. `difference` is the method's RMSE minus `against`'s, positive where
        `against` is better; `low`, `high` and `stderr` are its 95% interval and standard error
        over users and seeds, `seed_share` the seeds' part in its square; `p_holm` is corrected for
        the number of genres, `outcome` is `against`'s: win, tie or loss. `detectable` is the
        smallest difference that would be found with a power of 80%, `detectable_holm` after the
        correction. `rank` is the method's among the table's rows; of the mean, the mean of its
        ranks.
    """
    tasks = [*errors.genres, MEAN]
    rmse = with_mean(errors.of(list(rows.values())).rmse)
    ranks = np.stack([average_rank(rmse[:, [g]]) for g in range(len(errors.genres))], axis=1)
    name = next((name for name, id in rows.items() if id == against), None)
    published = _published(paper, name, tasks)
    found = []
    for (method, experiment), own, rank in zip(rows.items(), rmse, with_mean(ranks), strict=True):
        cells = {
            "table": table,
            "method": method,
            "experiment": experiment,
            "against": against,
            "genre": [*map(label, errors.genres), MEAN],
            "task": tasks,
            "rmse": own,
            "rank": rank,
            "n_users": [*errors.users, (errors.rows > 0).any(axis=0).sum()],
            "n_seeds": errors.squared.shape[2],
        }
        if experiment != against:
            change = difference(errors, drawn, experiment, against)
            low, high = change.interval
            cells |= {
                "difference": change.estimate,
                "low": low,
                "high": high,
                "stderr": change.error,
                "df": change.freedom,
                "seed_share": change.seed_share,
                "p": change.p,
                "p_holm": [*holm(change.p[:-1]), np.nan],  # the mean is one test
                "outcome": change.outcomes,
                "detectable": change.detectable(),
                "detectable_holm": [*change.detectable(len(errors.genres))[:-1], np.nan],
                "paper_difference": [published.get((method, task)) for task in tasks],
            }
        found.append(pd.DataFrame(cells))
    return pd.concat(found, ignore_index=True).reindex(columns=COLUMNS)


def _published(
    paper: pd.DataFrame | None, name: str | None, tasks: Sequence[str]
) -> dict[tuple[str, str], float]:
    """The paper's differences from the row `name` by method and genre, and their mean."""
    if paper is None or name not in set(paper["method"]):
        return {}
    cells = paper.pivot(index="method", columns="genre_or_dataset", values="mean")
    cells = cells.reindex(columns=map(label, tasks[:-1])).set_axis(tasks[:-1], axis=1)
    cells[MEAN] = cells.mean(axis=1, skipna=False)
    return (cells - cells.loc[name]).stack().to_dict()


def selected(found: Selection, against: str, errors: Errors) -> pd.DataFrame:
    """The rows of the best settings on eval; `difference` is how they flatter `against`."""
    best = with_mean(found.rmse)
    return pd.DataFrame(
        {
            "table": SELECTION,
            "method": "Best setting of each genre, picked on eval",
            "experiment": [*found.chosen, ""],
            "against": against,
            "genre": [*map(label, errors.genres), MEAN],
            "task": [*errors.genres, MEAN],
            "rmse": best,
            "difference": best - with_mean(found.own),
            "n_users": [*errors.users, (errors.rows > 0).any(axis=0).sum()],
            "n_seeds": errors.squared.shape[2],
        }
    ).reindex(columns=COLUMNS)


def run(
    tables: Mapping[str, Mapping[str, Any]],
    references: Mapping[str, str],
    settings: Sequence[str],
    against: str,
    genres: Sequence[str],
    predictions: Iterable[str | Path],
    papers: Iterable[str],
    stamp: str,
    csv: str | Path,
    md: str | Path,
) -> None:
    """The statistics of all tables, from files to files.

    Args:
        tables: title, rows and paper of each table id.
        references: row names with ids of the reference lines.
        settings: experiments that are `against` with other settings; it may be among them.
        against: the experiment that all others are compared with.
        genres: their names, in order.
        predictions: the predictions of all experiments and reference lines.
        papers: published numbers to show; a table's is left out if it is not among them.
        stamp: what the numbers were made from.
        csv, md: files to write.
    """
    errors = collect(predictions, genres)
    draws = draw(errors)
    drawn = drawn_rmse(errors, draws)
    papers = set(papers)
    parts, titles = [], {REFERENCES: "Reference lines"}
    for id_, table in tables.items():
        number = id_.removeprefix("table")
        paper = pd.read_csv(table["paper"]) if table["paper"] in papers else None
        parts.append(compare(number, table["rows"], errors, drawn, against, paper))
        titles[number] = f"Table {number}: {table['title']}"
    parts.append(compare(REFERENCES, references, errors, drawn, against).assign(rank=np.nan))
    candidates = list(dict.fromkeys([against, *settings]))
    best = None
    if len(candidates) > 1:
        best = best_on_eval(errors, draws, candidates, against)
        parts.append(selected(best, against, errors))
    found = pd.concat(parts, ignore_index=True)
    write_csv(csv, found)
    write_text(md, page(found, titles, against, best, candidates, len(drawn), stamp))
