"""What a search has scored, in a file that it goes on from: one line of JSON for each fold.

A fold is known by what was searched and by the settings scored, not by its place in a list. So a
longer list of trials, or another one, finds in the file what it has in common with the last.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

KEYS = {"search", "settings", "fold", "found"}


class Journal:
    """The scores of one search among those in a file.

    A line that was cut off, by a kill, a full disk or a power loss that leaves zeros, is taken off
    and scored again.

    Args:
        path: the file; it is made.
        identity: all that scores depend on besides the settings: plain values.
        log: is told of a cut line.

    Attributes:
        added: how many folds were scored since the file was opened.

    Raises:
        ValueError: the file is damaged elsewhere than at its end.
    """

    def __init__(self, path: str | Path, identity: Any, log: logging.Logger) -> None:
        self.path, self.added = Path(path), 0
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps(identity, sort_keys=True)
        self.search = hashlib.sha256(content.encode()).hexdigest()[:16]
        self.found = {
            (line["settings"], line["fold"]): line["found"]
            for line in self._lines(log)
            if line["search"] == self.search
        }

    def _lines(self, log: logging.Logger) -> list[dict[str, Any]]:
        """All whole lines of the file; what stands after them is taken off."""
        content = self.path.read_bytes() if self.path.exists() else b""
        lines, whole = [], 0
        for number, line in enumerate(content.splitlines(keepends=True), 1):
            try:
                value = json.loads(line)
                if not line.endswith(b"\n") or set(value) != KEYS:
                    raise ValueError
            except ValueError:
                rest = content[whole:].rstrip(b"\0\r\n")
                if b"\n" in rest or not rest.startswith(b"{"[: len(rest)]):
                    raise ValueError(
                        f"{self.path} is no journal of a search, or is damaged in line {number}: "
                        "remove it, and the search begins anew"
                    ) from None
                log.warning("%s was cut in line %d: that is scored again", self.path, number)
                os.truncate(self.path, whole)
                break
            lines.append(value)
            whole += len(line)
        return lines

    def curves(
        self,
        settings: dict[str, Any],
        fold: int,
        evaluate: Callable[[dict[str, Any], int], np.ndarray],
    ) -> np.ndarray:
        """The curves of some settings on a fold: kept, to the last digit, or evaluated now.

        Raises:
            ArithmeticError: training diverged, now or before.
        """
        place = json.dumps(settings, sort_keys=True), fold
        if place not in self.found:
            try:
                found: list | str = evaluate(settings, fold).tolist()
            except ArithmeticError as error:
                found = str(error)
            self._keep(*place, found)
        if isinstance(self.found[place], str):
            raise ArithmeticError(self.found[place])
        return np.array(self.found[place])

    def _keep(self, settings: str, fold: int, found: list | str) -> None:
        line = {"search": self.search, "settings": settings, "fold": fold, "found": found}
        with open(self.path, "ab") as file:
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.found[settings, fold] = found
        self.added += 1
