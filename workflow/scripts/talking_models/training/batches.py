"""Batches of ratings, each model of a stack in its own random order."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from talking_models.data.features import EncodedRatings
from talking_models.models.layers import Streams
from talking_models.models.mlp import RatingBatch, RatingMLP


class RatingData:
    """Encoded ratings as tensors, read by row."""

    def __init__(self, encoded: EncodedRatings) -> None:
        for name, array in vars(encoded).items():
            setattr(self, name, torch.tensor(array))

    def __len__(self) -> int:
        return len(self.rating)

    def batch(self, rows: Tensor) -> RatingBatch:
        """The ratings at `rows` (*stack, B)."""
        item = self.item[rows]
        return RatingBatch(
            rows=rows,
            user=self.user[rows],
            movie=self.movie[rows],
            title=self.title[item],
            title_weight=self.title_weight[item],
            genres=self.genres[item],
            target=self.rating[rows],
        )

    def in_order(self, size: int = 4096) -> Iterator[RatingBatch]:
        """All ratings once, in order, without a stack's axis."""
        for rows in torch.arange(len(self)).split(size):
            yield self.batch(rows)


def shuffled_rows(n: int, size: int, order: Streams) -> Iterator[Tensor]:
    """Rows (*stack, size) without end: each epoch is a new permutation of 0..n-1 for each model.

    A batch may hold the end of one epoch and the start of the next, so every batch is full.
    """
    left = order.permutation(n)
    while True:
        while left.shape[-1] < size:
            left = torch.cat((left, order.permutation(n)), -1)
        yield left[..., :size]
        left = left[..., size:]


def predict_all(model: RatingMLP, data: RatingData, models: int) -> Tensor:
    """What a stack of `models` models, in eval mode, predicts for all rows: (models, N)."""
    with torch.no_grad():
        outputs = [
            model(data.batch(rows.expand(models, -1))).output
            for rows in torch.arange(len(data)).split(4096)
        ]
    return torch.cat(outputs, -1)
