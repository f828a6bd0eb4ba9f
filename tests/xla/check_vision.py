"""An image job on XLA's CPU device ends as the same job on the CPU: the TPU's path without a TPU.

XLA needs an older torch, hence an environment of its own, out of the tests that pytest collects:

    make test-xla

Lightning Fabric counts TPUs only; it is told that there is one. Most of the time is compiling,
which is said for each method.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from pathlib import Path

import torch
from lightning_fabric.accelerators import XLAAccelerator
from vision_toys import TALK, config, inputs, job

XLAAccelerator.auto_device_count = staticmethod(lambda: 1)
CASES = {"scratch": {}, "fd": {"weight": 0.5}, "td": TALK}


def main() -> int:
    """Run each case on both devices; exit status 1 if a weight differs."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        made = inputs(Path(folder))
        for method, settings in CASES.items():
            found, seconds = {}, {}
            # XLA first: autograd does not see a device that comes after its first use
            for accelerator in ("tpu", "cpu"):
                asked = config(method, settings, micro_batch_size=8, log_every=100)
                asked["device"]["accelerator"] = accelerator
                begun = time.perf_counter()
                found[accelerator] = job(Path(folder) / method / accelerator, made, asked)
                seconds[accelerator] = time.perf_counter() - begun
            gap = max(
                float((found["cpu"][name] - found["tpu"][name]).abs().max())
                for name in found["cpu"]
            )
            moved = {name for name, weight in found["tpu"].items() if torch.isfinite(weight).all()}
            assert moved == set(found["cpu"])
            took = ", ".join(f"{where} {value:.0f} s" for where, value in seconds.items())
            print(f"{method}: weights differ by {gap:.2g} at most; {took}", flush=True)
            worst = max(worst, gap)
    return int(worst > 1e-4)


if __name__ == "__main__":
    sys.exit(main())
