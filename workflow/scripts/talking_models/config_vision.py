"""The configuration's section `vision`; see `talking_models.config`, which is the whole.

Nothing here imports torch: Snakemake reads the configuration while it builds its DAG.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from talking_models import methods
from talking_models.changes import changed
from talking_models.config_errors import raise_all, unique
from talking_models.config_sections import (
    Identifier,
    MethodChoice,
    Strict,
    Table,
    start_from_no_experiment,
    subset,
)
from talking_models.data.vision_sets import facts

IDS = ("vision", "experiments")
"""Where the ids of vision experiments stand."""

Block = Annotated[int, Field(ge=1)]
Cut = Annotated[tuple[Block, Block], Field(strict=False)]
Dataset = Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]


class VisionModel(Strict):
    """The pre-trained vision transformer, which is the teacher and the student's beginning."""

    name: str = Field(
        "vit_base_patch32_224.orig_in21k",
        min_length=1,
        description="A vision transformer of timm, with the tag of its weights.",
    )
    weights: str = Field(
        "hub",
        min_length=1,
        description="`hub`: timm's, from the Hugging Face hub; `random`: none, for trials; else a "
        "safetensors file, relative to the repository root.",
    )
    image_size: int = Field(
        384, ge=1, description="Height and width that images are resized to, in pixels."
    )
    options: dict[str, Any] = Field(
        {}, description="Further arguments of `timm.create_model`, such as `embed_dim`."
    )
    student_blocks: Block = Field(
        4, description="The student has the teacher's first so many blocks."
    )
    student_cut: Cut = Field(
        (2, 4), description="The student's lower and higher state: the outputs of these blocks."
    )
    teacher_cut: Cut = Field((6, 12), description="The teacher's.")


class VisionTraining(Strict):
    """How students are trained: SGD, a linear warm-up, half a cosine."""

    steps: int = Field(20_000, ge=1, description="Optimiser steps.")
    batch_size: int = Field(512, ge=1, description="Images per step, over all devices.")
    micro_batch_size: int | None = Field(
        None,
        ge=1,
        description="Images at once on a device; their gradients add up to a step's. null: a "
        "step's images, divided among the devices.",
    )
    learning_rate: float = Field(0.03, gt=0, le=1, description="The highest learning rate.")
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum of SGD.")
    warmup_steps: int = Field(500, ge=0, description="Steps in which the learning rate rises.")
    clip: float = Field(1.0, gt=0, description="Most that the norm of the gradient can be.")
    smallest_area: float = Field(
        0.05, gt=0, le=1, description="Least share of an image that a random crop keeps."
    )
    flip: bool = Field(True, description="Whether half of the images are mirrored.")
    prepare_images: int = Field(
        10_000,
        ge=1,
        description="Most training images that a method sees before the first step (FD's margins).",
    )
    log_every: int = Field(
        100,
        ge=1,
        description="Steps between two lines of the logs, with the gradient's norm for each part "
        "of the loss; that costs a backward pass each.",
    )
    evaluate_every: int = Field(
        1_000, ge=1, description="Steps between two looks at the minival slice."
    )
    checkpoint_every: int = Field(
        500, ge=1, description="Steps between two checkpoints, from which a killed job goes on."
    )


VisionTrainingOverride = subset(
    VisionTraining,
    "VisionTrainingOverride",
    "Any subset of the training keys; a key left out is `vision.training`'s.",
)


class Probe(Strict):
    """The teacher's classifier: softmax regression on its frozen features, by AdamW."""

    epochs: int = Field(30, ge=1, description="Passes over the training images' features.")
    batch_size: int = Field(1024, ge=1, description="Images per step.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Where the cosine begins.")
    weight_decay: float = Field(1e-2, ge=0, description="Weight decay of AdamW.")


class Device(Strict):
    """What a job runs on. Nothing here changes a result by more than rounding."""

    accelerator: Literal["auto", "cpu", "cuda", "tpu"] = Field(
        "auto",
        description="`auto` takes the best that is there. Clusters need the word: a job asks for "
        "a device only if it says `cuda` or `tpu`.",
    )
    devices: int = Field(1, ge=1, description="Devices that a training job uses.")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Of the products; `auto` is bfloat16 on CUDA devices that have it."
    )
    threads: int = Field(1, ge=1, description="CPU threads of torch in each process.")
    workers: int = Field(
        0, ge=0, description="Processes that prepare images, for each training process."
    )


