"""Any classifier of timm that gives feature maps, beside a vision transformer: resnet18,
mobilenetv3_small_050, convnext_atto, ...

States are feature maps brought to the tokens of the teacher, so that the two can talk: a map
(B, C, H, W) is averaged over the cells of a grid h x w, (B, h w, C), before which stands its mean,
as often as the teacher has class tokens. Interpreting goes back: a grid that somebody else wrote is
spread over a map of the size that the network knows, and its later stages answer. The network's own
prediction passes through no token: it is timm's.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, model_validator

from talking_models.models.images import GRAY, ImageKind, ImageSettings, Name
from talking_models.models.kind import ModelKind

Side = Annotated[int, Field(ge=1)]
Colour = Annotated[float, Field(gt=0, lt=1)]
Colours = Annotated[tuple[Colour, Colour, Colour], Field(strict=False)]
TRANSFORMERS = r"^(vit|deit3?|beit|eva|cait|mixer|swin|xcit)\w*_"


class TimmSettings(ImageSettings):
    """A classifier of timm, cut at two of its feature maps into lower, upper and head."""

    name: Name = "resnet18"
    mean: Colours = Field(
        GRAY,
        description="What is taken off the colours of an image, for values from 0 to 1: as its "
        "teacher has it. The network gets its own from that.",
    )
    std: Colours = Field(GRAY, description="What they are then divided by, likewise.")
    cut: Annotated[tuple[int, int], Field(strict=False)] = Field(
        (2, 3),
        description="The lower and the higher state: places, from 0, among its feature maps.",
    )
    tokens: Annotated[tuple[Side, Side], Field(strict=False)] | None = Field(
        None,
        description="The grid that states are brought to, height and width; null: its teacher's "
        "patches, and without a teacher the map of the lower state.",
    )

    @model_validator(mode="after")
    def _states_follow(self) -> TimmSettings:
        low, high = self.cut
        if not 0 <= low < high:
            raise ValueError(
                f"cut [{low}, {high}]: places from 0, the lower state before the higher"
            )
        return self


class Timm(ImageKind, ModelKind):
    """A classifier of timm whose feature stages follow one another."""

    Settings = TimmSettings

    @classmethod
    def contradiction(cls, settings: dict[str, Any]) -> str | None:
        """See `ModelKind.contradiction`."""
        if re.match(TRANSFORMERS, settings["name"]):
            return f"{settings['name']} gives tokens and no feature maps: kind vit takes vit_*"
        if idle := {"num_classes", "drop_rate", "features_only"} & set(settings["options"]):
            return f"options {', '.join(sorted(idle))}: the workflow says it, leave it out"
        return None

    @classmethod
    def cut(cls, settings: dict[str, Any], net, teachers=()):
        """See `ImageKind.cut`; what it learns from decides its tokens."""
        from talking_models.models.chain import LayeredNet

        return LayeredNet(net, settings, teachers)
