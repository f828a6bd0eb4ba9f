"""A trial of a search on images: a student trained on fit with some settings, scored on val.

Each is a job of its own: one alone can take as long as a training. `choose.take_trials` chooses.
"""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from talking_models.changes import changed
from talking_models.data.base import ALL
from talking_models.io import write_csv
from talking_models.training.images import Inputs, run
from talking_models.tuning.search import CURVES, first_seed


def try_settings(
    inputs: Inputs,
    config: Mapping[str, Any],
    settings: dict[str, Any],
    search: Mapping[str, Any],
    code: str,
    curves: str | Path,
    log: logging.Logger,
) -> None:
    """Train with some settings, from files to a file, one of a search's, see `search.run_search`.

    Its `curves` have one look, the share of val images that the student gets wrong after the last
    step: how long a student is trained is not chosen. They are empty if it diverged. `image_steps`
    of `search` are a trial's.
    """
    steps = search["image_steps"] or config["training"]["steps"]
    once = {"training": {"steps": steps, "evaluate_every": steps}}
    config = {**changed(config, settings, once), "seed": first_seed(settings, 0)}
    folder = Path(curves).with_suffix("")  # a killed trial goes on from the checkpoint there
    folder.mkdir(parents=True, exist_ok=True)
    files = ("models.safetensors", "history.csv", "config.yaml", "throughput.csv", "board")
    paths = {name.partition(".")[0]: folder / name for name in files}
    try:
        run(inputs, config, code, paths)
    except ArithmeticError as error:
        log.warning("%s", error)
        rows = []
    else:
        history = pd.read_csv(paths["history"])
        right = history.loc[history["name"] == "val_accuracy", "value"].iloc[-1]
        rows = [("complete", 0, ALL, 0, 1 - right)]
    write_csv(curves, pd.DataFrame(rows, columns=CURVES[1:]))
    shutil.rmtree(folder, ignore_errors=True)
