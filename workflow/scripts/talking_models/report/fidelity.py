"""How near a student comes to its teacher on the eval rows: beside its quality, not instead."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import spearmanr

from talking_models.report.markdown import grid

PLACE = ["data", "split", "task", "seed"]


def likeness(
    student: pd.DataFrame, teacher: pd.DataFrame, images: bool = False
) -> tuple[float, float]:
    """Of the predictions of an experiment and of its teacher, paired by task, seed and example:
    of ratings the root mean squared difference and Spearman's rank correlation, of images the share
    of equal classes and NaN. Means over tasks and seeds.
    """
    keys = [*PLACE, *(["example"] if images else ["user", "item"])]
    both = student.merge(teacher, on=keys, suffixes=("", "_teacher"))
    found = []
    for _, part in both.groupby(PLACE):
        apart = part["prediction"] - part["prediction_teacher"]
        if images:
            found.append((float((apart == 0).mean()), float("nan")))
        else:
            ranks = spearmanr(part["prediction"], part["prediction_teacher"]).statistic
            found.append((float((apart**2).mean() ** 0.5), float(ranks)))
    alike = pd.DataFrame(found).mean()
    return float(alike[0]), float(alike[1])


def block(about: Mapping[str, Any], predictions: Sequence[str | Path]) -> list[str]:
    """Of a table's page, where a teacher is a row of it; nothing else."""
    files: dict[str, list[str]] = {}
    for path in dict.fromkeys(map(str, predictions)):
        parts = Path(path).parts
        files.setdefault(parts[-3] if parts[-2].startswith("seed") else parts[-2], []).append(path)
    frames = {id: pd.concat(map(pd.read_parquet, paths)) for id, paths in files.items()}
    lines = []
    for row, id in about["rows"].items():
        for teacher in about["teachers"].get(id, ()):
            if teacher in frames and id in frames:
                images = "example" in frames[id]
                near, ranks = likeness(frames[id], frames[teacher], images)
                shown = [f"{near:.0%}", ""] if images else [f"{near:.4f}", f"{ranks:.3f}"]
                lines.append([row, *shown])
    head = ["Method", "RMSE to its teacher", "Spearman's correlation"]
    note = (
        "A student's predictions of the evaluation rows beside those of the teacher of its seed, "
        "means over tasks and seeds. To be near the teacher is no aim of its own."
    )
    return ["## How near the teacher", grid(head, lines), note] if lines else []
