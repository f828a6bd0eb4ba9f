"""RMSE over users and seeds drawn again: how far a result would move with others in their place.

A user's ratings are not independent of each other, so users are drawn and not rows; a draw holds
the same users in all experiments and genres, and the same seeds in all experiments, so that
differences are paired. A draw of n users is n - 1 of them with replacement, likewise for seeds
(Rao and Wu, 1988): the variance over draws is then unbiased, which with 5 seeds would otherwise be
a fifth too small. Drawing both counts more than once what user and seed do together, which makes
intervals somewhat wide, never narrow (Owen, 2007). `scipy.stats.bootstrap` draws along one axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

DRAWS, SEED = 10_000, 0
KEYS = ["experiment", "genre", "seed", "user"]


@dataclass(frozen=True)
class Errors:
    """Squared errors of E experiments in G genres with S seeds, summed for each of U users.

    Attributes:
        experiments: E ids.
        genres: G names.
        squared: (E, G, S, U) sums of squared errors.
        rows: (G, U) eval ratings behind them; 0 for a user without a rating in a genre.
    """

    experiments: tuple[str, ...]
    genres: tuple[str, ...]
    squared: np.ndarray
    rows: np.ndarray

    @property
    def users(self) -> np.ndarray:
        """(G,) users with a rating in each genre."""
        return (self.rows > 0).sum(axis=1)

    @property
    def per_seed(self) -> np.ndarray:
        """(E, G, S): the RMSE of each seed."""
        return np.sqrt(self.squared.sum(axis=-1) / self.rows.sum(axis=-1)[:, None])

    @property
    def rmse(self) -> np.ndarray:
        """(E, G): the mean over seeds of the RMSE, as tables print it."""
        return self.per_seed.mean(axis=-1)

    def of(self, experiments: Sequence[str]) -> Errors:
        """The same for these experiments, in this order."""
        places = [self.experiments.index(experiment) for experiment in experiments]
        return Errors(tuple(experiments), self.genres, self.squared[places], self.rows)


def collect(predictions: Iterable[str | Path], genres: Sequence[str]) -> Errors:
    """Read `predictions.parquet` files; a file that is named twice counts once.

    An experiment with a single seed, such as a reference line, stands for all seeds.

    Raises:
        ValueError: an experiment lacks a genre, a seed or eval ratings that another one has.
    """
    parts = []
    for path in dict.fromkeys(map(str, predictions)):
        frame = pd.read_parquet(path, columns=[*KEYS, "rating", "prediction"])
        frame["squared"] = (frame["rating"] - frame["prediction"]) ** 2
        parts.append(frame.groupby(KEYS, sort=False)["squared"].agg(["sum", "size"]))
    sums = pd.concat(parts)
    sums = sums[sums.index.isin(genres, level="genre")]
    names = [
        list(dict.fromkeys(sums.index.get_level_values("experiment"))),
        list(genres),
        *(sorted(set(sums.index.get_level_values(key))) for key in ("seed", "user")),
    ]
    places = tuple(
        pd.Index(known).get_indexer(sums.index.get_level_values(key))
        for key, known in zip(KEYS, names, strict=True)
    )
    squared, rows = (np.zeros([len(known) for known in names]) for _ in range(2))
    squared[places], rows[places] = sums["sum"], sums["size"]
    for experiment, errors, counts in zip(names[0], squared, rows, strict=True):
        found = counts.any(axis=(0, 2))
        if found.sum() == 1:
            errors[:], counts[:] = errors[:, found], counts[:, found]
        if not (counts == rows[0, :, :1]).all():
            raise ValueError(f"{experiment} was not evaluated on the ratings of {names[0][0]}")
    return Errors(tuple(names[0]), tuple(genres), squared, rows[0, :, 0])


@dataclass(frozen=True)
class Draws:
    """How often each user and each seed is in each of B draws.

    Attributes:
        users: (B, U) counts.
        seeds: (B, S) counts.
    """

    users: np.ndarray
    seeds: np.ndarray


def draw(errors: Errors, draws: int = DRAWS, seed: int = SEED) -> Draws:
    """Draw users and seeds; the same arguments give the same draws.

    Draws without a rating in one of the genres are left out, which takes a genre of very few users.

    Raises:
        ValueError: that holds for more than half of the draws.
    """
    random = np.random.default_rng(seed)
    counts = [
        random.multinomial(max(n - 1, 1), np.full(n, 1 / n), size=draws).astype(float)
        for n in (errors.rows.shape[-1], errors.squared.shape[2])
    ]
    whole = (counts[0] @ errors.rows.T > 0).all(axis=1)
    if whole.sum() < draws / 2:
        few = dict(zip(errors.genres, errors.users.tolist(), strict=True))
        raise ValueError(f"too few users to draw from: {few}")
    return Draws(*(part[whole] for part in counts))


def drawn_rmse(errors: Errors, draws: Draws) -> np.ndarray:
    """(B, E, G): `Errors.rmse` of every draw; nan where it has no user of a genre, or no seed."""
    rows = draws.users @ errors.rows.T
    found = np.empty((len(rows), len(errors.experiments), len(errors.genres)))
    with np.errstate(invalid="ignore"):
        share = draws.seeds / draws.seeds.sum(axis=1, keepdims=True)
        for place, squared in enumerate(errors.squared):
            genres, seeds, users = squared.shape
            sums = draws.users @ squared.reshape(genres * seeds, users).T
            root = np.sqrt(sums.reshape(-1, genres, seeds) / rows[:, :, None])
            found[:, place] = (root * share[:, None]).sum(axis=-1)
    return found
