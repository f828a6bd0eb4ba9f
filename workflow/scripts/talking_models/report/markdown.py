"""Tables in Markdown, and pages of them."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from talking_models.io import write_text

PER_BLOCK = 4  # columns side by side
MEAN = "Mean of all"


def grid(header: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """A table whose first columns, as many as `words`, are words and the others numbers."""
    lines = [header, [":--"] * words + ["--:"] * (len(header) - words), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def blocks(first: str, cells: pd.DataFrame, means: Sequence[str] = ()) -> list[str]:
    """Words as tables of a few columns each, one under the other, perhaps with means behind the
    last; `first` is the heading of the rows' names, which are the index of `cells`.
    """
    found = []
    for start in range(0, cells.shape[1], PER_BLOCK):
        part = cells.iloc[:, start : start + PER_BLOCK]
        if len(means) and start + PER_BLOCK >= cells.shape[1]:
            part = part.assign(**{MEAN: list(means)})
        found.append(grid([first, *part], part.itertuples(name=None)))
    return found


def interval(value: float, low: float, high: float, digits: int = 4) -> str:
    """A difference with the ends of its interval, of so many decimals (`Metric.digits`)."""
    return f"{value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def list_table(path: str | Path, rows: Iterable[Sequence[str]], heading: bool = False) -> None:
    """Write a table in reStructuredText, which the front page of a report includes."""
    lines = [".. list-table::", "   :header-rows: 1" if heading else "   :stub-columns: 1", ""]
    for row in rows:
        lines += [f"   {'*' if not number else ' '} - {cell}" for number, cell in enumerate(row)]
    write_text(path, "\n".join(lines) + "\n")


def write(path: str | Path, parts: Iterable[str]) -> None:
    """A page of paragraphs, headings and tables."""
    write_text(path, "\n\n".join(parts) + "\n")
