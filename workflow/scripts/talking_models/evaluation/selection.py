"""How much it flatters a method when its settings are picked by their score on the eval rows.

The paper names no validation rows, and its own method's numbers look like the best of several
settings for each genre on eval (spec section 8). Nothing here feeds a table: the tables' settings
were chosen without eval rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talking_models.evaluation.bootstrap import Draws, Errors, drawn_rmse


@dataclass(frozen=True)
class Selection:
    """The best of several experiments per genre, picked by eval RMSE, against one of them.

    Attributes:
        chosen: the experiment of each of G genres.
        rmse: (G,) its RMSE.
        own: (G,) RMSE of the experiment that was chosen without eval rows.
        apparent: how much lower the mean over genres gets by picking, 0 or more.
        honest: how much of that is left, on average, for users and seeds without a part in the
            pick; negative if picking does harm.
    """

    chosen: tuple[str, ...]
    rmse: np.ndarray
    own: np.ndarray
    apparent: float
    honest: float

    @property
    def flattery(self) -> float:
        """What picking promises and does not keep."""
        return self.apparent - self.honest


def best_on_eval(errors: Errors, draws: Draws, candidates: Sequence[str], own: str) -> Selection:
    """Pick the best of `candidates` for each genre on the eval rows.

    For the honest gain the pick is made again in each draw and scored on the users and seeds that
    are not in the draw, where `own` is scored, too. With one seed there is none left out, and the
    pick is scored on that seed.

    Args:
        errors: the data.
        draws: draws of it.
        candidates: experiment ids, `own` among them.
        own: the experiment to compare with.
    """
    errors = errors.of(candidates)
    rmse, place, genres = errors.rmse, candidates.index(own), np.arange(len(errors.genres))
    best = rmse.argmin(axis=0)
    picks = drawn_rmse(errors, draws).argmin(axis=1)  # (B, G)
    single = draws.seeds.shape[1] == 1
    rest = Draws(
        (draws.users == 0).astype(float),
        (draws.seeds > 0 if single else draws.seeds == 0).astype(float),
    )
    scores = drawn_rmse(errors, rest)
    gains = scores[:, place] - np.take_along_axis(scores, picks[:, None], axis=1)[:, 0]
    return Selection(
        tuple(candidates[i] for i in best),
        rmse[best, genres],
        rmse[place],
        float((rmse[place] - rmse[best, genres]).mean()),
        float(np.nanmean(gains, axis=0).mean()),
    )
