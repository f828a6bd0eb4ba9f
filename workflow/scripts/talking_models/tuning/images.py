"""The search for the settings of a method on images: students trained on fit, scored on val."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from talking_models.changes import changed
from talking_models.data.base import ALL
from talking_models.training.images import Inputs, run
from talking_models.tuning.jobs import digests, study


class ValScores:
    """The share of val images that students trained with some settings get wrong. Arguments are
    those of `search`, and a folder to train in.
    """

    def __init__(
        self,
        inputs: Inputs,
        config: Mapping[str, Any],
        search: Mapping[str, Any],
        code: str,
        folder: Path,
    ) -> None:
        self.inputs, self.config, self.search = inputs, config, search
        self.code, self.folder = code, folder

    def __call__(self, change: Mapping[str, Any], fold: int, seed: int) -> np.ndarray:
        """(1, 1), after the last step."""
        steps = self.search["image_steps"] or self.config["training"]["steps"]
        once = {"training": {"steps": steps, "evaluate_every": steps}}
        config = {**changed(self.config, change, once), "seed": seed}
        files = ("models.safetensors", "history.csv", "config.yaml", "throughput.csv", "board")
        self.folder.mkdir(parents=True, exist_ok=True)
        paths = {name.partition(".")[0]: self.folder / name for name in files}
        run(self.inputs, config, self.code, paths)
        history = pd.read_csv(paths["history"])
        right = history.loc[history["name"] == "val_accuracy", "value"].iloc[-1]
        return np.array([[1 - right]])


def search(
    inputs: Inputs,
    config: dict[str, Any],
    trials: Sequence[dict[str, Any]],
    spaces: Mapping[str, Mapping[str, Any]],
    search: Mapping[str, Any],
    journal: str | Path,
    code: str,
    about: Mapping[str, Any],
    outputs: Mapping[str, str | Path],
    log: logging.Logger,
) -> None:
    """Search the settings of one experiment on images, from files to files, see `jobs.search`;
    `image_steps` of `search` are those of a trial. How long a student is trained is not chosen.
    """
    # one for all trials: a killed one goes on from the checkpoint there
    folder = Path(journal).parent / ".trial"
    score = ValScores(inputs, config, search, code, folder)
    taught = (path for paths in inputs.teachers.values() for path in paths)
    files = [inputs.fit, inputs.val, inputs.backbone, *taught]
    begun = {part: config[part] for part in ("training", "settings")}
    study(
        score, {ALL: config}, [ALL], trials, spaces, search, journal, [code, digests(files)],
        about, begun, outputs, log,
    )  # fmt: skip
    shutil.rmtree(folder, ignore_errors=True)
