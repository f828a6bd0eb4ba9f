"""The machine that this process runs on."""

import os
import platform
import re
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def _told(what: str) -> str | None:
    """What Linux tells of the first core."""
    text = CPUINFO.read_text() if CPUINFO.exists() else ""
    found = re.search(rf"^{what}\s*: (.+)$", text, re.M)
    return found and found[1]


def processor() -> str:
    """The processor's model, or its architecture where the system does not tell."""
    return _told("model name") or platform.processor() or platform.machine()


def lacks_bfloat16() -> bool:
    """Whether the processor is known to have no instructions for products in bfloat16, so that
    torch computes them in float32, and more slowly.
    """
    flags = _told("flags")
    return flags is not None and not {"avx512_bf16", "amx_bf16"} & set(flags.split())


def cores() -> int:
    """How many cores the process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
