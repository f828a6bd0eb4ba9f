"""Rolling-origin folds inside the training rows: fit on the past, validate on what follows."""

from __future__ import annotations

import pandas as pd

VAL_SHARE = 10  # percent of the training rows that a fold validates on


def fold_bounds(n: int, folds: int) -> list[tuple[int, int]]:
    """Where each fold's fit rows end, and its validation rows: fold k ends 10% before fold k + 1.

    The last fold validates on the last 10% of the rows; with 3 folds of 90,000 rows the fit rows
    end at 63,000, 72,000 and 81,000.

    Args:
        n: number of training rows, in time order.
        folds: how many.

    Raises:
        ValueError: there are too many folds for the rows.
    """
    bounds = [
        (n * (100 - VAL_SHARE * (folds - k)) // 100, n * (100 - VAL_SHARE * (folds - k - 1)) // 100)
        for k in range(folds)
    ]
    if any(not 0 < fit < val for fit, val in bounds):
        raise ValueError(f"{n} training rows are too few for {folds} folds")
    return bounds


def fold_rows(train: pd.DataFrame, folds: int, fold: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit and validation rows of one fold.

    Args:
        train: training rows of all genres, in time order, so that the folds of every genre and the
            teacher's share their cuts.
        folds: how many there are.
        fold: which, from 0.
    """
    fit, val = fold_bounds(len(train), folds)[fold]
    return train.iloc[:fit].reset_index(drop=True), train.iloc[fit:val].reset_index(drop=True)
