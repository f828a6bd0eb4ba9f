"""What a difference between two experiments is worth: interval, p-value, correction, power.

A metric varies with the units that were evaluated (users, images: their ratings are not independent
of each other, so that units count and not rows) and with the seeds. The variance of a difference of
means over seeds is that over units, plus that over seeds, minus that of their interaction, which
both of them hold (Cameron, Gelbach and Miller, 2011); never less than that over seeds. The first is
by linearisation: a unit's influence is the gradient of the metric times what the unit brings.

Interval and p-value are those of a t-test. S seeds have S - 1 degrees of freedom, units of unequal
size one less than (sum v)^2 / sum v^2, v being the variance that each would bring if that of all
rows were the same: n in a column, in the mean over columns of N rows with weights w the sum of
w^2 n / N^2. Both together have their harmonic mean, weighted by the seeds'
share r: 1 / df = r / (S - 1) + (1 - r) / (units - 1). Welch and Satterthwaite's squares of shares
would trust one that few seeds estimate: with three, intervals hold the truth in 92% of cases. One
unit alone says nothing of others: no interval, and none of a mean over columns with such a one.
`tests/unit/test_intervals.py` simulates that these hold it in 93 to 97%.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from talking_models.evidence.scores import JOB, job_of, of_seed
from talking_models.metrics import METRICS
from talking_models.metrics.base import Metric

ALPHA, POWER = 1 - 0.95, 0.8  # of 95% intervals; of what can be told apart
WIN, TIE, LOSS = "win", "tie", "loss"
MEAN = "mean"  # the name of what `with_mean` adds to the columns
Column = tuple[str, str]  # a data set and the name of a task


@dataclass(frozen=True)
class Evidence:
    """What U units bring to a metric, in E experiments, C columns and S seeds.

    Units of different data sets are different units; one that is not in a column brings nothing.
    """

    metric: type[Metric]
    experiments: tuple[str, ...]  # E ids
    columns: tuple[Column, ...]  # C
    sums: np.ndarray  # (E, C, S, U, K) evidence
    rows: np.ndarray  # (C, U) eval examples behind it

    @property
    def seeds(self) -> int:
        """S."""
        return self.sums.shape[2]

    @property
    def units(self) -> np.ndarray:
        """(C,) how many units each column has."""
        return (self.rows > 0).sum(axis=-1)

    @property
    def worth(self) -> np.ndarray:
        """(C,) how many units of equal size each column's are worth: by the counts of rows,
        whatever was predicted for them.
        """
        return equal_units(self.rows)

    @cached_property
    def per_seed(self) -> np.ndarray:
        """(E, C, S) the metric of each seed."""
        return self.metric.value(self.sums.sum(axis=-2))

    @property
    def values(self) -> np.ndarray:
        """(E, C) the mean over seeds, as tables print it."""
        return self.per_seed.mean(axis=-1)

    @property
    def sign(self) -> int:
        """1 if more of the metric is better, else -1."""
        return 1 if self.metric.maximize else -1

    def on(self, columns: Sequence[Column]) -> Evidence:
        """The same on these columns, in this order."""
        at = [self.columns.index(column) for column in columns]
        return replace(self, columns=tuple(columns), sums=self.sums[:, at], rows=self.rows[at])

    def influence(self, experiment: str) -> np.ndarray:
        """(C, S, U) how much each unit moves the metric of one experiment, to first order: the
        gradient of the metric at the sums, times what the unit brings.
        """
        own = self.sums[self.experiments.index(experiment)]
        slope = gradient(self.metric, own.sum(axis=-2))  # (C, S, K)
        return np.einsum("csk,csuk->csu", slope, own)


def gradient(metric: type[Metric], total: np.ndarray) -> np.ndarray:
    """(..., K) of a metric's value over the sums that it is computed from, (..., K)."""
    found = np.empty_like(total)
    for k in range(total.shape[-1]):
        step = np.zeros_like(total)
        step[..., k] = 1e-6 * np.maximum(np.abs(total[..., k]), 1)
        rise = metric.value(total + step) - metric.value(total - step)
        found[..., k] = rise / (2 * step[..., k])
    return found


def equal_units(sizes: np.ndarray) -> np.ndarray:
    """(C,) how many units of equal size those of `sizes` (C, U) are worth: (sum n)^2 / sum n^2."""
    return sizes.sum(axis=-1) ** 2 / (sizes**2).sum(axis=-1)


