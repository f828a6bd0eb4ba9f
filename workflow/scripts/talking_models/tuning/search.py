"""One search: a list of settings, each scored by training on the folds, kept in a journal.

The journal (Optuna's) makes a killed search go on where it stopped. Its trials are listed in
advance and scored in their order, so that the outcome is the same however often it was killed.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Curves = np.ndarray
"""Validation RMSE (tasks, looks) of one fold, the mean over seeds, in stars."""


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

    After each fold a trial whose score so far is worse than the median of the earlier trials' at
    that fold is pruned (Optuna's `MedianPruner`), but none of the first `startup`.

    Args:
        trials: settings, see `space.trials`.
        evaluate: (settings, fold) to the validation curves; may raise ArithmeticError, which ends
            the trial as failed.
        tasks: names of the curves.
        folds: number of folds.
        journal: file that the search goes on from, if it is of the same search.
        identity: all that the scores depend on besides the trials; a search of another identity
            starts anew in the same file.
        log: gets a line for each trial.
        startup: see above.

    Returns:
        One row per trial, fold, task and look: `trial`, `state` (complete, pruned, failed), `fold`,
        `task`, `look` (0, 1, ...), `rmse`. A trial has only the folds that it finished.
    """
    import optuna
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    Path(journal).parent.mkdir(parents=True, exist_ok=True)
    # Left by a search that was killed while it wrote. No other process has this journal, and Optuna
    # would wait for the lock: for ever where the path is relative.
    Path(f"{journal}.lock").unlink(missing_ok=True)
    backend = optuna.storages.journal.JournalFileBackend(str(journal))
    name = hashlib.sha256(json.dumps([identity, list(trials)], sort_keys=True).encode()).hexdigest()
    study = optuna.create_study(
        storage=optuna.storages.JournalStorage(backend),
        study_name=name[:16],
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=startup),
    )
    done = {
        trial.user_attrs["index"]: trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        or (trial.state == TrialState.FAIL and "failure" in trial.user_attrs)
    }
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)  # cut off by a kill: scored again below
    for index, settings in enumerate(trials):
        if index in done:
            continue
        trial = study.ask()
        trial.set_user_attr("index", index)
        state, value = _score(trial, settings, evaluate, folds, log)
        study.tell(trial, value, state)
        log.info("trial %d of %d: %s %s", index + 1, len(trials), state.name.lower(), value)
        done[index] = study.get_trials(deepcopy=False)[trial.number]
    return _rows([done[index] for index in range(len(trials))], tasks)


def _score(trial, settings, evaluate, folds, log):
    """Run one trial; its curves go into the journal fold by fold."""
    from optuna.trial import TrialState

    curves = []
    for fold in range(folds):
        try:
            found = evaluate(settings, fold)
        except ArithmeticError as error:
            trial.set_user_attr("failure", str(error))
            log.warning("%s", error)
            return TrialState.FAIL, None
        trial.set_user_attr(f"fold{fold}", found.tolist())
        curves.append(found)
        score = float(np.mean(curves, (0, 1)).min())
        trial.report(score, fold)
        if fold + 1 < folds and trial.should_prune():
            return TrialState.PRUNED, None
    return TrialState.COMPLETE, score


def _rows(found: list, tasks: Sequence[str]) -> pd.DataFrame:
    """The journal's trials as a table."""
    rows = []
    for index, trial in enumerate(found):
        state = "failed" if trial.state.name == "FAIL" else trial.state.name.lower()
        for name, curves in sorted(trial.user_attrs.items()):
            if not name.startswith("fold"):
                continue
            for task, curve in zip(tasks, curves, strict=True):
                fold = int(name.removeprefix("fold"))
                rows += [(index, state, fold, task, look, rmse) for look, rmse in enumerate(curve)]
    return pd.DataFrame(rows, columns=["trial", "state", "fold", "task", "look", "rmse"])
