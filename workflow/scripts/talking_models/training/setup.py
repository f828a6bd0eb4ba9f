"""How torch runs in every job: on one thread, with the same bytes each time."""

from __future__ import annotations

import torch


def one_thread() -> None:
    """One thread, as two jobs of one thread beat one job of two; deterministic algorithms only."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