def collect(predictions: Iterable[str | Path], metric: str) -> Evidence:
    """Read `predictions.parquet` files; a file that is named twice counts once. The windows of a
    split are pooled, as in tables: a unit brings what it has in all of them. An experiment with
    a single seed, such as a reference line, stands for all seeds; of images, whose seeds are jobs
    of their own, those count that all students have. `ValueError` if an experiment lacks a column,
    a seed or eval examples that another one has.
    """
    kind, parts = METRICS.get(metric), {}
    files = [*dict.fromkeys(map(str, predictions))]
    if kind.family == "images":
        files = _of_common_seeds(files)
    frames: Iterable[pd.DataFrame] = map(pd.read_parquet, files)
    if not kind.by_row():
        frames = [pd.concat(frames, ignore_index=True).assign(split="")]
    for frame in frames:
        jobs = frame.groupby([*JOB, "seed"], sort=False)
        for (experiment, data, _, task, seed), group in jobs:
            own = kind.evidence(group).assign(rows=group.groupby(kind.unit_column).size())
            own.index = [(data, unit) for unit in own.index]
            key = experiment, (data, task), seed
            parts[key] = parts[key].add(own, fill_value=0) if key in parts else own
    experiments, columns, seeds = (tuple(dict.fromkeys(each)) for each in zip(*parts, strict=True))
    units = pd.Index(sorted({unit for own in parts.values() for unit in own.index}))
    width = max(own.shape[1] for own in parts.values())
    found = np.zeros((len(experiments), len(columns), len(seeds), len(units), width))
    for (experiment, column, seed), own in parts.items():
        place = experiments.index(experiment), columns.index(column), seeds.index(seed)
        found[(*place, units.get_indexer(own.index))] = own
    for experiment, own in zip(experiments, found, strict=True):
        there = own[..., -1].any(axis=(0, 2))
        if there.sum() == 1:
            own[:] = own[:, there]
        if not (own[..., -1] == found[0, :, :1, :, -1]).all():
            raise ValueError(f"{experiment} was not evaluated on the examples of {experiments[0]}")
    sums = np.ascontiguousarray(found[..., :-1])
    return Evidence(kind, experiments, columns, sums, found[0, :, 0, :, -1].copy())


def _of_common_seeds(files: Sequence[str]) -> list[str]:
    """Files of seeds, .../{experiment}/seed{n}/predictions.parquet, that all experiments have; and
    those without one.
    """
    seeds: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for path in map(Path, files):
        if of_seed(path):
            seeds[job_of(path)].add(path.parent.name)
    common = set.intersection(*seeds.values()) if seeds else set()
    return [each for each in files if not of_seed(each) or Path(each).parent.name in common]


def with_mean(values: np.ndarray, axis: int = -1, weights: np.ndarray | None = None) -> np.ndarray:
    """Behind the columns, an axis of C, the mean over them, perhaps with weights (C,)."""
    mean = np.average(values, axis, weights, keepdims=True)
    return np.concatenate([values, mean], axis=axis)


