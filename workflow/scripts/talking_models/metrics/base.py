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

    As it stands it is the mean over predictions of what `per_row` gives.
    """

    family: ClassVar[Literal["ratings", "images"]]  # the data that it is for
    title: ClassVar[str]  # its name on pages: "RMSE"
    maximize: ClassVar[bool]  # whether more is better
    unit: ClassVar[str | None] = None  # "stars"; None: the data set's unit, "": none
    unit_column: ClassVar[str] = "user"  # whose values are drawn again
    digits: ClassVar[int] = 4  # decimals that pages print
    undefined: ClassVar[str] = "nothing counts"  # why a task can have no value

    @staticmethod
    def per_row(predictions: pd.DataFrame) -> pd.Series:
        """A number for each prediction; not needed beside an `evidence` of the metric's own."""
        raise NotImplementedError

    @classmethod
    def evidence(cls, predictions: pd.DataFrame) -> pd.DataFrame:
        """What each unit brings, of one experiment, task and seed's rows of predictions.parquet:
        K numbers, one row for each value of `unit_column`.
        """
        rows = cls.per_row(predictions)
        return rows.groupby(predictions[cls.unit_column], sort=False).agg(["sum", "size"])

    @classmethod
    def by_row(cls) -> bool:
        """Whether evidence adds up over any rows, and not over units alone: as long as a metric has
        no `evidence` of its own.
        """
        return getattr(cls.evidence, "__func__", None) is Metric.evidence.__func__

    @staticmethod
    def value(sums: np.ndarray) -> np.ndarray:
        """The metric from sums of evidence, (..., K) -> (...)."""
        return sums[..., 0] / sums[..., 1]
