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
from functools import cache
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from talking_models.models.kind import ImageTraining, ModelKind, ModelSettings
from talking_models.models.vit import Probe

GRAY = (0.5, 0.5, 0.5)
Side = Annotated[int, Field(ge=1)]
Colour = Annotated[float, Field(gt=0, lt=1)]
TRANSFORMERS = r"^(vit|deit3?|beit|eva|cait|mixer|swin|xcit)\w*_"


class TimmSettings(ModelSettings):
    """A classifier of timm, cut at two of its feature maps into lower, upper and head."""

    name: str = Field(
        "resnet18", min_length=1, description="A classifier of timm, with the tag of its weights."
    )
    weights: str = Field(
        "hub",
        min_length=1,
        description="`hub`: timm's, from the Hugging Face hub; `random`: none, for trials; else a "
        "safetensors file, relative to the repository root.",
    )
    image_size: int = Field(384, ge=1, description="In pixels: that of its teacher.")
    mean: Annotated[tuple[Colour, Colour, Colour], Field(strict=False)] = Field(
        GRAY,
        description="What is taken off the colours of an image, for values from 0 to 1: as its "
        "teacher has it. The network gets its own from that.",
    )
    std: Annotated[tuple[Colour, Colour, Colour], Field(strict=False)] = Field(
        GRAY, description="What they are then divided by, likewise."
    )
    options: dict[str, Any] = Field(
        {}, description="Further arguments of `timm.create_model`, such as `output_stride`."
    )
    cut: Annotated[tuple[int, int], Field(strict=False)] = Field(
        (2, 3),
        description="The lower and the higher state: places, from 0, among its feature maps.",
    )
    tokens: Annotated[tuple[Side, Side], Field(strict=False)] | None = Field(
        None,
        description="The grid that states are brought to, height and width; null: its teacher's "
        "patches, and without a teacher the map of the lower state.",
    )
    probe: Probe = Field(
        default_factory=Probe, description="The classifier that it gets if it teaches untrained."
    )
    training: ImageTraining = Field(default_factory=ImageTraining, description="Its training.")

    @model_validator(mode="after")
    def _states_follow(self) -> TimmSettings:
        low, high = self.cut
        if not 0 <= low < high:
            text = f"cut [{low}, {high}]: places from 0, the lower state before the higher"
            raise PydanticCustomError("contradiction", text)
        return self


