"""One search: a list of settings, each scored by training on the folds, kept in a journal.

Trials are listed in advance, and each is scored on every fold, so that all methods have as many
candidates, the outcome is the same however often a search was killed, and a longer list adds trials
to those of a shorter one.
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

from talking_models.io import unlink

# Settings of trials, a fold, and the first seed of each, see `first_seed`, to their validation
# curves (tasks, looks), the RMSE's mean over seeds, or why training diverged.
Evaluate = Callable[[Sequence[dict[str, Any]], int, Sequence[int]], Sequence[np.ndarray | str]]
CURVES = ["trial", "state", "fold", "task", "look", "rmse"]
KEYS = ["search", "settings", "fold", "found"]  # of a journal's lines


class Journal:
    """What a search has scored, in a file that it goes on from: one line of JSON for each fold.

    A fold is known by the `identity` of what was searched (plain values) and by the settings
    scored, not by its place in a list. So another list of trials finds what it has in common with
    the last. A line that was cut off, by a kill, a full disk or a power loss that leaves zeros, is
    taken off and scored again. `ValueError` if the file is damaged elsewhere than at its end.
    """

    def __init__(self, path: str | Path, identity: Any, log: logging.Logger) -> None:
        self.path, self.added = Path(path), 0  # folds scored since it was opened
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unlink(self.path)
        self.search = sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
        self.found: dict[tuple[str, int], list | str] = {}  # a text: it diverged
        content, whole = self.path.read_bytes() if self.path.exists() else b"", 0
        for number, line in enumerate(content.splitlines(keepends=True), 1):
            try:
                value = json.loads(line)
                if not line.endswith(b"\n") or not _is_score(value):
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

    def curves(
        self, trials: Sequence[dict[str, Any]], fold: int, evaluate: Evaluate
    ) -> list[list | str]:
        """The curves of each of some trials on a fold, kept to the last digit or evaluated now; why
        training diverged, if it did.
        """
        places = [(json.dumps(settings, sort_keys=True), fold) for settings in trials]
        new = {place: s for place, s in zip(places, trials, strict=True) if place not in self.found}
        if new:
            settings, lines = list(new.values()), b""
            scored = evaluate(settings, fold, [first_seed(each, fold) for each in settings])
            for place, curves in zip(new, scored, strict=True):
                self.found[place] = curves if isinstance(curves, str) else curves.tolist()
                line = dict(zip(KEYS, (self.search, *place, self.found[place]), strict=True))
                lines += json.dumps(line).encode() + b"\n"
            with open(self.path, "ab") as file:
                file.write(lines)  # at once: those that were trained together stay together
                file.flush()
                os.fsync(file.fileno())
            self.added += len(new)
        return [self.found[place] for place in places]


def first_seed(settings: dict[str, Any], fold: int) -> int:
    """That of the models of a fold. It comes from the settings and the fold: were it the same for
    all, one lucky order of batches would choose for all.
    """
    place = json.dumps(settings, sort_keys=True), fold
    return int.from_bytes(sha256(repr(place).encode()).digest()[:3])


def _is_score(value: Any) -> bool:
    """Whether a line of a journal says what one of a search does."""
    return (
        isinstance(value, dict)
        and value.keys() == set(KEYS)
        and isinstance(value["settings"], str)
        and isinstance(value["fold"], int)
        and isinstance(value["found"], list | str)
    )


def run_search(
    trials: Sequence[dict[str, Any]],
    stacks: Sequence[Sequence[int]],
    evaluate: Evaluate,
    tasks: Sequence[str],
    folds: int,
    journal: str | Path,
    identity: Any,
    log: logging.Logger,
) -> pd.DataFrame:
    """Score every trial on every fold.

    Args:
        trials: settings, see `space.trials`.
        stacks: places of those that are evaluated together, see `space.stacks`.
        evaluate: see there; a trial that diverged is not evaluated on further folds.
        tasks: names of the curves.
        folds: number of folds.
        journal, identity: where the search goes on from, see `Journal`.
        log: gets a line for each trial that is scored now.

    Returns:
        One row per trial, fold, task and look: `trial`, `state` (complete, failed), `fold`,
        `task`, `look` (0, 1, ...), `rmse`. A trial has only the folds that it finished.
    """
    kept = Journal(journal, identity, log)
    rows = []
    for stack in stacks:
        before, curves = kept.added, {index: [] for index in stack}
        states = dict.fromkeys(stack, "complete")
        for fold in range(folds):
            going = [index for index in stack if states[index] == "complete"]
            scored = kept.curves([trials[index] for index in going], fold, evaluate)
            for index, found in zip(going, scored, strict=True):
                if isinstance(found, str):
                    log.warning("%s", found)
                    states[index] = "failed"
                else:
                    curves[index].append(found)
        for index, own in curves.items():
            if kept.added > before:
                score = f" {np.mean(own, (0, 1)).min():.4f}" if own else ""
                log.info("trial %d of %d: %s%s", index + 1, len(trials), states[index], score)
            rows += [
                (index, states[index], fold, task, look, rmse)
                for fold, found in enumerate(own)
                for task, curve in zip(tasks, found, strict=True)
                for look, rmse in enumerate(curve)
            ]
    return pd.DataFrame(rows, columns=CURVES)
