"""Biased matrix factorisation (Koren et al., 2009), as lower, upper and head.

y = mu + b_u + b_i + p_u . q_i  with vectors p_u of a user and q_i of an item, cut before they meet:

    lower  s = [p_u; q_i; b_u; b_i]         (2k + 2), what user and item bring
    upper  e = [p_u * q_i; b_u; b_i]        (k + 2), the terms of the sum
    head   y = e . a + mu                   a = 1 at the start, mu the mean rating

At the start this is the model above to the last bit, and at any time it is one, whose terms are
scaled. To interpret a state that somebody else wrote is to multiply its halves: upper has no
weights, but answers only who has learnt what the entries of this model's vectors stand for.
"""

from typing import Any

from pydantic import Field

from talking_models.models.kind import ModelKind, ModelSettings, RatingTraining
from talking_models.strict import Width


class MFTraining(RatingTraining):
    """As other models of ratings, without dropout unless asked for: no search tries it."""

    dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Dropout before upper and head: of vectors and biases, and of terms of the "
        "sum.",
    )


class MFSettings(ModelSettings):
    """A matrix factorisation; titles and categories are not read."""

    width: Width = Field(32, description="Width k of the vectors of users and items.")
    training: MFTraining = Field(default_factory=MFTraining, description="How it is trained.")


class MF(ModelKind):
    """Vectors and biases of users and items; what they multiply to is added up."""

    family = "ratings"
    Settings = MFSettings

    @classmethod
    def build(cls, settings: dict[str, Any], sizes, streams, *, training=None, mean_rating=0.0):
        """See `ModelKind.build`."""
        import torch

        from talking_models.models.base import Widths
        from talking_models.models.layers import Layers
        from talking_models.models.network import RatingModel

        layers, width = Layers(streams), settings["width"]
        # the bias is a row's last entry, so that an id is unknown to both or to neither
        tables = {name: (sizes[name], width + 1) for name in ("user", "item")}

        class MatrixFactorisation(RatingModel):
            """See the module; a stack of S such models has S as first axis of all shapes."""

            widths = Widths(2 * width + 2, width + 2, nonnegative=False)

            def lower(self, batch):
                user = self.embeddings["user"](batch.user)
                item = self.embeddings["item"](batch.item)
                halves = user[..., :-1], item[..., :-1]
                return torch.cat((*halves, user[..., -1:], item[..., -1:]), -1)

            def upper(self, low):
                user, item, biases = self.dropout(low).split((width, width, 2), -1)
                return torch.cat((user * item, biases), -1)

        model = MatrixFactorisation(layers, tables, std=0.1, **cls.noise(training))
        model.output = layers.linear(width + 2, 1)
        with torch.no_grad():
            for table in model.tables().values():
                table.weight[..., -1] = 0
            model.output.weight.fill_(1)
            model.output.bias.fill_(mean_rating)
        return model
