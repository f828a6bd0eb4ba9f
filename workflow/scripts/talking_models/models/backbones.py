"""Models of images on disk: pre-trained ones, as all jobs read them, and what was trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from talking_models.models import MODELS
from talking_models.models.base import LayeredModel
from talking_models.models.files import read, save

KIND = "image model"


class Look(NamedTuple):
    """How a model looks at images.

    Attributes:
        size: R, height and width in pixels.
        mean, std: of each colour, as the model was pre-trained with, for values from 0 to 1.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Backbone:
    """Pre-trained weights without a classifier, checked and brought to the image size.

    Attributes:
        look: how the model looks at images.
        weights: its state dict.
    """

    look: Look
    weights: Mapping[str, Tensor]

    def save(self, path: str | Path) -> None:
        """Write a safetensors file."""
        save(path, "backbone", self.weights, {"look": self.look})

    @classmethod
    def load(cls, path: str | Path) -> Backbone:
        """Read what `save` wrote; raises as `files.read`."""
        weights, about = read(path, "backbone")
        return cls(Look(*about["look"]), weights)


def save_trained(
    path: str | Path, model: LayeredModel, form: Mapping[str, Any], look: Look, **about: Any
) -> None:
    """Write a trained model of images.

    Args:
        path: the file.
        model: its weights.
        form: what it is, as its kind takes it, `kind` among it.
        look: how it looks at images.
        about: what else there is to say of it: its classes, its seed.
    """
    about |= {"form": dict(form), "look": look}
    save(path, KIND, model.state_dict(), about)


def load_trained(path: str | Path) -> tuple[LayeredModel, Look, dict[str, Any]]:
    """A trained model in eval mode, how it looks at images, and what else was said of it.

    Raises:
        ValueError: see `files.read`.
    """
    weights, about = read(path, KIND)
    model = MODELS.get(about["form"]["kind"]).student(about["form"], len(about["classes"]))
    model.load_state_dict(weights, strict=True)
    return model.eval(), Look(*about["look"]), about
