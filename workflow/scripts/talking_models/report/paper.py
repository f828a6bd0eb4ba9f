"""The published numbers, and what else is known of the paper's tables, from files.

General code knows nothing of the paper: which of its columns is which of our tasks stands in a file
of facts (`config/paper/facts.yaml`), its numbers in one CSV file for each table.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from talking_models.errors import SourceError

ROW, COLUMN = "method", "genre_or_dataset"
NEEDED = (ROW, COLUMN, "mean")
Numbers = Mapping[tuple[str, str], tuple[float, float]]
"""Mean and standard error (NaN where none is given) by row and column."""


@dataclass(frozen=True)
class Paper:
    """What is known of the paper's tables.

    Attributes:
        columns: by data set, the paper's column for the name of a task.
        first: by data set, how many eval examples, the first ones, its numbers count.
        quotes: other facts, by name.
    """

    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    first: Mapping[str, int] = field(default_factory=dict)
    quotes: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | Path | None) -> Paper:
        """Read a file of facts; nothing is known without one.

        Raises:
            SourceError: it is no YAML mapping of these facts.
        """
        if path is None:
            return cls()
        try:
            return cls(**yaml.safe_load(Path(path).read_text(encoding="utf-8")))
        except (yaml.YAMLError, TypeError, UnicodeDecodeError) as error:
            raise _error(path, "a YAML mapping with columns, first and quotes", error) from error

    def column(self, data: str, task: str) -> str | None:
        """The paper's column for a task of a data set, None if it has none."""
        return self.columns.get(data, {}).get(task)


def _error(path: str | Path, expected: str, found: Any) -> SourceError:
    advice = "correct the file, or leave `paper` out of the table"
    what = f"{path} holds no published numbers that can be read"
    return SourceError(what, expected=expected, found=str(found), advice=advice)


def numbers(path: str | Path | None) -> Numbers:
    """The published numbers of one table.

    Raises:
        SourceError: the file is empty, not UTF-8, lacks a column, or holds a row twice, or a mean
            that is no number.
    """
    if path is None:
        return {}
    try:
        frame = pd.read_csv(path, encoding="utf-8-sig")
    except (pd.errors.EmptyDataError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise _error(path, "a CSV file in UTF-8, with a head", error) from error
    for name in NEEDED:
        if name not in frame:
            there = ", ".join(map(repr, frame))
            near = difflib.get_close_matches(name, map(str, frame), n=1, cutoff=0.4)
            hint = f"; nearest: {near[0]}" if near else ""
            raise _error(path, f"the columns {', '.join(NEEDED)}, between commas", there + hint)
    twice = frame.duplicated([ROW, COLUMN])
    if twice.any():
        row, column = frame.loc[twice, [ROW, COLUMN]].iloc[0]
        raise _error(path, "each row and column once", f"{row}, {column} more than once")
    if frame["mean"].dtype.kind not in "if":
        raise _error(path, "means that are numbers, with a point", frame["mean"].iloc[0])
    frame["stderr"] = frame["stderr"] if "stderr" in frame else float("nan")
    return {
        (row, column): (mean, stderr)
        for row, column, mean, stderr in frame[[*NEEDED, "stderr"]].itertuples(index=False)
    }


def unmatched(published: Numbers, rows: Iterable[str], columns: Iterable[str | None]) -> list[str]:
    """Remarks on what of the published numbers, or of our rows, has no counterpart."""
    if not published:
        return []
    theirs_rows, theirs = ({key[i] for key in published} for i in range(2))
    lost = [row for row in rows if row not in theirs_rows]
    remarks = [f"The published table has no row {', '.join(map(repr, lost))}."] if lost else []
    if not theirs & set(columns):
        remarks.append(
            f"None of the published columns ({', '.join(sorted(theirs))}) is one of ours: the file "
            "that `paper` names in the configuration says which is which."
        )
    return remarks
