"""How torch runs in every job of ratings: threads, determinism and memory."""

import ctypes

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def one_thread() -> None:
    """One thread, as two jobs of one thread beat one job of two; deterministic algorithms only."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        # glibc keeps what a step frees for the next one. It would give it back and get it again,
        # page by page: up to a tenth of a small step's time.
        mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the most that glibc takes
        mallopt(M_TRIM_THRESHOLD, 256 << 20)
    torch.set_num_threads(1)
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms imports a compiler
    # it would fill all memory before it is written to, a tenth of TD's time
    torch.utils.deterministic.fill_uninitialized_memory = False
