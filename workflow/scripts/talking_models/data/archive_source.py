"""MovieLens out of GroupLens's own archives, read as they are, without unpacking them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePosixPath

import pandas as pd

from talking_models.errors import explained

GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip
"""The flags at the end of a line of 100k's u.item, in order (u.genre)."""
DAT, CSV = ("ratings.dat", "movies.dat"), ("ratings.csv", "movies.csv")
FILES = {"100k": ("u.data", "u.item"), "1m": DAT, "10m": DAT}
RATINGS, ITEMS = ["user", "item", "rating", "time"], ["item", "title", "categories"]


def read(variant: str, archive: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Raw ratings and items of an archive.

    Returns:
        ratings (user, item, rating, time) and items (item, title, categories: list of str).

    Raises:
        SourceError: there is no such file, it is no zip file, cut, or of another variant.
    """
    names = FILES.get(variant, CSV)
    parse = {DAT: _dat, CSV: _csv}.get(names, _hundred)
    with (
        explained(
            f"{archive} cannot be read as MovieLens {variant}",
            f"GroupLens's zip file with {' and '.join(names)}",
            "download it again, or correct the data set's `variant` or `archive`",
        ),
        zipfile.ZipFile(archive) as file,
    ):
        return parse(*(file.read(name) for name in _members(file, names)))


def _members(file: zipfile.ZipFile, names: tuple[str, ...]) -> list[str]:
    """The members of these names, in whatever folder they are: the least deep that has them all.

    Raises:
        ValueError: there is none.
    """
    there = [PurePosixPath(name) for name in file.namelist() if not name.startswith("__MACOSX/")]
    folders = {path.parent for path in there if path.name in names}
    whole = [f for f in folders if all(f / name in there for name in names)]
    if not whole:
        said = ", ".join(sorted({path.name for path in there})[:12]) or "nothing"
        raise ValueError(f"it holds {said}")
    folder = min(whole, key=lambda folder: (len(folder.parts), str(folder)))
    return [str(folder / name) for name in names]


def _csv(ratings: bytes, items: bytes) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = pd.read_csv(io.BytesIO(ratings))[["userId", "movieId", "rating", "timestamp"]]
    films = pd.read_csv(io.BytesIO(items), keep_default_na=False)  # a film can be called "NA"
    films = films[["movieId", "title", "genres"]].set_axis(ITEMS, axis=1)
    films["categories"] = films["categories"].str.split("|")
    return rows.set_axis(RATINGS, axis=1), films


def _lines(text: bytes, separator: str) -> list[list[str]]:
    """Fields of each line, of UTF-8 (10m) or else of Latin-1 (100k, 1m)."""
    try:
        lines = text.decode("utf-8")
    except UnicodeDecodeError:
        lines = text.decode("latin-1")  # where str.splitlines knows ends of lines that are none
    return [line.rstrip("\r").split(separator) for line in lines.split("\n") if line.strip()]


def _dat(ratings: bytes, items: bytes) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = pd.read_csv(io.BytesIO(ratings.replace(b"::", b"\t")), sep="\t", names=RATINGS)
    films = [(int(item), title, genres.split("|")) for item, title, genres in _lines(items, "::")]
    return rows, pd.DataFrame(films, columns=ITEMS)


def _hundred(ratings: bytes, items: bytes) -> tuple[pd.DataFrame, pd.DataFrame]:
    films = [
        (int(item), title, [g for g, flag in zip(GENRES, rest[3:], strict=True) if flag == "1"])
        for item, title, *rest in _lines(items, "|")
    ]
    rows = pd.read_csv(io.BytesIO(ratings), sep="\t", names=RATINGS)
    return rows, pd.DataFrame(films, columns=ITEMS)
