"""What no key can say alone: ids that name others, settings that contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from talking_models.config.errors import Problem, unknown
from talking_models.data import DATA
from talking_models.methods import METHODS
from talking_models.metrics import METRICS
from talking_models.models import MODELS
from talking_models.strict import Strict

if TYPE_CHECKING:
    from talking_models.config import Config

RESERVED = {
    "experiments": ("all", "references", "slices", "task-mean", "bias"),
    "models": ("all", "references", "slices", "task-mean", "bias"),
    "tables": ("claims", "compute", "significance", "sizes"),
    "curves": ("claims", "compute", "significance", "sizes"),
}
"""Ids that own files of another sort."""


def problems(config: Config) -> list[Problem]:
    """All that is wrong between the keys of a configuration."""
    found = [*_ids(config), *_experiments(config), *_models(config), *_data(config)]
    return found or [*_shown(config), *_jobs(config)]


def _error(text: str) -> PydanticCustomError:
    return PydanticCustomError("contradiction", text.replace("{", "(").replace("}", ")"))


def _names(path: tuple[str, ...], found: Any, known: Iterable[str], what: str) -> Iterator[Problem]:
    known = list(known)
    if found is not None and found not in known:
        yield path, found, unknown(what, known)


def _ids(config: Config) -> Iterator[Problem]:
    for section, reserved in RESERVED.items():
        for id in getattr(config, section):
            if id in reserved:
                text = "this name is taken by other files of the results, choose another id"
                yield (section, id), id, _error(text)
    for section, other in (("experiments", "models"), ("curves", "tables")):
        for id in getattr(config, section):
            if id in getattr(config, other):
                yield (section, id), id, _error(f"{other} has this id too, choose another")


def _experiments(config: Config) -> Iterator[Problem]:
    whole = {id: e.method for id, e in config.experiments.items() if e.like is None}
    for id, experiment in config.experiments.items():
        path = ("experiments", id)
        same = [other for other, method in whole.items() if method == experiment.method]
        message = "no experiment of the same method without `like`"
        yield from _names((*path, "like"), experiment.like, same, message)
        yield from _names((*path, "student"), experiment.student, config.models, "no such model")
        method = METHODS.get(experiment.method)
        if not method.has_teacher and "teachers" in experiment.model_fields_set:
            text = f"the method {experiment.method} has no teacher: leave this key out"
            yield (*path, "teachers"), list(experiment.teachers), _error(text)
        for place, teacher in enumerate(experiment.teachers if method.has_teacher else ()):
            where = (*path, "teachers", place)
            yield from _names(where, teacher, config.models, "no such model")
        yield from within((*path, "settings"), method.Settings, experiment.settings)
        for key, values in experiment.choose.items():
            for value in values:
                yield from within((*path, "choose"), method.Settings, {key: value})


def within(path: tuple, model: type[Strict], given: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of keys that some section of the configuration leaves to `model`."""
    try:
        model.model_validate(dict(given), strict=True)
    except ValidationError as error:
        for e in error.errors(include_url=False):
            message = PydanticCustomError(e["type"], e["msg"].replace("{", "("), e.get("ctx"))
            yield (*path, *e["loc"]), e["input"], message


def _models(config: Config) -> Iterator[Problem]:
    for id, model in config.models.items():
        other = getattr(model, "of", None)
        same = [o for o, m in config.models.items() if m.kind == model.kind and o != id]
        yield from _names(("models", id, "of"), other, same, "no other model of the same kind")


def _data(config: Config) -> Iterator[Problem]:
    for id, entry in config.data.items():
        known = config.protocols
        yield from _names(("data", id, "split"), entry.split, known, "no such split")
        if entry.tasks.names and entry.tasks.densest:
            text = "names and densest: the tasks are named or counted"
            yield ("data", id, "tasks"), entry.tasks.model_dump(), _error(text)
        if entry.tasks.by == "all" and (entry.tasks.names or entry.tasks.densest):
            text = "by `all` there is one task: say by what others are subsets (`category`)"
            yield ("data", id, "tasks", "by"), "all", _error(text)
        if entry.tasks.by != "all" and not (entry.tasks.names or entry.tasks.densest):
            yield ("data", id, "tasks"), entry.tasks.by, _error("say which: `names` or `densest`")
        if DATA.get(entry.kind).family == "images" and entry.tasks.by != "all":
            yield ("data", id, "tasks", "by"), entry.tasks.by, _error("images have the task `all`")


