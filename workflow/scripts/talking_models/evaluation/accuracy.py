"""What an accuracy is worth: a binomial interval, and a paired test between two models."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, norm
from statsmodels.stats.proportion import proportion_confint

LEVEL = 0.95


def interval(correct: int, n: int) -> tuple[float, float]:
    """Wilson's 95% interval for a share of `correct` among n examples."""
    return tuple(map(float, proportion_confint(correct, n, alpha=1 - LEVEL, method="wilson")))


@dataclass(frozen=True)
class Paired:
    """Two models on the same examples.

    Attributes:
        only_a, only_b: how many examples only the one, or only the other, has right.
        difference: accuracy of a minus accuracy of b.
        low, high: 95% interval of the difference.
        p: of McNemar's exact test that both are equally often right.
    """

    only_a: int
    only_b: int
    difference: float
    low: float
    high: float
    p: float


def compare(a: np.ndarray, b: np.ndarray) -> Paired:
    """Compare which of n examples two models have right, both (n,) bool (McNemar, 1947).

    Raises:
        ValueError: the numbers of examples differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"{a.shape} and {b.shape} examples cannot be paired")
    n, only_a, only_b = len(a), int((a & ~b).sum()), int((b & ~a).sum())
    discordant, difference = only_a + only_b, (only_a - only_b) / len(a)
    error = math.sqrt(max(0.0, discordant - n * difference**2)) / n
    reach = float(norm.ppf((1 + LEVEL) / 2)) * error
    p = binomtest(only_a, discordant).pvalue if discordant else 1.0
    return Paired(only_a, only_b, difference, difference - reach, difference + reach, float(p))
