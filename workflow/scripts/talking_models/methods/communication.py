"""Encoders and decoders of messages: dense-ReLU-dense, layer norm, dropout (paper section 6.2)."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from talking_models.methods.base import Parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from talking_models.models.base import Widths
    from talking_models.models.layers import Layers


class Encoder(Parts):
    """E(s, e) = W2 Drop(ReLU(W1 LN([s; e]) + b1)) + b2, a message from both states of one model."""

    def __init__(
        self, layers: Layers, states: Widths, hidden: int, message: int, dropout: float
    ) -> None:
        width = states.low + states.high
        self.net = layers.sequential(
            layers.layer_norm(),
            layers.linear(width, hidden),
            layers.relu_dropout(dropout),
            layers.linear(hidden, message),
        )

    def __call__(self, low: Tensor, high: Tensor) -> Tensor:
        """(..., low) and (..., high) -> (..., message)."""
        import torch

        return self.net(torch.cat((low, high), -1))


class Decoder(Parts):
    """D(m) = V2 Drop(ReLU(V1 LN(m) + c1)) + c2, both states of one model from a message.

    The two halves of V2 are layers of their own, so that a half that nobody reads costs nothing
    (see `Decoded`).
    """

    def __init__(
        self, layers: Layers, states: Widths, hidden: int, message: int, dropout: float
    ) -> None:
        self.trunk = layers.sequential(
            layers.layer_norm(),
            layers.linear(message, hidden),
            layers.relu_dropout(dropout),
        )
        self.to_low = layers.linear(hidden, states.low)
        self.to_high = layers.linear(hidden, states.high)

    def __call__(self, message: Tensor) -> Decoded:
        """(..., message) -> {s'; e'}."""
        return Decoded(self, message)


class Decoded:
    """{s'; e'}, (..., low) and (..., high): what a decoder writes from one message.

    Each half is computed when it is first read, and once.
    """

    def __init__(self, decoder: Decoder, message: Tensor) -> None:
        self._decoder, self._message = decoder, message

    def __iter__(self) -> Iterator[Tensor]:
        """Both halves, s' first."""
        yield self.low
        yield self.high

    @cached_property
    def _hidden(self) -> Tensor:
        return self._decoder.trunk(self._message)

    @cached_property
    def low(self) -> Tensor:
        """s'."""
        return self._decoder.to_low(self._hidden)

    @cached_property
    def high(self) -> Tensor:
        """e'."""
        return self._decoder.to_high(self._hidden)
