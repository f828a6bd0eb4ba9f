"""What a kind of model is: settings of its entry, how it is trained, and a builder.

A kind's file imports torch where it builds and not at its top: the configuration reads the settings
while Snakemake builds its DAG.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from talking_models.strict import Strict, tuned

if TYPE_CHECKING:
    from talking_models.data.features import Vocabulary
    from talking_models.models.base import LayeredModel
    from talking_models.models.layers import Streams


CLIP = Field(
    1.0,
    gt=0,
    description="Most that the norm of the gradient can be, of the student and of a method's "
    "modules each by itself.",
)


class RatingTraining(Strict):
    """How a model of ratings is trained (AdamW)."""

    steps: int = Field(500, ge=0, description="Optimiser steps; 0: it stays random, a control.")
    batch_size: int = Field(256, ge=1, description="Ratings per step.")
    clip: float = CLIP
    # the entries of a search's points, in this order: in another, its trials would be others
    learning_rate: float = tuned(1e-3, "Learning rate of AdamW.", low=2e-4, high=1e-2, gt=0, le=1)
    dropout: float = tuned(
        0.5, "Dropout before each layer.", low=0.1, high=0.85, log=False, ge=0, lt=1
    )
    weight_decay: float = tuned(0.1, "Weight decay of AdamW.", low=0.003, high=3.0)
    id_dropout: float = tuned(
        0.2,
        "Chance that a user, an item or a title word is replaced by the unknown one in training: "
        "evaluation rows can come from users never seen in training.",
        low=0.02,
        high=0.6,
        log=False,
        ge=0,
        lt=1,
    )


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
            raise ValueError("on and file: it is trained here or comes from a file")
        return self


class ModelKind:
    """Base of every kind of model; a subclass in a file of its own is one.

    A kind of images is an `images.ImageKind`, too.
    """

    family: ClassVar[Literal["ratings", "images"]]  # the data that it is for
    Settings: ClassVar[type[ModelSettings]] = ModelSettings  # the keys of an entry of this kind
    pretrained: ClassVar[bool] = False  # whether it can teach without being trained here
    all_words: ClassVar[bool] = False  # whether it knows titles of items that nobody has rated

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
            sizes: rows of the tables user, item, title, categories (`Vocabulary.sizes`).
            training: of the job, for its dropout; None: it will not be trained.
            mean_rating: where the prediction starts.
        """
        raise NotImplementedError

    @classmethod
    def begin(cls, model: LayeredModel, vocabulary: Vocabulary) -> None:
        """Look at what a new model of ratings is to be trained on."""

    @staticmethod
    def noise(training: dict[str, Any] | None) -> dict[str, float]:
        """The rates of dropout in a job's `training`."""
        return {key: (training or {}).get(key, 0.0) for key in ("dropout", "id_dropout")}

    @classmethod
    def contradiction(cls, settings: dict[str, Any]) -> str | None:
        """What cannot be of an entry's settings, told without building it, in words."""
        return None
