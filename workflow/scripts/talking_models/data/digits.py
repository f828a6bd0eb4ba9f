"""scikit-learn's digits: 8 x 8 pixels, ten classes, for quick runs and tests."""

from typing import Any

from talking_models.data.base import DataKind, Parts
from talking_models.data.images import Pictures

EVAL = 360  # the last ones of 1,797, a fifth


class Part(Pictures):
    """One of the two parts; grey levels 0 to 16 become 0 to 240."""

    def __init__(self, settings: dict[str, Any], part: str) -> None:
        import numpy as np
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        rows = slice(-EVAL) if part == "train" else slice(-EVAL, None)
        self.name, self.classes = f"digits, part {part}", [str(digit) for digit in range(10)]
        levels = (15 * images[rows]).astype(np.uint8).reshape(-1, 8, 8)
        self.examples = list(zip(levels, labels[rows].tolist(), strict=True))


class Digits(DataKind):
    """1,437 images to train on, 360 for eval."""

    family = "images"
    open = Part

    @classmethod
    def parts(cls, settings: dict[str, Any]) -> Parts:
        """See `DataKind.parts`."""
        return Parts("train", None, "test")
