"""Layers of a stack of models: the same layer of several models, trained side by side.

All seeds of a job train together. A stack's tensors carry the model as first axis: weights are
(S, in, out), activations (S, B, features), and one batched matmul serves all. Nothing mixes the
models, and each draws its random numbers from a stream of its own, so that a model of a stack is
the model that would train alone, up to the rounding of float32. The same stack gives the same
bytes. A single model without that axis (of images) is the stack of shape (): the same layers with
no first axis.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

SMALL = 1e-8
"""Keeps a variance of 0 from dividing."""


def wide(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _in_256ths(rate: float) -> int:  # a rate below 1 never becomes 1
    return min(round(256 * rate), 255)


class Streams:
    """Random numbers for a stack, one independent generator per model and purpose.

    They come from NumPy: its SFC64 fills a dropout mask several times faster than torch's
    generator, and gives the same numbers on every machine. Streams of different purposes are
    independent, so that a method that draws more of one kind leaves the others as they were.
    """

    def __init__(self, seeds: Sequence[int], purpose: str, stacked: bool = True) -> None:
        if not stacked and len(seeds) != 1:
            raise ValueError(f"a single model takes one seed, not {len(seeds)}")
        self.seeds, self.purpose, self.stacked = tuple(seeds), purpose, stacked
        self.shape = (len(seeds),) if stacked else ()
        self.seek()

    def seek(self, *place: int) -> None:
        """Draw from the numbers of a place, such as a step and a micro-batch of it: a training that
        is resumed, or shared by several processes, draws what another draws there.
        """
        purpose = self.purpose.encode()
        self.generators = [
            np.random.Generator(np.random.SFC64([seed, *purpose, *place])) for seed in self.seeds
        ]

    def fork(self, purpose: str) -> Self:
        """Streams of the same seeds for another purpose."""
        return type(self)(self.seeds, f"{self.purpose}/{purpose}", self.stacked)

    def _join(self, arrays: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(arrays) if self.stacked else arrays[0])

    def uniform(self, shape: Sequence[int], low: float, high: float) -> Tensor:
        """(*stack, *shape) float32, uniform in [low, high)."""
        drawn = self._join([g.random(tuple(shape), np.float32) for g in self.generators])
        return drawn.mul_(high - low).add_(low)

    def normal(self, shape: Sequence[int]) -> Tensor:
        """(*stack, *shape) float32 from N(0, 1)."""
        return self._join([g.standard_normal(tuple(shape), np.float32) for g in self.generators])

    def keep(self, shape: Sequence[int], dropped: float) -> Tensor:
        """(*stack, *shape) bool, each false with probability `dropped`, in 256ths."""
        kept = np.empty((len(self.seeds), *shape), bool)
        n = math.prod(shape)
        for generator, mask in zip(self.generators, kept, strict=True):
            drawn = generator.bit_generator.random_raw(-(-n // 8)).view(np.uint8)  # 8 bytes each
            np.greater_equal(drawn[:n].reshape(shape), _in_256ths(dropped), out=mask)
        return torch.from_numpy(kept if self.stacked else kept[0])

    def permutation(self, n: int) -> Tensor:
        """(*stack, n) int64, a permutation of 0..n-1 for each model."""
        return self._join([g.permutation(n) for g in self.generators])


class _MeanSquare(torch.autograd.Function):
    """Mean of x^2 per model, with fewer passes over the data than autograd would make."""

    @staticmethod
    def forward(ctx, x: Tensor, stack: int) -> Tensor:
        ctx.save_for_backward(x)
        models = x.flatten(stack)  # (*stack, n)
        ctx.n = models.shape[-1]
        return torch.linalg.vector_norm(models, dim=-1).square() / ctx.n

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        ones = (1,) * (x.dim() - gradient.dim())
        return x * (gradient * (2 / ctx.n)).view(*gradient.shape, *ones), None


class Linear(nn.Module):
    """x W + b for each model: (*stack, ..., inputs) -> (*stack, ..., outputs).

    Weights and biases start uniform in +-1/sqrt(inputs), as torch's own.
    """

    def __init__(self, inputs: int, outputs: int, init: Streams, bias: bool = True) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(init.uniform((inputs, outputs), -bound, bound))
        self.bias = nn.Parameter(init.uniform((1, outputs), -bound, bound)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Apply the layer."""
        weight, bias = self.weight, self.bias
        if x.shape[-1] != weight.shape[-2]:
            raise ValueError(f"this layer takes {weight.shape[-2]} features, not {x.shape[-1]}")
        if weight.dim() == 2:
            return nn.functional.linear(x, weight.T, None if bias is None else bias[0])
        flat = x.flatten(1, -2)
        flat = torch.bmm(flat, weight) if bias is None else torch.baddbmm(bias, flat, weight)
        return flat if x.dim() == 3 else flat.unflatten(1, x.shape[1:-1])


class LayerNorm(nn.Module):
    """Normalise the features of each example; the linear layer that follows scales and shifts."""

    def forward(self, x: Tensor) -> Tensor:
        """(*stack, ..., width) -> the same shape."""
        return nn.functional.layer_norm(x, x.shape[-1:])


