"""The time split and the genre tasks.

All rows in time order: the first 90% are train, the last 10% eval; the last 10% of train are the
validation slice, so fit 81%, val 9%, eval 10%. The split is made once, over all genres; a genre
task is the rows of each slice whose movie has that genre, among others perhaps.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pandas as pd

from talking_models.data import tables
from talking_models.data.canonical import ORDER
from talking_models.data.names import known_genre, task_names

log = logging.getLogger(__name__)


def first_part(rows: int, last_fraction: float) -> int:
    """How many of `rows` come before the last `last_fraction` of them.

    floor(rows * (1 - last_fraction)) in exact arithmetic on the fraction as written: 0.1 is 1/10,
    not the float beside it, which would move the cut by one row for some sizes.
    """
    part = 1 - Fraction(str(last_fraction))
    return rows * part.numerator // part.denominator


def time_split(
    ratings: pd.DataFrame, eval_fraction: float = 0.1, val_fraction: float = 0.1
) -> dict[str, pd.DataFrame]:
    """Cut the rows, ordered by (timestamp, user, movie), into fit, val and eval.

    Args:
        ratings: columns user, movie, rating, timestamp, in any order.
        eval_fraction: of all rows, the last ones.
        val_fraction: of the rows that are left, the last ones.

    Returns:
        'fit', 'val' and 'eval', each with an index from 0; together the input, in time order.

    Raises:
        ValueError: a fraction is not between 0 and 1, or a slice would be empty.
    """
    for name, value in {"eval_fraction": eval_fraction, "val_fraction": val_fraction}.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} must lie between 0 and 1, found {value}")
    train = first_part(len(ratings), eval_fraction)
    fit = first_part(train, val_fraction)
    bounds = {"fit": (0, fit), "val": (fit, train), "eval": (train, len(ratings))}
    for name, (start, stop) in bounds.items():
        if start == stop:
            raise ValueError(f"{len(ratings)} ratings are too few: the {name} slice is empty")
    ordered = ratings.sort_values(ORDER, kind="stable", ignore_index=True)
    return {
        name: ordered.iloc[start:stop].reset_index(drop=True)
        for name, (start, stop) in bounds.items()
    }


def genre_names(movies: pd.DataFrame) -> list[str]:
    """All genres of `movies`, sorted."""
    return sorted({genre for genres in movies["genres"] for genre in genres})


def genre_rows(rows: pd.DataFrame, movies: pd.DataFrame, genre: str) -> pd.DataFrame:
    """The rows whose movie has `genre` among its genres, order kept, index from 0.

    Raises:
        ValueError: no movie has that genre; the message lists the known ones.
    """
    genre = known_genre(genre, genre_names(movies))
    members = movies["movie"][[genre in genres for genres in movies["genres"]]]
    return rows[rows["movie"].isin(members)].reset_index(drop=True)


def densest_genres(ratings: pd.DataFrame, movies: pd.DataFrame, n: int) -> list[str]:
    """The `n` genres with most rows in `ratings`, most first, equal ones by name.

    Pass the train rows (fit and val): eval rows choose nothing.
    """
    counts = ratings["movie"].value_counts()
    per_movie = counts.reindex(movies["movie"], fill_value=0).to_numpy()
    totals = dict.fromkeys(genre_names(movies), 0)
    for genres, count in zip(movies["genres"], per_movie, strict=True):
        for genre in genres:
            totals[genre] += int(count)
    return sorted(totals, key=lambda genre: (-totals[genre], genre))[:n]


def split(
    ratings_path: str | Path,
    movies_path: str | Path,
    folder: str | Path,
    genres: Sequence[str],
    eval_fraction: float,
    val_fraction: float,
) -> None:
    """Write `folder`/<task>/<slice>.parquet for 'all' and each genre, and log the row counts.

    Raises:
        ValueError: an unknown or repeated genre, or a genre without rows in a slice.
    """
    movies = tables.read_movies(movies_path)
    slices = time_split(tables.read_ratings(ratings_path), eval_fraction, val_fraction)
    train = pd.concat([slices["fit"], slices["val"]], ignore_index=True)
    log.info(
        "Train ends at timestamp %d, eval begins at %d",
        train["timestamp"].iloc[-1],
        slices["eval"]["timestamp"].iloc[0],
    )
    names = [known_genre(genre, genre_names(movies)) for genre in genres]
    densest = densest_genres(train, movies, len(names))
    if names != densest:
        log.warning(
            "The configured genres are not the %d with most train ratings, dense to sparse: "
            "configured %s; densest %s", len(names), ", ".join(names), ", ".join(densest)
        )  # fmt: skip
    for task, genre in zip(task_names(names), [None, *names], strict=True):
        parts = {
            name: rows if genre is None else genre_rows(rows, movies, genre)
            for name, rows in slices.items()
        }
        log.info("%s: %s", task, ", ".join(f"{name} {len(rows)}" for name, rows in parts.items()))
        for name, rows in parts.items():
            if rows.empty:
                raise ValueError(f"genre {genre!r} has no rows in the {name} slice: leave it out")
            tables.write_ratings(rows, Path(folder) / task / f"{name}.parquet", slice=name)
