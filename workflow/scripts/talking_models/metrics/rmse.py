"""Root mean squared error of ratings."""

from talking_models.metrics.base import Metric


class RMSE(Metric):
    """sqrt(mean (y - y')^2) over all ratings; a user brings the sum of squares and the count."""

    family, title, maximize = "ratings", "RMSE", False

    @staticmethod
    def per_row(predictions):
        """(y - y')^2."""
        return (predictions["target"] - predictions["prediction"]) ** 2

    @staticmethod
    def value(sums):
        """The root of their mean."""
        return Metric.value(sums) ** 0.5
