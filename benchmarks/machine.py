"""The page that a benchmark writes: what was measured, on which machine, with which versions."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import torch

from talking_models.io import write_text
from talking_models.machine import cores, processor

HERE = Path(__file__).parent
PACKAGES = ("torch", "numpy", "snakemake")


def described() -> str:
    """This machine and what runs on it."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{processor()}, {cores()} cores, {torch.backends.cpu.get_cpu_capability()}; Python "
        f"{platform.python_version()}, {versions}. Load average over the last 15 minutes: "
        f"{os.getloadavg()[2]:.1f}."
    )


def used() -> tuple[float, float]:
    """CPU seconds and peak memory (MB) of this process so far; Linux.

    Not getrusage's memory, which a new process has from the one that started it.
    """
    peak = re.search(r"^VmHWM:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.M)
    return time.process_time(), int(peak[1]) / 1024


def write_results(path: Path, title: str, about: str, parts: Mapping[str, str]) -> None:
    """Write the page; `parts` are its sections by title."""
    sections = [f"## {name}\n\n{text}" for name, text in parts.items()]
    page = [f"# {title}", " ".join(about.split()), described(), *sections]
    write_text(path, "\n\n".join(page) + "\n")
