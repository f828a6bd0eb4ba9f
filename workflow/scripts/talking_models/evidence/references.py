"""Reference lines: what needs no network. A student that loses to them has learnt little.

`task-mean` predicts the mean of the task's training ratings; `bias` is a ridge regression on one
indicator per user and per item; `bias-all` is that of the rows of all tasks, which a teacher has.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from talking_models.data import parquet
from talking_models.evidence.scores import stacked, write
from talking_models.training.bias import PENALTIES, bias_line, choose_penalty

Paths = Sequence[str | Path]


def run(
    fit: Paths,
    val: Paths,
    eval: Paths,
    whole: Paths,
    log: logging.Logger,
    *,
    predictions: Paths,
    metrics: Paths,
    seed: int = 0,
    **evidence: Any,
) -> None:
    """The reference lines of some tasks, with one seed; the eval slices are predicted, and choose
    nothing.

    Args:
        fit, val, eval: slices, a file for each task.
        whole: the fit and the val slice of all tasks together.
        predictions, metrics: files to write, likewise; `evidence` is what else `write` takes.
    """
    rows = [parquet.read_ratings(path) for path in eval]
    of_all, _ = _line(*whole, pd.concat(rows), log)
    parts = np.split(of_all, np.cumsum([len(part) for part in rows])[:-1])
    places = zip(fit, val, eval, rows, parts, predictions, metrics, strict=True)
    for fit_path, val_path, eval_path, eval_rows, part, to_predictions, to_metrics in places:
        own, train = _line(fit_path, val_path, eval_rows, log)
        found = {
            "task-mean": np.full(len(eval_rows), float(train["rating"].mean())),
            "bias-all": part,
            "bias": own,
        }
        known = eval_rows["user"].map(train["user"].value_counts()).fillna(0).astype("int64")
        lines = [
            stacked(eval_rows, p[None], [seed]).assign(experiment=name, train_rows=known.to_numpy())
            for name, p in found.items()
        ]
        write(
            pd.concat(lines, ignore_index=True),
            parquet.about(eval_path)["task"],
            predictions=to_predictions,
            metrics=to_metrics,
            **evidence,
        )


def _line(
    fit: str | Path, val: str | Path, rows: pd.DataFrame, log: logging.Logger
) -> tuple[np.ndarray, pd.DataFrame]:
    """What the bias line of two slices says of rows, and the slices' own rows."""
    fit_rows, val_rows = parquet.read_ratings(fit), parquet.read_ratings(val)
    penalty, train = choose_penalty(fit_rows, val_rows), pd.concat([fit_rows, val_rows])
    task = parquet.about(fit)["task"]
    log.info("%s: penalty %g, chosen on the val rows among %s", task, penalty, PENALTIES)
    return bias_line(train, rows, penalty), train
