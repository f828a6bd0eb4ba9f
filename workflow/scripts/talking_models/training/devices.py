"""Where an image job runs: Lightning Fabric on CPUs, CUDA or XLA devices, one or several."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from lightning_fabric.strategies import DDPStrategy


def fabric_of(device: Mapping[str, Any]) -> Fabric:
    """The Fabric of a `device` section, not launched."""
    accelerator, devices, precision = device["accelerator"], device["devices"], device["precision"]
    if precision == "auto":  # XLA rounds the products of float32 matrices by itself on a TPU
        cuda = accelerator == "cuda" or (accelerator == "auto" and torch.cuda.is_available())
        precision = "bfloat16" if cuda and torch.cuda.is_bf16_supported() else "float32"
    several = devices > 1 and accelerator != "tpu"
    # Inside a Slurm job Fabric would take Slurm's word for the number of processes: one.
    here = LightningEnvironment()
    ddp = DDPStrategy(cluster_environment=here, start_method="spawn", find_unused_parameters=True)
    return Fabric(
        accelerator=accelerator,
        devices=devices,
        strategy=ddp if several else "auto",
        precision={"float32": "32-true", "bfloat16": "bf16-mixed"}[precision],
        plugins=[] if several or accelerator == "tpu" else [here],
    )


def reduce_gradients(fabric: Fabric, optimizer: torch.optim.Optimizer) -> None:
    """Average them before clipping; XLA does so in its step, where it then changes nothing."""
    if fabric.device.type == "xla" and fabric.world_size > 1:
        import torch_xla.core.xla_model as xm

        xm.reduce_gradients(optimizer)


def launch(device: Mapping[str, Any], function: Callable, *arguments: Any) -> Any:
    """Call `function(fabric, *arguments)` in as many processes as there are devices.

    With several, `function` and its arguments are pickled, and the script that started the job must
    not start it again when it is imported.
    """
    files = [
        handler.baseFilename
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.FileHandler)
    ]
    # Fabric looks for models in all that it knows to be made of parts; a `partial` is none
    call = partial(function, *arguments)
    return fabric_of(device).launch(_in_process, dict(device), files, call)


def _in_process(fabric: Fabric, device: dict[str, Any], log_files: list[str], call: partial) -> Any:
    if fabric.world_size != device["devices"]:
        raise RuntimeError(
            f"{device['devices']} devices asked for, but {fabric.world_size} processes run"
        )
    torch.set_num_threads(device["threads"])
    if fabric.device.type == "cpu":
        torch.use_deterministic_algorithms(True)
    root = logging.getLogger()
    if fabric.is_global_zero and not root.handlers:  # a process of its own logs as the job does
        root.setLevel(logging.INFO)
        for path in log_files:
            handler = logging.FileHandler(path, mode="a")
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            root.addHandler(handler)
    return call.func(fabric, *call.args)
