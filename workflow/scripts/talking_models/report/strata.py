"""The metric of a table apart for users that a student knows little, much or not at all of."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from talking_models.evidence.scores import JOB
from talking_models.metrics import METRICS
from talking_models.report.markdown import grid

FEW = 0.01  # of the eval rows: fewer say nothing
WARM = 20  # training rows of the task, from which on much is known of a user
NAMES = ("no training row", f"1 to {WARM - 1}", f"{WARM} and more")
PLACE = ["data", "split", "task"]


def by_stratum(
    predictions: Iterable[str | Path], references: Iterable[str | Path], metric: str
) -> tuple[pd.DataFrame, pd.Series]:
    """The metric by experiment (rows) and stratum, its mean over seeds, then over tasks that have
    such users; and which share of eval rows, likewise, the strata have.

    Args:
        predictions: `predictions.parquet` of jobs of ratings.
        references: those of the reference lines, which say `train_rows`, the training rows of the
            task that are a row's user's.
        metric: its name.
    """
    lines = pd.concat([pd.read_parquet(path) for path in dict.fromkeys(map(str, references))])
    known = lines.drop_duplicates([*PLACE, "user"]).set_index([*PLACE, "user"])["train_rows"]
    kind, found, rows = METRICS.get(metric), [], []
    for path in dict.fromkeys(map(str, [*predictions, *references])):
        frame = pd.read_parquet(path)
        counts = known.reindex(pd.MultiIndex.from_frame(frame[[*PLACE, "user"]])).to_numpy()
        stratum = np.digitize(counts, [1, WARM])
        of_user = dict(zip(frame["user"], stratum, strict=True))
        for (*job, _), part in frame.groupby([*JOB, "seed"]):
            evidence = kind.evidence(part)  # of all, as a user's may depend on the task's others
            for number, own in evidence.groupby(evidence.index.map(of_user)):
                found.append((*job, NAMES[number], float(kind.value(own.sum().to_numpy()))))
        place = frame[PLACE].iloc[0]
        rows.append((*place, *np.bincount(stratum, minlength=3)))
    values = pd.DataFrame(found, columns=[*JOB, "stratum", "value"])
    values = values.groupby(["experiment", "stratum", *PLACE])["value"].mean()
    table = values.groupby(["experiment", "stratum"]).mean().unstack("stratum")
    counted = pd.DataFrame(rows, columns=[*PLACE, *NAMES]).drop_duplicates(PLACE)[[*NAMES]]
    shares = counted.div(counted.sum(axis=1), axis=0).mean()
    return table.reindex(columns=list(NAMES)), shares


def block(
    about: Mapping[str, Any], predictions: Sequence[str | Path], references: Sequence[str | Path]
) -> list[str]:
    """Of a table's page; nothing for images."""
    metric = METRICS.get(about["metric"])
    if not references or metric.family != "ratings":
        return []
    table, shares = by_stratum(predictions, references, about["metric"])
    head = ["Method", *(f"{name} ({shares[name]:.0%} of rows)" for name in NAMES)]
    named = {**about["rows"], **{f"_{row}_": id for row, id in about["references"].items()}}
    table = table.mask(shares < FEW, axis=1)
    lines = [
        [row, *("" if pd.isna(x) else f"{x:.{metric.digits}f}" for x in table.loc[id])]
        for row, id in named.items()
    ]
    note = (
        "Means over tasks, and over windows or draws where there are several, which the table "
        f"above pools; none of users with under {FEW:.0%} of the rows. The training rows are those "
        "of the task, which its student saw."
    )
    return ["## By the user's training rows", grid(head, lines), note]