class Timm(ModelKind):
    """A classifier of timm whose feature stages follow one another."""

    family = "images"
    Settings = TimmSettings
    pretrained = True

    @classmethod
    def contradiction(cls, settings: dict[str, Any]) -> str | None:
        """See `ModelKind.contradiction`."""
        if re.match(TRANSFORMERS, settings["name"]):
            return f"{settings['name']} gives tokens and no feature maps: kind vit takes vit_*"
        if idle := {"num_classes", "drop_rate", "features_only"} & set(settings["options"]):
            return f"options {', '.join(sorted(idle))}: the workflow says it, leave it out"
        return None

    @classmethod
    def make_backbone(cls, settings: dict[str, Any], weights, output) -> None:
        """See `ModelKind.make_backbone`.

        Raises:
            ValueError: timm has no such model, or it cannot be cut there.
        """
        from talking_models.models.backbones import Backbone, Look
        from talking_models.models.foreign import read_weights, renamed
        from talking_models.models.transformer import load

        net = cls.net(settings)
        cls.layered(settings, net)  # refuses it before anything is trained
        if weights is not None:
            own = net.state_dict()
            found = renamed(read_weights(weights), own, weights)
            classifier = f"{net.pretrained_cfg.get('classifier')}."
            found = {k: v for k, v in found.items() if not k.startswith(classifier)}
            load(net, {k: v.to(own[k].dtype) if k in own else v for k, v in found.items()}, weights)
        look = Look(*(settings[key] for key in ("image_size", "mean", "std")))
        Backbone(look, net.state_dict()).save(output)

    @classmethod
    def net(cls, settings: dict[str, Any]):
        """The network with random weights, always the same, and no classifier."""
        import difflib

        import timm
        import torch

        name = settings["name"]
        known, _, _ = name.partition(".")
        if not timm.is_model(known):
            near = difflib.get_close_matches(known, timm.list_models(), n=1)
            raise ValueError(f"timm has no model {name!r}; nearest: {', '.join(near) or 'none'}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return timm.create_model(name, pretrained=False, num_classes=0, **settings["options"])

    @classmethod
    def layered(cls, settings: dict[str, Any], net: Any, teachers=()):
        """The network in three parts; what it learns from decides its tokens."""
        keys = ("name", "image_size", "mean", "std", "cut", "tokens")
        return network()(net, *(settings[key] for key in keys), teachers)

    @classmethod
    def student(cls, settings: dict[str, Any], classes: int, backbone=None, teachers=()):
        """See `ModelKind.student`.

        Raises:
            ValueError: its tokens are not those of its teachers.
        """
        from talking_models.models import transformer

        net = cls.net(settings)
        if backbone is not None:
            transformer.load(net, backbone.weights, "the backbone")
        return cls.layered(settings, with_classes(net, classes), teachers)

    @classmethod
    def teacher(cls, settings: dict[str, Any], backbone, probe=None):
        """See `ModelKind.teacher`."""
        from talking_models.models import transformer

        net = transformer.load(cls.net(settings), backbone.weights, "the backbone")
        if probe is not None:
            with_classes(net, len(probe["bias"]))
            transformer.load(net.get_classifier(), probe, "the probe")
        return cls.layered(settings, net)


def with_classes(net: Any, classes: int) -> Any:
    """`net` itself with a new classifier, all zeros."""
    net.reset_classifier(classes)
    for parameter in net.get_classifier().parameters():
        parameter.data.zero_()
    return net


@cache
def network() -> type:
    """The class of the network in three parts; torch is imported here."""
    import torch
    from torch.nn.functional import adaptive_avg_pool2d

    from talking_models.models.base import LayeredModel, States, Widths
    from talking_models.models.chain import chain, frozen_statistics

    def tokens_of(model: Any) -> tuple[int, tuple[int, int]]:
        """How many class tokens a model's states have, and the grid of the others."""
        if isinstance(model, LayeredNet):
            return model.first, model.grid
        return model.net.num_prefix_tokens, tuple(model.net.patch_embed.grid_size)

    class LayeredNet(LayeredModel):
        """See the module.

        Args:
            net: of timm.
            name, size, mean, std, cut, tokens: of the settings.
            teachers: models whose tokens its states have.
        """

        def __init__(self, net, name, size, mean, std, cut, tokens, teachers=()):
            super().__init__()
            self.net = net
            parts, maps = chain(net, name, torch.zeros(1, 3, size, size), cut)
            self.parts = [torch.nn.Sequential(*part) for part in parts]  # a list: no second owner
            (low, *self.low_map), (high, *self.high_map) = maps
            self.widths = Widths(low, high, nonnegative=False)
            own = net.pretrained_cfg.get("mean", mean), net.pretrained_cfg.get("std", std)
            self.first, self.grid = 1, tuple(tokens or self.low_map)
            for first, grid in map(tokens_of, teachers):
                if tokens and grid != self.grid:
                    raise ValueError(
                        f"tokens {list(tokens)} beside a teacher whose grid is {list(grid)}: "
                        "leave tokens out, it is found"
                    )
                self.first, self.grid = first, grid
            here, there = ((torch.tensor(m), torch.tensor(s)) for m, s in ((mean, std), own))
            self.register_buffer("scale", (here[1] / there[1]).view(3, 1, 1), False)
            self.register_buffer("shift", ((here[0] - there[0]) / there[1]).view(3, 1, 1), False)

        def to_tokens(self, features):
            """(B, C, H, W) -> (B, N, C)."""
            grid = adaptive_avg_pool2d(features, self.grid).flatten(2).mT
            mean = features.mean((2, 3)).unsqueeze(1)
            return torch.cat((mean.expand(-1, self.first, -1), grid), 1)

        def to_map(self, tokens, size):
            """(B, N, C) -> (B, C, *size)."""
            grid = tokens[:, self.first :].mT.unflatten(2, self.grid)
            return adaptive_avg_pool2d(grid, size)

        def lower_map(self, batch):
            """The map of the lower state, from images as the teacher looks at them."""
            return self.parts[0](batch.images * self.scale + self.shift)

        def lower(self, batch):
            """s, (B, N, low)."""
            return self.to_tokens(self.lower_map(batch))

        def upper(self, low):
            """e from a state that somebody wrote, (B, N, low) -> (B, N, high); statistics of batch
            norms are those of images and not of what is said about them.
            """
            with frozen_statistics(self.parts[1]):
                return self.to_tokens(self.parts[1](self.to_map(low, self.low_map)))

        def head(self, high):
            """Logits from e, (B, N, high) -> (B, C)."""
            with frozen_statistics(self.parts[2]):
                return self.parts[2](self.to_map(high, self.high_map))

        def forward(self, batch):
            """Both states, and the network's own logits."""
            low = self.lower_map(batch)
            high = self.parts[1](low)
            s, e = self.to_tokens(low), self.to_tokens(high)
            return States(s, e, self.parts[2](high), low_pre=s, high_pre=e)

        def backbone(self):
            """The parameters that the states depend on."""
            return [p for part in self.parts[:2] for p in part.parameters()]

    return LayeredNet
