"""A network as a chain of modules, each of which reads what the one before it wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def chain(
    net: nn.Module, name: str, example: Tensor, cut: Sequence[int]
) -> tuple[list[list[nn.Module]], list[tuple[int, ...]]]:
    """A timm classifier in three parts, one after the other, cut behind two of its feature maps.

    Args:
        net: with `feature_info`, which names the modules that give its maps.
        name: for messages.
        example: an image, (1, 3, R, R).
        cut: two places in `feature_info`.

    Returns:
        The modules of each part, and the shape (C, H, W) of either map.

    Raises:
        ValueError: it has no such maps, or is no chain: something happens between modules, or one
            reads more than the one before it.
    """
    info = getattr(net, "feature_info", None) or []
    info = getattr(info, "info", info)
    places = [each["module"] for each in info]
    if not places or max(cut) >= len(places):
        raise ValueError(
            f"cut {list(cut)} of {name}, whose feature maps are "
            + (", ".join(f"{i} ({place})" for i, place in enumerate(places)) or "unknown to timm")
        )
    links = dict(_links(net, places))
    calls = _calls(net, name, links, example)
    order = [link for link, *_ in calls]
    for before, (link, given, _) in zip([(None, None, example), *calls], calls, strict=False):
        if len(given) != 1 or given[0] is not before[2]:
            raise ValueError(
                f"{name} cannot be cut: {link} reads more or else than what "
                f"{before[0] or 'an image'} wrote; networks whose stages follow one another can, "
                "such as resnet18, mobilenetv3_small_050 or convnext_atto"
            )
    ends, maps = [], []
    for place in (places[i] for i in cut):
        if place not in order:
            raise ValueError(f"{name} cannot be cut behind {place}, which is inside of a stage")
        features = calls[order.index(place)][2]
        channels = next(each["num_chs"] for each in info if each["module"] == place)
        if features.dim() != 4 or features.shape[1] != channels:
            raise ValueError(f"{place} of {name} gives {tuple(features.shape)}, no feature map")
        ends.append(order.index(place) + 1)
        maps.append(tuple(features.shape[1:]))
    modules = [links[link] for link in order]
    low, high = ends
    return [modules[:low], modules[low:high], modules[high:]], maps


def _links(module: nn.Module, places: Sequence[str], at: str = "") -> Iterator[tuple[str, Any]]:
    """Modules by name: a sequence, or what holds a map inside, as those that it is made of."""
    for name, child in module.named_children():
        path = f"{at}{name}"
        inside = any(place.startswith(f"{path}.") for place in places)
        if inside or (isinstance(child, nn.Sequential) and path not in places):
            yield from _links(child, places, f"{path}.")
        else:
            yield path, child


def _calls(net: nn.Module, name: str, links: dict[str, nn.Module], example: Tensor) -> list[tuple]:
    """Name, arguments and result of each call of a link, and last of the whole."""
    calls: list[tuple] = []

    def note(link: str) -> Any:
        return lambda module, given, result: calls.append((link, given, result))

    hooks = [module.register_forward_hook(note(link)) for link, module in links.items()]
    training = net.training
    try:
        with torch.no_grad():
            result = net.eval()(example)
    except RuntimeError as error:
        size = " x ".join(map(str, example.shape[2:]))
        raise ValueError(f"{name} cannot see images of {size} pixels: {error}") from error
    finally:
        net.train(training)
        for hook in hooks:
            hook.remove()
    if not calls or calls[-1][2] is not result:
        calls.append(("its output", (result, None), result))
    return calls


@contextmanager
def frozen_statistics(part: nn.Module) -> Iterator[None]:
    """Batch norms do not count what passes."""
    norms = [m for m in part.modules() if getattr(m, "track_running_stats", False)]
    for norm in norms:
        norm.track_running_stats = not norm.training  # in eval mode they are read
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
