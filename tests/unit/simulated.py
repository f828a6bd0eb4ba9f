"""Evaluations made up for tests of the statistics, by hand or at random with a known truth."""

import numpy as np
import pandas as pd

from talking_models.evidence.intervals import Evidence
from talking_models.evidence.scores import labelled, score, stacked
from talking_models.io import write_csv, write_parquet
from talking_models.metrics import METRICS

ABOUT = {"data": "shop", "split": "latest"}


def of_ratings(experiment, task, users, errors, **about):
    """Predictions of ratings, all 3, with given errors.

    Args:
        experiment, task: what they are of.
        users: the user of each of N rows.
        errors: (S, N) rating minus prediction.
        about: `data` and `split`, where they are others than `ABOUT`.
    """
    errors = np.atleast_2d(np.asarray(errors, dtype=float))
    n = np.arange(errors.shape[1])
    rows = pd.DataFrame({"user": users, "item": n, "time": n, "rating": np.float32(3)})
    return labelled(
        stacked(rows, 3.0 - errors), {**ABOUT, **about, "experiment": experiment, "task": task}
    )


def of_images(experiment, right, data="pets", seed=0):
    """Predictions of images, of which `right` says whether they are right."""
    frame = pd.DataFrame(
        {
            "seed": seed,
            "example": np.arange(len(right)),
            "target": 1,
            "prediction": np.asarray(right).astype(int),
        }
    )
    about = {"experiment": experiment, "data": data, "split": "given", "task": "all"}
    return labelled(frame, about)


def write_job(folder, frame, metrics=("rmse",)):
    """Both files of a job where the workflow has them: predictions, metrics."""
    experiment, data, split, task = frame.iloc[0, :4]
    place = folder / data / split / task.lower() / experiment
    write_parquet(place / "predictions.parquet", frame)
    write_csv(place / "metrics.csv", score(frame, metrics))
    return place / "predictions.parquet"


def evidence(sums, rows, metric="rmse", experiments=("td", "other"), data="shop"):
    """`Evidence` of arrays; tasks are numbered."""
    columns = tuple((data, f"Task {c}") for c in range(sums.shape[1]))
    return Evidence(METRICS.get(metric), tuple(experiments), columns, sums, rows)


class World:
    """Two methods, `td` and `other`, on users that differ in taste and in how much they rate.

    The error of a rating is normal noise, what the user is like, what the user is like for this
    method, and for this method and seed; how well a seed went scales it. All are independent, and
    `other` has a variance of `more` beside. Sizes are those of a genre of MovieLens-100K's eval
    rows: 166 users whose numbers of ratings are worth those of 56 equal ones.
    """

    noise = 0.9

    def __init__(self, users=166, worth=56, rows=4000, seeds=5, tasks=1, **more):
        self.users, self.worth, self.rows, self.seeds, self.tasks = users, worth, rows, seeds, tasks
        sizes = {"user": 0.3, "own": 0.15, "both": 0.15, "seed_sd": 0.005, "more": 0.0} | more
        self.user, self.own, self.both, self.seed_sd, self.more = sizes.values()

    @property
    def difference(self):
        """RMSE of `other` minus RMSE of `td`, of endlessly many users and seeds."""
        variance = self.noise**2 + self.user**2 + self.own**2 + self.both**2
        return np.sqrt(variance + self.more) - np.sqrt(variance)  # |1 + went| has mean 1

    def sample(self, seed):
        """One evaluation."""
        random = np.random.default_rng(seed)
        spread = np.sqrt(np.log(self.users / self.worth))  # of a lognormal distribution
        sums = np.zeros((2, self.tasks, self.seeds, self.users, 2))
        for task in range(self.tasks):
            often = random.lognormal(-(spread**2) / 2, spread, self.users)
            counts = 1 + random.poisson((self.rows / self.users - 1) * often)
            who = np.repeat(np.arange(self.users), counts)
            common = random.normal(0, self.noise, len(who))
            common += random.normal(0, self.user, self.users)[who]
            for method in range(2):
                extra = np.sqrt(self.more) * random.normal(size=len(who)) if method else 0
                fixed = common + extra + random.normal(0, self.own, self.users)[who]
                own = random.normal(0, self.both, (self.seeds, self.users))[:, who]
                went = 1 + random.normal(0, self.seed_sd, (self.seeds, 1))
                for s, errors in enumerate(went * (fixed + own)):
                    sums[method, task, s, :, 0] = np.bincount(who, errors**2, self.users)
                sums[method, task, :, :, 1] = counts
        return evidence(sums, sums[0, :, 0, :, 1])


class Apart:
    """Two methods, alike, on users of their own in each column: so many, with so many rows each."""

    seeds, difference = 1, 0.0

    def __init__(self, *columns):
        self.columns = columns

    def sample(self, seed):
        """One evaluation."""
        random = np.random.default_rng(seed)
        sums = np.zeros((2, len(self.columns), 1, sum(users for users, _ in self.columns), 2))
        at = 0
        for column, (users, rows) in enumerate(self.columns):
            common = random.normal(0, 0.9, (users, rows)) + random.normal(0, 0.3, (users, 1))
            for method in range(2):
                errors = common + random.normal(0, 0.2, (users, 1))
                sums[method, column, 0, at : at + users, 0] = (errors**2).sum(axis=1)
            sums[:, column, :, at : at + users, 1] = rows
            at += users
        return evidence(sums, sums[0, :, 0, :, 1])


class Pictures:
    """Two students of images, alike, that are right where a normal variable is above 0."""

    def __init__(self, images=2000, seeds=3, seed_sd=0.03):
        self.images, self.seeds, self.seed_sd, self.difference = images, seeds, seed_sd, 0.0

    def sample(self, seed):
        """One evaluation."""
        random = np.random.default_rng(seed)
        easy = 1.6 + random.normal(size=self.images)
        sums = np.ones((2, 1, self.seeds, self.images, 2))
        for student in range(2):
            fixed = easy + random.normal(0, 0.5, self.images)
            went = random.normal(0, self.seed_sd, (self.seeds, 1))
            own = random.normal(0, 0.6, (self.seeds, self.images))
            sums[student, 0, :, :, 0] = fixed + went + own > 0
        return evidence(sums, np.ones((1, self.images)), "accuracy", data="pets")
