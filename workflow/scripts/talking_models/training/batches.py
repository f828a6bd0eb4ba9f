"""Batches of ratings, each model of a stack in its own random order."""

from collections.abc import Iterator

import torch
from torch import Tensor

from talking_models.data.features import EncodedRatings
from talking_models.models.base import LayeredModel
from talking_models.models.network import RatingBatch


class RatingData:
    """Encoded ratings as tensors, read by row."""

    def __init__(self, encoded: EncodedRatings) -> None:
        for name, array in vars(encoded).items():
            setattr(self, name, torch.tensor(array))

    def __len__(self) -> int:
        return len(self.rating)

    def batch(self, rows: Tensor) -> RatingBatch:
        """The ratings at `rows` (*stack, B)."""
        listing = self.listing[rows]
        return RatingBatch(
            rows=rows,
            user=self.user[rows],
            item=self.item[rows],
            title=self.title[listing],
            title_weight=self.title_weight[listing],
            categories=self.categories[listing],
            target=self.rating[rows],
        )

    def in_order(self, stack: int | None = None, size: int = 4096) -> Iterator[RatingBatch]:
        """All ratings once, in order: the same for each model of a stack, or with no such axis."""
        for rows in torch.arange(len(self)).split(size):
            yield self.batch(rows if stack is None else rows.expand(stack, -1))


def predict_all(model: LayeredModel, data: RatingData, models: int) -> Tensor:
    """What a stack of `models` models, in eval mode, predicts for all rows: (models, N)."""
    with torch.no_grad():
        outputs = [model(batch).output for batch in data.in_order(models)]
    return torch.cat(outputs, -1)
