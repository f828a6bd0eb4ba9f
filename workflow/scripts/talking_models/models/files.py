"""Models on disk: safetensors files that say what they are; those of images among them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from talking_models.io import atomic
from talking_models.models import MODELS
from talking_models.models.base import LayeredModel

KEY = "talking_models"  # one key: safetensors does not keep the order of several
IMAGES = "image model"


def save(path: str | Path, kind: str, tensors: Mapping[str, Tensor], about: Any) -> None:
    """Write tensors with plain values about them; the same content gives the same bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {KEY: json.dumps({"kind": kind, "about": about})}
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def kind_of(path: str | Path) -> str | None:
    """What a file says it holds, if anything; a `ValueError` if it is no safetensors, or cut."""
    return _about(path).get("kind")


def read(path: str | Path, kind: str) -> tuple[dict[str, Tensor], Any]:
    """Read what `save` wrote; a `ValueError` if it is of another kind, no safetensors, or cut."""
    found = _about(path)
    if found.get("kind") != kind:
        raise ValueError(f"{path} holds {found.get('kind', 'no model of ours')}, not {kind}")
    return load_file(path), found["about"]


def _about(path: str | Path) -> dict[str, Any]:
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {}).get(KEY, "{}"))
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no whole safetensors file ({error}): remove it and run again"
        ) from None


class Look(NamedTuple):
    """How a model looks at images."""

    size: int  # R, height and width in pixels
    mean: tuple[float, ...]  # of each colour, as it was pre-trained with, for values from 0 to 1
    std: tuple[float, ...]


@dataclass(frozen=True)
class Backbone:
    """Pre-trained weights without a classifier, checked and brought to the image size."""

    look: Look
    weights: Mapping[str, Tensor]

    def save(self, path: str | Path) -> None:
        """Write a safetensors file."""
        save(path, "backbone", self.weights, {"look": self.look})

    @classmethod
    def load(cls, path: str | Path) -> Backbone:
        """Read what `save` wrote; raises as `read`."""
        weights, about = read(path, "backbone")
        return cls(Look(*about["look"]), weights)


def save_trained(
    path: str | Path, model: LayeredModel, form: Mapping[str, Any], look: Look, **about: Any
) -> None:
    """Write a trained model of images, its `form`, and what else there is to say `about` it."""
    save(path, IMAGES, model.state_dict(), about | {"form": dict(form), "look": look})


def load_trained(path: str | Path) -> tuple[LayeredModel, Look, dict[str, Any]]:
    """A trained model in eval mode, how it looks at images, what was said of it. See `read`."""
    weights, about = read(path, IMAGES)
    model = MODELS.get(about["form"]["kind"]).student(about["form"], len(about["classes"]))
    model.load_state_dict(weights, strict=True)
    return model.eval(), Look(*about["look"]), about


def teacher_of(
    form: Mapping[str, Any],
    file: str | Path,
    probe: str | Path | None = None,
    classes: Sequence[str] | None = None,
) -> tuple[LayeredModel, Look]:
    """A model of images in eval mode, pre-trained, whose outputs are logits with a probe, or
    trained: a `ValueError` if that is of another kind than `form`, or tells other `classes` apart.
    """
    if kind_of(file) == "backbone":
        weights = None if probe is None else read(probe, "probe")[0]
        backbone = Backbone.load(file)
        return MODELS.get(form["kind"]).teacher(form, backbone, weights).eval(), backbone.look
    model, look, about = load_trained(file)
    if (kind := about["form"]["kind"]) != form["kind"]:
        raise ValueError(f"{file} holds a model of kind {kind}, not {form['kind']}")
    if classes not in (None, about["classes"]):
        raise ValueError(f"{file} tells the classes {about['classes']} apart, not {classes}")
    return model, look
