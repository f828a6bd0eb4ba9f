"""The evidence of many jobs as one array: what each unit (user, image) brings to a metric."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from talking_models.evidence.scores import JOB
from talking_models.metrics import METRICS
from talking_models.metrics.base import Metric

Column = tuple[str, str]
"""A data set and the name of a task."""


@dataclass(frozen=True)
class Evidence:
    """What U units bring to a metric, in E experiments, C columns and S seeds.

    Units of different data sets are different units; one that is not in a column brings nothing.

    Attributes:
        metric: the metric, see `metrics.base.Metric`.
        experiments: E ids.
        columns: C pairs of data set and task.
        sums: (E, C, S, U, K) evidence.
        rows: (C, U) eval examples behind it.
    """

    metric: type[Metric]
    experiments: tuple[str, ...]
    columns: tuple[Column, ...]
    sums: np.ndarray
    rows: np.ndarray

    @property
    def seeds(self) -> int:
        """S."""
        return self.sums.shape[2]

    @property
    def units(self) -> np.ndarray:
        """(C,) how many units each column has."""
        return (self.rows > 0).sum(axis=-1)

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
        places = [self.columns.index(column) for column in columns]
        return replace(
            self, columns=tuple(columns), sums=self.sums[:, places], rows=self.rows[places]
        )

    def influence(self, experiment: str) -> np.ndarray:
        """(C, S, U) how much each unit moves the metric of one experiment, to first order.

        The gradient of the metric at the sums, times what the unit brings.
        """
        own = self.sums[self.experiments.index(experiment)]
        total = own.sum(axis=-2)  # (C, S, K)
        gradient = np.empty_like(total)
        for k in range(total.shape[-1]):
            step = np.zeros_like(total)
            step[..., k] = 1e-6 * np.maximum(np.abs(total[..., k]), 1)
            rise = self.metric.value(total + step) - self.metric.value(total - step)
            gradient[..., k] = rise / (2 * step[..., k])
        return np.einsum("csk,csuk->csu", gradient, own)


def collect(
    predictions: Iterable[str | Path], metric: str, columns: Sequence[Column] | None = None
) -> Evidence:
    """Read `predictions.parquet` files; a file that is named twice counts once.

    An experiment with a single seed, such as a reference line, stands for all seeds.

    Args:
        predictions: files.
        metric: its name.
        columns: those to take, in order; None: all, as they come.

    Raises:
        ValueError: an experiment lacks a column, a seed or eval examples that another one has.
    """
    kind = METRICS.get(metric)
    parts = {}
    for path in dict.fromkeys(map(str, predictions)):
        frame = pd.read_parquet(path)
        keys = [*JOB, "seed"]
        for (experiment, data, _, task, seed), group in frame.groupby(keys, sort=False):
            if columns is None or (data, task) in columns:
                sizes = group.groupby(kind.unit_column, sort=False).size()
                parts[experiment, (data, task), seed] = kind.evidence(group), sizes
    experiments, found, seeds = (list(dict.fromkeys(key[i] for key in parts)) for i in range(3))
    order = list(columns or found)
    units = pd.Index(
        sorted({(c[0], unit) for (_, c, _), (_, sizes) in parts.items() for unit in sizes.index})
    )
    width = next(iter(parts.values()))[0].shape[1] if parts else 1
    shape = (len(experiments), len(order), len(seeds), len(units), width)
    sums, rows = np.zeros(shape), np.zeros(shape[:-1])
    for (experiment, column, seed), (evidence, sizes) in parts.items():
        place = experiments.index(experiment), order.index(column), seeds.index(seed)
        where = units.get_indexer([(column[0], unit) for unit in evidence.index])
        sums[(*place, where)] = evidence.to_numpy(float)
        rows[(*place, units.get_indexer([(column[0], u) for u in sizes.index]))] = sizes
    for experiment, own, counts in zip(experiments, sums, rows, strict=True):
        there = counts.any(axis=(0, 2))
        if there.sum() == 1:
            own[:], counts[:] = own[:, there], counts[:, there]
        if not (counts == rows[0, :, :1]).all():
            raise ValueError(f"{experiment} was not evaluated on the examples of {experiments[0]}")
    plain = rows[0, :, 0] if len(experiments) else np.zeros((0, 1))
    return Evidence(kind, tuple(experiments), tuple(order), sums, plain)