class BatchNorm(nn.Module):
    """Normalise each feature over the batch (and tokens), then scale and shift it.

    Without running statistics: it serves what exists in training only.
    """

    def __init__(self, width: int, init: Streams) -> None:
        super().__init__()
        self.stacked = init.stacked
        self.weight = nn.Parameter(torch.ones(*init.shape, 1, width))
        self.bias = nn.Parameter(torch.zeros(*init.shape, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """(*stack, ..., width) -> the same shape."""
        flat = x.flatten(int(self.stacked), -2)
        if self.stacked:  # the models' features side by side: (n, S x width)
            flat = flat.transpose(0, 1).flatten(1)
        normal = nn.functional.batch_norm(
            flat, None, None, self.weight.flatten(), self.bias.flatten(), training=True
        )
        if self.stacked:
            normal = normal.unflatten(1, (-1, x.shape[-1])).transpose(0, 1)
        return normal.reshape(x.shape)


class Dropout(nn.Module):
    """Zero features with probability p in training and scale the rest by 1 / (1 - p)."""

    def __init__(self, p: float, draw: Streams) -> None:
        super().__init__()
        self.p, self.draw = _in_256ths(p) / 256, draw  # the rate that `Streams.keep` keeps
        self.scale = 1 / (1 - self.p)

    def forward(self, x: Tensor) -> Tensor:
        """(*stack, ..., features) -> the same shape."""
        if not self.training or self.p == 0:
            return x
        return x * self.mask(x)

    def mask(self, x: Tensor) -> Tensor:
        """What features are multiplied with: 0, or `scale`."""
        keep = self.draw.keep(x.shape[int(self.draw.stacked) :], self.p)
        return keep.view(torch.uint8).to(x).mul_(self.scale)  # a bool is converted slowly


class ReluDropout(Dropout):
    """max(x, 0), then dropout."""

    def forward(self, x: Tensor) -> Tensor:
        """(*stack, ..., features) -> the same shape."""
        if not self.training or self.p == 0:
            return x.relu()
        return _ReluDropout.apply(x, self.mask(x), self.scale)


class _ReluDropout(torch.autograd.Function):
    """What passed ReLU and `keep` is above 0: the result is all that the gradient needs."""

    @staticmethod
    def forward(ctx, x: Tensor, keep: Tensor, scale: float) -> Tensor:
        y = x.relu().mul_(keep)
        ctx.save_for_backward(y)
        ctx.scale = scale
        return y

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        (y,) = ctx.saved_tensors
        passed = torch.ops.aten.threshold_backward(gradient, y, 0)  # several times torch.where
        return passed.mul_(ctx.scale), None, None


class RelativeNoise(nn.Module):
    """Add Gaussian noise in training, of `scale` times the standard deviation of each model's x."""

    def __init__(self, scale: float, draw: Streams) -> None:
        super().__init__()
        self.scale, self.draw = scale, draw

    def forward(self, x: Tensor) -> Tensor:
        """(*stack, ..., features) -> the same shape."""
        if not self.training or self.scale == 0:
            return x
        axes = tuple(range(int(self.draw.stacked), x.dim()))
        std = x.detach().std(axes, keepdim=True)
        return x + self.scale * std * self.draw.normal(x.shape[int(self.draw.stacked) :]).to(x)


class Layers:
    """Makes the layers of one stack; what a method builds its modules with.

    Initial weights and training noise come from two forks of the stack's streams.
    """

    layer_norm = LayerNorm
    sequential = nn.Sequential

    def __init__(self, streams: Streams) -> None:
        self.stacked = streams.stacked
        self.init, self.draw = streams.fork("init"), streams.fork("noise")
        self.linear = partial(Linear, init=self.init)
        self.batch_norm = partial(BatchNorm, init=self.init)
        self.dropout = partial(Dropout, draw=self.draw)
        self.relu_dropout = partial(ReluDropout, draw=self.draw)
        self.relative_noise = partial(RelativeNoise, draw=self.draw)

    def mean(self, x: Tensor) -> Tensor:
        """The mean over everything but the stack: (*stack, ...) -> (*stack)."""
        return x.flatten(1).mean(1) if self.stacked else x.mean()

    def mean_squared(self, a: Tensor, b: Tensor) -> Tensor:
        """The mean of (a - b)^2 over everything but the stack, in float32 at least. `ValueError`
        if the shapes differ (broadcasting here would hide a mistake).
        """
        if a.shape != b.shape:
            raise ValueError(f"distance between shapes {tuple(a.shape)} and {tuple(b.shape)}")
        return _MeanSquare.apply(wide(a) - wide(b), int(self.stacked))

    def variance(self, x: Tensor) -> Tensor:
        """Over examples (and tokens), its mean over features: one per model."""
        # torch's own `var` takes three times as long
        return _MeanSquare.apply(self._centred(wide(x)), int(self.stacked)).clamp(min=SMALL)

    def relative(self, target: Tensor, response: Tensor) -> Tensor:
        """`mean_squared` in units of the target's variance: 1 is as far as the target's mean.

        The gradient knows of the variance, so that a target that shrinks brings nothing nearer.
        """
        return self.mean_squared(target, response) / self.variance(target)

    def standardised(self, x: Tensor) -> Tensor:
        """Each feature with mean 0 and variance 1 over examples (and tokens).

        (*stack, ..., features) -> the same shape; a constant feature comes out as 0.
        """
        apart = self._centred(wide(x))
        variance = apart.square().mean(-2, keepdim=True)
        return (apart * (variance + SMALL).rsqrt()).view(x.shape)

    def spread(self, x: Tensor) -> Tensor:
        """Standard deviation over examples (and tokens), mean over features: one per model."""
        apart = self._centred(x.detach())
        return (apart.square_().sum(-2) / (apart.shape[-2] - 1)).sqrt_().mean(-1)

    def _centred(self, x: Tensor) -> Tensor:
        """Features less their mean over examples (and tokens), of which N: (*stack, N, width)."""
        flat = x.flatten(int(self.stacked), -2)
        return flat - flat.mean(-2, keepdim=True)
