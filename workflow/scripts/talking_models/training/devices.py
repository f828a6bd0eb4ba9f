"""Where an image job runs: Lightning Fabric on CPUs, CUDA or XLA devices, one or several."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from lightning_fabric.strategies import DDPStrategy

from talking_models.training.shared import TrainingDiverged, has_bfloat16

log = logging.getLogger(__name__)

PAYS = 0.75
PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed"}  # ours, as Fabric calls them


def settled(device: Mapping[str, Any]) -> dict[str, Any]:
    """A `device` section with the precision that `auto` becomes here."""
    accelerator, precision = device["accelerator"], device["precision"]
    if precision == "auto":  # XLA rounds the products of float32 matrices by itself on a TPU
        cuda = accelerator == "cuda" or (accelerator == "auto" and torch.cuda.is_available())
        if cuda:
            pays = torch.cuda.is_bf16_supported()
        else:
            pays = accelerator != "tpu" and bfloat16_pays(device["threads"])
        precision = "bfloat16" if pays else "float32"
    return {**device, "precision": precision}


def fabric_of(device: Mapping[str, Any]) -> Fabric:
    """The Fabric of a `device` section, not launched."""
    device = settled(device)
    accelerator, devices, precision = (device[k] for k in ("accelerator", "devices", "precision"))
    several = devices > 1 and accelerator != "tpu"
    # Inside a Slurm job Fabric would take Slurm's word for the number of processes: one.
    here = LightningEnvironment()
    ddp = DDPStrategy(cluster_environment=here, start_method="spawn", find_unused_parameters=True)
    return Fabric(
        accelerator=accelerator,
        devices=devices,
        strategy=ddp if several else "auto",
        precision=PRECISIONS[precision],
        plugins=[] if several or accelerator == "tpu" else [here],
    )


def choose_attention(fabric: Fabric, precision: str) -> None:
    """Let the timm models that are made next have the attention that trains fastest: on a CPU the
    gradient of torch's fused one takes two to five times as long in bfloat16 as that of products.
    """
    from timm.layers import set_fused_attn

    set_fused_attn(fabric.device.type != "cpu" or precision != "bfloat16")


@cache
def bfloat16_pays(threads: int) -> bool:
    """Whether this processor multiplies matrices faster in bfloat16: it has such instructions, and
    products of a transformer's sizes take less than three quarters of float32's time.
    """
    if not has_bfloat16():
        return False
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    times = {}
    for kind in (torch.float32, torch.bfloat16):
        x, weight = (torch.ones(shape, dtype=kind) for shape in ((2048, 384), (384, 1536)))
        takes = []
        for _ in range(5):
            begun = time.perf_counter()
            x @ weight
            takes.append(time.perf_counter() - begun)
        times[kind] = min(takes)
    torch.set_num_threads(before)
    ratio = times[torch.bfloat16] / times[torch.float32]
    log.info("products of matrices take %.2f times as long in bfloat16", ratio)
    return ratio < PAYS


def reduce_gradients(fabric: Fabric, optimizer: torch.optim.Optimizer) -> None:
    """Average them before clipping; XLA does so in its step, where it then changes nothing."""
    if fabric.device.type == "xla" and fabric.world_size > 1:
        import torch_xla.core.xla_model as xm

        xm.reduce_gradients(optimizer)


def launch(device: Mapping[str, Any], function: Callable, *arguments: Any) -> Any:
    """Call `function(fabric, *arguments)` in as many processes as there are devices.

    With several, `function` and its arguments are pickled, and the script that started the job must
    not start it again when it is imported. A `TrainingDiverged` is raised here, as by one process.
    """
    files = [
        handler.baseFilename
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.FileHandler)
    ]
    # Fabric looks for models in all that it knows to be made of parts; a `partial` is none
    call = partial(function, *arguments)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else its sums differ by run
    found = fabric_of(device).launch(_in_process, dict(device), files, call)
    if isinstance(found, TrainingDiverged):
        raise found
    return found


def _in_process(fabric: Fabric, device: dict[str, Any], log_files: list[str], call: partial) -> Any:
    if fabric.world_size != device["devices"]:
        raise RuntimeError(
            f"{device['devices']} devices asked for, but {fabric.world_size} processes run"
        )
    torch.set_num_threads(device["threads"])
    choose_attention(fabric, settled(device)["precision"])
    torch.use_deterministic_algorithms(True, warn_only=fabric.device.type != "cpu")
    torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads such memory
    root = logging.getLogger()
    if fabric.is_global_zero and not root.handlers:  # a process of its own logs as the job does
        root.setLevel(logging.INFO)
        for path in log_files:
            handler = logging.FileHandler(path, mode="a")
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            root.addHandler(handler)
    try:
        return call.func(fabric, *call.args)
    except TrainingDiverged as error:  # a process that raises would end as another error
        return error
