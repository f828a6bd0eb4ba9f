"""The training jobs of MovieLens: the teacher on all genres, a student on one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from talking_models import methods
from talking_models.data.features import Vocabulary, encode
from talking_models.data.names import TRAIN_SLICES
from talking_models.data.tables import read_movies, read_ratings, slice_of
from talking_models.io import write_csv, write_yaml
from talking_models.models.checkpoint import Checkpoint
from talking_models.models.layers import Layers, Streams
from talking_models.models.mlp import RatingMLP
from talking_models.tasks import Rating
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
        if slice_of(path) not in TRAIN_SLICES:
            raise ValueError(
                f"{path} holds the slice {slice_of(path)!r}: training and tuning read only "
                f"{' and '.join(TRAIN_SLICES)}"
            )
    return pd.concat([read_ratings(path) for path in paths], ignore_index=True)


@dataclass(frozen=True)
class Validation:
    """What is watched while a stack trains: the RMSE on rows that it does not train on.

    Attributes:
        rows: validation ratings.
        every: steps between two looks.
        curve: filled in training: one list per look, with the RMSE of each seed, in stars.
    """

    rows: pd.DataFrame
    every: int
    curve: list[list[float]] = field(default_factory=list)

    def watch(
        self, student: RatingMLP, vocabulary: Vocabulary, movies: pd.DataFrame, n: int
    ) -> Watch:
        """What `loop.train` looks at; `n` models are in the stack."""
        data = RatingData(encode(self.rows, movies, vocabulary))

        def look() -> None:
            errors = predict_all(student, data, n) - data.rating
            self.curve.append(errors.square().mean(-1).sqrt().tolist())

        return Watch(look, self.every)


def fit(
    rows: pd.DataFrame,
    movies: pd.DataFrame,
    config: dict[str, Any],
    teacher: Checkpoint | None,
    log: logging.Logger,
    validation: Validation | None = None,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Train a stack of rating MLPs by one method.

    Args:
        rows: training rows.
        movies: the movies' table.
        config: the effective config: `seeds` (how many), `precision`, `features`, `hidden`,
            `training` (the keys of `config.Training`), `method`, and `settings` of that method.
        teacher: a trained teacher, the first of whose models teaches; None where there is none.
        log: gets the progress.
        validation: rows to watch while training; its curve is filled.

    Returns:
        The trained models and the history of the loss (see `loop.train`).

    Raises:
        TrainingDiverged: see `loop.train`.
    """
    seeds = tuple(range(config["seeds"]))
    training = config["training"]
    vocabulary = Vocabulary.of(rows, movies)
    data = RatingData(encode(rows, movies, vocabulary))
    student = RatingMLP(
        vocabulary.sizes,
        config["features"],
        config["hidden"],
        Streams(seeds, "student"),
        dropout=training["dropout"],
        id_dropout=training["id_dropout"],
        mean_rating=float(rows["rating"].mean()),
    )
    frozen = None
    if teacher is not None:
        own = RatingData(encode(rows, movies, teacher.vocabulary))
        frozen = FrozenTeacher(teacher.first(), own)

    layers = Layers(Streams(seeds, "method"))
    method = methods.build(config, Rating(layers), layers, student, frozen)
    if frozen is not None:
        method.prepare(frozen.chunks())

    log.info("%d models, %d training rows, %s", len(seeds), len(data), vocabulary.sizes)
    watch = None
    if validation is not None:
        watch = validation.watch(student, vocabulary, movies, len(seeds))
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
    checkpoint = Checkpoint(list(seeds), config["features"], config["hidden"], vocabulary, weights)
    return checkpoint, history


def run(
    rows: Sequence[str | Path],
    movies: str | Path,
    config: dict[str, Any],
    outputs: Outputs,
    log: logging.Logger,
    teacher: str | Path | None = None,
) -> None:
    """A whole training job, from files to files, on one thread.

    Args:
        rows: Parquet files of training rows; never the eval slice.
        movies: the movies' table.
        config: see `fit`.
        outputs: files to write.
        log: gets the progress.
        teacher: the teacher's checkpoint.
    """
    one_thread()
    checkpoint, history = fit(
        read_rows(rows),
        read_movies(movies),
        config,
        None if teacher is None else Checkpoint.load(teacher),
        log,
    )
    checkpoint.save(outputs.models)
    write_csv(outputs.history, history)
    write_yaml(outputs.config, config)
