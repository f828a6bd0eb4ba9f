"""A classifier of timm as a chain of modules, each of which reads what the one before it wrote."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from talking_models.models.base import LayeredModel, States, Widths


class LayeredNet(LayeredModel):
    """A classifier of timm as lower, upper and head, its states being tokens, see `timm`.

    They are its teachers': `first` class tokens, and a `grid` of others. `ValueError` if it
    cannot be cut there, or its tokens are not its teachers'.
    """

    def __init__(
        self, net: nn.Module, settings: Mapping[str, Any], teachers: Sequence[LayeredModel] = ()
    ) -> None:
        super().__init__()
        self.net = net
        self.parts, maps = _parts(net, settings)  # a list: no second owner
        (low, *self.low_map), (high, *self.high_map) = maps
        self.widths = Widths(low, high, nonnegative=False)
        tokens = settings["tokens"]
        self.first, self.grid = 1, tuple(tokens or self.low_map)
        for teacher in teachers:
            self.first, self.grid = teacher.first, teacher.grid
            if tokens and self.grid != tuple(tokens):
                raise ValueError(
                    f"tokens {list(tokens)} beside a teacher whose grid is {list(self.grid)}: "
                    "leave tokens out, it is found"
                )
        mean, std = (torch.tensor(settings[key]) for key in ("mean", "std"))
        own = net.pretrained_cfg
        own_mean, own_std = (torch.tensor(own.get(k, settings[k])) for k in ("mean", "std"))
        self.register_buffer("scale", (std / own_std).view(3, 1, 1), False)
        self.register_buffer("shift", ((mean - own_mean) / own_std).view(3, 1, 1), False)

    def to_tokens(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, N, C)."""
        grid = adaptive_avg_pool2d(features, self.grid).flatten(2).mT
        mean = features.mean((2, 3)).unsqueeze(1)
        return torch.cat((mean.expand(-1, self.first, -1), grid), 1)

    def answer(self, part: nn.Module, tokens: Tensor, size: Sequence[int]) -> Tensor:
        """What a part makes of tokens that somebody wrote, (B, N, C), spread over a map of a size.

        Statistics of batch norms are those of images and not of what is said about them.
        """
        norms = [m for m in part.modules() if getattr(m, "track_running_stats", False)]
        for norm in norms:
            norm.track_running_stats = not norm.training  # in eval mode they are read
        try:
            grid = tokens[:, self.first :].mT.unflatten(2, self.grid)
            return part(adaptive_avg_pool2d(grid, size))
        finally:
            for norm in norms:
                norm.track_running_stats = True

    def lower_map(self, batch: Any) -> Tensor:
        """The map of the lower state, from images as the teacher looks at them."""
        return self.parts[0](batch.images * self.scale + self.shift)

    def lower(self, batch: Any) -> Tensor:
        """s, (B, N, low)."""
        return self.to_tokens(self.lower_map(batch))

    def upper(self, low: Tensor) -> Tensor:
        """e from a state that somebody wrote, (B, N, low) -> (B, N, high)."""
        return self.to_tokens(self.answer(self.parts[1], low, self.low_map))

    def head(self, high: Tensor) -> Tensor:
        """Logits from e, (B, N, high) -> (B, C)."""
        return self.answer(self.parts[2], high, self.high_map)

    def forward(self, batch: Any) -> States:
        """Both states, and the network's own logits."""
        low = self.lower_map(batch)
        high = self.parts[1](low)
        s, e = self.to_tokens(low), self.to_tokens(high)
        return States(s, e, self.parts[2](high), low_pre=s, high_pre=e)

    def backbone(self) -> list[nn.Parameter]:
        """The parameters that the states depend on."""
        return [p for part in self.parts[:2] for p in part.parameters()]


def _parts(
    net: nn.Module, settings: Mapping[str, Any]
) -> tuple[list[nn.Sequential], list[tuple[int, ...]]]:
    """The modules up to either map, and the rest; the shapes (C, H, W) of both maps."""
    name, cut, size = settings["name"], settings["cut"], settings["image_size"]
    info = getattr(net, "feature_info", None) or []
    info = getattr(info, "info", info)
    places = [each["module"] for each in info]
    if max(cut) >= len(places):
        raise ValueError(
            f"cut {list(cut)} of {name}, whose feature maps are "
            + (", ".join(f"{i} ({place})" for i, place in enumerate(places)) or "unknown to timm")
        )
    refused = (
        f"{name} cannot be cut at {' and '.join(places[i] for i in cut)}: it is not what its "
        "modules are one after the other; networks whose stages follow one another can, such "
        "as resnet18, mobilenetv3_small_050 or convnext_atto"
    )
    links = dict(_links(net, places))
    if not {places[i] for i in cut} <= links.keys():
        raise ValueError(refused)
    modules, order = list(links.values()), list(links)
    low, high = (order.index(places[i]) + 1 for i in cut)
    ends = ((0, low), (low, high), (high, None))
    parts = [nn.Sequential(*modules[start:stop]) for start, stop in ends]
    training = net.training
    states = [torch.randn((1, 3, size, size), generator=torch.Generator().manual_seed(0))]
    net.eval()
    with torch.no_grad():
        try:
            whole = net(states[0])
        except RuntimeError as error:
            text = f"{name} cannot see images of {size} x {size} pixels: {error}"
            raise ValueError(text) from error
        with suppress(Exception):  # of a module that reads something else
            for part in parts:
                states.append(part(states[-1]))
    net.train(training)
    if len(states) < 4 or not torch.equal(states[-1], whole):
        raise ValueError(refused)
    for i, features in zip(cut, states[1:], strict=False):
        if features.dim() != 4 or features.shape[1] != info[i]["num_chs"]:
            raise ValueError(f"{places[i]} of {name} gives {tuple(features.shape)}, no feature map")
    return parts, [tuple(features.shape[1:]) for features in states[1:3]]


def _links(module: nn.Module, places: Sequence[str], at: str = "") -> Iterator[tuple[str, Any]]:
    """Modules by name: a sequence, or what holds a map inside, as those that it is made of."""
    for name, child in module.named_children():
        path = f"{at}{name}"
        inside = any(place.startswith(f"{path}.") for place in places)
        if inside or (isinstance(child, nn.Sequential) and path not in places):
            yield from _links(child, places, f"{path}.")
        else:
            yield path, child
