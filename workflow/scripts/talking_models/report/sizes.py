"""What students and teachers weigh, and what a prediction costs: what distilling is for.

Times differ from run to run, so that the bytes of this table are not reproducible.
"""

import timeit
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from talking_models.data.features import encode
from talking_models.io import write_csv
from talking_models.machine import processor
from talking_models.models.base import LayeredModel
from talking_models.models.checkpoint import KIND, Checkpoint
from talking_models.models.files import kind_of, teacher_of
from talking_models.report.markdown import grid, write
from talking_models.training.batches import RatingData

COLUMNS = [
    "model", "data", "experiment", "parameters", "in_tables", "flops", "bytes",
    "ms_per_1000", "batch",
]  # fmt: skip
HEAD = ["Model", "Parameters", "without tables", "FLOPs a prediction", "MB", "ms per 1,000"]
REPEATS = 5
PICTURES = 16  # at once


def example(path: str | Path, form: Mapping[str, Any] | None) -> tuple[LayeredModel, Any, int]:
    """A model, one of its stack, with a batch and how many predictions that is; `form` has the
    settings of pre-trained weights, whose file does not tell them.
    """
    if kind_of(path) == KIND:
        trained = Checkpoint.load(path)
        items = pd.DataFrame({"item": trained.vocabulary.items, **trained.listing})
        rows = pd.DataFrame({"item": items["item"].iloc[[0] * 1000].to_numpy()})
        rows["user"], rows["rating"] = trained.vocabulary.users[0], 0.0
        data = RatingData(encode(rows, items, trained.vocabulary))
        return trained.first(), next(data.in_order()), len(rows)
    model, look = teacher_of(form, path)
    grey = torch.zeros(PICTURES, 3, look.size, look.size)
    return model, SimpleNamespace(images=grey), PICTURES


def measure(path: str | Path, form: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Parameters (`in_tables`: in embedding tables, of which a prediction reads a few rows),
    floating-point operations of a prediction, bytes, and milliseconds for 1,000 predictions.
    """
    torch.set_num_threads(1)
    model, batch, n = example(path, form)
    parameters = sum(p.numel() for p in model.parameters())
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            model(batch)
        seconds = min(timeit.repeat(lambda: model(batch), number=1, repeat=REPEATS))
    return {
        "parameters": parameters,
        "in_tables": sum(table.weight.numel() for table in model.tables().values()),
        "flops": counter.get_total_flops() // n,
        "bytes": 4 * parameters,
        "ms_per_1000": 1000 * seconds * 1000 / n,
        "batch": n,
    }


def run(
    jobs: Sequence[tuple[str, Sequence[str]]],
    stamp: str,
    models: Sequence[str | Path],
    csv: str | Path,
    md: str | Path,
    forms: Mapping[str, Mapping[str, Any]],
) -> None:
    """Both files, from the files of `models`: `jobs` are for each its id and the job that trained
    it (data, split, task, experiment), `forms` the settings of pre-trained weights, by id.
    """
    rows = [
        {"model": id, "data": job[0], "experiment": job[-1], **measure(path, forms.get(id))}
        for (id, job), path in zip(jobs, models, strict=True)
    ]
    found = pd.DataFrame(rows)[COLUMNS]
    lines = []
    for row in found.itertuples():
        counts = map("{:,}".format, (row.parameters, row.parameters - row.in_tables, row.flops))
        lines.append([row.model, *counts, f"{row.bytes / 1e6:.2f}", f"{row.ms_per_1000:.2f}"])
    note = (
        "One model, of one seed; a student's tables hold what is in its own task's training rows. "
        f"Time on one thread, predictions by {' or '.join(map(str, sorted(set(found['batch']))))}, "
        f"the best of {REPEATS}, on {processor()}."
    )
    write_csv(csv, found)
    write(md, ["# What students and teachers weigh and cost", stamp, grid(HEAD, lines), note])
