"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")

PER_BLOCK = 4  # columns side by side


def grid(header: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """A table whose first columns, as many as `words`, are words and the others numbers."""
    lines = [header, [":--"] * words + ["--:"] * (len(header) - words), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def blocks(columns: Sequence[T]) -> list[Sequence[T]]:
    """Columns by the table that they stand in, one under the other."""
    return [columns[i : i + PER_BLOCK] for i in range(0, len(columns), PER_BLOCK)]
