"""From rows of ratings to indices: vocabularies of the training rows, with one row for the unknown.

Index 0 of every table stands for what the training rows do not hold: a user, an item, a title word.
Categories are a closed set, known from the items' own table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from talking_models.data.names import title_tokens

UNKNOWN = 0


@dataclass(frozen=True)
class Vocabulary:
    """What a model has embeddings for, sorted: at the place + 1, of categories at the place."""

    users: list[int] | list[str]
    items: list[int] | list[str]
    words: list[str]
    categories: list[str]

    @classmethod
    def of(cls, train: pd.DataFrame, items: pd.DataFrame, all_words: bool = False) -> Vocabulary:
        """The ids and title words of training rows (columns user, item), or the words of all
        titles, and all categories.
        """
        seen = items if all_words else items[items["item"].isin(train["item"])]
        return cls(
            users=np.unique(train["user"]).tolist(),
            items=np.unique(train["item"]).tolist(),
            words=sorted({word for title in seen["title"] for word in title_tokens(title)}),
            categories=sorted(set().union(*items["categories"])),
        )

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each embedding table, the unknown one included where there is one."""
        return {
            "user": len(self.users) + 1,
            "item": len(self.items) + 1,
            "title": len(self.words) + 1,
            "categories": max(len(self.categories), 1),  # no model has an empty table
        }


@dataclass(frozen=True)
class EncodedRatings:
    """N ratings as indices into a vocabulary, and the bags of the M items they may be about."""

    user: np.ndarray  # (N,) int64, 0 if unknown
    item: np.ndarray  # (N,) int64, 0 if unknown
    listing: np.ndarray  # (N,) int64, the item's row in the bags, known to the vocabulary or not
    rating: np.ndarray  # (N,) float32
    title: np.ndarray  # (M, T) int64 word indices, padded with 0
    title_weight: np.ndarray  # (M, T) float32, 1 / number of words, 0 on the padding
    categories: np.ndarray  # (M, G) float32, 1 / number of categories on an item's own, else 0


def _index(values: np.ndarray, known: Sequence) -> np.ndarray:
    """Place of each value in `known` plus one, or `UNKNOWN`."""
    known = pd.Index(known)
    values = values.astype(str) if known.dtype.kind == "O" else values
    return known.get_indexer(values).astype(np.int64) + 1


def encode(rows: pd.DataFrame, items: pd.DataFrame, vocabulary: Vocabulary) -> EncodedRatings:
    """Encode ratings (user, item, rating); a ValueError if an item is not in the items' table."""
    rated = rows["item"].to_numpy()
    listing = _index(rated, items["item"].tolist()) - 1  # sorted by the canonical order
    if (listing < 0).any():
        raise ValueError(f"item {rated[listing < 0][0]} is rated but is not in the items' table")
    words = {word: i + 1 for i, word in enumerate(vocabulary.words)}
    titles = [[words.get(w, UNKNOWN) for w in title_tokens(t)] for t in items["title"]]
    title = np.zeros((len(items), max([1, *map(len, titles)])), np.int64)
    weight = np.zeros(title.shape, np.float32)
    categories = np.zeros((len(items), vocabulary.sizes["categories"]), np.float32)
    place = {category: i for i, category in enumerate(vocabulary.categories)}
    for i, (indices, names) in enumerate(zip(titles, items["categories"], strict=True)):
        title[i, : len(indices)] = indices
        weight[i, : len(indices)] = 1 / max(len(indices), 1)
        known = [place[name] for name in names if name in place]
        categories[i, known] = 1 / max(len(known), 1)
    return EncodedRatings(
        user=_index(rows["user"].to_numpy(), vocabulary.users),
        item=_index(rated, vocabulary.items),
        listing=listing,
        rating=rows["rating"].to_numpy(np.float32),
        title=title,
        title_weight=weight,
        categories=categories,
    )
