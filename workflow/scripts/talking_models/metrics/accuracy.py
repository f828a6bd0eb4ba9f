"""The share of examples whose class is told."""

from __future__ import annotations

from talking_models.metrics.base import Metric


class Accuracy(Metric):
    """Right predictions over examples."""

    family = "images"
    title = "Accuracy"
    maximize = True
    unit = ""
    unit_column = "example"

    @staticmethod
    def evidence(predictions):
        """See `Metric.evidence`."""
        right = (predictions["target"] == predictions["prediction"]).astype(float)
        return right.groupby(predictions["example"], sort=False).agg(["sum", "size"])

    @staticmethod
    def value(sums):
        """See `Metric.value`."""
        return sums[..., 0] / sums[..., 1]
