"""An image job on XLA's CPU device ends as the same job on the CPU: the TPU's path without a TPU.

XLA needs an older torch, hence an environment of its own, out of the tests that pytest collects:

    python -m venv .venv-xla
    .venv-xla/bin/pip install torch==2.9.1 torch_xla==2.9.0 torchvision==0.24.1 timm==1.0.31 \\
        lightning-fabric==2.6.6 tensorboardX==2.6.5 safetensors pandas pyarrow pydantic \\
        pyyaml scikit-learn
    PJRT_DEVICE=CPU PYTHONPATH=workflow/scripts:tests/unit .venv-xla/bin/python \\
        tests/xla/check_vision.py

Lightning Fabric counts TPUs only; it is told that there is one. `td` was stopped after
minutes of compiling and has not been seen to end yet.
"""

from __future__ import annotations

import logging
import sys
import tempfile
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
            found = {}
            # XLA first: autograd does not see a device that comes after its first use
            for accelerator in ("tpu", "cpu"):
                asked = config(method, settings, micro_batch_size=8, log_every=100)
                asked["device"]["accelerator"] = accelerator
                found[accelerator] = job(Path(folder) / method / accelerator, made, asked)
            gap = max(
                float((found["cpu"][name] - found["tpu"][name]).abs().max())
                for name in found["cpu"]
            )
            moved = {name for name, weight in found["tpu"].items() if torch.isfinite(weight).all()}
            assert moved == set(found["cpu"])
            print(f"{method}: weights differ by {gap:.2g} at most")
            worst = max(worst, gap)
    return int(worst > 1e-4)


if __name__ == "__main__":
    sys.exit(main())