class VisionExperiment(MethodChoice):
    """A method on images, and what differs from its defaults and from `vision.training`."""

    training: VisionTrainingOverride = Field(
        default_factory=VisionTrainingOverride,
        description="What differs from `vision.training`.",
    )
    like: Identifier | None = Field(
        None,
        description="Start from the settings of this experiment, of the same method, and change "
        "only what stands here: an ablation.",
    )
    teacher: Literal["probe", "finetuned"] | None = Field(
        None,
        description="`probe`: the pre-trained teacher, with a linear classifier trained on its "
        "frozen features; `finetuned`: all of it trained on the data set first, as "
        "`vision.training` says. null: that of `like`, or `probe`.",
    )


class VisionTable(Table):
    """A table of accuracies, one column per data set."""

    rows: dict[str, Identifier] = Field(
        min_length=1, description="Row names, as published, with their vision experiment ids."
    )

    @classmethod
    def known(cls, context: Mapping[str, Any]) -> list[str] | None:
        """The ids that rows can name; None if they cannot be told."""
        ids = context.get("vision")
        return None if ids is None else list(ids)


class Vision(Strict):
    """Image classification with vision transformers."""

    datasets: Annotated[tuple[Dataset, ...], AfterValidator(unique)] = Field(
        ("cifar10", "cifar100", "imagenet2012"),
        strict=False,
        min_length=1,
        description="Classification sets of TFDS by name, or `digits`, scikit-learn's. A column of "
        "the paper whose set is not here is shown as not run.",
    )
    in_all: bool = Field(
        False,
        description="Whether a run without a target makes the vision tables, too. They need "
        "images, so that they are otherwise made only where asked for by name (`vision` for all).",
    )
    seeds: int = Field(1, ge=1, description="Runs of each cell, with the seeds 0 to n-1.")
    minival_fraction: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Share of the train split, its last examples, that selects and never trains. "
        "null: 0.01 for ImageNet, 0.1 for digits, 0.02 for others.",
    )
    model: VisionModel = Field(default_factory=VisionModel, description="Teacher and student.")
    training: VisionTraining = Field(
        default_factory=VisionTraining, description="The students' training."
    )
    probe: Probe = Field(default_factory=Probe, description="The teacher's classifier.")
    device: Device = Field(default_factory=Device, description="What jobs run on.")
    experiments: dict[Identifier, VisionExperiment] = Field(
        {}, description="Ids of vision experiments."
    )
    tables: dict[Identifier, VisionTable] = Field({}, description="Ids of vision tables.")

    @field_validator("experiments")
    @classmethod
    def _ablations_start_from_an_experiment(
        cls, experiments: dict[str, VisionExperiment]
    ) -> dict[str, VisionExperiment]:
        message = "no experiment of the same method without `like`"
        raise_all(start_from_no_experiment(experiments, message))
        return experiments

    @field_validator("model")
    @classmethod
    def _student_has_its_states(cls, model: VisionModel) -> VisionModel:
        if model.student_cut[1] > model.student_blocks:
            error = PydanticCustomError("value_error", "within the student's blocks")
            raise_all([(("student_cut", 1), model.student_cut[1], error)])
        return model

    def minival(self, dataset: str) -> float:
        """The share of a data set's train split that is kept for selection."""
        return self.minival_fraction or facts(dataset).minival

    def teacher_of(self, experiment: str) -> str:
        """Which teacher an experiment has, if its method has one: `probe` or `finetuned`."""
        found = self.experiments[experiment]
        like = self.experiments[found.like].teacher if found.like else None
        return found.teacher or like or "probe"

    def own(self, experiment: str) -> dict[str, Any]:
        """What an experiment itself says of `training` and `settings`."""
        found = self.experiments[experiment]
        return {
            "training": found.training.model_dump(exclude_unset=True),
            "settings": found.settings,
        }

    def job(self, experiment: str, seed: int) -> dict[str, Any]:
        """The effective config of one training job: what `training.vision.run` takes.

        Later ones win: the method's defaults, `vision.training`, the experiment that it is like,
        and what the experiment itself says.

        Raises:
            KeyError: there is no such experiment.
        """
        found = self.experiments[experiment]
        config = self._job(found.method, seed) | {"teacher": self.teacher_of(experiment)}
        like = [self.own(found.like)] if found.like else []
        return changed(config, *like, self.own(experiment))

    def teacher_job(self) -> dict[str, Any]:
        """The effective config of the job that trains the whole teacher on a data set."""
        cut = list(self.model.teacher_cut)
        return self._job("scratch", 0) | {"blocks": None, "student_cut": cut}

    def _job(self, method: str, seed: int) -> dict[str, Any]:
        return {
            "seed": seed,
            "method": method,
            "settings": methods.settings_class(method)().model_dump(),
            "training": self.training.model_dump(),
            "blocks": self.model.student_blocks,
            "student_cut": list(self.model.student_cut),
            "teacher_cut": list(self.model.teacher_cut),
            "device": self.device.model_dump(),
        }
