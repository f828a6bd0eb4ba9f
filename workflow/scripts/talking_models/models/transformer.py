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
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn
from torch import Tensor, nn

from talking_models.models.base import LayeredModel, Widths
from talking_models.models.foreign import WeightsError, read_weights, renamed


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
            ValueError: timm has no vision transformer of that name, or the image is not a whole
                number of its patches.
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
        patch = net.patch_embed.patch_size[0]
        if self.image_size % patch:
            raise ValueError(
                f"image_size {self.image_size} is no multiple of the patch size {patch} of "
                f"{self.name}"
            )
        return net


def pretrained(net: VisionTransformer, weights: str | Path) -> VisionTransformer:
    """`net` with the weights of a safetensors file, in float32.

    Names of wrappers and of Hugging Face are recognised (`foreign.renamed`), and the position
    embedding is resampled to the image size by timm's own filter. A classifier in the file is left
    out: downstream tasks have another.

    Raises:
        WeightsError: the file is none, or a weight is missing, unexpected or of another shape.
    """
    own = net.state_dict()
    found = {name: tensor.float() for name, tensor in read_weights(weights).items()}
    found = renamed(found, own, weights)
    if why := of_another(net, found):
        raise WeightsError(f"{weights} does not fit the model: {why}")
    try:
        found = checkpoint_filter_fn(found, net)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise WeightsError(f"{weights} does not fit the model: {error}") from error
    head = net.pretrained_cfg.get("classifier") or "head"
    found = {name: tensor for name, tensor in found.items() if not name.startswith(f"{head}.")}
    return load(net, found, weights)


def of_another(net: VisionTransformer, weights: Mapping[str, Tensor]) -> str | None:
    """Why weights are another transformer's, where a list of their names would not say it.

    timm would resample the patches' projection: another model, whose states nobody has trained.
    """
    own, patch = net.patch_embed.patch_size, net.patch_embed.proj.weight
    for tensor in weights.values():  # nothing else in a transformer has four axes
        if tensor.dim() == 4 and tensor.shape[1] == patch.shape[1] and tensor.shape[2:] != own:
            sizes = " x ".join(map(str, tensor.shape[2:]))
            return (
                f"its patch size is {sizes}, the model's {own[0]} x {own[1]}: change the model's "
                "name, or patch_size among its options"
            )
    if any(name.startswith(("dist_token", "head_dist.")) for name in weights):
        return (
            "it is of a distilled transformer, with a second token (dist_token, head_dist): take "
            "the weights of the same size without distillation"
        )
    averaged, averages = ("fc_norm.weight" in names for names in (weights, net.state_dict()))
    if averaged and not averages:
        return "it has fc_norm, as it averages all tokens: set global_pool to avg in the options"
    if averages and not averaged and "norm.weight" in weights:
        return "it has no fc_norm, as it reads the class token: remove global_pool"
    return None


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
