"""Rules for titles, categories and task names. Standard library only: Snakefiles import it."""

import re
import unicodedata
from collections.abc import Iterable

from talking_models.errors import nearest

ALL = "all"  # the id of the task of all rows, which teachers train on
SEED = re.compile(r"seed\d+")  # the folder of a seed of images
RATINGS, ITEMS = ("user", "item", "rating", "time"), ("item", "title", "categories")
SLICES = ("fit", "val", "eval")
TRAIN_SLICES = ("fit", "val")

# Of MovieLens: the variants that each source has (GroupLens's archives are of all), and the genres.
SOURCES = {"tfds": ("100k", "1m", "20m", "25m", "latest-small"), "wheel": ("100k",)}
GENRES = (
    "Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "IMAX", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip

# The original files say "Children's" in 100k and 1m but "Children" later, and "unknown" in 100k.
# TFDS has one name for each, and its names are the canonical ones here.
GENRE_NAMES = {"Children's": "Children", "unknown": "Unknown"}


def clean_title(title: str) -> str:
    """Unicode NFC, no white space at either end, and single spaces inside.

    Three titles of u.item (films 1128, 1201, 1635) end in a space that other copies of the data
    lost; it carries nothing.
    """
    return " ".join(unicodedata.normalize("NFC", title).split())


def clean_category(category: str) -> str:
    """The canonical (TFDS) name of a category."""
    category = clean_title(category)
    return GENRE_NAMES.get(category, category)


def title_tokens(title: str) -> list[str]:
    """Lower-case runs of letters and digits, in order, repeats and the year kept.

    >>> title_tokens("Wallace & Gromit: A Close Shave (1995)")
    ['wallace', 'gromit', 'a', 'close', 'shave', '1995']
    """
    return re.findall(r"[^\W_]+", clean_title(title).lower())


def slug(name: str) -> str:
    """A task's name in a path: 'Sci-Fi' gives 'sci-fi', '(no genres listed)' 'no-genres-listed'.
    `ValueError` if nothing of the name is left, or it is the reserved name 'all'.
    """
    text = "-".join(title_tokens(clean_category(name)))
    if text in ("", ALL):
        raise ValueError(f"{name!r} cannot name a task: its name in paths would be {text!r}")
    return text


def known_name(name: str, known: Iterable[str]) -> str:
    """The canonical name of a task, or a `ValueError` with the known ones and the nearest."""
    names = sorted(known)
    for said in (name, clean_category(name)):
        if said in names:
            return said
    raise ValueError(f"unknown task {name!r}; known: {', '.join(names)}{nearest(said, names)}")
