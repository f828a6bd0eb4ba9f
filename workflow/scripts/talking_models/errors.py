"""The one error of every data source, the shape of its message, and what errors name."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class SourceError(RuntimeError):
    """A source is unreachable, incomplete, altered, or does not hold what was asked for: which file
    or source it is (`what`), what should have been there, what was, and what the reader can do.
    """

    def __init__(self, what: str, expected: str, found: str, advice: str) -> None:
        self.what, self.expected, self.found, self.advice = what, expected, found, advice
        super().__init__(what, expected, found, advice)  # what a pickle has of it

    def __str__(self) -> str:
        return "{}\n  expected: {}\n  found: {}\n  what to do: {}".format(*self.args)


@contextmanager
def explained(what: str, expected: str, advice: str) -> Iterator[None]:
    """Whatever other libraries raise, each kinds of its own, as a `SourceError`."""
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(what, expected, f"{type(error).__name__}: {error}", advice) from error


@contextmanager
def named(what: str | Path) -> Iterator[None]:
    """A `ValueError` again, that begins with what it is of."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from None


def nearest(word: str, known: Iterable[str]) -> str:
    """Which of some names is the nearest, to stand at the end of a message; "" if none is near.
    Capitals, hyphens and underscores make no difference.
    """
    folded = {name.lower().replace("_", "-"): name for name in known}
    near = difflib.get_close_matches(word.lower().replace("_", "-"), folded, n=1, cutoff=0.4)
    return "".join(f"; nearest: {folded[name]}" for name in near)
