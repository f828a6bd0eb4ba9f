"""One search: a list of settings, each scored by training on the folds, kept in a journal.

The journal makes a killed search go on where it stopped. Trials are listed in advance and judged in
their order, from scores alone, so that the outcome is the same however often it was killed, and a
longer list adds trials to those of a shorter one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from talking_models.tuning.journal import Journal

Curves = np.ndarray
"""Validation RMSE (tasks, looks) of one fold, the mean over seeds."""
COLUMNS = ["trial", "state", "fold", "task", "look", "rmse"]


def run_search(
    trials: Sequence[dict[str, Any]],
    evaluate: Callable[[dict[str, Any], int], Curves],
    tasks: Sequence[str],
    folds: int,
    journal: str | Path,
    identity: Any,
    log: logging.Logger,
    startup: int = 4,
) -> pd.DataFrame:
    """Score every trial on every fold; drop the hopeless ones early.

    After each fold but the last a trial is pruned if its best score so far is worse than the median
    of the scores that the earlier complete trials had at that fold, where there are `startup` of
    them. A score is the lowest mean over the folds so far and the tasks.

    Args:
        trials: settings, see `space.trials`.
        evaluate: (settings, fold) to the validation curves; may raise ArithmeticError, which ends
            the trial as failed.
        tasks: names of the curves.
        folds: number of folds.
        journal: file that the search goes on from, see `Journal`.
        identity: all that the scores depend on besides the settings of a trial; what was scored
            under another identity is not taken.
        log: gets a line for each trial that is scored now.
        startup: see above.

    Returns:
        One row per trial, fold, task and look: `trial`, `state` (complete, pruned, failed), `fold`,
        `task`, `look` (0, 1, ...), `rmse`. A trial has only the folds that it finished.

    Raises:
        ValueError: see `Journal`.
    """
    kept = Journal(journal, identity, log)
    complete: list[list[float]] = []  # of each complete trial, its score after each fold
    rows = []
    for index, settings in enumerate(trials):
        before, curves, scores, state = kept.added, [], [], "complete"
        for fold in range(folds):
            try:
                curves.append(kept.curves(settings, fold, evaluate))
            except ArithmeticError as error:
                log.warning("%s", error)
                state = "failed"
                break
            scores.append(float(np.mean(curves, (0, 1)).min()))
            earlier = [of[fold] for of in complete]
            if fold + 1 < folds and len(earlier) >= startup and min(scores) > np.median(earlier):
                state = "pruned"
                break
        else:
            complete.append(scores)
        if kept.added > before:
            score = f" {scores[-1]:.4f}" if scores else ""
            log.info("trial %d of %d: %s%s", index + 1, len(trials), state, score)
        rows += [
            (index, state, fold, task, look, rmse)
            for fold, found in enumerate(curves)
            for task, curve in zip(tasks, found, strict=True)
            for look, rmse in enumerate(curve)
        ]
    return pd.DataFrame(rows, columns=COLUMNS)
