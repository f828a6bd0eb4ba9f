"""MovieLens from TensorFlow Datasets, the paper's source (`movielens/<variant>-ratings`).

*Preparing* a data set needs TensorFlow and GroupLens's server: `tfds_prepare`, in an environment of
its own. *Reading* one that was prepared as `array_record` needs neither.
"""

from __future__ import annotations

import importlib.util
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from talking_models.data import tfds_prepare
from talking_models.data.tfds import data_dir_of, lying, reading
from talking_models.errors import SourceError

# Every variant of TFDS `movielens` has a "-ratings" config with all that is needed.
VARIANTS = ("100k", "1m", "latest-small", "20m", "25m")
BATCH = 10_000  # examples read at once: one by one is four times slower
NAME = "movielens/{}-ratings"
OTHERWISE = " (make tfds), or set the data set's `source` to wheel (100k only)"


def available(
    variant: str,
    data_dir: str | Path | None = None,
    probe: Callable[[], str | None] = tfds_prepare.probe,
    installed: Callable[[str], Any] = importlib.util.find_spec,
) -> tuple[bool, str]:
    """Whether `fetch` can be expected to work, and the reason: (True, how) or (False, why not)."""
    if variant not in VARIANTS:
        return False, f"TFDS movielens has no variant {variant!r}"
    for module in ("tensorflow_datasets", "array_record"):
        if not installed(module):
            return False, f"{module} is not installed"
    name = NAME.format(variant)
    good, others = lying(name, data_dir)
    if good:
        return True, f"prepared in {good[-1]}"
    reason = f"nothing prepared in {data_dir_of(data_dir) / name}"
    if others:
        reason = f"{data_dir_of(data_dir) / name} is prepared as {others}, not array_record"
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

    columns = {"user": array("i"), "item": array("i"), "rating": array("f"), "time": array("q")}
    items = {}
    with reading(Path(folder), OTHERWISE):
        builder = tfds.builder_from_directory(str(folder))
        names = builder.info.features["movie_genres"].feature.names
        source: Any = builder.as_data_source(split="train")
        for start in range(0, len(source), BATCH):
            for row in source.__getitems__(range(start, min(start + BATCH, len(source)))):
                item = int(row["movie_id"])
                columns["user"].append(int(row["user_id"]))
                columns["item"].append(item)
                columns["rating"].append(row["user_rating"])
                columns["time"].append(int(row["timestamp"]))
                if item not in items:
                    categories = [names[number] for number in row["movie_genres"]]
                    items[item] = (item, row["movie_title"].decode("utf-8"), categories)
    listed = pd.DataFrame(list(items.values()), columns=["item", "title", "categories"])
    return pd.DataFrame(columns), listed


def fetch(variant: str, data_dir: str | Path | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read `variant`, preparing it first where it is not prepared and that is possible.

    Raises:
        SourceError: neither prepared nor preparable, or a file is missing, cut or altered.
    """
    can, reason = available(variant, data_dir)
    name, folder = NAME.format(variant), data_dir_of(data_dir)
    if not can:
        raise SourceError(
            f"TFDS cannot provide {name}",
            f"a variant among {', '.join(VARIANTS)}, prepared as array_record in {folder}, or "
            f"TensorFlow and a way to {tfds_prepare.HOST}",
            reason,
            f"prepare it in an environment of its own and set TFDS_DATA_DIR{OTHERWISE}",
        )
    good, _ = lying(name, data_dir)
    return read(good[-1] if good else tfds_prepare.prepare(name, folder, progress=False))
