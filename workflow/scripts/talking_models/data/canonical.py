"""The one form that MovieLens takes here, whichever source it came from, and a digest of it.

Ratings are ordered by (timestamp, user, movie), so that a split by time is the same everywhere
although many ratings share a second. Movies are ordered by id, and those without a rating are left
out: a source that starts from ratings (TFDS) never sees them.
"""

from __future__ import annotations

import hashlib
import logging
import struct

import numpy as np
import pandas as pd

from talking_models.data.errors import SourceError
from talking_models.data.names import clean_genre, clean_title

log = logging.getLogger(__name__)

# SHA-256 of the content (see `content_digest`); None where no reference is known.
DIGESTS: dict[str, str | None] = {
    "100k": "96a3fd9908d576881a6cb1bc60a007cecf04ebd77c08b2f4d8bd0b99db815b82",
    "1m": None,
    "latest-small": None,
    "20m": None,
    "25m": None,
}
# What the README of ml-100k and TFDS's page say of it; the mean is in stars, to 5 decimals.
COUNTS = {"100k": {"ratings": 100_000, "users": 943, "movies": 1_682, "mean": 3.52986}}
ORDER = ["timestamp", "user", "movie"]
RATING_TYPES = {"user": "int32", "movie": "int32", "rating": "float32", "timestamp": "int64"}


def canonicalise(ratings: pd.DataFrame, movies: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Bring raw tables into canonical order, types and names.

    Args:
        ratings: columns user, movie, rating, timestamp, in any order; ids may be text.
        movies: columns movie, title, genres (list of str); extra movies are dropped.

    Returns:
        ratings: user int32, movie int32, rating float32 (stars), timestamp int64 (seconds UTC).
        movies: movie int32, title str, genres list[str] (sorted, no repeats).

    Raises:
        ValueError: a user rated a movie twice, a movie is listed twice, or a rated movie is not
            listed; the message names the first such id.
    """
    ratings = ratings[list(RATING_TYPES)].astype(RATING_TYPES)
    ratings = ratings.sort_values(ORDER, kind="stable", ignore_index=True)
    twice = ratings.duplicated(["user", "movie"])
    if twice.any():
        row = ratings[twice].iloc[0]
        raise ValueError(f"user {row.user:.0f} rated movie {row.movie:.0f} more than once")

    movies = pd.DataFrame(
        {
            "movie": movies["movie"].astype("int32"),
            "title": [clean_title(title) for title in movies["title"]],
            "genres": [sorted({clean_genre(g) for g in genres}) for genres in movies["genres"]],
        }
    )
    if movies["movie"].duplicated().any():
        raise ValueError(
            f"movie {movies['movie'][movies['movie'].duplicated()].iloc[0]} is listed twice"
        )
    missing = np.setdiff1d(ratings["movie"], movies["movie"])
    if missing.size:
        raise ValueError(f"{missing.size} rated movies are not listed, the first is {missing[0]}")
    movies = movies[movies["movie"].isin(ratings["movie"])]
    return ratings, movies.sort_values("movie", ignore_index=True)


def content_digest(ratings: pd.DataFrame, movies: pd.DataFrame) -> str:
    """SHA-256 (hex) of canonical tables, independent of how they are stored.

    The bytes, all numbers little-endian: the text "movielens/1" and a line feed; the number of
    ratings (uint64); the columns user (int32), movie (int32), rating (float32) and timestamp
    (int64), each whole; the number of movies (uint64); then per movie its id (int32), its title,
    the number of its genres (uint32) and each genre, where a text is its length in bytes (uint32)
    and its UTF-8.
    """
    digest = hashlib.sha256(b"movielens/1\n" + struct.pack("<Q", len(ratings)))
    for column, kind in RATING_TYPES.items():
        little_endian = np.dtype(kind).newbyteorder("<")
        digest.update(ratings[column].to_numpy().astype(little_endian).tobytes())
    digest.update(struct.pack("<Q", len(movies)))
    for movie, title, genres in zip(
        movies["movie"], movies["title"], movies["genres"], strict=True
    ):
        digest.update(struct.pack("<i", movie) + _text(title) + struct.pack("<I", len(genres)))
        digest.update(b"".join(_text(genre) for genre in genres))
    return digest.hexdigest()


def _text(value: str) -> bytes:
    data = value.encode("utf-8")
    return struct.pack("<I", len(data)) + data


def check(ratings: pd.DataFrame, movies: pd.DataFrame, variant: str, origin: str) -> str:
    """Compare canonical tables with the known counts and digest of `variant`; return the digest.

    Args:
        origin: the source that the tables came from, for the message.

    Raises:
        SourceError: the content is not the known one.
    """
    found = {
        "ratings": len(ratings),
        "users": ratings["user"].nunique(),
        "movies": len(movies),
        "mean": round(float(ratings["rating"].to_numpy().mean(dtype="float64")), 5),
    }
    digest, known = content_digest(ratings, movies), DIGESTS.get(variant)
    log.info("MovieLens %s from %s: %s, content SHA-256 %s", variant, origin, found, digest)
    advice = (
        f"the content of {origin} was altered or cut: fetch it anew, or take another source "
        "(config: movielens.source)"
    )
    counts = COUNTS.get(variant, found)
    if found != counts:
        what = f"MovieLens {variant} from {origin} has other counts than the original"
        raise SourceError(what, expected=str(counts), found=str(found), advice=advice)
    if known is None:
        log.info("No reference digest is known for %s: its content is taken as it is", variant)
    elif digest != known:
        what = f"MovieLens {variant} from {origin} has other content than the original"
        raise SourceError(
            what, expected=f"SHA-256 {known}", found=f"SHA-256 {digest}", advice=advice
        )
    return digest