def _shown(config: Config) -> Iterator[Problem]:
    rows = [*filter(config.is_teacher, config.models), *config.experiments]
    for section in ("tables", "curves"):
        for id, shown in getattr(config, section).items():
            path = (section, id)
            for place, data in enumerate(shown.data):
                yield from _names((*path, "data", place), data, config.data, "no such data set")
            named = shown.rows if section == "tables" else shown.points
            key = "rows" if section == "tables" else "points"
            for row, experiment in named.items():
                yield from _names((*path, key, row), experiment, rows, "no such experiment")
            yield from _names((*path, "against"), shown.against, rows, "no such experiment")
            yield from _names((*path, "metric"), shown.metric, METRICS.names(), "no such metric")
            yield from _names((*path, "split"), shown.split, config.protocols, "no such split")
            if section == "curves":
                yield from _names((*path, "of"), shown.of, config.experiments, "no such experiment")
            for place, row in enumerate(shown.bold if section == "tables" else ()):
                yield from _names((*path, "bold", place), row, shown.rows, "not a row of it")
            yield from _fits(config, path, shown, named)


def _fits(config: Config, path: tuple, shown: Any, named: Mapping[str, str]) -> Iterator[Problem]:
    """Whether the data sets, the metric and the students of a table belong together."""
    if not set(shown.data) <= set(config.data):
        return
    families = {config.family(data) for data in shown.data}
    if len(families) > 1:
        yield (*path, "data"), list(shown.data), _error("ratings and images in one table")
        return
    (family,) = families
    for data in shown.data:
        split = config.split_of(shown, data)
        yield from _names((*path, "split"), split, config.protocols, "no such split")
        given = config.protocols.get(split, {}).get("kind") == "given"
        if split in config.protocols and given != (family == "images"):
            text = f"data set {data} of {family} cannot be cut by {split}"
            yield (*path, "data"), data, _error(text)
    if shown.metric in METRICS.names() and METRICS.get(shown.metric).family != family:
        yield (*path, "metric"), shown.metric, _error(f"this metric is not for {family}")
    for row, id in named.items():
        known = id in config.experiments or config.is_teacher(id)
        if known and MODELS.get(config.models[config.student_of(id)].kind).family != family:
            text = f"{id} trains {config.student_of(id)}, which is not for {family}"
            yield (*path, "rows", row), id, _error(text)


def _jobs(config: Config) -> Iterator[Problem]:
    """Settings of each experiment, as its jobs will have them."""
    for id, experiment in config.experiments.items():
        student = config.models[experiment.student]
        model = type(student.training)
        given = student.training.model_dump() | experiment.training
        path = ("experiments", id, "training")
        wrong = list(within(path, model, given))
        yield from wrong
        families = {
            config.model_kind(m).family for m in (experiment.student, *config.teachers_of(id))
        }
        if len(families) > 1:
            text = "student and teachers are for different families of data"
            yield ("experiments", id, "teachers"), list(experiment.teachers), _error(text)
        for teacher in config.teachers_of(id):
            entry = config.models[teacher]
            if not (entry.on or entry.file or config.model_kind(teacher).pretrained):
                text = f"{teacher} is not trained anywhere: set its `on: all`, or its `file`"
                yield ("experiments", id, "teachers"), teacher, _error(text)
        if not wrong:
            yield from _method(config, id, given)


def _method(config: Config, id: str, training: Mapping[str, Any]) -> Iterator[Problem]:
    """What a method says of its settings in the light of how long it trains."""
    experiment = config.experiments[id]
    method = METHODS.get(experiment.method)
    like = config.experiments[experiment.like].settings if experiment.like else {}
    chosen = {key: values[0] for key, values in experiment.choose.items()}
    settings = like | chosen | experiment.settings
    try:
        wrong = method.Settings(**settings).contradiction(training)
    except ValidationError:  # said above, by the experiment that it is like or its own settings
        return
    if wrong:
        yield ("experiments", id, "settings"), settings, _error(wrong)
