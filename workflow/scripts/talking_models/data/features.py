"""From rows of ratings to indices: vocabularies of the training rows, with one row for the unknown.

Index 0 of every table stands for what the training rows do not hold: a user, an item, a title word.
Categories are a closed set, known from the items' own table.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from talking_models.data.names import title_tokens

UNKNOWN = 0


@dataclass(frozen=True)
class Vocabulary:
    """The ids that a model has embeddings for; a value's index is its place here plus one.

    Attributes:
        users, items: ids in the training rows, sorted.
        words: title words of the items in the training rows, sorted.
        categories: all categories, sorted; none is unknown, so a category's index is its place.
    """

    users: list[int] | list[str]
    items: list[int] | list[str]
    words: list[str]
    categories: list[str]

    @classmethod
    def of(cls, train: pd.DataFrame, items: pd.DataFrame) -> Vocabulary:
        """The vocabulary of training rows (columns user, item) and the items' table."""
        seen = items[items["item"].isin(train["item"])]
        return cls(
            users=np.unique(train["user"]).tolist(),
            items=np.unique(train["item"]).tolist(),
            words=sorted({word for title in seen["title"] for word in title_tokens(title)}),
            categories=sorted(
                {category for categories in items["categories"] for category in categories}
            ),
        )

    def to_dict(self) -> dict:
        """Plain lists, for a checkpoint's header."""
        return asdict(self)

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
    """N ratings as indices into a vocabulary, and the bags of the M items they may be about.

    Attributes:
        user, item: (N,) int64 indices, 0 if unknown.
        listing: (N,) int64, the item's row in the bags below, known to the vocabulary or not.
        rating: (N,) float32.
        title: (M, T) int64 word indices, padded with 0.
        title_weight: (M, T) float32, 1 / number of words, 0 on the padding.
        categories: (M, G) float32, 1 / number of categories on an item's categories, else 0.
    """

    user: np.ndarray
    item: np.ndarray
    listing: np.ndarray
    rating: np.ndarray
    title: np.ndarray
    title_weight: np.ndarray
    categories: np.ndarray


def _index(values: np.ndarray, known: list) -> np.ndarray:
    """Place of each value in the sorted list `known` plus one, or `UNKNOWN`."""
    known = np.asarray(known)
    if known.dtype.kind == "U":  # objects would be compared one by one
        values = values.astype(str)
    elif values.dtype.kind not in "iu":  # text ids, of which a model of numbers knows none
        return np.full(len(values), UNKNOWN, np.int64)
    place = np.searchsorted(known, values).clip(max=len(known) - 1)
    return np.where(known[place] == values, place + 1, UNKNOWN).astype(np.int64)


def encode(rows: pd.DataFrame, items: pd.DataFrame, vocabulary: Vocabulary) -> EncodedRatings:
    """Encode ratings (columns user, item, rating) with the items' table they refer to.

    Raises:
        ValueError: a row's item is not in the items' table.
    """
    ids = items["item"].to_numpy()  # sorted by the canonical order
    listing = _index(rows["item"].to_numpy(), ids.tolist()) - 1
    if (listing < 0).any():
        missing = rows["item"].to_numpy()[listing < 0][0]
        raise ValueError(f"item {missing} is rated but is not in the items' table")
    words = {word: i + 1 for i, word in enumerate(vocabulary.words)}
    titles = [[words.get(w, UNKNOWN) for w in title_tokens(t)] for t in items["title"]]
    title = np.zeros((len(items), max([1, *map(len, titles)])), np.int64)
    weight = np.zeros(title.shape, np.float32)
    for i, indices in enumerate(titles):
        title[i, : len(indices)] = indices
        weight[i, : len(indices)] = 1 / max(len(indices), 1)
    categories = np.zeros((len(items), vocabulary.sizes["categories"]), np.float32)
    place = {category: i for i, category in enumerate(vocabulary.categories)}
    for i, names in enumerate(items["categories"]):
        known = [place[name] for name in names if name in place]
        categories[i, known] = 1 / max(len(known), 1)
    return EncodedRatings(
        user=_index(rows["user"].to_numpy(), vocabulary.users),
        item=_index(rows["item"].to_numpy(), vocabulary.items),
        listing=listing,
        rating=rows["rating"].to_numpy(np.float32),
        title=title,
        title_weight=weight,
        categories=categories,
    )
