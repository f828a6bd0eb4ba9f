"""Random numbers that depend on a place in the training, not on what was drawn before."""

from __future__ import annotations

import numpy as np

from talking_models.models.layers import Streams


class PlacedStreams(Streams):
    """Streams that are set to a place before they are used.

    A training that is resumed at a step, or whose micro-batches several processes share, then draws
    what an undisturbed one draws there.
    """

    def seek(self, *place: int) -> None:
        """Draw from the numbers of a place, such as a step and a micro-batch of it."""
        purpose = self.purpose.encode()
        self.generators = [
            np.random.Generator(np.random.SFC64([seed, *purpose, *place])) for seed in self.seeds
        ]
