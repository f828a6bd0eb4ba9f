"""What is known of image data sets by name. Standard library only: Snakefiles import this."""

from __future__ import annotations

from dataclasses import dataclass

SLICES = ("fit", "minival", "eval")
DIGITS = "digits"
"""The data set that comes with scikit-learn: 8 x 8 pixels, for quick runs and tests."""


@dataclass(frozen=True)
class Facts:
    """A data set's splits.

    Attributes:
        paper: its name in the paper's tables, None if it has none.
        eval_split: the split that tables are made from.
        minival: share of the train split, its last examples, that is kept for selection.
        first: how many eval examples the paper's numbers count. They are fractions of 19 x 512 and
            97 x 512: its evaluation left out the last, partial batch of 512.
    """

    paper: str | None = None
    eval_split: str = "test"
    minival: float = 0.02
    first: int | None = None


KNOWN = {
    "cifar10": Facts("CIFAR10", first=19 * 512),
    "cifar100": Facts("CIFAR100", first=19 * 512),
    "imagenet2012": Facts("ImageNet", eval_split="validation", minival=0.01, first=97 * 512),
    DIGITS: Facts(minival=0.1),
}


def facts(dataset: str) -> Facts:
    """What is known of a data set; the usual splits if nothing is."""
    return KNOWN.get(dataset, Facts())


def column(dataset: str) -> str:
    """A data set's name in tables: the paper's, else its own."""
    return facts(dataset).paper or dataset
