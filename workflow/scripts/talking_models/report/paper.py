"""The published numbers, what they claim, and what else is known of the paper's tables, from files.

General code knows nothing of the paper: which of its columns is which of our tasks stands in a file
of facts (`config/paper/facts.yaml`), its numbers in one CSV file for each table, and what it claims
of rows of these in a list (`config/paper/claims.yaml`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml

from talking_models.errors import SourceError, explained, nearest

KEY = ["method", "genre_or_dataset"]
NEEDED = [*KEY, "mean"]
KINDS = {**dict.fromkeys(KEY, str), "mean": float, "stderr": float}  # a row may be called 1
WRONG = "{} holds no published numbers that can be read"
ADVICE = "correct the file, or leave `paper` out of the table"


@dataclass(frozen=True)
class Paper:
    """What is known of the paper's tables."""

    # by data set, its column for the name of a task, and how many eval examples its numbers count
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    first: Mapping[str, int] = field(default_factory=dict)
    quotes: Mapping[str, Any] = field(default_factory=dict)  # other facts, by name

    @classmethod
    def read(cls, path: str | Path | None) -> Paper:
        """Read a file of facts, if there is one; or a `SourceError`, if it is no mapping."""
        if path is None:
            return cls()
        with explained(WRONG.format(path), "a YAML mapping with columns, first and quotes", ADVICE):
            return cls(**yaml.safe_load(Path(path).read_text(encoding="utf-8")))

    def column(self, data: str, task: str) -> str | None:
        """The paper's column for a task of a data set, None if it has none."""
        return self.columns.get(data, {}).get(task)


@dataclass(frozen=True)
class Claim:
    """A claim that some rows of published tables are better than others."""

    id: str
    text: str
    quote: str  # the paper's words
    better: Sequence[str]
    worse: Sequence[str]  # rows as TABLE/ROW; each of `better` is compared with each of `worse`
    needs: Literal["all", "some"] = "all"  # whether it takes all comparisons or some
    part: str | None = None  # of the loss, that `worse` leaves out: without it nothing is tested
    column: str | None = None  # the paper's, if it is about one alone

    @property
    def pairs(self) -> list[tuple[tuple[str, str], tuple[str, str]]]:
        """The comparisons, as (table, row) each."""
        better, worse = ([tuple(r.split("/", 1)) for r in s] for s in (self.better, self.worse))
        return list(product(better, worse))


def read_claims(path: str | Path) -> list[Claim]:
    """The claims of a file; one about `each` of some columns is as many. `SourceError` if they are
    none that can be read.
    """
    expected = (
        "a list of claims, each with id, text, quote, better and worse (lists of TABLE/ROW), and "
        "perhaps needs (all or some), part and each"
    )
    advice = "correct the file, or set `claims` to null"
    found = []
    with explained(f"{path} holds no claims that can be read", expected, advice):
        for given in yaml.safe_load(Path(path).read_text(encoding="utf-8")):
            given = dict(given)
            columns = given.pop("each", None)
            found += [Claim(**given)] if columns is None else []
            for column in columns or ():
                text = given["text"].format(column=column)
                own = {"id": f"{given['id']}, {column}", "text": text}
                found.append(Claim(**given | own, column=column))
        for claim in found:
            odd = [row for row in (*claim.better, *claim.worse) if "/" not in row]
            if odd or claim.needs not in ("all", "some"):
                raise ValueError(f"claim {claim.id}: {odd[0] if odd else claim.needs!r}")
    return found


def numbers(path: str | Path | None) -> pd.DataFrame:
    """The published mean and stderr (NaN where none is given) of a table, by row and column.
    `SourceError` if it is empty, not UTF-8, lacks a column, has a row twice or without a name, more
    fields than columns, or text for a number.
    """
    if path is None:
        return pd.DataFrame(columns=[*NEEDED, "stderr"]).set_index(KEY).astype(float)
    wrong = WRONG.format(path)
    with explained(wrong, "a CSV file in UTF-8, with a head, its numbers with a point", ADVICE):
        frame = pd.read_csv(path, encoding="utf-8-sig", dtype=KINDS)
    for name in NEEDED:
        if name not in frame:
            found = ", ".join(map(repr, frame)) + nearest(name, map(str, frame))
            expected = f"the columns {', '.join(NEEDED)}, between commas"
            raise SourceError(wrong, expected, found, ADVICE)
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes what is too much for names
        found = "more in its rows, as numbers with a decimal comma have"
        raise SourceError(wrong, f"{len(frame.columns)} fields, as in its head", found, ADVICE)
    if frame.empty or frame[KEY].isna().any(axis=None):
        found = "no row" if frame.empty else "a row without one of them"
        raise SourceError(wrong, f"rows with {' and '.join(KEY)}", found, ADVICE)
    twice = frame.duplicated(KEY)
    if twice.any():
        row, column = frame.loc[twice, KEY].iloc[0]
        found = f"{row}, {column} more than once"
        raise SourceError(wrong, "each row and column once", found, ADVICE)
    return frame.set_index(KEY).reindex(columns=["mean", "stderr"])


def means(published: pd.DataFrame, row: str | None, columns: Sequence[str | None]) -> np.ndarray:
    """A row's published means, NaN where one is not given."""
    return published["mean"].reindex([(row, column) for column in columns]).to_numpy()


def unmatched(
    published: pd.DataFrame, rows: Iterable[str], columns: Iterable[str | None]
) -> list[str]:
    """Remarks on what of the published numbers, or of our rows, has no counterpart."""
    if published.empty:
        return []
    rows, (theirs_rows, theirs) = [*rows], map(set, published.index.levels)
    lost = [row for row in rows if row not in theirs_rows]
    remarks = [f"The published table has no row {', '.join(map(repr, lost))}."] if lost else []
    if not theirs & set(columns):
        remarks.append(
            f"None of the published columns ({', '.join(sorted(theirs))}) is one of ours: the file "
            "that `paper` names in the configuration says which is which."
        )
        return remarks
    parts = {"row": theirs_rows - {*rows}, "column": theirs - {*columns}}
    left = [f"{kind} {', '.join(sorted(names))}" for kind, names in parts.items() if names]
    return [*remarks, *(["Published and not shown here: " + "; ".join(left) + "."] * bool(left))]
