"""Trained models of ratings on disk: weights, and what is needed to encode a rating for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from talking_models.data.features import Vocabulary
from talking_models.models import MODELS
from talking_models.models.base import LayeredModel
from talking_models.models.files import read, save
from talking_models.models.layers import Streams

KIND = "rating models"


@dataclass(frozen=True)
class Checkpoint:
    """A stack of trained models.

    Attributes:
        seeds: of the models, in the stack's order.
        form: what they are, as `ModelKind.build` takes it, its `kind` among it.
        vocabulary: of the rows they were trained on.
        listing: title and categories of the vocabulary's items, in its order.
        weights: the state dict, each tensor with the stack's axis first.
    """

    seeds: list[int]
    form: dict[str, Any]
    vocabulary: Vocabulary
    listing: dict[str, list[Any]]
    weights: dict[str, Tensor]

    def save(self, path: str | Path) -> None:
        """Write a safetensors file; the same content gives the same bytes."""
        about = {
            "seeds": self.seeds,
            "form": self.form,
            "vocabulary": vars(self.vocabulary),
            "listing": self.listing,
        }
        save(path, KIND, self.weights, about)

    @classmethod
    def load(cls, path: str | Path) -> Checkpoint:
        """Read what `save` wrote.

        Raises:
            ValueError: the file is damaged, or a safetensors file of something else.
        """
        weights, about = read(path, KIND)
        vocabulary = Vocabulary(**about.pop("vocabulary"))
        return cls(**about, vocabulary=vocabulary, weights=weights)

    def _build(self, seeds: list[int], weights: dict[str, Tensor], stacked: bool) -> LayeredModel:
        streams = Streams(seeds, "loaded", stacked)
        kind = MODELS.get(self.form["kind"])
        model = kind.build(self.form, self.vocabulary.sizes, streams)
        model.load_state_dict(weights, strict=True)
        return model.eval()

    def stack(self) -> LayeredModel:
        """All the models, as a stack."""
        return self._build(self.seeds, self.weights, stacked=True)

    def first(self) -> LayeredModel:
        """The first model alone, without the stack's axis."""
        weights = {name: tensor[0].contiguous() for name, tensor in self.weights.items()}
        return self._build(self.seeds[:1], weights, stacked=False)
