"""The models of a stack as one: a teacher that is the mean of several seeds."""

from dataclasses import replace
from typing import Any

from torch import Tensor

from talking_models.models.base import LayeredModel, States, Widths


class Ensemble(LayeredModel):
    """S models of ratings, one behind the other in one state.

    s = [s_1; ...; s_S] and likewise e, so that each interprets its own part of a lower state that
    somebody else wrote; y = mean of their outputs.
    """

    def __init__(self, stack: LayeredModel, size: int) -> None:
        super().__init__()
        self.stack, self.size = stack, size
        own = stack.widths
        self.widths = Widths(size * own.low, size * own.high, own.nonnegative)

    def _apart(self, state: Tensor) -> Tensor:
        """(..., S width) -> (S, ..., width)."""
        return state.unflatten(-1, (self.size, -1)).movedim(-2, 0)

    def _joined(self, states: Tensor) -> Tensor:
        """(S, ..., width) -> (..., S width)."""
        return states.movedim(0, -2).flatten(-2)

    def forward(self, batch: Any) -> States:
        """All models on the same examples, whatever axes they have: (...) of a batch's ids."""
        shape, own = batch.user.shape, vars(batch)
        each = {
            name: value.flatten(0, len(shape) - 1).expand(self.size, -1, *value.shape[len(shape) :])
            for name, value in own.items()
        }
        found = vars(self.stack(replace(batch, **each)))
        states = {name: value.unflatten(1, shape) for name, value in found.items()}
        output = states.pop("output").mean(0)
        return States(output=output, **{k: self._joined(v) for k, v in states.items()})

    def upper(self, low: Tensor) -> Tensor:
        """e from s, each model's part by itself."""
        flat = self._apart(low).flatten(1, -2)
        return self._joined(self.stack.upper(flat).unflatten(1, low.shape[:-1]))

    def head(self, high: Tensor) -> Tensor:
        """The mean of all outputs."""
        flat = self._apart(high).flatten(1, -2)
        return self.stack.head(flat).unflatten(1, high.shape[:-1]).mean(0)
