"""How near a student comes to its teacher on the eval rows: beside its quality, not instead."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import spearmanr

from talking_models.evidence.scores import job_of
from talking_models.report.markdown import grid

PLACE = ["data", "split", "task", "seed"]
EXAMPLE = ["data", "split", "task", "user", "item"]
HAD = "the teacher that it had (`teacher_seed`; on draws only the one of their seed is evaluated)"


def heard(teacher: pd.DataFrame, teacher_seed: str) -> pd.DataFrame:
    """What students hear of a teacher's predictions: each those of its seed (`paired`), or all the
    same, without a seed: those of the `first`, or the mean of `all`; none of a split where not all
    were evaluated.
    """
    if teacher_seed == "paired":
        return teacher
    here, seeds = (teacher.groupby(of)["seed"].transform("nunique") for of in (PLACE[:3], "data"))
    teacher = teacher[here == seeds]
    if teacher_seed == "first":
        teacher = teacher[teacher["seed"] == teacher["seed"].min()]
    return teacher.groupby(EXAMPLE, sort=False, as_index=False)["prediction"].mean()


def likeness(student: pd.DataFrame, teacher: pd.DataFrame) -> tuple[float, float]:
    """Of the predicted ratings of an experiment and of its teacher, see `heard`, paired by task,
    seed, user and item: the root mean squared difference and Spearman's rank correlation, means
    over tasks and seeds.
    """
    on = [name for name in ("seed", *EXAMPLE) if name in teacher]
    both = student.merge(teacher, on=on, suffixes=("", "_teacher"))
    found = []
    for _, part in both.groupby(PLACE):
        apart = part["prediction"] - part["prediction_teacher"]
        ranks = spearmanr(part["prediction"], part["prediction_teacher"]).statistic
        found.append((float((apart**2).mean() ** 0.5), float(ranks)))
    alike = pd.DataFrame(found).mean()
    return float(alike[0]), float(alike[1])


def of_classes(student: pd.DataFrame) -> tuple[float, float]:
    """Of predicted classes, beside which the teacher's stand: the share of equal ones, and the mean
    of KL(teacher || student).
    """
    return float((student["prediction"] == student["teacher"]).mean()), float(student["kl"].mean())


def block(about: Mapping[str, Any], predictions: Sequence[str | Path]) -> list[str]:
    """Of a table's page: of ratings where a teacher is a row of it, of images where students were
    held beside theirs.
    """
    files: dict[str, list[str]] = {}
    for path in dict.fromkeys(map(str, predictions)):
        files.setdefault(job_of(path)[-1], []).append(path)
    frames = {id: pd.concat(map(pd.read_parquet, paths)) for id, paths in files.items()}
    lines, heads = [], ("RMSE to its teacher", "Spearman's correlation")
    for row, id in about["rows"].items():
        if id in frames and "kl" in frames[id]:
            same, apart = of_classes(frames[id])
            heads = ("The teacher's class", "KL from its probabilities")
            lines.append([row, f"{same:.1%}", f"{apart:.3f}"])
            continue
        teachers = about["teachers"].get(id, ())
        for teacher in teachers:
            if teacher in frames and id in frames and "user" in frames[id]:
                theirs = heard(frames[teacher], about["teacher_seed"][id])
                if theirs.empty:
                    continue
                name = f"{row}: {teacher}" if len(teachers) > 1 else row
                near, ranks = likeness(frames[id], theirs)
                lines.append([name, f"{near:.4f}", f"{ranks:.3f}"])
    paired = {*about["teacher_seed"].values()} <= {"paired"}
    whose = "the teacher of its seed" if paired else HAD
    note = (
        f"A student's predictions of the evaluation examples beside those of {whose}, of images "
        "the first of several; means over tasks and seeds. To be near the teacher is no aim of its "
        "own."
    )
    return ["## How near the teacher", grid(["Method", *heads], lines), note] if lines else []
