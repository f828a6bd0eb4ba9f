"""What a kind of model is: settings of its entry, how it is trained, and a builder.

A kind's file imports torch where it builds and not at its top: the configuration reads the settings
while Snakemake builds its DAG.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from talking_models.strict import Strict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

    from talking_models.models.backbones import Backbone
    from talking_models.models.base import LayeredModel
    from talking_models.models.layers import Streams


class RatingTraining(Strict):
    """How a model of ratings is trained (AdamW)."""

    steps: int = Field(500, ge=1, description="Optimiser steps.")
    batch_size: int = Field(256, ge=1, description="Ratings per step.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Learning rate of AdamW.")
    weight_decay: float = Field(0.1, ge=0, description="Weight decay of AdamW.")
    dropout: float = Field(0.5, ge=0, lt=1, description="Dropout before each layer.")
    id_dropout: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="Chance that a user, an item or a title word is replaced by the unknown one in "
        "training: evaluation rows can come from users never seen in training.",
    )


class ImageTraining(Strict):
    """How a model of images is trained: SGD, a linear warm-up, half a cosine."""

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
        1_000,
        ge=1,
        description="Steps between two looks at the val slice; the last step is always one.",
    )
    checkpoint_every: int = Field(
        500, ge=1, description="Steps between two checkpoints, from which a killed job goes on."
    )

    @model_validator(mode="after")
    def _steps_fit_together(self) -> ImageTraining:
        micro = self.micro_batch_size
        if self.warmup_steps >= self.steps:
            text = f"warmup_steps {self.warmup_steps} never end in steps {self.steps}"
        elif micro is not None and self.batch_size % micro:
            text = f"batch_size {self.batch_size} is no multiple of micro_batch_size {micro}"
        else:
            return self
        raise PydanticCustomError("contradiction", text + ": change one of them")


class ModelSettings(Strict):
    """What every model says of itself."""

    kind: str = Field(description="A file of `talking_models/models`, without `.py`.")
    on: Literal["all"] | None = Field(
        None,
        description="`all`: it is trained here, on the task of all rows, and can teach. null: it "
        "is a student's form, or comes trained.",
    )
    file: str | None = Field(
        None,
        pattern=r"\.safetensors$",
        description="Trained models of this kind, as `models.safetensors` of a run has them: a "
        "teacher that is not trained here.",
    )
    training: Strict = Field(default_factory=Strict, description="How it is trained.")

    @model_validator(mode="after")
    def _from_one_place(self) -> ModelSettings:
        if self.on and self.file:
            raise PydanticCustomError(
                "contradiction", "on and file: it is trained here or comes from a file"
            )
        return self


class ModelKind:
    """Base of every kind of model; a subclass in a file of its own is one.

    Attributes:
        family: the data that it is for: `ratings` or `images`.
        Settings: the keys of an entry of this kind; its `training` is what `train` takes.
        pretrained: whether it can teach without being trained here, as its weights come with it.
    """

    family: ClassVar[Literal["ratings", "images"]]
    Settings: ClassVar[type[ModelSettings]] = ModelSettings
    pretrained: ClassVar[bool] = False

    @classmethod
    def build(
        cls,
        settings: dict[str, Any],
        sizes: dict[str, int],
        streams: Streams,
        *,
        training: dict[str, Any] | None = None,
        mean_rating: float = 0.0,
    ) -> LayeredModel:
        """A stack of models of ratings.

        Args:
            settings: of its entry.
            sizes: rows of the tables user, item, title, categories (`Vocabulary.sizes`).
            streams: seeds and shape of the stack.
            training: of the job, for dropout; None: it will not be trained.
            mean_rating: where the prediction starts.
        """
        raise NotImplementedError

    @classmethod
    def contradiction(cls, settings: dict[str, Any]) -> str | None:
        """What cannot be of an entry's settings, told without building it, in words."""
        return None

    @classmethod
    def make_backbone(
        cls, settings: dict[str, Any], weights: str | Path | None, output: str | Path
    ) -> None:
        """Bring a model of images into the form that all jobs read (`backbones.Backbone`).

        Args:
            settings: of its entry.
            weights: a file of pre-trained weights; None draws random ones, always the same.
            output: the file to write.

        Raises:
            WeightsError: the weights are not those of this model.
        """
        raise NotImplementedError

    @classmethod
    def student(
        cls, settings: dict[str, Any], classes: int, backbone: Backbone | None = None
    ) -> LayeredModel:
        """A model of images before training, with a new classifier; None: weights will be put."""
        raise NotImplementedError

    @classmethod
    def teacher(
        cls,
        settings: dict[str, Any],
        backbone: Backbone,
        probe: Mapping[str, Tensor] | None = None,
    ) -> LayeredModel:
        """A pre-trained model of images; with the weights of a probe its outputs are logits."""
        raise NotImplementedError
