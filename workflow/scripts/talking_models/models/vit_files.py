"""Vision transformers on disk: safetensors files that say what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from talking_models.data.vision_loader import Look
from talking_models.io import atomic
from talking_models.models.vit import (
    Architecture,
    LayeredViT,
    load,
    shortened,
    with_classes,
)

KEY = "talking_models"  # one key: safetensors does not keep the order of several


def save(path: str | Path, kind: str, tensors: Mapping[str, Tensor], about: Any) -> None:
    """Write tensors with plain values about them; the same content gives the same bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {KEY: json.dumps({"kind": kind, "about": about})}
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def read(path: str | Path, kind: str) -> tuple[dict[str, Tensor], Any]:
    """Read what `save` wrote.

    Raises:
        ValueError: the file is of another kind.
    """
    with safe_open(path, framework="pt") as file:
        found = json.loads((file.metadata() or {}).get(KEY, "{}"))
        if found.get("kind") != kind:
            raise ValueError(f"{path} holds {found.get('kind', 'no model of ours')}, not a {kind}")
        return {name: file.get_tensor(name) for name in file.keys()}, found["about"]  # noqa: SIM118


@dataclass(frozen=True)
class Backbone:
    """A pre-trained transformer without classifier, the teacher of all data sets.

    Attributes:
        architecture: what to build.
        look: how it looks at images.
        weights: its state dict.
    """

    architecture: Architecture
    look: Look
    weights: Mapping[str, Tensor]

    def save(self, path: str | Path) -> None:
        """Write a safetensors file."""
        about = {"architecture": asdict(self.architecture), "look": self.look}
        save(path, "backbone", self.weights, about)

    @classmethod
    def load(cls, path: str | Path) -> Backbone:
        """Read what `save` wrote."""
        weights, about = read(path, "backbone")
        return cls(Architecture(**about["architecture"]), Look(*about["look"]), weights)

    def teacher(self, cut: tuple[int, int], probe: str | Path | None = None) -> LayeredViT:
        """The teacher; with a `Probe`'s file its outputs are logits."""
        net = load(self.architecture.build(), self.weights, "the backbone")
        if probe is not None:
            tensors, _ = read(probe, "probe")
            with_classes(net, len(tensors["bias"]))
            load(net.head, tensors, probe)
        return LayeredViT(net, *cut)

    def student(self, blocks: int | None, cut: tuple[int, int], classes: int) -> LayeredViT:
        """The student before training: the first `blocks` blocks, or all."""
        net = load(self.architecture.build(), self.weights, "the backbone")
        return LayeredViT(with_classes(shortened(net, blocks), classes), *cut)


def save_student(path: str | Path, student: LayeredViT, backbone: Backbone, **about: Any) -> None:
    """Write a trained student, `about` being what else there is to say of it (its seed)."""
    net = student.net
    about |= {
        "architecture": asdict(backbone.architecture),
        "look": backbone.look,
        "blocks": len(net.blocks),
        "cut": [student.lo, student.hi],
        "classes": net.num_classes,
    }
    save(path, "student", net.state_dict(), about)


def load_student(path: str | Path) -> tuple[LayeredViT, Look, dict[str, Any]]:
    """A trained student in eval mode, how it looks at images, and what else was said of it."""
    weights, about = read(path, "student")
    net = shortened(Architecture(**about["architecture"]).build(), about["blocks"])
    net = load(with_classes(net, about["classes"]), weights, path)
    return LayeredViT(net, *about["cut"]).eval(), Look(*about["look"]), about
