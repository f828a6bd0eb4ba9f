"""What an interval says of a difference that somebody printed.

With d the printed difference (positive: as claimed), m = d / 2 and [L, U] our 95% interval for it:

- **reproduced**: L > 0 and U >= d;
- **reproduced, smaller than claimed**: L > 0 and U < d;
- **no advantage worth half the claim**: L <= 0 and U < m; **equivalent** if the 90% interval lies
  within -m and m;
- **not shown, and smaller than claimed**: L <= 0 and m <= U < d;
- **opposite**: U < 0;
- **undecided**: none of these;
- **not tested**: the same predictions, or what is left out has less than 5% of the label's gradient
  over the student.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np
from scipy import stats

from talking_models.evidence.intervals import ALPHA, holm


class Verdict(StrEnum):
    """See above; the last two are of claims without numbers to compare."""

    REPRODUCED = "reproduced"
    SMALLER = "reproduced, smaller than claimed"
    NO_ADVANTAGE = "no advantage worth half the claim"
    EQUIVALENT = "equivalent"
    LESS = "not shown, and smaller than claimed"
    OPPOSITE = "opposite"
    UNDECIDED = "undecided"
    NOT_TESTED = "not tested"
    NOT_RUN = "not run"
    NOT_SHOWN = "the paper does not show it"


GOOD = (Verdict.REPRODUCED, Verdict.SMALLER)
# from what leaves most of the printed difference to what leaves least
FAILED = (Verdict.LESS, Verdict.NO_ADVANTAGE, Verdict.EQUIVALENT, Verdict.OPPOSITE)


@cache
def _quantile(level: float, freedom: float) -> float:
    return float(stats.t.isf((1 - level) / 2, freedom))


@dataclass(frozen=True)
class Estimate:
    """Our estimate of a printed difference."""

    value: float  # positive where it is as claimed
    error: float  # its standard error
    freedom: float  # the degrees of freedom of that
    printed: float  # d, positive

    def ends(self, level: float = 1 - ALPHA) -> tuple[float, float]:
        """Lower and upper end of an interval."""
        half = _quantile(level, self.freedom) * self.error
        return self.value - half, self.value + half

    def p_below(self, bound: float) -> float:
        """p-value of "it is at least `bound`", against its being below; `error` is not 0."""
        return float(stats.t.cdf((self.value - bound) / self.error, self.freedom))

    @property
    def verdict(self) -> Verdict:
        """Of this difference alone."""
        if self.error == 0:
            return Verdict.NOT_TESTED
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
    """The verdict on a claim that needs every one of its differences: reproduced if each is, and
    what all say, if they say the same. Else that some one is opposite, or smaller than claimed, is
    said with Holm's correction for their number, of those that are not reproduced alone; and if
    none of them holds, no less than what the mildest says.
    """
    each = [estimate.verdict for estimate in estimates]
    if len(set(each)) == 1:
        return each[0]
    if set(each) == set(GOOD):
        return Verdict.SMALLER
    tested = [e for e in estimates if e.verdict is not Verdict.NOT_TESTED]
    bounds = {Verdict.LESS: 1, Verdict.NO_ADVANTAGE: 0.5, Verdict.OPPOSITE: 0}
    found = [min(each, key=FAILED.index)] if all(verdict in FAILED for verdict in each) else []
    for verdict, share in bounds.items():
        below = [1.0 if e.verdict in GOOD else e.p_below(share * e.printed) for e in tested]
        if (holm(np.array(below)) <= ALPHA / 2).any():
            found.append(verdict)
    return max(found, key=FAILED.index, default=Verdict.UNDECIDED)


def of_some(estimates: Sequence[Estimate]) -> Verdict:
    """The verdict on a claim that one of its differences is enough for: reproduced if one is, at a
    level corrected for having looked at all. That it fails needs all to fail, and is said as mildly
    as of the one that leaves most of the claim.
    """
    each = [estimate.verdict for estimate in estimates]
    tested = [e for e in estimates if e.verdict is not Verdict.NOT_TESTED]
    if not tested:
        return Verdict.NOT_TESTED
    p = holm(np.array([1 - e.p_below(0.0) for e in tested]))
    sure = {e.verdict for e, own in zip(tested, p, strict=True) if own <= ALPHA / 2}
    if sure:
        return Verdict.REPRODUCED if Verdict.REPRODUCED in sure else Verdict.SMALLER
    if all(verdict in FAILED for verdict in each):
        return min(each, key=FAILED.index)
    return Verdict.UNDECIDED


def power(
    estimates: Sequence[Estimate],
    correlation: np.ndarray,
    combine: Callable[[Sequence[Estimate]], Verdict],
    share: float,
    draws: int = 500,
) -> dict[Verdict, float]:
    """How often each verdict comes of it if all true differences were `share` of the printed ones,
    simulated with our errors and freedom; `correlation` (K, K) is of the estimates.
    """
    random, k = np.random.default_rng(0), len(estimates)
    errors, freedom = (
        np.array([getattr(e, name) for e in estimates]) for name in ("error", "freedom")
    )
    printed = np.array([e.printed for e in estimates])
    normal = random.multivariate_normal(np.zeros(k), correlation, draws, method="eigh")
    values = share * printed + errors * normal
    found_errors = errors * np.sqrt(random.chisquare(freedom, (draws, k)) / freedom)
    found = [
        combine([Estimate(*one) for one in zip(value, error, freedom, printed, strict=True)])
        for value, error in zip(values, found_errors, strict=True)
    ]
    return {verdict: found.count(verdict) / draws for verdict in Verdict if verdict in found}
