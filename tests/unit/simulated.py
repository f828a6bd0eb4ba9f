"""Evaluations made up for tests of the statistics, by hand or at random with a known truth."""

import numpy as np
import pandas as pd
from talking_models.evidence.bootstrap import Errors
from talking_models.evidence.metrics import predictions_frame

from talking_models.io import write_parquet


def write_predictions(path, experiment, genre, users, errors):
    """A `predictions.parquet` with given errors.

    Args:
        path: to write.
        experiment, genre: what it is about.
        users: the user of each of N rows.
        errors: (S, N) rating minus prediction.
    """
    errors = np.atleast_2d(np.asarray(errors, dtype=float))
    n = np.arange(errors.shape[1])
    rows = pd.DataFrame({"user": users, "item": n, "time": n, "rating": np.float32(3)})
    write_parquet(path, predictions_frame(experiment, genre, rows, 3.0 - errors))
    return path


def of_rows(users, errors, genres=("War",)):
    """`Errors` of `{experiment: (G, S, N) errors}`, all genres with the rows of the same users."""
    known, codes = np.unique(users, return_inverse=True)
    squared = np.stack([np.asarray(e, dtype=float) ** 2 for e in errors.values()])
    sums = np.stack([squared[..., codes == user].sum(axis=-1) for user in range(len(known))], -1)
    counts = np.tile(np.bincount(codes).astype(float), (len(genres), 1))
    return Errors(tuple(errors), tuple(genres), sums, counts)


class World:
    """Two methods, `td` and `other`, on users that differ in taste and in how much they rate.

    The error of a rating is normal noise, what the user is like, what the user is like for this
    method, and how well this seed went: all independent and with known variances, and a part more
    for `other`. Users give 1 to about 80 ratings.
    """

    user, own, noise = 0.3, 0.15, 0.9

    def __init__(self, users=100, seeds=5, seed_sd=0.1, more=0.0, genres=1):
        self.users, self.seeds, self.seed_sd = users, seeds, seed_sd
        self.more, self.genres = more, genres  # `more`: added to the variance

    @property
    def difference(self):
        """RMSE of `other` minus RMSE of `td`, of endlessly many users and seeds."""
        went = np.random.default_rng(1).normal(0, self.seed_sd, 100_000) ** 2
        common = self.user**2 + self.own**2 + self.noise**2
        return (np.sqrt(common + self.more + went) - np.sqrt(common + went)).mean()

    def rows(self, seed):
        """The user of each of N rows, and the errors of both methods, (G, S, N) each."""
        random = np.random.default_rng(seed)
        counts = 1 + random.poisson(random.gamma(1.0, 15, self.users))
        rows = np.repeat(np.arange(self.users), counts)
        errors = {"td": [], "other": []}
        for _ in range(self.genres):
            common = random.normal(0, self.user, self.users)[rows]
            common = common + random.normal(0, self.noise, len(rows))
            for name, parts in errors.items():
                more = np.sqrt(self.more) * random.normal(size=len(rows)) * (name == "other")
                fixed = common + more + random.normal(0, self.own, self.users)[rows]
                went = random.normal(0, self.seed_sd, (self.seeds, 1))
                parts.append(fixed + went * random.normal(size=len(rows)))
        return rows, errors

    def sample(self, seed):
        """One evaluation."""
        rows, errors = self.rows(seed)
        return of_rows(rows, errors, [f"Genre {g}" for g in range(self.genres)])
