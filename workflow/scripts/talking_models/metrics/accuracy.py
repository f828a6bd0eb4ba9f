"""The share of examples whose class is told."""

from talking_models.metrics.base import Metric


class Accuracy(Metric):
    """Right predictions over examples."""

    family, title, maximize, unit, unit_column = "images", "Accuracy", True, "", "example"

    @staticmethod
    def per_row(predictions):
        """1 where it is right, else 0."""
        return (predictions["target"] == predictions["prediction"]).astype(float)
