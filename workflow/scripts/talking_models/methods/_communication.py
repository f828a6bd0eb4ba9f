"""Encoders and decoders of messages: dense-ReLU-dense, layer norm, dropout (paper section 6.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from talking_models.methods._base import Parts

if TYPE_CHECKING:
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
            layers.relu(),
            layers.dropout(dropout),
            layers.linear(hidden, message),
        )

    def __call__(self, low: Tensor, high: Tensor) -> Tensor:
        """(..., low) and (..., high) -> (..., message)."""
        import torch

        return self.net(torch.cat((low, high), -1))


class Decoder(Parts):
    """D(m) = V2 Drop(ReLU(V1 LN(m) + c1)) + c2, both states of one model from a message.

    The two halves of V2 are layers of their own, so that a half that nobody reads costs nothing.
    """

    def __init__(
        self, layers: Layers, states: Widths, hidden: int, message: int, dropout: float
    ) -> None:
        self.trunk = layers.sequential(
            layers.layer_norm(),
            layers.linear(message, hidden),
            layers.relu(),
            layers.dropout(dropout),
        )
        self.to_low = layers.linear(hidden, states.low)
        self.to_high = layers.linear(hidden, states.high)

    def __call__(self, message: Tensor) -> tuple[Tensor, Tensor]:
        """(..., message) -> s' (..., low), e' (..., high)."""
        hidden = self.trunk(message)
        return self.to_low(hidden), self.to_high(hidden)

    def low(self, message: Tensor) -> Tensor:
        """s' alone."""
        return self.to_low(self.trunk(message))
