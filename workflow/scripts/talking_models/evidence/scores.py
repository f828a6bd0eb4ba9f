"""Evidence on disk: predictions of one job, one row per example and seed, and their metrics.

predictions.parquet  experiment, data, split, task, seed, then of ratings user, item, time, of
                     images example; target, prediction
metrics.csv          experiment, data, split, task, seed, metric, n_eval, value
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from talking_models.io import write_csv, write_parquet
from talking_models.metrics import METRICS

JOB = ["experiment", "data", "split", "task"]
COLUMNS = [*JOB, "seed", "metric", "n_eval", "value"]


def labelled(frame: pd.DataFrame, about: Mapping[str, str]) -> pd.DataFrame:
    """Predictions with what they are of, its columns `JOB`, in front."""
    return frame.assign(**{key: about[key] for key in JOB})[
        [*JOB, *(column for column in frame if column not in JOB)]
    ]


def stacked(rows: pd.DataFrame, predictions: np.ndarray) -> pd.DataFrame:
    """Eval ratings with the predictions (S, N) of each seed, seed by seed."""
    frame = pd.concat([rows] * len(predictions), ignore_index=True)
    seeds = np.repeat(np.arange(len(predictions)), len(rows))
    return pd.DataFrame(
        {
            "seed": seeds,
            **{key: frame[key] for key in ("user", "item", "time")},
            "target": frame["rating"].astype(np.float64),
            "prediction": predictions.astype(np.float64).ravel(),
        }
    )


def score(predictions: pd.DataFrame, metrics: Iterable[str]) -> pd.DataFrame:
    """Each metric of each experiment, task and seed in some predictions: `COLUMNS`."""
    rows = []
    for key, group in predictions.groupby([*JOB, "seed"], sort=False):
        for name in metrics:
            metric = METRICS.get(name)
            value = float(metric.value(metric.evidence(group).sum().to_numpy()))
            rows.append((*key, name, len(group), value))
    return pd.DataFrame(rows, columns=COLUMNS)


def write(
    predictions: pd.DataFrame,
    metrics: Iterable[str],
    predictions_path: str | Path,
    metrics_path: str | Path,
) -> None:
    """Write both files of a job.

    Raises:
        ValueError: a prediction is not a number.
    """
    bad = predictions["prediction"].isna() | predictions["target"].isna()
    if bad.any():
        row = predictions[bad].iloc[0].to_dict()
        raise ValueError(f"{int(bad.sum())} predictions or targets are no numbers, first {row}")
    write_parquet(predictions_path, predictions)
    write_csv(metrics_path, score(predictions, metrics))
