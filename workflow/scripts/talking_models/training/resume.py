"""What an image job keeps while it runs: its state, which a killed one goes on from, and logs."""

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.loggers import TensorBoardLogger
from torch import nn

from talking_models.io import digest_of_file
from talking_models.models.files import read, save

STATES = ("momentum_buffer", "step", "exp_avg", "exp_avg_sq")  # of SGD and of AdamW


def key_of(config: Any, *files: str | Path) -> str:
    """A digest of all that a training depends on: plain values, and the content of files."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for path in files:
        digest.update(digest_of_file(path).encode())
    return digest.hexdigest()


class Record:
    """Rows of the job's tables, and a file of them, weights, the optimiser's state and the step.

    No random state: all random numbers are functions of the step. The file is replaced as a whole,
    and not read if it has another `key` (see `key_of`). TensorBoard finds the rows while the job
    runs in the folder `board`, which is emptied first.
    """

    def __init__(self, path: str | Path, key: str, board: str | Path | None = None) -> None:
        self.path, self.key, self.board = Path(path), key, None
        self.history: list[tuple] = []  # step, name, value, gradient_norm
        self.throughput: list[tuple] = []  # step, images_per_second
        if board is not None:
            shutil.rmtree(board, ignore_errors=True)
            self.board = TensorBoardLogger(board, name="", version="")

    def add(self, history: Sequence[tuple], throughput: Sequence[tuple] = ()) -> None:
        """Add rows."""
        self.history += history
        self.throughput += throughput
        if self.board is None:
            return
        for step, name, value, norm in history:
            norms = {} if norm is None else {f"gradient_norm/{name}": norm}
            self.board.log_metrics({name: value} | norms, step)
        for step, pace in throughput:
            self.board.log_metrics({"images_per_second": pace}, step)
        self.board.experiment.flush()

    def save(self, step: int, learner: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Keep the state after `step` steps."""
        tensors = {}
        for name, parameter in learner.named_parameters():
            tensors[f"weight.{name}"] = parameter
            for key, value in optimizer.state[parameter].items():
                if value is not None:
                    tensors[f"{key}.{name}"] = value
        tensors |= {f"buffer.{name}": buffer for name, buffer in learner.named_buffers()}
        rows = {"history": self.history, "throughput": self.throughput}
        save(self.path, "checkpoint", tensors, {"key": self.key, "step": step, "logs": rows})

    def load(
        self, learner: nn.Module, optimizer: torch.optim.Optimizer, log: logging.Logger
    ) -> int:
        """Put the state back: the step, 0 where there is nothing to go on from."""
        if not self.path.exists():
            return 0
        try:
            tensors, about = read(self.path, "checkpoint")
        except ValueError:
            log.warning("%s is damaged, or no checkpoint: starting anew", self.path)
            return 0
        if about["key"] != self.key:
            log.info("%s is of a training with other settings: starting anew", self.path)
            return 0
        with torch.no_grad():
            for name, parameter in learner.named_parameters():
                parameter.copy_(tensors[f"weight.{name}"])
                for key in STATES:
                    value = tensors.get(f"{key}.{name}")
                    if value is not None:  # a step's number stays where torch wants it
                        place = "cpu" if key == "step" else parameter.device
                        optimizer.state[parameter][key] = value.to(place).clone()
            for name, buffer in learner.named_buffers():
                buffer.copy_(tensors[f"buffer.{name}"])
        self.add(**about["logs"])
        log.info("going on from step %d", about["step"])
        return about["step"]
