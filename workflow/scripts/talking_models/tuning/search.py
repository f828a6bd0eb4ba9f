"""One search: a list of settings, each scored by training on the folds, kept in a journal.

Trials are listed in advance and judged in their order, from scores alone, so that the outcome is
the same however often a search was killed, and a longer list adds trials to those of a shorter one.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

# settings and fold to the validation curves (tasks, looks), the RMSE's mean over seeds
Evaluate = Callable[[dict[str, Any], int], np.ndarray]
KEYS = ["search", "settings", "fold", "found"]  # of a journal's lines


class Journal:
    """What a search has scored, in a file that it goes on from: one line of JSON for each fold.

    A fold is known by the `identity` of what was searched (plain values) and by its settings, so
    that another list of trials finds what it has in common with the last. A line that was cut off,
    by a kill, a full disk or a power loss that leaves zeros, is scored again.

    Raises:
        ValueError: the file is damaged elsewhere than at its end.
    """

    def __init__(self, path: str | Path, identity: Any, log: logging.Logger) -> None:
        self.path, self.added = Path(path), 0  # folds scored since it was opened
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.search = sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        self.found: dict[tuple[str, int], list | str] = {}  # a text: it diverged
        content, whole = self.path.read_bytes() if self.path.exists() else b"", 0
        for number, line in enumerate(content.splitlines(keepends=True), 1):
            try:
                value = json.loads(line)
                if not line.endswith(b"\n") or set(value) != set(KEYS):
                    raise ValueError
            except ValueError:
                rest = content[whole:].rstrip(b"\0\r\n")
                if b"\n" in rest or not rest.startswith(b"{"[: len(rest)]):
                    raise ValueError(
                        f"{path} is no journal of a search, or is damaged in line {number}: "
                        "remove it, and the search begins anew"
                    ) from None
                log.warning("%s was cut in line %d: that is scored again", path, number)
                os.truncate(path, whole)
                break
            if value["search"] == self.search:
                self.found[value["settings"], value["fold"]] = value["found"]
            whole += len(line)

    def curves(self, settings: dict[str, Any], fold: int, evaluate: Evaluate) -> list | str:
        """The curves of some settings on a fold, kept or evaluated now; or why they diverged."""
        place = json.dumps(settings, sort_keys=True), fold
        if place not in self.found:
            try:
                found: list | str = evaluate(settings, fold).tolist()
            except ArithmeticError as error:
                found = str(error)
            line = dict(zip(KEYS, (self.search, *place, found), strict=True))
            with open(self.path, "ab") as file:
                file.write(json.dumps(line).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            self.found[place] = found
            self.added += 1
        return self.found[place]


def run_search(
    trials: Sequence[dict[str, Any]],
    evaluate: Evaluate,
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

    An ArithmeticError of `evaluate`, whose curves are of `tasks`, ends a trial as failed. For
    `journal` and `identity` see `Journal`.

    Returns:
        One row per trial, fold, task and look: `trial`, `state` (complete, pruned, failed), `fold`,
        `task`, `look` (0, 1, ...), `rmse`. A trial has only the folds that it finished.
    """
    kept = Journal(journal, identity, log)
    complete: list[list[float]] = []  # of each complete trial, its score after each fold
    rows = []
    for index, settings in enumerate(trials):
        before, curves, scores, state = kept.added, [], [], "complete"
        for fold in range(folds):
            found = kept.curves(settings, fold, evaluate)
            if isinstance(found, str):
                log.warning("%s", found)
                state = "failed"
                break
            curves.append(found)
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
    return pd.DataFrame(rows, columns=["trial", "state", "fold", "task", "look", "rmse"])
