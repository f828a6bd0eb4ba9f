"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

PER_BLOCK = 4  # genres side by side, as the paper prints them


def grid(header: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """A table whose first columns, as many as `words`, are words and the others numbers."""
    lines = [header, [":--"] * words + ["--:"] * (len(header) - words), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def blocks(tasks: Sequence[str]) -> list[Sequence[str]]:
    """Genres by the table that they stand in, one under the other."""
    return [tasks[i : i + PER_BLOCK] for i in range(0, len(tasks), PER_BLOCK)]
