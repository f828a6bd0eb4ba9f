"""What it takes to train a student: operations in the matrix products of its training steps.

Of one model, on one task, without what its teachers' training took. Counted and not timed, so that
it is the same on every machine.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch.utils.flop_counter import FlopCounterMode

from talking_models.data.parquet import read_items
from talking_models.io import write_csv
from talking_models.methods.base import Once
from talking_models.models.checkpoint import Checkpoint
from talking_models.training.loop import LOG_LINES
from talking_models.training.ratings import Begun, begin, read_rows
from talking_models.training.setup import one_thread

COLUMNS = ["parameters", "in_tables", "steps", "flops"]


def cost(begun: Begun, training: Mapping[str, Any]) -> dict[str, float]:
    """Of one student: its parameters, those that are `in_tables` of ids and words, of which a
    prediction reads a few rows; the `steps` that it trains, and the `flops` of all of them, from
    the mean of a few spread over them.
    """
    batches, counts = begun.batches(training["batch_size"]), []
    steps = np.linspace(0, training["steps"], min(LOG_LINES, training["steps"]), endpoint=False)
    for step in map(int, steps):
        batch, teachers = next(batches), {id: Once(own) for id, own in begun.teachers.items()}
        for _ in range(2):  # in the second pass all teachers have answered
            with FlopCounterMode(display=False) as counter:
                loss = begun.method.loss(batch, begun.student, teachers, step)
                loss.total.sum().backward()
        counts.append(counter.get_total_flops())
    own, tables = begun.student.parameters(), begun.student.tables().values()
    models = len(begun.seeds)
    return {
        "parameters": sum(p.numel() for p in own) // models,
        "in_tables": sum(table.weight.numel() for table in tables) // models,
        "steps": training["steps"],
        "flops": float(np.mean(counts)) * training["steps"] / models if counts else 0.0,
    }


def run(
    rows: Sequence[str | Path],
    items: str | Path,
    config: Mapping[str, Any],
    teachers: Mapping[str, str | Path],
    csv: str | Path,
) -> None:
    """The cost of a training job of ratings, see `training.ratings.run`, from files to a file."""
    one_thread()
    taught_by = {name: Checkpoint.load(path) for name, path in teachers.items()}
    begun = begin(read_rows(rows), read_items(items), config, taught_by)
    write_csv(csv, pd.DataFrame([cost(begun, config["training"])])[COLUMNS])
