"""How torch runs in every job: on one thread, with the same bytes each time, in which precision."""

from __future__ import annotations

import torch


def one_thread() -> None:
    """One thread, as two jobs of one thread beat one job of two; deterministic algorithms only."""
    torch.set_num_threads(1)
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms imports a compiler
    # it would fill all memory before it is written to, a tenth of TD's time
    torch.utils.deterministic.fill_uninitialized_memory = False


def products_in(precision: str) -> torch.autocast:
    """A context for one forward pass whose products are in `precision`, float32 or bfloat16.

    Weights, optimiser and losses stay float32. It must be left before the weights change, as it
    keeps their rounded copies.
    """
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
