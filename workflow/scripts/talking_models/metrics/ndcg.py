"""NDCG@10: how well the order of a user's items is predicted."""

from talking_models.metrics.base import Metric

TOP = 10


class NDCG(Metric):
    """The mean over users of DCG / ideal DCG among the first ten of each user's evaluation items.

    The gain of an item is its rating above the lowest rating of the task, the discount at place i
    (from 1) log2(i + 1) (Jarvelin and Kekalainen, 2002). Items with equal predictions share the
    gains of their places. A user with nothing to order, fewer than two ratings or equal ones, is
    left out.
    """

    family, title, maximize, unit = "ratings", "NDCG@10", True, ""
    undefined = "no user has two different ratings"

    @classmethod
    def evidence(cls, predictions):
        """(NDCG, 1) of a user, (0, 0) of one who is left out."""
        import pandas as pd
        from sklearn.metrics import ndcg_score

        lowest = predictions["target"].min()
        found = {}
        for user, rows in predictions.groupby("user", sort=False):
            gains = rows["target"].to_numpy() - lowest
            ordered = gains.min() < gains.max()
            score = ndcg_score([gains], [rows["prediction"].to_numpy()], k=TOP) if ordered else 0
            found[user] = (float(score), float(ordered))
        return pd.DataFrame.from_dict(found, orient="index", columns=["sum", "size"])