@dataclass(frozen=True)
class Difference:
    """A metric of one experiment minus that of another, (C + 1,): the columns, then their mean."""

    estimate: np.ndarray
    error: np.ndarray  # its standard error; NaN, like all that comes of it, of one unit alone
    freedom: np.ndarray  # the degrees of freedom of that
    seed_share: np.ndarray  # the seeds' share of its square
    sign: int  # 1 if more of the metric is better, else -1

    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end."""
        half = stats.t.isf(ALPHA / 2, self.freedom) * self.error
        return self.estimate - half, self.estimate + half

    @property
    def p(self) -> np.ndarray:
        """p-value of "there is no difference"."""
        none = (self.estimate == 0) & (self.error == 0)  # equal predictions: 0 / 0
        with np.errstate(divide="ignore"):
            t = np.abs(self.estimate / np.where(none, 1.0, self.error))
        return 2 * stats.t.sf(t, self.freedom)

    @property
    def outcomes(self) -> list[str]:
        """A win where the first is better by the whole interval, a loss where it is worse."""
        low, high = self.interval()
        better = self.sign * ((low > 0) * 1 - (high < 0))
        return [(TIE, WIN, LOSS)[sign] for sign in better]

    def detectable(self, tests: int = 1) -> np.ndarray:
        """The smallest true difference that such an evaluation finds with a power of 80%, by a
        two-sided test at 5% / `tests`, the strictest step of Holm's correction; NaN where both have
        the same predictions.
        """
        quantile = stats.t.isf(ALPHA / 2 / tests, self.freedom) + stats.t.ppf(POWER, self.freedom)
        return np.where(self.error > 0, quantile * self.error, np.nan)


def difference(
    evidence: Evidence, one: str, other: str, weights: np.ndarray | None = None
) -> Difference:
    """A metric of `one` minus that of `other`, paired by unit and seed; `weights` (C,) are of the
    mean over the columns.
    """
    a, b = (evidence.experiments.index(id) for id in (one, other))
    apart = evidence.per_seed[a] - evidence.per_seed[b]
    per_seed = with_mean(apart, 0, weights)  # (C + 1, S)
    influence = with_mean(evidence.influence(one) - evidence.influence(other), 0, weights)
    rows = evidence.rows
    units = np.append(evidence.units, (rows > 0).any(axis=0).sum())
    variance, share = two_way(per_seed, influence, units)
    alone = evidence.units == 1
    variance[np.append(alone, alone.any())] = np.nan
    size = rows.sum(axis=-1, keepdims=True) / (1 if weights is None else weights[:, None])
    brings = np.concatenate([rows, (rows / size**2).sum(axis=0, keepdims=True)])  # (C + 1, U)
    freedom = degrees_of_freedom(variance, share, brings, evidence.seeds)
    return Difference(per_seed.mean(axis=-1), np.sqrt(variance), freedom, share, evidence.sign)


def two_way(
    per_seed: np.ndarray, influence: np.ndarray, units: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the mean over seeds of `per_seed` (C, S), which each of the `units` (C,) moves by
    its `influence` (C, S, U), and the seeds' share of it.
    """
    seeds = per_seed.shape[-1]
    of_units = units / np.maximum(units - 1, 1) * (influence.mean(axis=1) ** 2).sum(axis=-1)
    if seeds == 1:
        return of_units, np.zeros_like(of_units)
    of_seeds = per_seed.var(axis=-1, ddof=1) / seeds
    of_both = influence.var(axis=1, ddof=1).sum(axis=-1) / seeds
    variance = np.maximum(of_units + of_seeds - of_both, of_seeds)
    return variance, of_seeds / np.where(variance > 0, variance, 1.0)  # 0 / 0: equal predictions


def correlation(evidence: Evidence, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """(K, K) of the means over columns of K differences, one minus other: they share users, seeds
    and experiments.
    """
    apart, influence = [], []
    for one, other in pairs:
        a, b = (evidence.experiments.index(id) for id in (one, other))
        apart.append((evidence.per_seed[a] - evidence.per_seed[b]).mean(axis=0))  # (S,)
        influence.append((evidence.influence(one) - evidence.influence(other)).mean(axis=0))
    moved, per_seed = np.array(influence), np.array(apart)  # (K, S, U), (K, S)
    common = np.einsum("ku,lu->kl", moved.mean(axis=1), moved.mean(axis=1))
    if evidence.seeds > 1:
        own, seeds = moved - moved.mean(axis=1, keepdims=True), evidence.seeds
        both = np.einsum("ksu,lsu->kl", own, own)
        gone = per_seed - per_seed.mean(axis=1, keepdims=True)
        common += (gone @ gone.T - both) / (seeds - 1) / seeds
    # the difference of estimates need not be a covariance: the nearest that is, by its eigenvalues
    values, vectors = np.linalg.eigh(common)
    common = (vectors * values.clip(min=values.max() * 1e-9)) @ vectors.T
    scale = np.sqrt(np.diag(common))
    return common / np.outer(scale, scale)


def degrees_of_freedom(
    variance: np.ndarray, seed_share: np.ndarray, units: np.ndarray, seeds: int
) -> np.ndarray:
    """(C,) of a standard error; `units` are (C, U) what each unit brings to its square, in any
    unit of measure.
    """
    of_units = np.maximum(equal_units(units) - 1, 1)
    inverse = seed_share / max(seeds - 1, 1) + (1 - seed_share) / of_units
    return 1 / np.where(variance > 0, inverse, 1.0)


def holm(p: np.ndarray) -> np.ndarray:
    """p-values corrected for their number (Holm, 1979)."""
    order = np.argsort(p)
    found = np.empty(len(p))
    found[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(found, 1)
