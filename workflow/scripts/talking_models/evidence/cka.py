"""How alike a student and its teacher represent the same ratings: linear CKA of their states.

Centered kernel alignment (Kornblith et al., 2019, "Similarity of Neural Network Representations
Revisited") compares states of any two widths. It is 1 for states that differ by a rotation and a
scale. The fewer rows there are, the higher it comes out, so compare numbers of the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
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
STATES = {"lower": "low", "higher": "high"}
"""Names of the states with their fields of `States`."""


def linear_cka(x: np.ndarray, y: np.ndarray) -> float:
    """Linear CKA of two representations of the same examples.

    With both centred over the examples, |Y'X|^2 / (|X'X| |Y'Y|) in Frobenius norms.

    Args:
        x: (N, p) one representation.
        y: (N, q) the other.

    Returns:
        A number from 0 to 1; NaN where one of them is the same for all examples.

    Raises:
        ValueError: they are not matrices with the same number of rows.
    """
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise ValueError(f"CKA compares (N, p) with (N, q), not {x.shape} with {y.shape}")
    x, y = (z.astype(np.float64) - z.mean(0, dtype=np.float64) for z in (x, y))
    scale = np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y)
    return float(np.linalg.norm(y.T @ x) ** 2 / scale) if scale > 0 else float("nan")


def similarity(
    student: Checkpoint,
    teacher: Checkpoint,
    rows: pd.DataFrame,
    items: pd.DataFrame,
    paired: bool = False,
) -> pd.DataFrame:
    """CKA of each model of a checkpoint with the teacher, each state with each.

    Args:
        student: the students'.
        teacher: the teacher's.
        rows: ratings to compare them on; each encodes ids that it does not know as unknown.
        items: the items' table.
        paired: whether each student had the teacher of its seed, or all the first.

    Returns:
        Columns seed, student_state, teacher_state (`lower` or `higher`), cka, n_rows.
    """
    models = len(student.seeds)
    with torch.no_grad():
        data = RatingData(encode(rows, items, teacher.vocabulary))
        taught = teacher.stack()(data.batch(torch.arange(len(rows)).expand(len(teacher.seeds), -1)))
        data = RatingData(encode(rows, items, student.vocabulary))
        learnt = student.stack()(data.batch(torch.arange(len(rows)).expand(models, -1)))
    found = []
    for (own, mine), (other, theirs) in product(STATES.items(), repeat=2):
        targets = getattr(taught, theirs).numpy()
        for i, state in enumerate(getattr(learnt, mine).numpy()):
            alike = linear_cka(state, targets[i if paired else 0])
            found.append((student.seeds[i], own, other, alike, len(rows)))
    return pd.DataFrame(found, columns=COLUMNS[2:])


def run(
    experiment: str,
    students: Sequence[str | Path],
    teacher: str | Path,
    rows: Sequence[str | Path],
    items: str | Path,
    csv: str | Path,
    paired: bool = False,
) -> None:
    """CKA of one experiment's students of all tasks with a teacher, from files to a file.

    Args:
        experiment: its id.
        students: checkpoints, one for each task.
        teacher: the teacher's checkpoint.
        rows: the tasks' eval slices, in the same order.
        items: the items' table.
        csv: file to write, in the columns `COLUMNS`.
        paired: see `similarity`.
    """
    one_thread()
    taught, item_table = Checkpoint.load(teacher), read_items(items)
    frames = [
        similarity(Checkpoint.load(path), taught, read_ratings(slice), item_table, paired).assign(
            experiment=experiment, task=about(slice)["task"]
        )
        for path, slice in zip(students, rows, strict=True)
    ]
    write_csv(csv, pd.concat(frames, ignore_index=True)[COLUMNS])
