"""A model in three parts, the form that every method works on: lower, upper, head."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Widths:
    """Feature widths of a model's two hidden states."""

    low: int  # of the lower state s
    high: int  # of the higher state e
    nonnegative: bool  # whether they follow a ReLU
    stacked: bool = False  # whether they have a stack's axis; a single teacher of a stack has none


@dataclass(frozen=True)
class States:
    """What a model's forward pass leaves to read.

    Of ratings the axes before the features are (S, B), S models of a stack and B rows; of images
    (B, N), N tokens.
    """

    low: Tensor  # s, (..., low)
    high: Tensor  # e, (..., high)
    output: Tensor  # the prediction: (S, B) ratings, or (B, C) logits of classes
    low_pre: Tensor  # the states before their ReLU; the states themselves where there is none
    high_pre: Tensor


class LazyStates:
    """A teacher's `States` on a batch, each looked up by its name when it is first read.

    `look_up` takes a name of `States` and gives what that has.
    """

    def __init__(self, look_up: Callable[[str], Tensor]) -> None:
        self.look_up = look_up

    def __getattr__(self, name: str) -> Tensor:
        value = self.look_up(name)
        setattr(self, name, value)
        return value


class LayeredModel(nn.Module):
    """A model M = head(upper(lower(x))): L, H and the head of docs/method.md.

    "Interpreting" is calling `upper` on a lower state that somebody else wrote. `widths` are those
    of the two states, whose axes before the features are `States`'.
    """

    widths: Widths

    def lower(self, batch: Any) -> Tensor:
        """L(x): the lower state s, (..., widths.low), of a batch as its data set gives it."""
        raise NotImplementedError

    def upper(self, low: Tensor) -> Tensor:
        """H(s): (..., widths.low) -> the higher state e, (..., widths.high)."""
        raise NotImplementedError

    def head(self, high: Tensor) -> Tensor:
        """The output from e: (..., widths.high) -> (S, B) ratings, or (B, C) logits."""
        raise NotImplementedError

    def forward(self, batch: Any) -> States:
        """All of it, in one pass."""
        low = self.lower(batch)
        high = self.upper(low)
        return States(low, high, self.head(high), low_pre=low, high_pre=high)

    def tables(self) -> dict[str, Any]:
        """The `network.Embedding`s of which a batch reads a few rows, by its field of their ids."""
        return {}

    def backbone(self) -> list[nn.Parameter]:
        """What learns and what the states depend on; gradients are compared over it."""
        found = self.named_parameters()
        return [p for name, p in found if p.requires_grad and not name.startswith("output.")]


class Frozen:
    """A teacher: it answers and interprets, and never learns. No part of what is trained."""

    def __init__(self, model: LayeredModel) -> None:
        self.model = model.eval().requires_grad_(False)
        self.widths = model.widths

    def __call__(self, batch: Any) -> Any:
        """The `States` of a batch, without gradient."""
        with torch.no_grad():
            return self.model(batch)

    def upper(self, low: Tensor) -> Tensor:
        """Interpret a lower state that somebody else wrote, (..., low) -> (..., high); the gradient
        reaches `low`.
        """
        return self.model.upper(low)
