"""Vision transformers of timm: a pre-trained teacher, and a student of its first blocks."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, model_validator

from talking_models.models.images import ImageKind, ImageSettings, Name
from talking_models.models.kind import ModelKind
from talking_models.strict import Identifier

Block = Annotated[int, Field(ge=1)]


class ViTSettings(ImageSettings):
    """A vision transformer, cut at two blocks into lower, upper and head."""

    of: Identifier | None = Field(
        None,
        description="The model of this kind whose name, weights, size and options it has; what "
        "stands here of them is then without effect and refused.",
    )
    name: Name = "vit_base_patch32_224.orig_in21k"
    blocks: Block | None = Field(
        None, description="It has the first so many blocks; null: all, as a teacher."
    )
    cut: Annotated[tuple[Block, Block], Field(strict=False)] = Field(
        (6, 12), description="The lower and the higher state: the outputs of these blocks."
    )

    @model_validator(mode="after")
    def _states_lie_in_it(self) -> ViTSettings:
        low, high = self.cut
        if low >= high:
            raise ValueError(f"cut [{low}, {high}]: the lower state lies before the higher")
        if self.blocks is not None and high > self.blocks:
            raise ValueError(f"cut [{low}, {high}] goes beyond blocks {self.blocks}")
        idle = {"name", "weights", "image_size", "options"} & self.model_fields_set
        if self.of and idle:
            said = ", ".join(sorted(idle))
            raise ValueError(f"{said} beside of: {self.of} says it, leave one of them out")
        return self


class ViT(ImageKind, ModelKind):
    """A timm vision transformer; states are the residual stream after a block, all tokens of it."""

    Settings = ViTSettings

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
    def net(cls, settings: dict[str, Any]):
        """See `ImageKind.net`; a ValueError if an image is no whole number of its patches, too."""
        from timm.models.vision_transformer import VisionTransformer

        name, size = settings["name"], settings["image_size"]
        net = super().net(settings, img_size=size)
        if type(net) is not VisionTransformer:  # a subclass may have another forward pass
            raise ValueError(
                f"{name} is a {type(net).__name__}; only timm's VisionTransformer can be cut"
            )
        if size % (patch := net.patch_embed.patch_size[0]):
            raise ValueError(
                f"image_size {size} is no multiple of the patch size {patch} of {name}"
            )
        return net

    @classmethod
    def cut(cls, settings: dict[str, Any], net, teachers=()):
        """See `ImageKind.cut`: its first `blocks`, and all its other layers."""
        from talking_models.models.transformer import LayeredViT

        blocks = settings["blocks"] or len(net.blocks)
        if blocks > len(net.blocks):
            raise ValueError(f"the first {blocks} blocks of a model with {len(net.blocks)}")
        net.blocks = net.blocks[:blocks]
        return LayeredViT(net, *settings["cut"])
