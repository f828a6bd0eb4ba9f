"""Networks of ratings: the paper's MLP (section 6.2), and what it shares with others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from talking_models.models.base import LayeredModel, States, Widths
from talking_models.models.layers import Layers, Streams


@dataclass(frozen=True)
class RatingBatch:
    """B ratings for each model of a stack."""

    rows: Tensor  # (*stack, B) int64, the ratings' places in the training rows
    user: Tensor  # (*stack, B) int64, 0 for an unknown id
    item: Tensor
    title: Tensor  # (*stack, B, T) int64 word indices
    title_weight: Tensor  # their weights, 0 on padding
    categories: Tensor  # (*stack, B, G) weights of the categories
    target: Tensor  # (*stack, B) ratings


class _Rows(torch.autograd.Function):
    """Some rows of a table or a stack of them; the gradient is sparse, of these rows alone."""

    @staticmethod
    def forward(ctx, weight: Tensor, rows: Tensor) -> Tensor:
        ctx.rows, ctx.shape = rows, weight.shape
        return weight.flatten(0, -2).index_select(0, rows)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        # NumPy's, as torch's unravel_index imports sympy: half a second and 40 MB
        places = np.stack(np.unravel_index(ctx.rows.numpy(), ctx.shape[:-1]))
        sparse = torch.sparse_coo_tensor(
            torch.from_numpy(places), gradient, ctx.shape, is_coalesced=True, check_invariants=False
        )
        return sparse, None


class Embedding(nn.Module):
    """A table of rows for each model, whose row 0 stands for every unknown id.

    In training an id is replaced by 0 with probability `id_dropout`, which is what trains row 0,
    and the gradient holds only the rows read if the table is `sparse`.
    """

    def __init__(
        self, rows: int, width: int, std: float, id_dropout: float, layers: Layers
    ) -> None:
        super().__init__()
        self.id_dropout, self.draw = id_dropout, layers.draw
        self.weight = nn.Parameter(layers.init.normal((rows, width)).mul_(std))
        self.sparse = False

    def places(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """The tables of all models as one, or its rows `ids` (*stack, ...), and where they are."""
        if self.training and self.id_dropout > 0:
            ids = ids * self.draw.keep(ids.shape[int(self.draw.stacked) :], self.id_dropout).to(ids)
        if self.weight.dim() == 3:
            stack, rows, _ = self.weight.shape
            ids = ids + torch.arange(0, stack * rows, rows).view(-1, *(1,) * (ids.dim() - 1))
        if self.training and self.sparse:
            rows, ids = ids.unique(return_inverse=True)
            return _Rows.apply(self.weight, rows), ids
        return self.weight.flatten(0, -2), ids

    def forward(self, ids: Tensor) -> Tensor:
        """(*stack, B) -> (*stack, B, width)."""
        table, places = self.places(ids)
        return nn.functional.embedding(places, table)

    def bag(self, ids: Tensor, weights: Tensor) -> Tensor:
        """The weighted sum of each bag: ids and weights (*stack, B, T) -> (*stack, B, width)."""
        table, places = self.places(ids)
        length = ids.shape[-1]
        bags = nn.functional.embedding_bag(
            places.reshape(-1, length),
            table,
            per_sample_weights=weights.reshape(-1, length),
            mode="sum",
        )
        return bags.view(*ids.shape[:-1], -1)


class RatingModel(LayeredModel):
    """Embeddings, and one linear output, which a subclass adds behind its own layers.

    Dropout acts on what enters each part, so that the states themselves are whole.
    """

    def __init__(
        self,
        layers: Layers,
        tables: Mapping[str, tuple[int, int]],
        *,
        std: float,
        dropout: float = 0.0,
        id_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embeddings = nn.ModuleDict(
            {  # every category is known
                name: Embedding(*size, std, 0.0 if name == "categories" else id_dropout, layers)
                for name, size in tables.items()
            }
        )
        self.dropout = layers.dropout(dropout)

    def tables(self) -> dict[str, Embedding]:
        """All that learn but the categories', of which every batch reads every row."""
        return {
            name: table
            for name, table in self.embeddings.items()
            if name != "categories" and table.weight.requires_grad
        }

    def head(self, high: Tensor) -> Tensor:
        """The rating from e, (..., high) -> (...)."""
        return self.output(self.dropout(high)).squeeze(-1)


class RatingMLP(RatingModel):
    """Embeddings of user, item, title words and categories; two ReLU layers; one linear output.

    The teacher's hidden widths are 512 and 256, the student's 128 and 64; the input is 300 wide
    for both, from embeddings of their own.

    Args:
        sizes, features: rows and width of the tables, `user`, `item`, `title`, `categories` or
            some of them.
        mean_rating: where the output's bias starts.
        embedding_std: standard deviation of a new embedding's entries.
        dropout: rates of `dropout` before each layer, and of `id_dropout`, in training.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        features: Mapping[str, int],
        hidden: list[int],
        streams: Streams,
        *,
        mean_rating: float = 0.0,
        embedding_std: float = 0.05,
        **dropout: float,
    ) -> None:
        layers, (low, high) = Layers(streams), hidden
        tables = {name: (sizes[name], width) for name, width in features.items()}
        super().__init__(layers, tables, std=embedding_std, **dropout)
        self.widths = Widths(low, high, nonnegative=True)
        self.hidden_low = layers.linear(sum(features.values()), low)
        self.hidden_high = layers.linear(low, high)
        self.output = layers.linear(high, 1)
        self.output.bias.data.fill_(mean_rating)

    def inputs(self, batch: RatingBatch) -> Tensor:
        """The embedded features, (*stack, B, 300)."""
        found = []
        for name, table in self.embeddings.items():
            if name == "categories":
                found.append(batch.categories @ table.weight)
            elif name == "title":
                found.append(table.bag(batch.title, batch.title_weight))
            else:
                found.append(table(getattr(batch, name)))
        return torch.cat(found, -1)

    def lower_pre(self, batch: RatingBatch) -> Tensor:
        """The lower state before its ReLU."""
        return self.hidden_low(self.dropout(self.inputs(batch)))

    def upper_pre(self, low: Tensor) -> Tensor:
        """The higher state before its ReLU."""
        return self.hidden_high(self.dropout(low))

    def lower(self, batch: RatingBatch) -> Tensor:
        """s, (*stack, B, low)."""
        return self.lower_pre(batch).relu()

    def upper(self, low: Tensor) -> Tensor:
        """e from s, (..., low) -> (..., high)."""
        return self.upper_pre(low).relu()

    def forward(self, batch: Any) -> States:
        """Both states, before and after their ReLU, and the rating."""
        low_pre = self.lower_pre(batch)
        low = low_pre.relu()
        high_pre = self.upper_pre(low)
        high = high_pre.relu()
        return States(low, high, self.head(high), low_pre, high_pre)
