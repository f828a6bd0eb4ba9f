"""What share of the label's gradient each part of a loss has over the student.

A part that hardly moves the student is a part that is off: leaving it out is no test of it.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from talking_models.evidence.scores import of_jobs

LEAST = 0.05  # of the label's gradient, for a part to count as on


def shares(
    histories: Sequence[str | Path], columns: Sequence[Sequence[str]], experiments: Iterable[str]
) -> pd.DataFrame:
    """Rows are experiments, columns the parts of their losses: the norm of a part's gradient over
    the student in units of the label's, both as means over training, then over jobs; NaN where an
    experiment has no such part.

    Args:
        histories: `history.csv` files of all jobs, and of others.
        columns: data, split and task of the jobs that count.
        experiments: whose they are.
    """
    found = []
    for experiment in dict.fromkeys(experiments):
        for path in of_jobs(histories, columns, [experiment]):
            steps = pd.read_csv(path).pivot(index="step", columns="name", values="gradient_norm")
            if not steps.empty:
                steps = steps[steps["label"] > 0]  # others do not train the student
            if steps.empty:  # no look at the student: it was not trained, or for a few steps only
                continue
            norms = steps.dropna(axis=1, how="all").fillna(0).mean()  # at times a part is off
            found.append((norms / norms["label"]).drop("label").rename(experiment))
    if not found:
        return pd.DataFrame()
    jobs = pd.DataFrame(found).dropna(axis=1, how="all")
    return jobs.groupby(level=0, sort=False).mean()
