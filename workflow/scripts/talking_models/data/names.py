"""Rules for titles, genres and task names. Standard library only: Snakefiles import this too."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence

ALL = "all"  # the task of all rows, which teachers train on
SLICES = ("fit", "val", "eval")
TRAIN_SLICES = ("fit", "val")

# The original files say "Children's" in 100k and 1m but "Children" later, and "unknown" in 100k.
# TFDS has one name for each, and its names are the canonical ones here.
GENRE_NAMES = {"Children's": "Children", "unknown": "Unknown"}


def clean_title(title: str) -> str:
    """Unicode NFC, no white space at either end, and single spaces inside.

    Three titles of u.item (movies 1128, 1201, 1635) end in a space that other copies of the data
    lost; it carries nothing.
    """
    return " ".join(unicodedata.normalize("NFC", title).split())


def clean_genre(genre: str) -> str:
    """The canonical (TFDS) name of a genre."""
    genre = clean_title(genre)
    return GENRE_NAMES.get(genre, genre)


def title_tokens(title: str) -> list[str]:
    """Lower-case runs of letters and digits, in order, repeats and the year kept.

    >>> title_tokens("Wallace & Gromit: A Close Shave (1995)")
    ['wallace', 'gromit', 'a', 'close', 'shave', '1995']
    """
    return re.findall(r"[^\W_]+", clean_title(title).lower())


def slug(genre: str) -> str:
    """A genre's name in a path: 'Sci-Fi' gives 'sci-fi', '(no genres listed)' 'no-genres-listed'.

    Raises:
        ValueError: nothing of the name is left, or it is the reserved name 'all'.
    """
    text = "-".join(title_tokens(clean_genre(genre)))
    if not text or text == ALL:
        raise ValueError(f"{genre!r} cannot name a genre task: its name in paths would be {text!r}")
    return text


def task_names(genres: Sequence[str]) -> list[str]:
    """The names of all tasks in paths: 'all', then one per genre, in the order given.

    Raises:
        ValueError: two genres have the same name in paths.
    """
    tasks = [ALL, *(slug(genre) for genre in genres)]
    if len(set(tasks)) < len(tasks):
        raise ValueError(f"a genre is listed twice among {', '.join(genres)}")
    return tasks


def known_genre(genre: str, known: Iterable[str]) -> str:
    """The canonical name of `genre` if it is among `known`.

    Raises:
        ValueError: it is not; the message lists the known names and the nearest one.
    """
    name, names = clean_genre(genre), sorted(known)
    if name in names:
        return name
    lower = {other.lower(): other for other in names}
    nearest = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.5)
    hint = f" Did you mean {lower[nearest[0]]!r}?" if nearest else ""
    raise ValueError(f"unknown genre {genre!r}.{hint} Known genres: {', '.join(names)}")
