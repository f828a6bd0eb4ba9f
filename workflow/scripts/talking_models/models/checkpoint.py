"""Trained rating models on disk: weights and what is needed to encode a rating for them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from talking_models.data.features import Vocabulary
from talking_models.io import atomic
from talking_models.models.layers import Streams
from talking_models.models.mlp import RatingMLP


@dataclass(frozen=True)
class Checkpoint:
    """A stack of trained models.

    Attributes:
        seeds: of the models, in the stack's order.
        features, hidden: as `RatingMLP` takes them.
        vocabulary: of the rows they were trained on.
        weights: the state dict, each tensor with the stack's axis first.
    """

    seeds: list[int]
    features: dict[str, int]
    hidden: list[int]
    vocabulary: Vocabulary
    weights: dict[str, Tensor]

    def save(self, path: str | Path) -> None:
        """Write a safetensors file; the same content gives the same bytes."""
        about = {
            "seeds": self.seeds,
            "features": self.features,
            "hidden": self.hidden,
            "vocabulary": self.vocabulary.to_dict(),
        }
        with atomic(path) as temporary:
            # one key: safetensors does not keep the order of several
            save_file(self.weights, temporary, metadata={"talking_models": json.dumps(about)})

    @classmethod
    def load(cls, path: str | Path) -> Checkpoint:
        """Read what `save` wrote.

        Raises:
            ValueError: a safetensors file of something else.
        """
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if "talking_models" not in metadata:
                raise ValueError(f"{path} is not a checkpoint of rating models")
            about = json.loads(metadata["talking_models"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        vocabulary = Vocabulary(**about.pop("vocabulary"))
        return cls(**about, vocabulary=vocabulary, weights=weights)

    def _build(self, seeds: list[int], weights: dict[str, Tensor], stacked: bool) -> RatingMLP:
        streams = Streams(seeds, "loaded", stacked)
        model = RatingMLP(self.vocabulary.sizes, self.features, self.hidden, streams)
        model.load_state_dict(weights, strict=True)
        return model.eval()

    def stack(self) -> RatingMLP:
        """All the models, as a stack."""
        return self._build(self.seeds, self.weights, stacked=True)

    def first(self) -> RatingMLP:
        """The first model alone, without the stack's axis."""
        weights = {name: tensor[0].contiguous() for name, tensor in self.weights.items()}
        return self._build(self.seeds[:1], weights, stacked=False)
