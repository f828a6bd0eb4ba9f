"""What a search varies, and the list of settings that it tries.

The first trial is what the configuration says without a search. The others are a scrambled Sobol
sequence (Optuna's `QMCSampler`), of one seed for all methods: its points cover the space evenly and
do not depend on earlier scores, so that the list is known in advance, whatever the task.
"""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

from talking_models.methods import METHODS

TRAINING_SPACE: dict[str, dict[str, Any]] = {
    "learning_rate": {"low": 5e-4, "high": 3e-3, "log": True},
    "dropout": {"low": 0.3, "high": 0.7, "log": False},
    "weight_decay": {"low": 0.03, "high": 1.0, "log": True},
}
# searched for the teacher and for training from scratch, whose choice serves all methods
ID_DROPOUT_SPACE = {"id_dropout": {"low": 0.05, "high": 0.4, "log": False}}
ZERO_SHARE = 0.15  # of the trials of a weight that may be zero


def settings_space(method: str) -> dict[str, dict[str, Any]]:
    """The searched settings of a method, as its file declares them."""
    fields = METHODS.get(method).Settings.model_fields.items()
    extras = {n: f.json_schema_extra for n, f in fields if isinstance(f.json_schema_extra, dict)}
    return {name: extra["search"] for name, extra in extras.items() if "search" in extra}


def _value(space: dict[str, Any], point: float) -> Any:
    if "choices" in space:
        return space["choices"][int(point * len(space["choices"]))]
    if space.get("zero"):
        if point < ZERO_SHARE:
            return 0.0
        point = (point - ZERO_SHARE) / (1 - ZERO_SHARE)
    low, high = space["low"], space["high"]
    if space["log"]:
        value = math.exp(math.log(low) + point * (math.log(high) - math.log(low)))
    else:
        value = low + point * (high - low)
    return float(f"{value:.3g}")  # three digits, so that a chosen value can be read and typed


def trials(config: dict[str, Any], n: int, with_id_dropout: bool) -> list[dict[str, Any]]:
    """The settings to try: `n` dicts with the keys `training` and `settings`.

    `config` is the job's before the search; `id_dropout` is searched only where asked for.
    """
    import optuna

    training = TRAINING_SPACE | (ID_DROPOUT_SPACE if with_id_dropout else {})
    settings = settings_space(config["method"])
    unit = {
        f"{part}.{name}": optuna.distributions.FloatDistribution(0, 1)
        for part, space in (("training", training), ("settings", settings))
        for name in space
    }
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.QMCSampler(scramble=True, seed=0)
    study = optuna.create_study(sampler=sampler)
    own = {name: config["training"][name] for name in training}
    found = [{"training": own, "settings": {name: config["settings"][name] for name in settings}}]
    while len(found) < n:
        point = study.ask(unit).params
        own = {k: _value(s, point[f"training.{k}"]) for k, s in training.items()}
        drawn = {k: _value(s, point[f"settings.{k}"]) for k, s in settings.items()}
        idle = [k for k, s in settings.items() if s.get("needs") and not drawn[s["needs"]]]
        # what cannot have an effect is not chosen: an ablation may bring it to life
        drawn |= {k: config["settings"][k] for k in idle}
        found.append({"training": own, "settings": drawn})
    return found


def grid(choose: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """Every combination of a few values of some settings, as `trials` lists them."""
    return [
        {"settings": dict(zip(choose, values, strict=True))}
        for values in itertools.product(*choose.values())
        if choose
    ]
