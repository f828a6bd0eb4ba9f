"""The sentence under a table's title: what its numbers were made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from talking_models.config import Config


def stamp(config: Config) -> str:
    """Data, seeds and settings of a configuration."""
    data, search = config.movielens, config.search
    settings = {
        "none": f"{config.student.training.steps} student steps unless an experiment says "
        f"otherwise, {config.teacher.training.steps} teacher steps",
        "committed": f"the settings of `{config.tuned}`",
        "search": f"settings searched in this run ({search.trials} trials for each method)",
    }
    return (
        f"Made from MovieLens {data.variant}, {len(data.genres)} genres, {config.seeds} seeds, "
        f"{settings[config.tuning]}. Evaluated on the latest "
        f"{data.eval_fraction:.0%} of all ratings."
    )
