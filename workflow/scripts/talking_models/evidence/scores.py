"""Evidence on disk: predictions of one job, one row per example and seed, and their metrics.

predictions.parquet  experiment, data, split, task, seed, then of ratings user, item, time, of
                     images example; target, prediction; of the reference lines also train_rows, how
                     many training rows of the task are the user's
metrics.csv          experiment, data, split, task, seed, metric, n_eval, value
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from talking_models.data.names import SEED
from talking_models.io import write_csv, write_parquet
from talking_models.metrics import METRICS

JOB = ["experiment", "data", "split", "task"]
COLUMNS = [*JOB, "seed", "metric", "n_eval", "value"]


def of_seed(path: str | Path) -> bool:
    """Whether a file is of one seed alone, as each job of images."""
    return SEED.fullmatch(Path(path).parent.name) is not None


def job_of(path: str | Path) -> tuple[str, ...]:
    """The data, split, task and experiment that a file is of, by the folders above it; of images
    the lowest is that of a seed.
    """
    folder = Path(path).parent
    return (folder.parent if of_seed(path) else folder).parts[-4:]


def of_jobs(
    files: Iterable[str | Path], columns: Iterable[Sequence[str]], experiments: Iterable[str]
) -> list[str]:
    """Those of some files that are of the jobs of experiments on columns: data, split, task."""
    jobs = {(*column, id) for column, id in product(columns, experiments)}
    return [path for path in dict.fromkeys(map(str, files)) if job_of(path) in jobs]


def labelled(frame: pd.DataFrame, about: Mapping[str, str]) -> pd.DataFrame:
    """Predictions with what they are of, `JOB`, in front; other keys of `about` stay out."""
    frame = frame.assign(**{key: about[key] for key in JOB if key in about})
    return frame[[*JOB, *frame.columns.difference(JOB, sort=False)]]


def stacked(
    rows: pd.DataFrame, predictions: np.ndarray, seeds: Sequence[int] | None = None
) -> pd.DataFrame:
    """Eval ratings with the predictions (S, N) of each seed (None: 0, 1, ...), seed by seed."""
    frame = pd.concat([rows] * len(predictions), ignore_index=True)
    return frame.assign(
        seed=np.repeat(range(len(predictions)) if seeds is None else seeds, len(rows)),
        target=frame["rating"].astype(float),
        prediction=predictions.astype(float).ravel(),
    )[["seed", "user", "item", "time", "target", "prediction"]]


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
    frame: pd.DataFrame,
    task: str,
    about: Mapping[str, str],
    names: Iterable[str],
    predictions: str | Path,
    metrics: str | Path,
) -> None:
    """Write both files of a job on a task: `about` are its experiment, data and split, where the
    frame does not say them, `names` the metrics'. A ValueError if a prediction is not a number, or
    a metric is none.
    """
    frame = labelled(frame, {**about, "task": task})
    bad = frame[["prediction", "target"]].isna().any(axis=1)
    if bad.any():
        row = frame[bad].iloc[0].to_dict()
        raise ValueError(f"{int(bad.sum())} predictions or targets are no numbers, first {row}")
    scores = score(frame, names)
    for name in scores.loc[scores["value"].isna(), "metric"]:
        why = METRICS.get(name).undefined
        raise ValueError(f"the task {task!r} has no {name}: {why}; leave one of them out")
    write_parquet(predictions, frame)
    write_csv(metrics, scores)
