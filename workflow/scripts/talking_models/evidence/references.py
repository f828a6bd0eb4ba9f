"""Reference lines: what needs no network. A student that loses to them has learnt little.

`task-mean` predicts the mean of the task's training ratings; `bias` is a ridge regression on one
indicator per user and per item.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from talking_models.data import parquet
from talking_models.evidence.scores import stacked, write
from talking_models.training.bias import PENALTIES, bias_line, choose_penalty


def run(
    fit: str | Path,
    val: str | Path,
    eval: str | Path,
    log: logging.Logger,
    seed: int = 0,
    **evidence: Any,
) -> None:
    """Both reference lines of one task, with one seed; the eval slice is predicted, and
    chooses nothing. `evidence` is what `write` takes.
    """
    fit_rows, val_rows, eval_rows = (parquet.read_ratings(path) for path in (fit, val, eval))
    train = pd.concat([fit_rows, val_rows], ignore_index=True)
    penalty, task = choose_penalty(fit_rows, val_rows), parquet.about(eval)["task"]
    log.info("%s: penalty %g, chosen on the val rows among %s", task, penalty, PENALTIES)
    found = {
        "task-mean": np.full(len(eval_rows), float(train["rating"].mean())),
        "bias": bias_line(train, eval_rows, penalty),
    }
    known = eval_rows["user"].map(train["user"].value_counts()).fillna(0).astype("int64")
    lines = [
        stacked(eval_rows, p[None], [seed]).assign(experiment=name, train_rows=known.to_numpy())
        for name, p in found.items()
    ]
    write(pd.concat(lines, ignore_index=True), task, **evidence)
