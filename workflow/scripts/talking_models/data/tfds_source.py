"""MovieLens from TensorFlow Datasets, the paper's source (`movielens/<variant>-ratings`).

*Preparing* a data set needs TensorFlow and GroupLens's server; *reading* one that was prepared as
`array_record` needs neither. So TensorFlow can stay out of the environment that trains:
`tfds_prepare` (by way of `workflow/scripts/prepare_tfds.py`) prepares in an environment of its own,
this module reads.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from talking_models.data import tfds_prepare
from talking_models.errors import SourceError

log = logging.getLogger(__name__)

# Every variant of TFDS `movielens` has a "-ratings" config with ids, titles, categories, timestamps.
VARIANTS = ("100k", "1m", "latest-small", "20m", "25m")
BATCH = 10_000  # examples read at once: one by one is four times slower


def data_dir_of(data_dir: str | Path | None = None) -> Path:
    """`data_dir`, else TFDS_DATA_DIR, else TFDS's own default."""
    return Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def prepared(variant: str, data_dir: str | Path | None = None) -> tuple[Path | None, str]:
    """The newest folder with `variant` prepared as array_record, or None and the reason."""
    parent = data_dir_of(data_dir) / "movielens" / f"{variant}-ratings"
    formats: dict[Path, str] = {}
    for info in parent.glob("*.*.*/dataset_info.json"):
        try:
            formats[info.parent] = json.loads(info.read_text(encoding="utf-8"))["fileFormat"]
        except (ValueError, KeyError):
            formats[info.parent] = "unreadable dataset_info.json"
    good = [folder for folder, kind in formats.items() if kind == "array_record"]
    if good:
        newest = max(good, key=_version)
        return newest, f"prepared in {newest}"
    if formats:
        kinds = ", ".join(sorted(set(formats.values())))
        return None, f"{parent} is prepared as {kinds}, not array_record"
    return None, f"nothing prepared in {parent}"


def _version(folder: Path) -> list[int]:
    return [int(part) for part in folder.name.split(".") if part.isdigit()]


def installed(module: str) -> bool:
    """Whether `module` can be imported, without importing it."""
    return importlib.util.find_spec(module) is not None


def available(
    variant: str,
    data_dir: str | Path | None = None,
    probe: Callable[[], str | None] = tfds_prepare.probe,
    installed: Callable[[str], bool] = installed,
) -> tuple[bool, str]:
    """Whether `fetch` can be expected to work, and the reason: (True, how) or (False, why not)."""
    if variant not in VARIANTS:
        return False, f"TFDS movielens has no variant {variant!r}"
    for module in ("tensorflow_datasets", "array_record"):
        if not installed(module):
            return False, f"{module} is not installed"
    folder, reason = prepared(variant, data_dir)
    if folder:
        return True, reason
    if not installed("tensorflow"):
        return False, f"{reason}, and preparing it needs tensorflow, which is not installed"
    unreachable = probe()
    if unreachable:
        return False, f"{reason}, and {unreachable}"
    return True, f"{reason}, but tensorflow is installed and GroupLens answers: it can be prepared"


def read(folder: str | Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Raw ratings and items of a data set prepared in `folder`, read without TensorFlow.

    Returns:
        ratings (user, item, rating, time) and items (item, title, categories: list of str).

    Raises:
        SourceError: a file is missing, cut or altered.
    """
    import tensorflow_datasets as tfds

    columns = {"user": array("i"), "item": array("i"), "rating": array("f")}
    timestamps, items = array("q"), {}
    try:
        builder = tfds.builder_from_directory(str(folder))
        names = builder.info.features["movie_genres"].feature.names
        source: Any = builder.as_data_source(split="train")
        for start in range(0, len(source), BATCH):
            for row in source.__getitems__(range(start, min(start + BATCH, len(source)))):
                item = int(row["movie_id"])
                columns["user"].append(int(row["user_id"]))
                columns["item"].append(item)
                columns["rating"].append(row["user_rating"])
                timestamps.append(int(row["timestamp"]))
                if item not in items:
                    categories = [names[number] for number in row["movie_genres"]]
                    items[item] = (item, row["movie_title"].decode("utf-8"), categories)
    except Exception as error:  # array_record, protobuf and TFDS each raise kinds of their own
        raise SourceError(
            f"{folder} cannot be read",
            expected="a data set that TFDS prepared as array_record, whole",
            found=f"{type(error).__name__}: {error}",
            advice="delete that folder and prepare it again (make tfds), or set the "
            "data set's `source` to wheel (100k only)",
        ) from error
    return (
        pd.DataFrame({**columns, "time": timestamps}),
        pd.DataFrame(list(items.values()), columns=["item", "title", "categories"]),
    )


def fetch(variant: str, data_dir: str | Path | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read `variant`, preparing it first where it is not prepared and that is possible.

    Raises:
        SourceError: neither prepared nor preparable, or a file is missing, cut or altered.
    """
    can, reason = available(variant, data_dir)
    if not can:
        raise SourceError(
            f"TFDS cannot provide movielens/{variant}-ratings",
            expected=f"a variant among {', '.join(VARIANTS)}, prepared as array_record in "
            f"{data_dir_of(data_dir)}, or TensorFlow and a way to {tfds_prepare.HOST}",
            found=reason,
            advice="prepare it in an environment of its own (make tfds) and set TFDS_DATA_DIR, or "
            "set the data set's `source` to wheel (100k only)",
        )
    folder, _ = prepared(variant, data_dir)
    return read(folder or tfds_prepare.prepare(variant, data_dir_of(data_dir), progress=False))
