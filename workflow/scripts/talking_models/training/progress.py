"""The progress line of a training job: what the loss is made of, the pace, and the time left."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping


class Progress:
    """Knows when training began.

    Args:
        log: gets the lines.
        steps: of the whole training.
        begun: steps that were taken before, by a job that was killed.
        of: what the pace counts, and how many of them a step has.
    """

    def __init__(
        self, log: logging.Logger, steps: int, begun: int = 0, of: tuple[str, int] = ("steps", 1)
    ) -> None:
        self.log, self.steps, self.begun = log, steps, begun
        self.unit, self.per_step = of
        self.started = time.monotonic()

    def report(self, taken: int, values: Mapping[str, float]) -> float:
        """Write a line after `taken` steps; the pace, in units per second."""
        steps_per_second = (taken - self.begun) / (time.monotonic() - self.started)
        pace = steps_per_second * self.per_step
        self.log.info(
            "step %d/%d  %s  %.1f %s/s  %.0f s left",
            taken,
            self.steps,
            "  ".join(f"{name} {value:.4f}" for name, value in values.items()),
            pace,
            self.unit,
            (self.steps - taken) / steps_per_second,
        )
        return pace
