"""What an interval says of a difference that somebody printed.

With d the printed difference (positive: as claimed), m = d / 2 and [L, U] our 95% interval for it:

- **reproduced**: L > 0 and U >= d;
- **reproduced, smaller than claimed**: L > 0 and U < d;
- **no advantage worth half the claim**: L <= 0 and U < m; **equivalent** if the 90% interval lies
  within -m and m;
- **smaller than claimed**: L <= 0 and m <= U < d;
- **opposite**: U < 0;
- **undecided**: none of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import stats

from talking_models.evidence.intervals import ALPHA, holm


class Verdict(StrEnum):
    """See above; the last two are of claims without numbers of ours."""

    REPRODUCED = "reproduced"
    SMALLER = "reproduced, smaller than claimed"
    NO_ADVANTAGE = "no advantage worth half the claim"
    EQUIVALENT = "equivalent"
    LESS = "smaller than claimed"
    OPPOSITE = "opposite"
    UNDECIDED = "undecided"
    NOT_TESTED = "not tested"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Estimate:
    """Our estimate of a printed difference.

    Attributes:
        value: positive where it is as claimed.
        error: its standard error.
        freedom: the degrees of freedom of that.
        printed: d, positive.
    """

    value: float
    error: float
    freedom: float
    printed: float

    def ends(self, level: float = 1 - ALPHA) -> tuple[float, float]:
        """Lower and upper end of an interval."""
        half = stats.t.isf((1 - level) / 2, self.freedom) * self.error
        return self.value - half, self.value + half

    def p_below(self, bound: float) -> float:
        """p-value of "it is at least `bound`", against its being below."""
        if self.error == 0:
            return float(self.value >= bound)
        return float(stats.t.cdf((self.value - bound) / self.error, self.freedom))

    @property
    def verdict(self) -> Verdict:
        """Of this difference alone."""
        low, high = self.ends()
        half = self.printed / 2
        if high < 0:
            return Verdict.OPPOSITE
        if low > 0:
            return Verdict.REPRODUCED if high >= self.printed else Verdict.SMALLER
        if high < half:
            inner = self.ends(1 - 2 * ALPHA)
            close = -half <= inner[0] and inner[1] <= half
            return Verdict.EQUIVALENT if close else Verdict.NO_ADVANTAGE
        return Verdict.LESS if high < self.printed else Verdict.UNDECIDED


def of_all(estimates: Sequence[Estimate]) -> Verdict:
    """The verdict on a claim that needs every one of its differences.

    It is reproduced if each is. That some one is opposite, or smaller than claimed, is said with
    Holm's correction for their number.
    """
    each = [estimate.verdict for estimate in estimates]
    if len(estimates) == 1:
        return each[0]
    good = (Verdict.REPRODUCED, Verdict.SMALLER)
    if all(verdict in good for verdict in each):
        return Verdict.REPRODUCED if set(each) == {Verdict.REPRODUCED} else Verdict.SMALLER
    bounds = {
        Verdict.OPPOSITE: lambda e: 0.0,
        Verdict.NO_ADVANTAGE: lambda e: e.printed / 2,
        Verdict.LESS: lambda e: e.printed,
    }
    for verdict, bound in bounds.items():
        p = holm(np.array([estimate.p_below(bound(estimate)) for estimate in estimates]))
        if (p <= ALPHA / 2).any():
            if verdict is Verdict.NO_ADVANTAGE and set(each) == {Verdict.EQUIVALENT}:
                return Verdict.EQUIVALENT
            return verdict
    return Verdict.UNDECIDED


def of_some(estimates: Sequence[Estimate]) -> Verdict:
    """The verdict on a claim that one of its differences is enough for: the best one's, at a level
    corrected for having looked at all.
    """
    each = [estimate.verdict for estimate in estimates]
    p = holm(np.array([1 - estimate.p_below(0.0) for estimate in estimates]))
    sure = [v for v, own in zip(each, p, strict=True) if own <= ALPHA / 2]
    order = list(Verdict)
    if sure:
        return min(sure, key=order.index)
    weak = [v for v in each if v not in (Verdict.REPRODUCED, Verdict.SMALLER)]
    if Verdict.UNDECIDED in weak or len(weak) < len(each):
        return Verdict.UNDECIDED
    return min(weak, key=order.index)


def power(
    error: float, freedom: float, printed: float, truth: float, draws: int = 2_000
) -> dict[Verdict, float]:
    """How often each verdict comes of a true difference, simulated.

    Args:
        error, freedom: of our estimate.
        printed: d.
        truth: the true difference.
        draws: how many there are.
    """
    random = np.random.default_rng(0)
    values = truth + error * random.standard_normal(draws)
    errors = error * np.sqrt(random.chisquare(freedom, draws) / freedom)
    found = [
        Estimate(value, own, freedom, printed).verdict
        for value, own in zip(values, errors, strict=True)
    ]
    return {verdict: found.count(verdict) / len(found) for verdict in Verdict if verdict in found}
