"""What a killed image job goes on from: one file, replaced as a whole every so many steps."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import torch
from torch import nn

from talking_models.models.files import read, save

__all__ = ["Resume", "key_of"]


def key_of(config: Any, *files: str | Path) -> str:
    """A digest of all that a training depends on: plain values, and the content of files."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for path in files:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


class Resume:
    """Weights, the optimiser's momentum, the step, and rows of the logs.

    No random state: all random numbers are functions of the step (see `training.draws`).

    Args:
        path: the file.
        key: of the training, see `key_of`; a file with another key is not read.
    """

    def __init__(self, path: str | Path, key: str) -> None:
        self.path, self.key = Path(path), key

    def save(
        self, step: int, learner: nn.Module, optimizer: torch.optim.Optimizer, logs: Any
    ) -> None:
        """Keep the state after `step` steps."""
        tensors = {}
        for name, parameter in learner.named_parameters():
            tensors[f"weight.{name}"] = parameter
            momentum = optimizer.state[parameter].get("momentum_buffer")
            if momentum is not None:
                tensors[f"momentum.{name}"] = momentum
        about = {"key": self.key, "step": step, "logs": logs}
        save(self.path, "checkpoint", tensors, about)

    def load(
        self, learner: nn.Module, optimizer: torch.optim.Optimizer, log: logging.Logger
    ) -> tuple[int, Any]:
        """Put the state back; the step and the logs, or 0 and None where there is nothing."""
        if not self.path.exists():
            return 0, None
        try:
            tensors, about = read(self.path, "checkpoint")
        except ValueError:
            log.warning("%s is damaged, or no checkpoint: starting anew", self.path)
            return 0, None
        if about["key"] != self.key:
            log.info("%s is of a training with other settings: starting anew", self.path)
            return 0, None
        with torch.no_grad():
            for name, parameter in learner.named_parameters():
                parameter.copy_(tensors[f"weight.{name}"])
                momentum = tensors.get(f"momentum.{name}")
                if momentum is not None:
                    state = optimizer.state[parameter]
                    state["momentum_buffer"] = momentum.to(parameter.device).clone()
        log.info("going on from step %d", about["step"])
        return about["step"], about["logs"]

    def remove(self) -> None:
        """The training has ended."""
        self.path.unlink(missing_ok=True)
