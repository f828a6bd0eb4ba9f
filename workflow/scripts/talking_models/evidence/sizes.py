"""What students and teachers weigh, and what a prediction costs: what distilling is for.

Times differ from run to run, so that the bytes of this table are not reproducible.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from talking_models.data.features import encode
from talking_models.io import write_csv, write_text
from talking_models.models import checkpoint
from talking_models.models.base import LayeredModel
from talking_models.models.files import IMAGES, kind_of, load_trained
from talking_models.report.markdown import grid
from talking_models.running.machine import processor
from talking_models.training.batches import RatingData

COLUMNS = [
    "model", "data", "experiment", "parameters", "in_tables", "flops", "bytes",
    "ms_per_1000", "batch",
]  # fmt: skip
REPEATS = 5
PICTURES = 16  # at once


class Pictures:
    """A batch of grey pictures."""

    def __init__(self, n: int, size: int) -> None:
        self.images = torch.zeros(n, 3, size, size)


def example(path: str | Path) -> tuple[LayeredModel, Any, int]:
    """A trained model, one of its stack, with a batch and how many predictions that is."""
    if kind_of(path) == IMAGES:
        model, look, _ = load_trained(path)
        return model, Pictures(PICTURES, look.size), PICTURES
    trained = checkpoint.Checkpoint.load(path)
    items = pd.DataFrame({"item": trained.vocabulary.items, **trained.listing})
    rows = pd.DataFrame({"item": items["item"].iloc[[0] * 1000].to_numpy()})
    rows["user"], rows["rating"] = trained.vocabulary.users[0], 0.0
    data = RatingData(encode(rows, items, trained.vocabulary))
    return trained.first(), next(data.in_order()), len(rows)


def measure(path: str | Path) -> dict[str, Any]:
    """Parameters (`in_tables`: in embedding tables, of which a prediction reads a few rows),
    floating-point operations of a prediction, bytes, and milliseconds for 1,000 predictions.
    """
    torch.set_num_threads(1)
    model, batch, n = example(path)
    tables = {id(table.weight) for table in model.tables()}
    counts = [(p.numel(), id(p) in tables) for p in model.parameters()]
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            model(batch)
        took = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            model(batch)
            took.append(time.perf_counter() - began)
    total = sum(size for size, _ in counts)
    return {
        "parameters": total,
        "in_tables": sum(size for size, table in counts if table),
        "flops": counter.get_total_flops() // n,
        "bytes": 4 * total,
        "ms_per_1000": 1000 * min(took) * 1000 / n,
        "batch": n,
    }


def run(
    jobs: Sequence[tuple[str, Sequence[str]]],
    models: Sequence[str | Path],
    csv: str | Path,
    md: str | Path,
) -> None:
    """Both files, from trained models.

    Args:
        jobs: for each model its id, and the job that trained it: data, split, task, experiment.
        models: the files of these jobs.
        csv, md: files to write.
    """
    rows = [
        {"model": id, "data": job[0], "experiment": job[-1], **measure(path)}
        for (id, job), path in zip(jobs, models, strict=True)
    ]
    found = pd.DataFrame(rows)[COLUMNS]
    lines = [
        [
            row.model,
            f"{row.parameters:,}",
            f"{row.parameters - row.in_tables:,}",
            f"{row.flops:,}",
            f"{row.bytes / 1e6:.2f}",
            f"{row.ms_per_1000:.2f}",
        ]
        for row in found.itertuples()
    ]
    head = ["Model", "Parameters", "without tables", "FLOPs a prediction", "MB", "ms per 1,000"]
    note = (
        "One model, of one seed; a student's tables hold what is in its own task's training rows. "
        f"Time on one thread, predictions by {' or '.join(map(str, sorted(set(found['batch']))))}, "
        f"the best of {REPEATS}, on {processor()}."
    )
    write_csv(csv, found)
    write_text(
        md,
        "\n\n".join(["# What students and teachers weigh and cost", grid(head, lines), note])
        + "\n",
    )
