"""Biased matrix factorisation (Koren et al., 2009), as lower, upper and head.

y = mu + b_u + b_i + p_u . q_i  with vectors p_u of a user and q_i of an item, cut where each term
of the sum is a feature:

    lower  s = [p_u * q_i; b_u; b_i]        (k + 2), what user and item bring, product by product
    upper  e = s + s D                      (k + 2), D = 0 at the start
    head   y = e . a + mu                   a = 1 at the start, mu the mean rating

At the start this is the model above to the last bit, and at any time it is one: y = mu + s (I + D)
a scales the terms. D is why interpreting is more than reading: a state that somebody else wrote is
answered by what this model has learnt about how its terms go together.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import Field

from talking_models.models.kind import ModelKind, ModelSettings, RatingTraining
from talking_models.strict import Width


class MFTraining(RatingTraining):
    """As other models of ratings, without dropout unless asked for."""

    dropout: float = Field(
        0.0, ge=0, lt=1, description="Dropout before upper and head: of terms of the sum."
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
        noise = {key: (training or {}).get(key, 0.0) for key in ("dropout", "id_dropout")}
        return network()(sizes, settings["width"], streams, **noise, mean_rating=mean_rating)


@cache
def network() -> type:
    """The class of the network; torch is imported here."""
    import torch

    from talking_models.models.base import LayeredModel, Widths
    from talking_models.models.layers import Dropout, Layers, Linear
    from talking_models.models.network import Embedding

    class MatrixFactorisation(LayeredModel):
        """See the module; a stack of S such models has S as first axis of all shapes.

        Args:
            sizes: rows of the tables `user` and `item`, row 0 of each for unknown ids.
            width: k.
            streams: seeds and shape of the stack.
            dropout: rate before upper and head, in training.
            id_dropout: rate at which ids are replaced by the unknown one, in training.
            mean_rating: mu at the start.
            std: standard deviation of the entries of new vectors; biases start at 0.
        """

        def __init__(
            self, sizes, width, streams, *, dropout=0.0, id_dropout=0.0, mean_rating=0.0, std=0.1
        ):
            super().__init__()
            layers, states = Layers(streams), width + 2
            self.widths = Widths(states, states, nonnegative=False)
            # the bias is a row's last entry, so that an id is unknown to both or to neither
            self.embeddings = torch.nn.ModuleDict(
                {
                    name: Embedding(sizes[name], width + 1, std, id_dropout, layers)
                    for name in ("user", "item")
                }
            )
            self.mix = Linear(states, states, layers.init, bias=False)
            self.output = Linear(states, 1, layers.init)
            self.dropout = Dropout(dropout, layers.draw)
            with torch.no_grad():
                for table in self.embeddings.values():
                    table.weight[..., -1] = 0
                self.mix.weight.zero_()
                self.output.weight.fill_(1)
                self.output.bias.fill_(mean_rating)

        def tables(self):
            """The users' and the items'."""
            return dict(self.embeddings.items())

        def lower(self, batch):
            """s, (*stack, B, k + 2)."""
            user, item = self.embeddings["user"](batch.user), self.embeddings["item"](batch.item)
            product = user[..., :-1] * item[..., :-1]
            return torch.cat((product, user[..., -1:], item[..., -1:]), -1)

        def upper(self, low):
            """e from s, (..., k + 2) -> the same shape."""
            return low + self.mix(self.dropout(low))

        def head(self, high):
            """The rating from e, (..., k + 2) -> (...)."""
            return self.output(self.dropout(high)).squeeze(-1)

    return MatrixFactorisation
