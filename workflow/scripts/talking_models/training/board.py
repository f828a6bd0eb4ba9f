"""What a job logs, as TensorBoard shows it while the job runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from lightning_fabric.loggers import TensorBoardLogger

__all__ = ["Board"]


class Board:
    """A folder of event files. It is a log and no result: `history.csv` has the same numbers.

    Args:
        folder: emptied first; a job that goes on from a checkpoint shows its rows again.
    """

    def __init__(self, folder: str | Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        self.logger = TensorBoardLogger(folder, name="", version="")
        self.shown = 0, 0

    def show(self, history: list[tuple], throughput: list[tuple]) -> None:
        """Write the rows that are new in the two tables of `image_loop.Logs`."""
        rows, paces = self.shown
        for step, name, value, norm in history[rows:]:
            self._write(step, [(name, value), (f"gradient_norm/{name}", norm)])
        for step, pace in throughput[paces:]:
            self._write(step, [("images_per_second", pace)])
        self.shown = len(history), len(throughput)
        self.logger.experiment.flush()

    def _write(self, step: int, values: Iterable[tuple[str, float | None]]) -> None:
        found = {name: value for name, value in values if value is not None}
        self.logger.log_metrics(found, step)

    def close(self) -> None:
        """The job has ended."""
        self.logger.experiment.close()
