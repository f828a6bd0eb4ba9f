"""Root mean squared error of ratings."""

from __future__ import annotations

from talking_models.metrics.base import Metric


class RMSE(Metric):
    """sqrt(mean (y - y')^2) over all ratings; a user brings the sum of squares and the count."""

    family = "ratings"
    title = "RMSE"
    maximize = False
    unit_column = "user"

    @staticmethod
    def evidence(predictions):
        """See `Metric.evidence`."""
        squared = (predictions["target"] - predictions["prediction"]) ** 2
        return squared.groupby(predictions["user"], sort=False).agg(["sum", "size"])

    @staticmethod
    def value(sums):
        """See `Metric.value`."""
        return (sums[..., 0] / sums[..., 1]) ** 0.5
