"""What a difference between two experiments is worth: interval, p-value, correction, power, rank.

The standard error of a difference in RMSE is its standard deviation over draws of users and seeds
(`talking_models.evaluation.bootstrap`). Interval and p-value are those of a t-test with it. The
degrees of freedom are Welch and Satterthwaite's, from the seeds' share of the variance and the
users': with 5 seeds the plain percentile interval is too narrow where seeds matter most
(`tests/unit/test_statistics_coverage.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from talking_models.evaluation.bootstrap import Errors

LEVEL, POWER = 0.95, 0.8
ALPHA = 1 - LEVEL
WIN, TIE, LOSS = "win", "tie", "loss"
MEAN = "mean"
"""The name of what `with_mean` adds to the genres."""


def with_mean(values: np.ndarray) -> np.ndarray:
    """(..., G) to (..., G + 1): behind the genres the mean over them."""
    return np.concatenate([values, values.mean(axis=-1, keepdims=True)], axis=-1)


@dataclass(frozen=True)
class Difference:
    """RMSE of one experiment minus RMSE of another, (G + 1,): genre by genre, then their mean.

    Attributes:
        estimate: the difference.
        error: its standard error.
        freedom: the degrees of freedom of that standard error.
        seed_share: the seeds' share of its square.
    """

    estimate: np.ndarray
    error: np.ndarray
    freedom: np.ndarray
    seed_share: np.ndarray

    @property
    def _t(self) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):  # equal predictions: 0 / 0
            return np.nan_to_num(self.estimate / self.error, nan=0.0, posinf=np.inf, neginf=-np.inf)

    @property
    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end, 95%."""
        half = stats.t.isf(ALPHA / 2, self.freedom) * self.error
        return self.estimate - half, self.estimate + half

    @property
    def p(self) -> np.ndarray:
        """p-value of "there is no difference"."""
        return 2 * stats.t.sf(np.abs(self._t), self.freedom)

    @property
    def p_positive(self) -> np.ndarray:
        """p-value of "the difference is not positive"; small where it is."""
        return stats.t.sf(self._t, self.freedom)

    @property
    def p_negative(self) -> np.ndarray:
        """p-value of "the difference is not negative"."""
        return stats.t.cdf(self._t, self.freedom)

    @property
    def outcomes(self) -> list[str]:
        """A win where the whole interval is positive, a loss where it is negative, else a tie."""
        return [
            WIN if low > 0 else LOSS if high < 0 else TIE
            for low, high in zip(*self.interval, strict=True)
        ]

    def detectable(self, tests: int = 1) -> np.ndarray:
        """The smallest true difference that such an evaluation finds with a power of 80%.

        Found means by a two-sided test at 5%, or at 5% / `tests`, the strictest step of Holm's
        correction. NaN where both have the same predictions: there is no difference to find.
        """
        quantile = stats.t.isf(ALPHA / 2 / tests, self.freedom) + stats.t.ppf(POWER, self.freedom)
        return np.where(self.error > 0, quantile * self.error, np.nan)


def difference(errors: Errors, drawn: np.ndarray, one: str, other: str) -> Difference:
    """RMSE of `one` minus RMSE of `other`, paired.

    Args:
        errors: the data.
        drawn: (B, E, G) RMSE of its draws.
        one, other: experiment ids.
    """
    a, b = errors.experiments.index(one), errors.experiments.index(other)
    per_seed = with_mean((errors.per_seed[a] - errors.per_seed[b]).T)  # (S, G + 1)
    seeds, users = len(per_seed), np.array([*errors.users, errors.rows.any(axis=0).sum()])
    variance = with_mean(drawn[:, a] - drawn[:, b]).var(axis=0)
    of_seeds = per_seed.var(axis=0, ddof=1) / seeds if seeds > 1 else np.zeros_like(variance)
    of_users = np.maximum(variance - of_seeds, 0)
    known = np.where(variance > 0, variance, np.inf)  # equal predictions: nothing varies
    share, rest = of_seeds / known, of_users / known
    inverse = share**2 / max(seeds - 1, 1) + rest**2 / np.maximum(users - 1, 1)
    freedom = 1 / np.where(inverse > 0, inverse, 1.0)
    return Difference(per_seed.mean(axis=0), np.sqrt(variance), freedom, np.minimum(share, 1))


def holm(p: np.ndarray) -> np.ndarray:
    """p-values corrected for their number (Holm, 1979)."""
    return multipletests(p, method="holm")[1]


def at_least(p: np.ndarray, count: int) -> float:
    """p-value of "fewer than `count` of these effects are there" (Benjamini and Heller, 2008).

    The partial-conjunction test in its Bonferroni form, valid whatever the dependence between the
    effects: n - count + 1 times the `count`-th smallest p-value.

    Raises:
        ValueError: `count` is not in 1..n.
    """
    p = np.sort(np.ravel(p))
    if not 1 <= count <= len(p):
        raise ValueError(f"at least {count} of {len(p)} effects")
    return float(min(1, (len(p) - count + 1) * p[count - 1]))


def average_rank(rmse: np.ndarray) -> np.ndarray:
    """(M,) mean rank of M methods over G genres, 1 for the lowest RMSE; equals share their ranks.

    Args:
        rmse: (M, G).
    """
    return stats.rankdata(rmse, axis=0).mean(axis=1)
