"""How wide an interval would be if the items were drawn again, too.

`evidence.intervals` takes the items as given: what it says is of these films, and other users and
seeds. Were others drawn as well, the variance of a difference would be that over users, over items
and over seeds, minus that over each two of them, plus that over all three (Cameron, Gelbach and
Miller, 2011). It is never less than that of users and seeds here, and has the degrees of freedom of
these, or of the items if they have fewer.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from talking_models.evidence.intervals import ALPHA, degrees_of_freedom, equal_units, gradient
from talking_models.evidence.scores import JOB
from talking_models.metrics import METRICS
from talking_models.metrics.base import Metric

KEY = ["data", "user", "item"]


@dataclass(frozen=True)
class Rows:
    """What each of R ratings moves a metric by, its mean over the columns, to first order."""

    experiments: tuple[str, ...]  # E
    influence: np.ndarray  # (E, S, R)
    per_seed: np.ndarray  # (E, S) the mean over the columns
    users: np.ndarray  # (R,) codes
    items: np.ndarray  # (R,)

    def half_width(self, one: str, other: str) -> float:
        """Of the 95% interval of the mean over columns of `one` minus `other`, users, items and
        seeds drawn again.
        """
        a, b = (self.experiments.index(id) for id in (one, other))
        moved, apart = self.influence[a] - self.influence[b], self.per_seed[a] - self.per_seed[b]
        fixed, each = moved.mean(axis=0), (self.users, self.items, np.arange(moved.shape[1]))
        few = [len(np.unique(codes)) for codes in each]  # groups, with the factor of a small number
        of = [n / max(n - 1, 1) * _by(fixed, codes) for n, codes in zip(few, each, strict=True)]
        both = [0.0] * 3
        if (seeds := len(apart)) > 1:
            own = moved - fixed
            both = [sum(_by(x, codes) for x in own) / (seeds - 1) / seeds for codes in each]
        of_seeds = apart.var(ddof=1) / seeds if seeds > 1 else 0.0
        known = max(of[0] + of_seeds - both[0], of_seeds)
        variance = max(known + (of[1] - of[2]) - (both[1] - both[2]), known)
        if not variance:
            return 0.0
        users, items = (np.bincount(codes)[None] for codes in each[:2])
        share = of_seeds / known if known else 0.0
        freedom = degrees_of_freedom(np.array([known]), np.array([share]), users, seeds)[0]
        freedom = min(freedom, max(equal_units(items)[0] - 1, 1))
        return float(stats.t.isf(ALPHA / 2, freedom) * variance**0.5)


def _by(moved: np.ndarray, codes: np.ndarray) -> float:
    """The sum of squares of what groups move."""
    groups = np.bincount(codes, moved)
    return float(groups @ groups)


def read_rows(predictions: Iterable[str | Path], metric: str) -> Rows | None:
    """Of `predictions.parquet` files, as `intervals.collect` takes them; None where there are no
    items, or the metric is no mean over ratings.
    """
    kind = METRICS.get(metric)
    if kind.family != "ratings" or not kind.by_row():
        return None
    return rows_of(map(pd.read_parquet, dict.fromkeys(map(str, predictions))), kind)


def rows_of(frames: Iterable[pd.DataFrame], kind: type[Metric]) -> Rows:
    """Of what `predictions.parquet` files hold."""
    parts = defaultdict(list)
    for frame in frames:
        frame = frame.assign(value=kind.per_row(frame))
        for (experiment, data, _, task, seed), own in frame.groupby([*JOB, "seed"], sort=False):
            parts[experiment, (data, task), seed].append(own[[*KEY, "value"]])
    experiments, columns, seeds = (tuple(dict.fromkeys(each)) for each in zip(*parts, strict=True))
    tables = {key: pd.concat(own, ignore_index=True) for key, own in parts.items()}
    known = pd.MultiIndex.from_frame(
        pd.concat([tables[key][KEY] for key in tables if key[0] == experiments[0]])
    ).unique()
    influence = np.zeros((len(experiments), len(seeds), len(known)))
    per_seed = np.zeros((len(experiments), len(seeds)))
    places: dict[tuple, tuple[pd.DataFrame, np.ndarray]] = {}
    for e, experiment in enumerate(experiments):
        for column in columns:
            own_seeds = [seed for seed in seeds if (experiment, column, seed) in tables]
            for s, seed in enumerate(seeds):  # one alone stands for all
                table = tables[experiment, column, seed if seed in own_seeds else own_seeds[0]]
                before = places.get(column)
                if before is None or not before[0].equals(table[KEY]):
                    index = pd.MultiIndex.from_frame(table[KEY])
                    before = places[column] = table[KEY], known.get_indexer(index)
                value = table["value"].to_numpy(float)
                total = np.array([value.sum(), len(value)])
                slope = gradient(kind, total)
                moved = (slope[0] * value + slope[1]) / len(columns)
                influence[e, s] += np.bincount(before[1], moved, len(known))
                per_seed[e, s] += float(kind.value(total)) / len(columns)
    frame = known.to_frame(index=False)
    users = frame.groupby(["data", "user"], sort=False).ngroup().to_numpy()
    items = frame.groupby(["data", "item"], sort=False).ngroup().to_numpy()
    return Rows(experiments, influence, per_seed, users, items)
