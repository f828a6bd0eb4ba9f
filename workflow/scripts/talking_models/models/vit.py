"""Vision transformers of timm: a pre-trained teacher, and a student of its first blocks."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from talking_models.models.kind import ImageTraining, ModelKind, ModelSettings
from talking_models.strict import Identifier, Strict

Block = Annotated[int, Field(ge=1)]


class Probe(Strict):
    """A teacher's classifier: softmax regression on its frozen features, by AdamW."""

    epochs: int = Field(30, ge=1, description="Passes over the training images' features.")
    batch_size: int = Field(1024, ge=1, description="Images per step.")
    learning_rate: float = Field(1e-3, gt=0, le=1, description="Where the cosine begins.")
    weight_decay: float = Field(1e-2, ge=0, description="Weight decay of AdamW.")


class ViTSettings(ModelSettings):
    """A vision transformer, cut at two blocks into lower, upper and head."""

    of: Identifier | None = Field(
        None,
        description="The model of this kind whose name, weights, size and options it has; what "
        "stands here of them is then without effect and refused.",
    )
    name: str = Field(
        "vit_base_patch32_224.orig_in21k",
        min_length=1,
        description="A vision transformer of timm, with the tag of its weights.",
    )
    weights: str = Field(
        "hub",
        min_length=1,
        description="`hub`: timm's, from the Hugging Face hub; `random`: none, for trials; else a "
        "safetensors file, relative to the repository root.",
    )
    image_size: int = Field(
        384, ge=1, description="Height and width that images are resized to, in pixels."
    )
    options: dict[str, Any] = Field(
        {}, description="Further arguments of `timm.create_model`, such as `embed_dim`."
    )
    blocks: Block | None = Field(
        None, description="It has the first so many blocks; null: all, as a teacher."
    )
    cut: Annotated[tuple[Block, Block], Field(strict=False)] = Field(
        (6, 12), description="The lower and the higher state: the outputs of these blocks."
    )
    probe: Probe = Field(
        default_factory=Probe, description="The classifier that it gets if it teaches untrained."
    )
    training: ImageTraining = Field(default_factory=ImageTraining, description="Its training.")

    @model_validator(mode="after")
    def _states_lie_in_it(self) -> ViTSettings:
        low, high = self.cut
        text = None
        if low >= high:
            text = f"cut [{low}, {high}]: the lower state lies before the higher"
        elif self.blocks is not None and high > self.blocks:
            text = f"cut [{low}, {high}] goes beyond blocks {self.blocks}"
        elif self.of and (
            idle := {"name", "weights", "image_size", "options"} & self.model_fields_set
        ):
            text = f"{', '.join(sorted(idle))} beside of: {self.of} says it, leave one of them out"
        if text:
            raise PydanticCustomError("contradiction", text)
        return self


class ViT(ModelKind):
    """A timm vision transformer; states are the residual stream after a block, all tokens of it."""

    family = "images"
    Settings = ViTSettings
    pretrained = True

    @classmethod
    def contradiction(cls, settings: dict[str, Any]) -> str | None:
        """See `ModelKind.contradiction`."""
        name, options = settings["name"], settings["options"]
        size = re.match(r"vit_(tiny|small|base|large)_", name)
        depth = options.get("depth") or (size and {"large": 24}.get(size[1], 12))
        found = re.search(r"_patch(\d+)_", f"{name}_")
        patch = options.get("patch_size") or (found and int(found[1]))
        blocks, high = settings["blocks"], settings["cut"][1]
        if depth and max(blocks or 0, high) > depth:
            return f"cut {list(settings['cut'])} and blocks {blocks} in {name} of {depth} blocks"
        if patch and settings["image_size"] % patch:
            return f"image_size {settings['image_size']} is no multiple of the patch size {patch}"
        return None

    @classmethod
    def make_backbone(cls, settings: dict[str, Any], weights, output) -> None:
        """See `ModelKind.make_backbone`."""
        from talking_models.models.weights import make_backbone

        make_backbone(cls.net(settings), settings["image_size"], weights, output)

    @classmethod
    def net(cls, settings: dict[str, Any]):
        """The whole transformer with random weights and no classifier."""
        from talking_models.models.transformer import Architecture

        return Architecture(*(settings[key] for key in ("name", "image_size", "options"))).build()

    @classmethod
    def student(cls, settings: dict[str, Any], classes: int, backbone=None, teachers=()):
        """See `ModelKind.student`."""
        from talking_models.models import transformer

        net = cls.net(settings)
        if backbone is not None:
            transformer.load(net, backbone.weights, "the backbone")
        net = transformer.shortened(net, settings["blocks"])
        return transformer.LayeredViT(transformer.with_classes(net, classes), *settings["cut"])

    @classmethod
    def teacher(cls, settings: dict[str, Any], backbone, probe=None):
        """See `ModelKind.teacher`."""
        from talking_models.models import transformer

        net = transformer.load(cls.net(settings), backbone.weights, "the backbone")
        if probe is not None:
            transformer.with_classes(net, len(probe["bias"]))
            transformer.load(net.head, probe, "the probe")
        return transformer.LayeredViT(net, *settings["cut"])
