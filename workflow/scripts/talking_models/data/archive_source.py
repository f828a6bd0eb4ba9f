"""MovieLens out of GroupLens's own archives, read as they are, without unpacking them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pandas as pd

from talking_models.errors import SourceError

GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
)  # fmt: skip
"""The flags at the end of a line of 100k's u.item, in order (u.genre)."""
FILES = {"100k": ("u.data", "u.item"), "1m": ("ratings.dat", "movies.dat")}
FILES |= {"10m": FILES["1m"]}
CSV = ("ratings.csv", "movies.csv")


def read(variant: str, archive: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Raw ratings and items of an archive.

    Returns:
        ratings (user, item, rating, time) and items (item, title, categories: list of str).

    Raises:
        SourceError: there is no such file, it is no zip file, cut, or of another variant.
    """
    names = FILES.get(variant, CSV)
    try:
        with zipfile.ZipFile(archive) as file:
            members = {Path(name).name: name for name in file.namelist()}
            ratings, items = (file.read(members[name]) for name in names)
    except (OSError, zipfile.BadZipFile, KeyError, EOFError) as error:
        raise SourceError(
            f"{archive} cannot be read as MovieLens {variant}",
            expected=f"GroupLens's zip file with {' and '.join(names)}",
            found=f"{type(error).__name__}: {error}",
            advice="download it again, or correct the data set's `variant` or `archive`",
        ) from error
    if names == CSV:
        return _csv(ratings, items)
    return _hundred(ratings, items) if variant == "100k" else _dat(ratings, items)


def _csv(ratings: bytes, items: bytes) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = pd.read_csv(io.BytesIO(ratings)).set_axis(["user", "item", "rating", "time"], axis=1)
    films = pd.read_csv(io.BytesIO(items)).set_axis(["item", "title", "categories"], axis=1)
    return rows, films.assign(categories=films["categories"].str.split("|"))


def _dat(ratings: bytes, items: bytes) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`::` between fields; titles in Latin-1 (1M) or UTF-8 (10M)."""
    names = ["user", "item", "rating", "time"]
    plain = io.BytesIO(ratings.replace(b"::", b"\t"))
    try:
        text = items.decode("utf-8")
    except UnicodeDecodeError:
        text = items.decode("latin-1")
    films = [line.split("::") for line in text.splitlines() if line]
    return pd.read_csv(plain, sep="\t", names=names), pd.DataFrame(
        [(int(item), title, genres.split("|")) for item, title, genres in films],
        columns=["item", "title", "categories"],
    )


def _hundred(ratings: bytes, items: bytes) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = pd.read_csv(io.BytesIO(ratings), sep="\t", names=["user", "item", "rating", "time"])
    films = []
    for line in items.decode("latin-1").splitlines():
        fields = line.split("|")
        flags = fields[-len(GENRES) :]
        films.append(
            (
                int(fields[0]),
                fields[1],
                [g for g, flag in zip(GENRES, flags, strict=True) if flag == "1"],
            )
        )
    return rows, pd.DataFrame(films, columns=["item", "title", "categories"])
