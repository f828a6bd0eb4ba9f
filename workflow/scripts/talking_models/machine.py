"""The machine that this process runs on."""

import os
import platform
import re
from pathlib import Path


def processor() -> str:
    """The processor's model, or its architecture where the system does not tell."""
    known = Path("/proc/cpuinfo")
    model = re.search(r"^model name\s*: (.+)$", known.read_text(), re.M) if known.exists() else None
    return model[1] if model else platform.processor() or platform.machine()


def cores() -> int:
    """How many cores the process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
