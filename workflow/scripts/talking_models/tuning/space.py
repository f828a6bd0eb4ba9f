"""What a search varies, and the list of settings that it tries.

How a student trains is searched once, for training from scratch, and shared by all methods; of
each method its own settings are searched, all by the same number of trials. The first trial is what
the configuration says without a search. The others are a scrambled Sobol sequence (Optuna's
`QMCSampler`), of one seed for all methods unless asked for another: its points cover the space
evenly and do not depend on earlier scores, so that the list is known in advance, whatever the task.
"""

import itertools
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from talking_models.changes import PARTS, read_chosen
from talking_models.methods import METHODS
from talking_models.models import MODELS

STACK = 6  # trials that are trained together
Space = Mapping[str, Mapping[str, Any]]
Spaces = Mapping[str, Space]


def _declared(model: type[BaseModel]) -> Space:
    """What is searched of some settings, by name, as their fields say it (`strict.tuned`)."""
    return {
        name: field.json_schema_extra["search"]
        for name, field in model.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and "search" in field.json_schema_extra
    }


def of_training(config: Mapping[str, Any]) -> Space:
    """What is searched of how the student of a job trains, as its kind's file declares it."""
    entry = MODELS.get(config["student"]["kind"]).Settings
    return _declared(entry.model_fields["training"].annotation)


def spaces(config: Mapping[str, Any], own: Mapping[str, Any], training: bool) -> Spaces:
    """What is searched of a job's `training`, if asked for, and of its `settings`, as the method's
    file declares it, by name; but for what the experiment says itself (`own`).
    """
    settings = _declared(METHODS.get(config["method"]).Settings)
    found = {"training": of_training(config) if training else {}, "settings": settings}
    return {
        part: {name: space for name, space in found[part].items() if name not in own[part]}
        for part in PARTS
    }


def trials(
    config: Mapping[str, Any], n: int, spaces: Spaces, seed: int = 0
) -> list[dict[str, Any]]:
    """The settings to try: `n` dicts with the keys `training` and `settings`.

    `config` is the job's before the search. What cannot have an effect beside the others stays as
    it is there: an ablation may bring it to life.
    """
    import optuna

    method, family = METHODS.get(config["method"]), "images" if "device" in config else "ratings"
    others = len(config["teachers"]) + len(config.get("peers", ()))
    places = [(part, name) for part in PARTS for name in spaces[part]]
    found = [{part: {name: config[part][name] for name in spaces[part]} for part in PARTS}]
    if not places:
        return found
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.QMCSampler(scramble=True, seed=seed)
    study = optuna.create_study(sampler=sampler)
    floats = optuna.distributions.FloatDistribution
    among = {f"{part}.{name}": floats(**spaces[part][name]) for part, name in places}
    while len(found) < n:
        point = study.ask(among).params
        drawn: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
        for part, name in places:
            # three digits, so that a chosen value can be read and typed
            drawn[part][name] = float(f"{point[f'{part}.{name}']:.3g}")
        settings = method.Settings.model_construct(**config["settings"] | drawn["settings"])
        for name in settings.idle(family, others).keys() & drawn["settings"].keys():
            drawn["settings"][name] = config["settings"][name]
        found.append(drawn)
    return found


def factors(method: str) -> set[str]:
    """The settings of a method that its file declares to be searched, factors of its loss."""
    return {*_declared(METHODS.get(method).Settings)}


def stacks(listed: Sequence[Mapping[str, Any]], method: str) -> list[list[int]]:
    """Places of trials that are trained as one stack of models, which takes half the time: they
    differ in factors of the loss alone, of which all are 0 or none.
    """
    weights = factors(method)

    def rest(place: int) -> list[Any]:
        settings = listed[place].get("settings", {})
        shared = {name: bool(x) if name in weights else x for name, x in settings.items()}
        return [listed[place].get("training"), shared]

    alike = (list(places) for _, places in itertools.groupby(range(len(listed)), rest))
    return [own[at : at + STACK] for own in alike for at in range(0, len(own), STACK)]


def settings_alone(chosen: str | Path) -> list[dict[str, Any]]:
    """The one trial of a search for steps: the settings that another chose, from its file."""
    return [{"settings": next(iter(read_chosen(chosen).values()))["settings"]}]


def beside(
    chosen: str | Path, own: Mapping[str, Any], listed: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Trials of an ablation with what was chosen for the experiment that it is like, from its file,
    but for what the ablation says itself (`own`).
    """
    found = next(iter(read_chosen(chosen).values()))["settings"]
    taken = {name: value for name, value in found.items() if name not in own["settings"]}
    return [{"settings": taken | trial["settings"]} for trial in listed]


def but_for_steps(training: Mapping[str, Any]) -> dict[str, Any]:
    """How another search found that one trains, without for how many steps."""
    return {key: value for key, value in training.items() if key != "steps"}


def grid_spaces(choose: Mapping[str, list[Any]]) -> Spaces:
    """What a grid of a few values searches."""
    return {"settings": {name: {"choices": values} for name, values in choose.items()}}


def grid(choose: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Every combination of a few values of some settings, as `trials` lists them; of none, one."""
    return [
        {"settings": dict(zip(choose, values, strict=True))}
        for values in itertools.product(*choose.values())
    ]
