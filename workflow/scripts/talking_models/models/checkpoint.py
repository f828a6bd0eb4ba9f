"""Trained models of ratings on disk: weights, and what is needed to encode a rating for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from talking_models.data.features import Vocabulary
from talking_models.models import MODELS
from talking_models.models.base import LayeredModel
from talking_models.models.ensemble import Ensemble
from talking_models.models.files import read, save
from talking_models.models.layers import Streams

KIND = "rating models"


@dataclass(frozen=True)
class Checkpoint:
    """A stack of trained models."""

    seeds: list[int]  # of the models, in the stack's order
    form: dict[str, Any]  # what they are, as `ModelKind.build` takes it, its `kind` among it
    vocabulary: Vocabulary  # of the rows they were trained on
    listing: dict[str, list[Any]]  # title and categories of its items, in its order
    weights: dict[str, Tensor]  # the state dict, each tensor with the stack's axis first

    def save(self, path: str | Path) -> None:
        """Write a safetensors file; the same content gives the same bytes."""
        about = {name: value for name, value in vars(self).items() if name != "weights"}
        save(path, KIND, self.weights, about | {"vocabulary": asdict(self.vocabulary)})

    @classmethod
    def load(cls, path: str | Path) -> Checkpoint:
        """Read what `save` wrote; raises as `files.read`."""
        weights, about = read(path, KIND)
        vocabulary = Vocabulary(**about.pop("vocabulary"))
        return cls(**about, vocabulary=vocabulary, weights=weights)

    def _build(self, seeds: list[int], weights: dict[str, Tensor], stacked: bool) -> LayeredModel:
        streams = Streams(seeds, "loaded", stacked)
        kind = MODELS.get(self.form["kind"])
        model = kind.build(self.form, self.vocabulary.sizes, streams)
        model.load_state_dict(weights, strict=True)
        return model.eval()

    def of(self, seeds: Sequence[int]) -> Checkpoint:
        """The models of these seeds, in this order. `ValueError` if there is not one for each."""
        if list(seeds) == self.seeds:
            return self
        if not set(seeds) <= set(self.seeds):
            raise ValueError(f"there are models of the seeds {self.seeds}, not of {list(seeds)}")
        places = [self.seeds.index(seed) for seed in seeds]
        weights = {name: tensor[places] for name, tensor in self.weights.items()}
        return replace(self, seeds=list(seeds), weights=weights)

    def stack(self) -> LayeredModel:
        """All the models, as a stack."""
        return self._build(self.seeds, self.weights, stacked=True)

    def ensemble(self) -> LayeredModel:
        """All the models as one, without the stack's axis."""
        return Ensemble(self.stack(), len(self.seeds)).eval()

    def first(self) -> LayeredModel:
        """The first model alone, without the stack's axis."""
        weights = {name: tensor[0].contiguous() for name, tensor in self.weights.items()}
        return self._build(self.seeds[:1], weights, stacked=False)
