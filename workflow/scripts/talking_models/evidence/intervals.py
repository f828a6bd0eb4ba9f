"""What a difference between two experiments is worth: interval, p-value, correction, power.

A metric varies with the units that were evaluated (users, images: their ratings are not independent
of each other, so that units count and not rows) and with the seeds. The variance of a difference of
means over seeds is that over units, plus that over seeds, minus that of their interaction, which
both of them hold (Cameron, Gelbach and Miller, 2011); never less than that over seeds. The first is
by linearisation: a unit's influence is the gradient of the metric times what the unit brings.

Interval and p-value are those of a t-test. S seeds have S - 1 degrees of freedom, units of unequal
size one less than (sum n)^2 / sum n^2, both together their harmonic mean, weighted by the seeds'
share r: 1 / df = r / (S - 1) + (1 - r) / (units - 1). Welch and Satterthwaite's squares of shares
would trust one that few seeds estimate: with three, intervals hold the truth in 92% of cases.
`tests/unit/test_intervals.py` simulates that these hold it in 93 to 97%.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from talking_models.evidence.store import Evidence

LEVEL, POWER = 0.95, 0.8
ALPHA = 1 - LEVEL
WIN, TIE, LOSS = "win", "tie", "loss"
MEAN = "mean"
"""The name of what `with_mean` adds to the columns."""


def with_mean(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Behind the columns, an axis of C, the mean over them."""
    return np.concatenate([values, values.mean(axis=axis, keepdims=True)], axis=axis)


@dataclass(frozen=True)
class Difference:
    """A metric of one experiment minus that of another, (C + 1,): the columns, then their mean.

    Attributes:
        estimate: the difference.
        error: its standard error.
        freedom: the degrees of freedom of that standard error.
        seed_share: the seeds' share of its square.
        sign: 1 if more of the metric is better, else -1.
    """

    estimate: np.ndarray
    error: np.ndarray
    freedom: np.ndarray
    seed_share: np.ndarray
    sign: int

    @property
    def _t(self) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):  # equal predictions: 0 / 0
            return np.nan_to_num(self.estimate / self.error, nan=0.0, posinf=np.inf, neginf=-np.inf)

    def interval(self, level: float = LEVEL) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end."""
        half = stats.t.isf((1 - level) / 2, self.freedom) * self.error
        return self.estimate - half, self.estimate + half

    @property
    def p(self) -> np.ndarray:
        """p-value of "there is no difference"."""
        return 2 * stats.t.sf(np.abs(self._t), self.freedom)

    @property
    def outcomes(self) -> list[str]:
        """A win where the first is better by the whole interval, a loss where it is worse, else a
        tie.
        """
        ends = zip(*self.interval(), strict=True)
        signs = [self.sign if low > 0 else -self.sign if high < 0 else 0 for low, high in ends]
        return [{1: WIN, 0: TIE, -1: LOSS}[sign] for sign in signs]

    def detectable(self, tests: int = 1) -> np.ndarray:
        """The smallest true difference that such an evaluation finds with a power of 80%.

        Found means by a two-sided test at 5%, or at 5% / `tests`, the strictest step of Holm's
        correction. NaN where both have the same predictions: there is no difference to find.
        """
        quantile = stats.t.isf(ALPHA / 2 / tests, self.freedom) + stats.t.ppf(POWER, self.freedom)
        return np.where(self.error > 0, quantile * self.error, np.nan)


def difference(evidence: Evidence, one: str, other: str) -> Difference:
    """A metric of `one` minus that of `other`, paired by unit and seed."""
    a, b = (evidence.experiments.index(id) for id in (one, other))
    per_seed = with_mean(evidence.per_seed[a] - evidence.per_seed[b], axis=0)  # (C + 1, S)
    influence = with_mean(evidence.influence(one) - evidence.influence(other), axis=0)
    units = with_any(evidence.rows)
    variance, share = two_way(per_seed, influence, (units > 0).sum(axis=-1))
    freedom = degrees_of_freedom(variance, share, units, evidence.seeds)
    return Difference(per_seed.mean(axis=-1), np.sqrt(variance), freedom, share, evidence.sign)


def with_any(rows: np.ndarray) -> np.ndarray:
    """(C + 1, U): examples of each unit in each column, and in all of them."""
    return np.concatenate([rows, rows.sum(axis=0, keepdims=True)])


def two_way(
    per_seed: np.ndarray, influence: np.ndarray, units: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the mean over seeds, and the seeds' share of it.

    Args:
        per_seed: (C, S) a quantity of each seed.
        influence: (C, S, U) how much each unit moves it.
        units: (C,) how many there are.
    """
    seeds = per_seed.shape[-1]
    of_units = units / np.maximum(units - 1, 1) * (influence.mean(axis=1) ** 2).sum(axis=-1)
    if seeds == 1:
        return of_units, np.zeros_like(of_units)
    of_seeds = per_seed.var(axis=-1, ddof=1) / seeds
    of_both = influence.var(axis=1, ddof=1).sum(axis=-1) / seeds
    variance = np.maximum(of_units + of_seeds - of_both, of_seeds)
    return variance, of_seeds / np.where(variance > 0, variance, 1.0)  # 0 / 0: equal predictions


def degrees_of_freedom(
    variance: np.ndarray, seed_share: np.ndarray, units: np.ndarray, seeds: int
) -> np.ndarray:
    """(C,) of a standard error; `units` are (C, U) examples of each unit."""
    worth = units.sum(axis=-1) ** 2 / np.maximum((units**2).sum(axis=-1), 1)
    inverse = seed_share / max(seeds - 1, 1) + (1 - seed_share) / np.maximum(worth - 1, 1)
    return 1 / np.where(variance > 0, inverse, 1.0)


def holm(p: np.ndarray) -> np.ndarray:
    """p-values corrected for their number (Holm, 1979)."""
    order = np.argsort(p)
    found = np.empty(len(p))
    found[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(found, 1)


def average_rank(values: np.ndarray, sign: int) -> np.ndarray:
    """(M,) mean rank of M rows over C columns, 1 for the best; equals share their ranks.

    Args:
        values: (M, C).
        sign: 1 if more is better, else -1.
    """
    return stats.rankdata(-sign * values, axis=0).mean(axis=1)
