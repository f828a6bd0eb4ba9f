"""How alike a student and its teacher represent the same ratings: linear CKA of their states.

Centered kernel alignment (Kornblith et al., 2019, "Similarity of Neural Network Representations
Revisited") compares states of any two widths. It is 1 for states that differ by a rotation and a
scale. The fewer rows there are, the higher it comes out, so compare numbers of the same rows.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from talking_models.data.features import encode
from talking_models.data.parquet import about, read_items, read_ratings
from talking_models.io import write_csv
from talking_models.models.checkpoint import Checkpoint
from talking_models.training.batches import RatingData
from talking_models.training.setup import one_thread

COLUMNS = ["experiment", "task", "seed", "student_state", "teacher_state", "cka", "n_rows"]
STATES = {"lower": "low", "higher": "high"}  # names of the states, fields of `States`


def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Linear CKA of two representations of the same examples, (N, p) and (N, q).

    With both centred over the examples, |Y'X|^2 / (|X'X| |Y'Y|) in Frobenius norms: from 0 to 1,
    NaN where one of them is the same for all examples.
    """
    x, y = (z.astype(np.float64) - z.mean(0, dtype=np.float64) for z in (x, y))
    scale = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(y.T @ x) ** 2 / scale) if scale > 0 else float("nan")


def likeness(
    learnt: Mapping[str, np.ndarray], taught: Mapping[str, np.ndarray], seed: int
) -> pd.DataFrame:
    """CKA of each state of a student of `seed`, by name, with each of a teacher: the columns of
    `COLUMNS` from seed on.
    """
    pairs = product(learnt.items(), taught.items())
    rows = [(seed, own, other, linear_cka(x, y), len(x)) for (own, x), (other, y) in pairs]
    return pd.DataFrame(rows, columns=COLUMNS[2:])


def states(
    trained: Checkpoint, rows: pd.DataFrame, items: pd.DataFrame
) -> list[dict[str, np.ndarray]]:
    """Of each model of a stack, all on the same rows, ids that it does not know as unknown."""
    data, models = RatingData(encode(rows, items, trained.vocabulary)), len(trained.seeds)
    with torch.no_grad():
        found = trained.stack()(data.batch(torch.arange(len(rows)).expand(models, -1)))
    named = {name: getattr(found, field).numpy() for name, field in STATES.items()}
    return [{name: state[i] for name, state in named.items()} for i in range(models)]


def similarity(
    student: Checkpoint, teacher: Checkpoint, rows: pd.DataFrame, items: pd.DataFrame, which: str
) -> pd.DataFrame:
    """That of each student with the teacher's models that teach it: of its seed if `paired`, the
    `first`, or `all` as one.
    """
    learnt = states(student, rows, items)
    taught = states(teacher.of(student.seeds) if which == "paired" else teacher, rows, items)
    if which == "all":
        taught = [{name: np.concatenate([one[name] for one in taught], -1) for name in STATES}]
    theirs = taught if which == "paired" else taught[:1] * len(learnt)
    return pd.concat(map(likeness, learnt, theirs, student.seeds), ignore_index=True)


def run(
    experiment: str,
    students: Sequence[str | Path],
    teachers: Sequence[str | Path],
    rows: Sequence[str | Path],
    item_table: str | Path,
    csv: str | Path,
    teacher_seed: str,
) -> None:
    """CKA of an experiment's students and the one teacher, by task, from files to a file."""
    one_thread()
    taught, items = Checkpoint.load(*teachers), read_items(item_table)
    frames = [
        similarity(Checkpoint.load(path), taught, read_ratings(slice), items, teacher_seed).assign(
            experiment=experiment, task=about(slice)["task"]
        )
        for path, slice in zip(students, rows, strict=True)
    ]
    write_csv(csv, pd.concat(frames, ignore_index=True)[COLUMNS])
