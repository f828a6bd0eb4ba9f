"""Mean absolute error of ratings."""

from __future__ import annotations

from talking_models.metrics.base import Metric


class MAE(Metric):
    """mean |y - y'| over all ratings; a user brings the sum and the count."""

    family = "ratings"
    title = "MAE"
    maximize = False
    unit_column = "user"

    @staticmethod
    def evidence(predictions):
        """See `Metric.evidence`."""
        distance = (predictions["target"] - predictions["prediction"]).abs()
        return distance.groupby(predictions["user"], sort=False).agg(["sum", "size"])

    @staticmethod
    def value(sums):
        """See `Metric.value`."""
        return sums[..., 0] / sums[..., 1]
