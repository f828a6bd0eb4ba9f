"""What no key can say alone: ids that name others, settings that contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from talking_models.config.errors import ConfigError, Problem, unknown
from talking_models.data import DATA
from talking_models.data.base import ALL, CATEGORY
from talking_models.data.names import clean_category, title_tokens
from talking_models.methods import METHODS
from talking_models.metrics import METRICS
from talking_models.models import MODELS
from talking_models.strict import Strict

if TYPE_CHECKING:
    from talking_models.config import Config

PARTS = ("all", "references", "slices", "task-mean", "bias")
PAGES = ("claims", "compute", "significance", "sizes")
FOLDERS = ("benchmarks", "figures", "logs", "models", "pages", "provenance", "tables")
RESERVED = {
    "data": (*FOLDERS, "tfds", "weights"),
    "experiments": PARTS,
    "models": PARTS,
    "tables": PAGES,
    "curves": PAGES,
}
"""Ids that own files of another sort."""
TASKS = ("all", "cka", "tuning")
"""Ids of tasks that do."""
TAKEN = "this name is taken by other files of the results, choose another"


def problems(config: Config) -> list[Problem]:
    """All that is wrong between the keys of a configuration."""
    found = [*_ids(config), *_experiments(config), *_models(config), *_data(config)]
    return found or [*_shown(config), *_jobs(config)]


def contradiction(text: str) -> PydanticCustomError:
    """An error that says in words what does not go together."""
    return PydanticCustomError("contradiction", text.replace("{", "(").replace("}", ")"))


def _names(path: tuple, found: Any, known: Iterable[str], what: str) -> Iterator[Problem]:
    known = list(known)
    if found is not None and found not in known:
        yield path, found, unknown(what, known)


def _ids(config: Config) -> Iterator[Problem]:
    for section, reserved in RESERVED.items():
        for id in getattr(config, section):
            if id in reserved:
                yield (section, id), id, contradiction(TAKEN)
    for section, other in (("experiments", "models"), ("curves", "tables")):
        for id in getattr(config, section):
            if id in getattr(config, other):
                yield (section, id), id, contradiction(f"{other} has this id too, choose another")


def _experiments(config: Config) -> Iterator[Problem]:
    whole = {id: e.method for id, e in config.experiments.items() if e.like is None}
    made = config.made
    for curve, found in config.curves.items():
        if found.of in config.experiments and found.of not in made:
            for key, values in found.over.items():
                method = config.experiments[found.of].method
                yield from _values(("curves", curve, "over", key), method, key, values)
    for id, experiment in config.experiments.items():
        if id in made:
            continue  # as the experiment that it is made of, but for the curve's value
        path, method = ("experiments", id), METHODS.get(experiment.method)
        same = [other for other, name in whole.items() if name == experiment.method]
        message = "no experiment of the same method without `like`"
        yield from _names((*path, "like"), experiment.like, same, message)
        yield from _names((*path, "student"), experiment.student, config.models, "no such model")
        if not method.has_teacher and "teachers" in experiment.model_fields_set:
            text = f"the method {experiment.method} has no teacher: leave this key out"
            yield (*path, "teachers"), list(experiment.teachers), contradiction(text)
        for place, teacher in enumerate(experiment.teachers if method.has_teacher else ()):
            where = (*path, "teachers", place)
            yield from _names(where, teacher, config.models, "no such model")
        yield from within((*path, "settings"), method.Settings, experiment.settings)
        for key, values in experiment.choose.items():
            yield from _values((*path, "choose", key), experiment.method, key, values)


def _values(path: tuple, method: str, key: str, values: Iterable[Any]) -> Iterator[Problem]:
    """Problems of each of a few values of a method's setting."""
    for place, value in enumerate(values):
        for where, found, error in within(path[:-1], METHODS.get(method).Settings, {key: value}):
            named = where[: len(path)] == path and error.type != "extra_forbidden"
            yield (*path, place) if named else where, found, error


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
        kind = config.model_kind(id)
        other = getattr(model, "of", None)
        whole = [o for o, m in config.models.items() if m.kind == model.kind and o != id]
        whole = [o for o in whole if getattr(config.models[o], "of", None) is None]
        if other is not None and other not in whole:
            text = "no other model of the same kind without `of`"
            yield ("models", id, "of"), other, unknown(text, whole)
            continue
        try:
            wrong = kind.contradiction(config.form(id))
        except (TypeError, ValueError) as error:  # of an option of a type that it did not expect
            wrong = f"{model.kind} cannot be made of these settings: {error}"
        if wrong:
            yield ("models", id), model, contradiction(wrong)


def _data(config: Config) -> Iterator[Problem]:
    for id, entry in config.data.items():
        path, tasks, kind = ("data", id, "tasks"), entry.tasks, DATA.get(entry.kind)
        yield from _names(("data", id, "split"), entry.split, config.protocols, "no such split")
        text = None
        if tasks.names and tasks.densest:
            text = f"names {list(tasks.names)} and densest {tasks.densest}: one of them says it"
        elif tasks.by == ALL and (tasks.names or tasks.densest):
            text = "by `all` there is one task: say by what others are subsets (`category`)"
        elif tasks.by != ALL and not (tasks.names or tasks.densest):
            text = f"by {tasks.by}: say which there are, by `names` or `densest`"
        elif tasks.by != ALL and kind.family == "images":
            text = f"by {tasks.by}: images have the one task `all`"
        if text:
            yield path, tasks, contradiction(text)
        ids: set[str] = set()
        for place, name in enumerate(tasks.names):
            where = (*path, "names", place)
            if tasks.by == CATEGORY and kind.categories:
                name = clean_category(name)
                yield from _names(where, name, kind.categories, "no such category")
            task = "-".join(title_tokens(name))
            if not task or task in TASKS:
                yield where, name, contradiction(f"{task!r} in paths: {TAKEN}")
            elif task in ids:
                yield where, name, contradiction(f"another task is {task!r} in paths, too")
            ids.add(task)


