"""The kind `mlp`: settings of the rating MLP, see `network`."""

from typing import Annotated, Any

from pydantic import Field

from talking_models.models.kind import ModelKind, ModelSettings, RatingTraining
from talking_models.strict import Strict, Width


class Features(Strict):
    """Embedding widths; their sum is the width of the input."""

    user: Width = Field(100, description="Width of the user embedding.")
    item: Width = Field(100, description="Width of the item embedding.")
    title: Width = Field(50, description="Width of the mean over the embedded words of the title.")
    categories: Width = Field(50, description="Width of the mean over the embedded categories.")


class MLPSettings(ModelSettings):
    """An MLP with two hidden layers: the lower state and the higher state."""

    hidden: Annotated[tuple[Width, Width], Field(strict=False)] = Field(
        (128, 64), description="The two hidden widths."
    )
    features: Features = Field(default_factory=Features, description="Embedding widths.")
    training: RatingTraining = Field(
        default_factory=RatingTraining, description="How it is trained."
    )


class MLP(ModelKind):
    """Embeddings of user, item, title words and categories; two ReLU layers; one output."""

    family = "ratings"
    Settings = MLPSettings

    @classmethod
    def build(cls, settings: dict[str, Any], sizes, streams, *, training=None, mean_rating=0.0):
        """See `ModelKind.build`."""
        from talking_models.models.network import RatingMLP

        widths = settings["features"], settings["hidden"]
        noise = cls.noise(training)
        return RatingMLP(sizes, *widths, streams, mean_rating=mean_rating, **noise)
