"""Rebuild an ml-100k.zip, as GroupLens laid it out, from the copy in the PyPI wheel.

Only what TFDS's builder reads: u.data, u.item, u.user (and u.genre, which explains the flags).
The archive has the original *content*, not its bytes, and must not be published: MovieLens may not
be redistributed.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from talking_models.data.archives import GENRES, MISSPELT
from talking_models.data.names import clean_category

FOLDER = "recbole/dataset_example/ml-100k"
TRAILING_SPACE = {1128, 1201, 1635}  # titles that end in a space in u.item, but not in the wheel


def item_line(item: str, title: str, year: str, genres: str) -> str:
    """One line of u.item: id, title, release date, video date, URL, 19 flags."""
    title = "unknown" if int(item) == MISSPELT else f"{title} ({year})"
    title += " " * (int(item) in TRAILING_SPACE)
    own = {clean_category(genre) for genre in genres.split(" ")}
    flags = [str(int(genre in own)) for genre in GENRES]
    return "|".join([item, title, f"01-Jan-{year}", "", "", *flags])


def rebuild(wheel_path: Path, zip_path: Path) -> None:
    """Write `zip_path` from the wheel at `wheel_path`."""
    with zipfile.ZipFile(wheel_path) as wheel:
        texts = (wheel.read(f"{FOLDER}/ml-100k.{name}") for name in ("inter", "item", "user"))
        rows, items, users = (
            [line.split("\t") for line in text.decode("utf-8").split("\n")[1:] if line]
            for text in texts
        )
    files = {
        "u.data": ["\t".join(row) for row in rows],
        "u.item": [item_line(*item) for item in items],
        "u.user": ["|".join(user) for user in users],
        "u.genre": [f"{genre}|{number}" for number, genre in enumerate(GENRES)],
    }
    with zipfile.ZipFile(zip_path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, lines in files.items():
            text = "\n".join(lines) + "\n"
            archive.writestr(f"ml-100k/{name}", text.encode("iso-8859-1"))
