"""The sentences under a table's title: what its numbers were made from."""

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


def vision_stamp(config: Config) -> str:
    """Model, images and steps of a configuration's vision part."""
    vision, training = config.vision, config.vision.training
    model = vision.model
    weights = {
        "hub": "with timm's weights",
        "random": "with random weights, which is a trial and no result",
    }.get(model.weights, f"with the weights of {model.weights.rpartition('/')[2]}")
    runs = "1 seed" if vision.seeds == 1 else f"{vision.seeds} seeds"
    return (
        f"Made with {model.name} {weights} as teacher, its first {model.student_blocks} blocks as "
        f"student, images of {model.image_size} x {model.image_size} pixels, {runs}, "
        f"{training.steps} steps of {training.batch_size} images unless an experiment says "
        "otherwise."
    )
