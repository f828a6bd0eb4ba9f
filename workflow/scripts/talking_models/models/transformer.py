"""Vision transformers of timm, cut into lower, upper and head (paper section 6.2).

States are the residual stream after a block, all tokens of it: (B, N, width).
"""

from collections.abc import Mapping
from typing import Any

from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn
from torch import Tensor, nn

from talking_models.models.base import LayeredModel, Widths


def adapted(net: VisionTransformer, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of `net` as timm's own filter has them, which resamples the position embedding to the
    image size and knows the names of DINOv2 and others. `ValueError` if they are another
    transformer's, and names and shapes would not say why.
    """
    own, patch = net.patch_embed.patch_size, net.patch_embed.proj.weight
    for tensor in weights.values():  # nothing else in a transformer has four axes
        # the filter would resample it: another model, whose states nobody has trained
        if tensor.dim() == 4 and tensor.shape[1] == patch.shape[1] and tensor.shape[2:] != own:
            raise ValueError(
                f"its patch size is {' x '.join(map(str, tensor.shape[2:]))}, the model's "
                f"{own[0]} x {own[1]}: change the model's name, or patch_size among its options"
            )
    if any(name.startswith(("dist_token", "head_dist.")) for name in weights):
        raise ValueError(
            "it is of a distilled transformer, with a second token (dist_token, head_dist): take "
            "the weights of the same size without distillation"
        )
    registers = [t for n, t in weights.items() if n in ("reg_token", "register_tokens")]
    if registers and getattr(net, "reg_token", None) is None:
        number = registers[0].shape[1]
        raise ValueError(
            f"it has {number} register tokens: set reg_tokens to {number} in the options"
        )
    averaged, averages = ("fc_norm.weight" in names for names in (weights, net.state_dict()))
    if averaged and not averages:
        raise ValueError(
            "it has fc_norm, as it averages all tokens: set global_pool to avg in the options"
        )
    if averages and not averaged and "norm.weight" in weights:
        raise ValueError("it has no fc_norm, as it reads the class token: remove global_pool")
    return checkpoint_filter_fn(weights, net)


class LayeredViT(LayeredModel):
    """A timm vision transformer as lower, upper and head.

    s is the output of block `lo`, e of block `hi`, counted from 1. Blocks after `hi` belong to the
    head, with the final norm, the pooling and the classifier. `first` tokens stand before a `grid`.
    """

    def __init__(self, net: VisionTransformer, lo: int, hi: int) -> None:
        super().__init__()
        if not 0 < lo < hi <= len(net.blocks):
            raise ValueError(f"cut at blocks {lo} and {hi} of {len(net.blocks)}")
        self.net, self.lo, self.hi = net, lo, hi
        self.widths = Widths(net.embed_dim, net.embed_dim, nonnegative=False)
        self.first, self.grid = net.num_prefix_tokens, tuple(net.patch_embed.grid_size)

    def lower(self, batch: Any) -> Tensor:
        """s from a batch's images, (B, 3, R, R) -> (B, N, width)."""
        net = self.net
        x = net.norm_pre(net.patch_drop(net._pos_embed(net.patch_embed(batch.images))))
        return net.blocks[: self.lo](x)

    def upper(self, low: Tensor) -> Tensor:
        """e from s, (B, N, width) -> the same shape."""
        return self.net.blocks[self.lo : self.hi](low)

    def head(self, high: Tensor) -> Tensor:
        """Logits from e, (B, N, width) -> (B, C); without a classifier, the pooled features."""
        return self.net.forward_head(self.net.norm(self.net.blocks[self.hi :](high)))

    def backbone(self) -> list[nn.Parameter]:
        """The parameters that the states depend on."""
        unused = ("norm.", "fc_norm.", "head.", "attn_pool.")
        later = tuple(f"blocks.{i}." for i in range(self.hi, len(self.net.blocks)))
        return [p for n, p in self.net.named_parameters() if not n.startswith((*unused, *later))]
