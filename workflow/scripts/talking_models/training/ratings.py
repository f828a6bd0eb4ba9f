"""The training job of ratings: all seeds of one model, by one method, on one task."""

import logging
from collections.abc import Iterator, Mapping, Sequence
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
from talking_models.models.network import RatingBatch
from talking_models.objectives import RatingObjective
from talking_models.training.batches import RatingData, predict_all
from talking_models.training.loop import train, with_precision
from talking_models.training.setup import one_thread
from talking_models.training.shared import shuffled_rows
from talking_models.training.teacher import FrozenTeacher


def read_rows(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Rating rows of training slices, one after the other; a `ValueError` if a file holds another
    slice: evaluation rows choose nothing and train nothing.
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
    """Rows that a stack does not train on, and its RMSE on them every so many steps."""

    rows: pd.DataFrame
    every: int
    curve: list[list[float]] = field(default_factory=list)  # of each look, the RMSE of each seed


@dataclass(frozen=True)
class Begun:
    """A stack of students of `seeds` before the first step, and all that it learns with."""

    seeds: tuple[int, ...]
    order: Streams
    vocabulary: Vocabulary
    data: RatingData
    student: LayeredModel
    teachers: Mapping[str, FrozenTeacher]
    method: methods.Method

    def batches(self, size: int) -> Iterator[RatingBatch]:
        """Without end, each student's in an order of its own."""
        return map(self.data.batch, shuffled_rows(len(self.data), size, self.order))


def begin(
    rows: pd.DataFrame,
    items: pd.DataFrame,
    config: Mapping[str, Any],
    teachers: Mapping[str, Checkpoint],
) -> Begun:
    """What trains on rows of an items' table, by one method. `ValueError` if a teacher has no model
    for each that is taught.

    Args:
        config: the effective config, see `config.Config.training_job`. Its `model`, the id of what
            is trained, names the random streams: a teacher and its student must not begin alike.
        teachers: trained teachers by id. With `teacher_seed` `paired` the model of a seed teaches
            the student of that seed, with `first` the first all of them, with `all` all, as one.
            The stack's `seeds` are a number, counted from `first_seed`, or a list.
    """
    first, seeds = config.get("first_seed", 0), config["seeds"]
    seeds = tuple(range(first, first + seeds) if isinstance(seeds, int) else seeds)
    training, form = config["training"], config["student"]
    vocabulary = Vocabulary.of(rows, items, MODELS.get(form["kind"]).all_words)
    data = RatingData(encode(rows, items, vocabulary))

    def built(form: Mapping[str, Any], name: str) -> LayeredModel:
        streams, mean = Streams(seeds, f"model/{name}"), float(rows["rating"].mean())
        kind, sizes = MODELS.get(form["kind"]), vocabulary.sizes
        model = kind.build(form, sizes, streams, training=training, mean_rating=mean)
        kind.begin(model, vocabulary)
        return model

    trained = config.get("model", "student")
    student = built(form, trained)
    peers = {id: built(own, f"peer/{id}") for id, own in config.get("peers", {}).items()}
    which = config.get("teacher_seed", "first")
    stack = len(seeds) if which == "paired" else None
    frozen = {}
    for name, teacher in teachers.items():
        if stack is not None and not set(seeds) <= set(teacher.seeds):
            raise ValueError(
                f"teacher_seed is paired, but {name} has models of the seeds {teacher.seeds}, and "
                f"students {list(seeds)}: train it with as many, or set teacher_seed to first"
            )
        teacher = teacher.of(seeds) if stack is not None else teacher
        build = {"paired": teacher.stack, "first": teacher.first, "all": teacher.ensemble}[which]
        model = build()
        own = RatingData(encode(rows, items, teacher.vocabulary))
        frozen[name] = FrozenTeacher(model, own, stack)
    layers = Layers(Streams(seeds, "method"))
    method = methods.build(config, RatingObjective(layers), layers, student, frozen, peers)
    method.prepare({name: teacher.chunks() for name, teacher in frozen.items()})
    order = Streams(seeds, f"order/{trained}")
    return Begun(seeds, order, vocabulary, data, student, frozen, method)


def fit(
    rows: pd.DataFrame,
    items: pd.DataFrame,
    config: Mapping[str, Any],
    teachers: Mapping[str, Checkpoint],
    log: logging.Logger,
    validation: Validation | None = None,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Train a stack of models, see `begin`: the models, and the history of the loss, see
    `loop.train`. `validation` is looked at while training.
    """
    config = with_precision(config)
    begun = begin(rows, items, config, teachers)
    seeds, vocabulary, student = begun.seeds, begun.vocabulary, begun.student
    shape = len(seeds), len(begun.data), vocabulary.sizes, config["precision"]
    log.info("%d models, %d training rows, %s, products in %s", *shape)
    looks = None
    if validation is not None:
        held_out = RatingData(encode(validation.rows, items, vocabulary))

        def look() -> None:
            errors = predict_all(student, held_out, len(seeds)) - held_out.rating
            validation.curve.append(errors.square().mean(-1).sqrt().tolist())

        looks = validation.every, look
    batches = begun.batches(config["training"]["batch_size"])
    history = train(student, begun.method, begun.teachers, batches, config, seeds, log, looks)
    weights = {name: tensor.detach() for name, tensor in student.state_dict().items()}
    listing = items.set_index("item").loc[vocabulary.items].to_dict("list")
    return Checkpoint(list(seeds), dict(config["student"]), vocabulary, listing, weights), history


def run(
    rows: Sequence[str | Path],
    items: str | Path,
    config: Mapping[str, Any],
    outputs: Mapping[str, str | Path],
    log: logging.Logger,
    teachers: Mapping[str, str | Path],
) -> None:
    """A whole training job, from files to files, on one thread; it never sees the eval slice.

    `outputs` are the files `models`, `history` and `config`.
    """
    one_thread()
    taught_by = {name: Checkpoint.load(path) for name, path in teachers.items()}
    checkpoint, history = fit(read_rows(rows), read_items(items), config, taught_by, log)
    checkpoint.save(outputs["models"])
    write_csv(outputs["history"], history)
    write_yaml(outputs["config"], with_precision(config))