def _shown(config: Config) -> Iterator[Problem]:
    rows = [*filter(config.is_teacher, config.models), *config.experiments]
    for section in ("tables", "curves"):
        for id, shown in getattr(config, section).items():
            path = (section, id)
            for place, data in enumerate(shown.data):
                yield from _names((*path, "data", place), data, config.data, "no such data set")
            key = "rows" if section == "tables" else "points"
            named = getattr(shown, key)
            for row, experiment in named.items():
                yield from _names((*path, key, row), experiment, rows, "no such experiment")
            yield from _names((*path, "against"), shown.against, rows, "no such experiment")
            yield from _names((*path, "metric"), shown.metric, METRICS.names(), "no such metric")
            yield from _names((*path, "split"), shown.split, config.protocols, "no such split")
            of = getattr(shown, "of", None)
            yield from _names((*path, "of"), of, config.experiments, "no such experiment")
            for place, row in enumerate(getattr(shown, "bold", ())):
                yield from _names((*path, "bold", place), row, shown.rows, "not a row of it")
            yield from _fits(config, path, shown, named)


def _fits(config: Config, path: tuple, shown: Any, named: Mapping[str, str]) -> Iterator[Problem]:
    """Whether the data sets, the metric and the students of a table belong together."""
    if not set(shown.data) <= set(config.data):
        return
    families = {config.family(data) for data in shown.data}
    if len(families) > 1:
        yield (*path, "data"), list(shown.data), contradiction("ratings and images in one table")
        return
    (family,) = families
    for data in shown.data:
        split = config.split_of(shown, data)
        yield from _names((*path, "split"), split, config.protocols, "no such split")
        given = config.protocols.get(split, {}).get("kind") == "given"
        if split in config.protocols and given != (family == "images"):
            text = f"data set {data} of {family} cannot be cut by {split}"
            yield (*path, "data"), data, contradiction(text)
    if shown.metric in METRICS.names() and METRICS.get(shown.metric).family != family:
        yield (*path, "metric"), shown.metric, contradiction(f"this metric is not for {family}")
    for row, id in named.items():
        known = id in config.experiments or config.is_teacher(id)
        if known and MODELS.get(config.models[config.student_of(id)].kind).family != family:
            text = f"{id} trains {config.student_of(id)}, which is not for {family}"
            yield (*path, "rows", row), id, contradiction(text)


def _jobs(config: Config) -> Iterator[Problem]:
    """Models and training of each experiment, as its jobs will have them."""
    devices, made = config.device.devices, config.made
    for id, experiment in config.experiments.items():
        if id in made:
            continue
        path, teachers = ("experiments", id), config.teachers_of(id)
        student = config.models[experiment.student]
        given = student.training.model_dump() | experiment.training
        wrong = list(within((*path, "training"), type(student.training), given))
        yield from wrong
        families = {config.model_kind(model).family for model in (experiment.student, *teachers)}
        if len(families) > 1:
            text = "student and teachers are for different families of data"
            yield (*path, "teachers"), list(experiment.teachers), contradiction(text)
        for teacher in teachers:
            entry = config.models[teacher]
            if not (entry.on or entry.file or config.model_kind(teacher).pretrained):
                text = f"{teacher} is not trained anywhere: set its `on: all`, or its `file`"
                yield (*path, "teachers"), teacher, contradiction(text)
            pixels = [config.form(m).get("image_size") for m in (experiment.student, teacher)]
            if None not in pixels and pixels[0] != pixels[1]:
                text = (
                    f"image_size {pixels[0]} of the student {experiment.student}, {pixels[1]} of "
                    f"its teacher {teacher}: both are shown the same pixels"
                )
                yield (*path, "teachers"), teacher, contradiction(text)
        size = given.get("batch_size", 0)
        micro = given.get("micro_batch_size") or max(1, size // devices)
        if families == {"images"} and not wrong and size % (micro * devices):
            text = (
                f"batch_size {size} in micro-batches of {micro} cannot be divided among "
                f"device.devices {devices}"
            )
            yield (*path, "training"), given, contradiction(text)


def of_job(config: Config, id: str, job: Mapping[str, Any]) -> str | None:
    """What of a job's effective settings does not go together, in words.

    Raises:
        ConfigError: a tuned choice has brought a key or a value that there is not.
    """
    method, student = config.method(id).Settings, config.models[config.student_of(id)]
    for part, model in {"training": type(student.training), "settings": method}.items():
        for path, value, error in within((part,), model, job[part]):
            where = ".".join(map(str, path))
            raise ConfigError(f"{id}, as it was tuned: {where} {value!r}: {error.message()}")
    return method(**job["settings"]).contradiction(job["training"])
