"""Mean absolute error of ratings."""

from talking_models.metrics.base import Metric


class MAE(Metric):
    """mean |y - y'| over all ratings; a user brings the sum and the count."""

    family, title, maximize = "ratings", "MAE", False

    @staticmethod
    def per_row(predictions):
        """|y - y'|."""
        return (predictions["target"] - predictions["prediction"]).abs()
