"""Talking Models: a teacher and a student that exchange messages (Zhao et al., 2023).

import talking_models
model = talking_models.load("results/ml-100k/latest/war/td/models.safetensors")
model.predict(pandas.DataFrame({"user": [1, 1], "item": [50, 172]}))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from talking_models.predictor import Predictor

__version__ = "0.2.0"


def load(path: str | Path) -> Predictor:
    """A trained student or teacher, of ratings or images, from a run's `models.safetensors`; a
    `ValueError` if the file is cut, or holds no trained model of this library.
    """
    # By name: torch comes with it, and a job's fingerprint follows import statements.
    return importlib.import_module("talking_models.predictor").load(path)
