"""From rows of ratings to indices: vocabularies of the training rows, with one row for the unknown.

Index 0 of every table stands for what the training rows do not hold: a user, a movie, a title word.
Genres are a closed set, known from the movies' own table.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from talking_models.data.names import title_tokens

UNKNOWN = 0


@dataclass(frozen=True)
class Vocabulary:
    """The ids that a model has embeddings for; a value's index is its place here plus one.

    Attributes:
        users, movies: ids in the training rows, sorted.
        words: title words of the movies in the training rows, sorted.
        genres: all genres, sorted; these have no unknown, so a genre's index is its place.
    """

    users: list[int]
    movies: list[int]
    words: list[str]
    genres: list[str]

    @classmethod
    def of(cls, train: pd.DataFrame, movies: pd.DataFrame) -> Vocabulary:
        """The vocabulary of training rows (columns user, movie) and the movies' table."""
        seen = movies[movies["movie"].isin(train["movie"])]
        return cls(
            users=np.unique(train["user"]).tolist(),
            movies=np.unique(train["movie"]).tolist(),
            words=sorted({word for title in seen["title"] for word in title_tokens(title)}),
            genres=sorted({genre for genres in movies["genres"] for genre in genres}),
        )

    def to_dict(self) -> dict:
        """Plain lists, for a checkpoint's header."""
        return asdict(self)

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each embedding table, the unknown one included where there is one."""
        return {
            "user": len(self.users) + 1,
            "movie": len(self.movies) + 1,
            "title": len(self.words) + 1,
            "genres": len(self.genres),
        }


@dataclass(frozen=True)
class EncodedRatings:
    """N ratings as indices into a vocabulary, and the bags of the M movies they may be about.

    Attributes:
        user, movie: (N,) int64 indices, 0 if unknown.
        item: (N,) int64, the movie's row in the bags below, known to the vocabulary or not.
        rating: (N,) float32.
        title: (M, T) int64 word indices, padded with 0.
        title_weight: (M, T) float32, 1 / number of words, 0 on the padding.
        genres: (M, G) float32, 1 / number of genres on a movie's genres, else 0.
    """

    user: np.ndarray
    movie: np.ndarray
    item: np.ndarray
    rating: np.ndarray
    title: np.ndarray
    title_weight: np.ndarray
    genres: np.ndarray


def _index(values: np.ndarray, known: list) -> np.ndarray:
    """Place of each value in the sorted list `known` plus one, or `UNKNOWN`."""
    known = np.asarray(known)
    place = np.searchsorted(known, values).clip(max=len(known) - 1)
    return np.where(known[place] == values, place + 1, UNKNOWN).astype(np.int64)


def encode(rows: pd.DataFrame, movies: pd.DataFrame, vocabulary: Vocabulary) -> EncodedRatings:
    """Encode ratings (columns user, movie, rating) with the movies' table they refer to.

    Raises:
        ValueError: a row's movie is not in the movies' table.
    """
    ids = movies["movie"].to_numpy()  # sorted by the canonical order
    item = _index(rows["movie"].to_numpy(), ids.tolist()) - 1
    if (item < 0).any():
        missing = rows["movie"].to_numpy()[item < 0][0]
        raise ValueError(f"movie {missing} is rated but is not in the movies' table")
    words = {word: i + 1 for i, word in enumerate(vocabulary.words)}
    titles = [[words.get(w, UNKNOWN) for w in title_tokens(t)] for t in movies["title"]]
    title = np.zeros((len(movies), max(map(len, titles))), np.int64)
    weight = np.zeros(title.shape, np.float32)
    for i, indices in enumerate(titles):
        title[i, : len(indices)] = indices
        weight[i, : len(indices)] = 1 / max(len(indices), 1)
    genres = np.zeros((len(movies), len(vocabulary.genres)), np.float32)
    place = {genre: i for i, genre in enumerate(vocabulary.genres)}
    for i, names in enumerate(movies["genres"]):
        genres[i, [place[name] for name in names]] = 1 / max(len(names), 1)
    return EncodedRatings(
        user=_index(rows["user"].to_numpy(), vocabulary.users),
        movie=_index(rows["movie"].to_numpy(), vocabulary.movies),
        item=item,
        rating=rows["rating"].to_numpy(np.float32),
        title=title,
        title_weight=weight,
        genres=genres,
    )
