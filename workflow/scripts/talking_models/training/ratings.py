"""The training job of ratings: all seeds of one model, by one method, on one task."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from talking_models import methods
from talking_models.data.features import Vocabulary, encode
from talking_models.data.names import TRAIN_SLICES
from talking_models.data.parquet import about, read_items, read_ratings
from talking_models.io import write_csv, write_yaml
from talking_models.models import MODELS
from talking_models.models.base import LayeredModel
from talking_models.models.checkpoint import Checkpoint
from talking_models.models.layers import Layers, Streams
from talking_models.objectives import RatingObjective
from talking_models.training.batches import RatingData, predict_all, shuffled_rows
from talking_models.training.loop import Watch, train
from talking_models.training.setup import one_thread
from talking_models.training.teacher import FrozenTeacher


@dataclass(frozen=True)
class Outputs:
    """Where a training job writes."""

    models: Path
    history: Path
    config: Path


def read_rows(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Rating rows of several training slices, one after the other.

    Raises:
        ValueError: a file holds another slice. Evaluation rows choose nothing and train nothing.
    """
    for path in paths:
        if (held := about(path).get("slice")) not in TRAIN_SLICES:
            raise ValueError(
                f"{path} holds the slice {held!r}: training and tuning read only "
                f"{' and '.join(TRAIN_SLICES)}"
            )
    return pd.concat([read_ratings(path) for path in paths], ignore_index=True)


@dataclass(frozen=True)
class Validation:
    """What is watched while a stack trains: the RMSE on rows that it does not train on.

    Attributes:
        rows: validation ratings.
        every: steps between two looks.
        curve: filled in training: one list per look, with the RMSE of each seed.
    """

    rows: pd.DataFrame
    every: int
    curve: list[list[float]] = field(default_factory=list)

    def watch(
        self, student: LayeredModel, vocabulary: Vocabulary, items: pd.DataFrame, n: int
    ) -> Watch:
        """What `loop.train` looks at; `n` models are in the stack."""
        data = RatingData(encode(self.rows, items, vocabulary))

        def look() -> None:
            errors = predict_all(student, data, n) - data.rating
            self.curve.append(errors.square().mean(-1).sqrt().tolist())

        return Watch(look, self.every)


def fit(
    rows: pd.DataFrame,
    items: pd.DataFrame,
    config: Mapping[str, Any],
    teachers: Mapping[str, Checkpoint],
    log: logging.Logger,
    validation: Validation | None = None,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Train a stack of models by one method.

    Args:
        rows: training rows.
        items: the items' table.
        config: the effective config, see `config.Config.training_job`.
        teachers: trained teachers by id; none for a method without a teacher. With `teacher_seed`
            `paired` the i-th model of each teaches the i-th student, else the first all of them.
        log: gets the progress.
        validation: rows to watch while training; its curve is filled.

    Returns:
        The trained models and the history of the loss (see `loop.train`).

    Raises:
        TrainingDiverged: see `loop.train`.
        ValueError: a teacher has not as many models as there are students.
    """
    seeds = tuple(range(config["seeds"]))
    training, form = config["training"], config["student"]
    vocabulary = Vocabulary.of(rows, items)
    data = RatingData(encode(rows, items, vocabulary))
    student = MODELS.get(form["kind"]).build(
        form,
        vocabulary.sizes,
        Streams(seeds, "student"),
        training=training,
        mean_rating=float(rows["rating"].mean()),
    )
    paired = config.get("teacher_seed") == "paired"
    frozen = {
        name: frozen_teacher(teacher, rows, items, len(seeds) if paired else None)
        for name, teacher in teachers.items()
    }
    layers = Layers(Streams(seeds, "method"))
    method = methods.build(config, RatingObjective(layers), layers, student, frozen)
    method.prepare({name: teacher.chunks() for name, teacher in frozen.items()})

    log.info("%d models, %d training rows, %s", len(seeds), len(data), vocabulary.sizes)
    watch = None
    if validation is not None:
        watch = validation.watch(student, vocabulary, items, len(seeds))
    order = shuffled_rows(len(data), training["batch_size"], Streams(seeds, "order"))
    history = train(
        student,
        method,
        frozen,
        map(data.batch, order),
        steps=training["steps"],
        learning_rate=training["learning_rate"],
        weight_decay=training["weight_decay"],
        precision=config["precision"],
        seeds=seeds,
        setting={key: config[key] for key in ("method", "settings", "training")},
        log=log,
        watch=watch,
    )
    weights = {name: tensor.detach() for name, tensor in student.state_dict().items()}
    listing = items.set_index("item").loc[vocabulary.items].to_dict("list")
    return Checkpoint(list(seeds), dict(form), vocabulary, listing, weights), history


def frozen_teacher(
    teacher: Checkpoint, rows: pd.DataFrame, items: pd.DataFrame, stack: int | None
) -> FrozenTeacher:
    """A teacher of training rows: its first model, or as many as there are students."""
    data = RatingData(encode(rows, items, teacher.vocabulary))
    if stack is None:
        return FrozenTeacher(teacher.first(), data)
    if len(teacher.seeds) != stack:
        raise ValueError(
            f"teacher_seed is paired, but a teacher of {len(teacher.seeds)} seeds cannot teach "
            f"{stack} students: train it with as many, or set teacher_seed to first"
        )
    return FrozenTeacher(teacher.stack(), data, stack)


def run(
    rows: Sequence[str | Path],
    items: str | Path,
    config: Mapping[str, Any],
    outputs: Outputs,
    log: logging.Logger,
    teachers: Mapping[str, str | Path],
) -> None:
    """A whole training job, from files to files, on one thread.

    Args:
        rows: Parquet files of training rows; never the eval slice.
        items: the items' table.
        config: see `fit`.
        outputs: files to write.
        log: gets the progress.
        teachers: the teachers' checkpoints.
    """
    one_thread()
    checkpoint, history = fit(
        read_rows(rows),
        read_items(items),
        config,
        {name: Checkpoint.load(path) for name, path in teachers.items()},
        log,
    )
    checkpoint.save(outputs.models)
    write_csv(outputs.history, history)
    write_yaml(outputs.config, dict(config))
