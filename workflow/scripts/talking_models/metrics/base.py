"""What a metric is: evidence per unit that adds up, and a value from the sums.

Intervals and tests draw units again, users or examples, so that a metric only says what each of
them brings: sums over any set of units must be the evidence of that set. Nothing here imports
pandas: the configuration reads a metric's attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class Metric:
    """Base of every metric; a subclass in a file of its own is one, under the file's name.

    Attributes:
        family: the data that it is for: `ratings` or `images`.
        title: its name on pages: "RMSE".
        maximize: whether more is better.
        unit: what it counts in: "stars"; None where that is the data set's unit, "" for none.
        unit_column: the column of the predictions whose values are drawn again.
        digits: decimals that pages print.
    """

    family: ClassVar[Literal["ratings", "images"]]
    title: ClassVar[str]
    maximize: ClassVar[bool]
    unit: ClassVar[str | None] = None
    unit_column: ClassVar[str]
    digits: ClassVar[int] = 4

    @staticmethod
    def evidence(predictions: pd.DataFrame) -> pd.DataFrame:
        """What each unit brings.

        Args:
            predictions: of one experiment, task and seed: `target`, `prediction`, the column
                `unit_column`, and the other columns of predictions.parquet.

        Returns:
            One row per unit, its index `unit_column`'s values, with K columns of numbers.
        """
        raise NotImplementedError

    @staticmethod
    def value(sums: np.ndarray) -> np.ndarray:
        """The metric from sums of evidence, (..., K) -> (...)."""
        raise NotImplementedError
