"""Vision transformers of timm, cut into lower, upper and head (paper section 6.2).

States are the residual stream after a block, all tokens of it: (B, N, width).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn
from torch import Tensor, nn

from talking_models.models.base import LayeredModel, Widths


class WeightsError(ValueError):
    """Weights do not belong to a model: missing, unexpected or of another shape."""


@dataclass(frozen=True)
class Architecture:
    """What a vision transformer is, but for its weights.

    Attributes:
        name: timm's, with or without the tag of the weights.
        image_size: height and width of an image, in pixels.
        options: further arguments of `timm.create_model`, such as `embed_dim`.
    """

    name: str
    image_size: int
    options: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> VisionTransformer:
        """The transformer with random weights and no classifier.

        Raises:
            ValueError: timm has no vision transformer of that name.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # random weights are always the same
            net = timm.create_model(
                self.name,
                pretrained=False,
                num_classes=0,
                img_size=self.image_size,
                **self.options,
            )
        if type(net) is not VisionTransformer:  # a subclass may have another forward pass
            raise ValueError(
                f"{self.name} is a {type(net).__name__}; only timm's VisionTransformer can be cut"
            )
        return net


def pretrained(net: VisionTransformer, weights: str | Path) -> VisionTransformer:
    """`net` with the weights of a safetensors file, in float32.

    The position embedding is resampled to the image size by timm's own filter. A classifier in the
    file is left out: downstream tasks have another.

    Raises:
        WeightsError: a weight is missing, unexpected or of another shape.
    """
    found = {name: tensor.float() for name, tensor in load_file(weights).items()}
    found = checkpoint_filter_fn(found, net)
    head = net.pretrained_cfg.get("classifier") or "head"
    found = {name: tensor for name, tensor in found.items() if not name.startswith(f"{head}.")}
    return load(net, found, weights)


def load(net: nn.Module, weights: Mapping[str, Tensor], source: str | Path) -> Any:
    """`net` with `weights`, every one of which must fit; raises `WeightsError`."""
    own = net.state_dict()
    problems = [f"missing: {name}" for name in own if name not in weights]
    problems += [f"unexpected: {name}" for name in weights if name not in own]
    problems += [
        f"{name} is {tuple(weights[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if name in weights and weights[name].shape != tensor.shape
    ]
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise WeightsError(f"{source} does not fit the model: {'; '.join(problems[:5])}{more}")
    net.load_state_dict(weights)
    return net


def shortened(net: VisionTransformer, blocks: int | None) -> VisionTransformer:
    """A copy with the first `blocks` blocks (None: all) and all other layers: how a student starts.

    Raises:
        ValueError: there are not so many blocks.
    """
    if blocks is None:
        blocks = len(net.blocks)
    if not 1 <= blocks <= len(net.blocks):
        raise ValueError(f"the first {blocks} blocks of a model with {len(net.blocks)}")
    short = deepcopy(net)
    short.blocks = short.blocks[:blocks]
    return short


def with_classes(net: VisionTransformer, classes: int) -> VisionTransformer:
    """`net` itself with a new linear classifier, all zeros."""
    net.reset_classifier(classes)
    nn.init.zeros_(net.head.weight)
    nn.init.zeros_(net.head.bias)
    return net


class LayeredViT(LayeredModel):
    """A timm vision transformer as lower, upper and head.

    Args:
        net: the transformer.
        lo, hi: s is the output of block `lo`, e of block `hi`, counted from 1. Blocks after `hi`
            belong to the head, with the final norm, the pooling and the classifier.

    Raises:
        ValueError: there are no such blocks.
    """

    def __init__(self, net: VisionTransformer, lo: int, hi: int) -> None:
        super().__init__()
        if not 0 < lo < hi <= len(net.blocks):
            raise ValueError(f"cut at blocks {lo} and {hi} of {len(net.blocks)}")
        self.net, self.lo, self.hi = net, lo, hi
        self.widths = Widths(net.embed_dim, net.embed_dim, nonnegative=False)

    def run(self, x: Tensor, start: int, stop: int) -> Tensor:
        """Blocks start+1 to stop."""
        for block in self.net.blocks[start:stop]:
            x = block(x)
        return x

    def lower(self, batch: Any) -> Tensor:
        """s from a batch's images, (B, 3, R, R) -> (B, N, width)."""
        net = self.net
        x = net.norm_pre(net.patch_drop(net._pos_embed(net.patch_embed(batch.images))))
        return self.run(x, 0, self.lo)

    def upper(self, low: Tensor) -> Tensor:
        """e from s, (B, N, width) -> the same shape."""
        return self.run(low, self.lo, self.hi)

    def head(self, high: Tensor) -> Tensor:
        """Logits from e, (B, N, width) -> (B, C); without a classifier, the pooled features."""
        x = self.run(high, self.hi, len(self.net.blocks))
        return self.net.forward_head(self.net.norm(x))

    def backbone(self) -> list[nn.Parameter]:
        """The parameters that the states depend on."""
        unused = ("norm.", "fc_norm.", "head.", "attn_pool.")
        later = tuple(f"blocks.{i}." for i in range(self.hi, len(self.net.blocks)))
        return [p for n, p in self.net.named_parameters() if not n.startswith((*unused, *later))]


class FrozenViT:
    """A teacher: it answers and interprets, and never learns. No part of what is trained.

    Args:
        model: its classifier, if it has one, gives the outputs.
    """

    def __init__(self, model: LayeredViT) -> None:
        self.model = model.eval().requires_grad_(False)
        self.widths = model.widths

    def __call__(self, batch: Any) -> Any:
        """The states of a batch, without gradient."""
        with torch.no_grad():
            return self.model(batch)

    def upper(self, low: Tensor) -> Tensor:
        """Interpret a lower state that somebody else wrote; the gradient reaches `low`."""
        return self.model.upper(low)
