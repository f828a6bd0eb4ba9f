"""The sentence under a table's title: what its numbers were made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from talking_models.config import Config


def stamp(config: Config) -> str:
    """Data, seeds and steps of a configuration."""
    data = config.movielens
    return (
        f"Made from MovieLens {data.variant}, {len(data.genres)} genres, {config.seeds} seeds, "
        f"{config.student.training.steps} student steps unless an experiment says otherwise, "
        f"{config.teacher.training.steps} teacher steps. Evaluated on the latest "
        f"{data.eval_fraction:.0%} of all ratings."
    )
