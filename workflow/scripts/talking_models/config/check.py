"""What no key can say alone: ids that name others, settings that contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from talking_models.config.errors import ConfigError, dotted
from talking_models.data import DATA
from talking_models.data.base import ALL, CATEGORY
from talking_models.data.names import clean_category, title_tokens
from talking_models.methods import METHODS
from talking_models.metrics import METRICS
from talking_models.strict import Problem, choices, problems_of, said_of

if TYPE_CHECKING:
    from talking_models.config import Config
    from talking_models.config.sections import Curve, Experiment, Table
    from talking_models.methods import Method
    from talking_models.models.kind import ModelSettings

PARTS = ("all", "references", "slices", "task-mean", "bias-all", "bias")
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
TASKS = ("all", "cka", "tuning")  # ids of tasks that do
TAKEN = "this name is taken by other files of the results, choose another"


def problems(config: Config) -> list[Problem]:
    """All that is wrong between the keys of a configuration."""
    found = [
        *_ids(config),
        *_splits(config),
        *_experiments(config),
        *_models(config),
        *_data(config),
    ]
    return found or [*_shown(config), *_jobs(config)]


def against(path: tuple, found: Any, text: str) -> Problem:
    """What does not go together, in words."""
    return path, found, said_of(found, text)


def _names(path: tuple, found: Any, known: Iterable[str], otherwise: str) -> Iterator[Problem]:
    known = list(known)
    if found is not None and found not in known:
        yield against(path, found, choices(found, known, otherwise))


def _splits(config: Config) -> Iterator[Problem]:
    for id, split in config.splits.items():
        yield from _names(("splits", id, "tuned_on"), split.tuned_on, config.protocols, "no split")
        chosen = config.protocols.get(split.tuned_on)
        if chosen and any(_sees(chosen, config.protocols[part]) for part in config.parts(id)):
            text = f"its training rows are eval rows of {id}: choose on one that is cut no later"
            yield against(("splits", id, "tuned_on"), split.tuned_on, text)
        steps, every = split.search.steps, config.search.every
        if steps is not None and steps < every:
            text = f"search.every {every} is more: no trial would be looked at"
            yield against(("splits", id, "search", "steps"), steps, text)


def _sees(chosen: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether some training rows of a cut on which settings are chosen are eval rows of another."""
    kinds = {chosen["kind"], own["kind"]}
    if "given" in kinds:  # the source keeps them apart
        return False
    if "per_user" in kinds:
        return len(kinds) > 1 or chosen["eval"] < own["eval"]
    begins = [
        1 - p["eval"] if p["kind"] == "latest" else 0.5 + 0.5 * p["window"] / p["windows"]
        for p in (chosen, own)
    ]
    return begins[0] > begins[1]


def _ids(config: Config) -> Iterator[Problem]:
    for section, reserved in RESERVED.items():
        for id in getattr(config, section):
            if id in reserved:
                yield against((section, id), id, TAKEN)
    for section, other in (("experiments", "models"), ("curves", "tables")):
        for id in getattr(config, section):
            if id in getattr(config, other):
                yield against((section, id), id, f"{other} has this id too, choose another")


def _written(config: Config) -> dict[str, Experiment]:
    """The experiments but for those that curves make: these are as theirs, but for one value."""
    made = {id for curve in config.curves.values() if curve.over for id in curve.points.values()}
    return {id: entry for id, entry in config.experiments.items() if id not in made}


def _experiments(config: Config) -> Iterator[Problem]:
    for id, curve in config.curves.items():
        base = config.experiments.get(curve.of)
        for key, values in curve.over.items() if base else ():
            yield from _values(("curves", id, "over", key), base.method, key, values)
    for id, experiment in _written(config).items():
        path, method = ("experiments", id), METHODS.get(experiment.method)
        same = [
            other
            for other, e in config.experiments.items()
            if e.like is None and e.method == experiment.method
        ]
        message = "no experiment of the same method without `like`"
        yield from _names((*path, "like"), experiment.like, same, message)
        for place, other in enumerate(experiment.best_of):
            yield from _names((*path, "best_of", place), other, {*same} - {id}, message)
        yield from _names((*path, "student"), experiment.student, config.models, "no such model")
        if not method.has_teacher and "teachers" in experiment.model_fields_set:
            text = f"the method {experiment.method} has no teacher: leave this key out"
            yield against((*path, "teachers"), list(experiment.teachers), text)
        for key in ("teachers", "peers") if method.has_teacher else ("peers",):
            for place, model in enumerate(getattr(experiment, key)):
                yield from _names((*path, key, place), model, config.models, "no such model")
        yield from _company(path, experiment, method)
        student = config.models.get(experiment.student)
        images = student is not None and config.model_kind(experiment.student).family == "images"
        if images and experiment.teacher_seed not in (None, config.teacher_seed):
            text = "of images the top level's teacher_seed is taken"
            yield against((*path, "teacher_seed"), experiment.teacher_seed, text)
        if experiment.search_seed and (experiment.like or experiment.best_of):
            key = "like" if experiment.like else "best_of"
            text = f"no effect beside {key} {getattr(experiment, key)}: no trials are drawn"
            yield against((*path, "search_seed"), experiment.search_seed, text)
        yield from problems_of(method.Settings, experiment.settings, *path, "settings")
        for key, values in experiment.choose.items():
            yield from _values((*path, "choose", key), experiment.method, key, values)


def _company(path: tuple, experiment: Experiment, method: type[Method]) -> Iterator[Problem]:
    """Whether there are teachers and peers as the method wants them, and weights of no others."""
    teachers = experiment.teachers if method.has_teacher else ()
    peers = method.has_peers or (METHODS.get(method.among).has_peers if method.among else False)
    if experiment.peers and not peers:
        text = f"the method {experiment.method} has no peers: leave this key out"
        yield against((*path, "peers"), list(experiment.peers), text)
    elif not teachers and not experiment.peers and (method.has_teacher or peers):
        needs = "a teacher" if method.has_teacher else "a peer"
        yield against(path, experiment, f"the method {experiment.method} needs {needs}")
    for place, id in enumerate(experiment.peers):
        if id in teachers:
            text = "it is among the teachers: who learns here has another id"
            yield against((*path, "peers", place), id, text)
    if experiment.teacher_seed and not teachers:
        yield against((*path, "teacher_seed"), experiment.teacher_seed, "there is no teacher")
    known = (*teachers, *experiment.peers)
    for id in experiment.weights:
        yield from _names((*path, "weights", id), id, known, "nobody else")
    if experiment.weights and not any(experiment.weights.get(m, 1) for m in known):
        yield against((*path, "weights"), experiment.weights, "nobody is left")
    elif experiment.weights and len(known) == 1:
        text = f"no effect, as {known[0]} is alone: weights are of several"
        yield against((*path, "weights"), experiment.weights, text)


def _values(path: tuple, method: str, key: str, values: Iterable[Any]) -> Iterator[Problem]:
    """Problems of each of a few values of a method's setting."""
    settings = METHODS.get(method).Settings
    for place, value in enumerate(values):
        for loc, found, words in problems_of(settings, {key: value}):
            unknown = key not in settings.model_fields
            yield (path if unknown else (*path, place, *loc[1:])), found, words


def _models(config: Config) -> Iterator[Problem]:
    for id, model in config.models.items():
        of = {o: getattr(m, "of", None) for o, m in config.models.items() if m.kind == model.kind}
        whole = [other for other in of if other != id and of[other] is None]
        otherwise = "no other model of the same kind without `of`"
        wrong = list(_names(("models", id, "of"), of[id], whole, otherwise))
        yield from wrong
        if wrong:
            continue
        try:
            text = config.model_kind(id).contradiction(config.form(id))
        except (TypeError, ValueError) as error:  # of an option of a type that it did not expect
            text = f"{model.kind} cannot be made of these settings: {error}"
        if text:
            yield against(("models", id), model, text)
        yield from _momentum(("models", id, "training"), model, model.training.model_dump())


def _momentum(path: tuple, model: ModelSettings, training: Mapping[str, Any]) -> Iterator[Problem]:
    """Momentum of an optimiser that has none of that name."""
    field = type(model.training).model_fields.get("momentum")
    momentum = training.get("momentum")
    if field and training["optimiser"] == "adamw" and momentum not in (0, field.default):
        text = f"momentum {momentum} of optimiser adamw has no effect: change one of them"
        yield against(path, training, text)


def _data(config: Config) -> Iterator[Problem]:
    for id, entry in config.data.items():
        path, tasks, kind = ("data", id, "tasks"), entry.tasks, DATA.get(entry.kind)
        yield from _names(("data", id, "split"), entry.split, config.protocols, "no such split")
        yield from _names(("data", id, "tuned_as"), entry.tuned_as, config.data, "no such data set")
        if entry.tuned_as in config.data and config.family(entry.tuned_as) != kind.family:
            text = f"settings of {config.family(entry.tuned_as)} are none of {kind.family}"
            yield against(("data", id, "tuned_as"), entry.tuned_as, text)
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
            yield against(path, tasks, text)
        ids: set[str] = set()
        for place, name in enumerate(tasks.names):
            where = (*path, "names", place)
            if tasks.by == CATEGORY and kind.categories:
                name = clean_category(name)
                yield from _names(where, name, kind.categories, "no such category")
            task = "-".join(title_tokens(name))
            if not task or task in TASKS:
                yield against(where, name, f"{task!r} in paths: {TAKEN}")
            elif task in ids:
                yield against(where, name, f"another task is {task!r} in paths, too")
            ids.add(task)


def _shown(config: Config) -> Iterator[Problem]:
    rows = config.trained
    for section in ("tables", "curves"):
        for id, shown in getattr(config, section).items():
            path = (section, id)
            for place, data in enumerate(shown.data):
                yield from _names((*path, "data", place), data, config.data, "no such data set")
            for row, experiment in shown.named.items():
                where = (*path, "rows" if section == "tables" else "points", row)
                yield from _names(where, experiment, rows, "no such experiment")
            yield from _names((*path, "against"), shown.against, rows, "no such experiment")
            yield from _names((*path, "metric"), shown.metric, METRICS.names(), "no such metric")
            for value, split in getattr(shown, "splits", {}).items():
                known = dict.fromkeys([*config.splits, *config.protocols])
                yield from _names((*path, "splits", value), split, known, "no such split")
                twice = [v for v, s in shown.splits.items() if s == split]
                if value != twice[0]:
                    yield against((*path, "splits", value), split, f"{twice[0]} shows it already")
            of = getattr(shown, "claims_of", None)
            yield from _names((*path, "claims_of"), of, config.tables, "no such table")
            if of == id:
                text = "no effect: claims of its own are judged on its own rows"
                yield against((*path, "claims_of"), of, text)
            of = getattr(shown, "of", None)
            yield from _names((*path, "of"), of, config.experiments, "no such experiment")
            for place, row in enumerate(getattr(shown, "bold", ())):
                yield from _names((*path, "bold", place), row, shown.named, "not a row of it")
            if set(shown.data) <= set(config.data):
                yield from _fits(config, path, shown)


def _fits(config: Config, path: tuple, shown: Table | Curve) -> Iterator[Problem]:
    """Whether the data sets, the metric and the students of a table belong together."""
    families = {config.family(data) for data in shown.data}
    if len(families) > 1:
        yield against((*path, "data"), list(shown.data), "ratings and images in one table")
        return
    (family,) = families
    if shown.seeds and family == "ratings":
        text = "the seeds of ratings train together: set seeds of the data set"
        yield against((*path, "seeds"), shown.seeds, text)
    if getattr(shown, "costs", False) and family != "ratings":
        yield against((*path, "costs"), shown.costs, "costs are counted of ratings alone")
    for data in shown.data:
        split = shown.split or config.default_split(data)
        known = [*config.splits, *config.protocols]
        yield from _names((*path, "split"), split, dict.fromkeys(known), "no such split")
        first = config.protocols.get(config.parts(split)[0], {})
        if first and (first["kind"] == "given") != (family == "images"):
            text = f"data set {data} of {family} cannot be cut by {split}"
            yield against((*path, "data"), data, text)
    if shown.metric in METRICS.names() and METRICS.get(shown.metric).family != family:
        yield against((*path, "metric"), shown.metric, f"this metric is not for {family}")
    for row, id in shown.named.items():
        if id not in config.experiments and not config.is_teacher(id):
            continue
        student = config.experiment(id).student
        if config.model_kind(student).family != family:
            text = f"{id} trains {student}, which is not for {family}"
            yield against((*path, "rows", row), id, text)


def _jobs(config: Config) -> Iterator[Problem]:
    """Models and training of each experiment, as its jobs will have them."""
    devices = config.device.devices
    for id, experiment in _written(config).items():
        path, teachers = ("experiments", id), config.teachers_of(id)
        student = config.models[experiment.student]
        given = student.training.model_dump() | experiment.training
        wrong = problems_of(type(student.training), given, *path, "training")
        yield from wrong
        yield from _idle(config, id, path)
        if experiment.training.keys() & {"optimiser", "momentum"}:
            yield from _momentum((*path, "training"), student, given)
        company = (experiment.student, *teachers, *config.peers_of(id))
        families = {config.model_kind(model).family for model in company}
        if len(families) > 1:
            own = config.model_kind(experiment.student).family
            key = "peers"
            if any(config.model_kind(teacher).family != own for teacher in teachers):
                key = "teachers"
            text = f"student and {key} are for different families of data"
            yield against((*path, key), list(getattr(experiment, key)), text)
        for teacher in teachers:
            entry = config.models[teacher]
            if not (entry.on or entry.file or config.model_kind(teacher).pretrained):
                text = f"{teacher} is not trained anywhere: set its `on: all`, or its `file`"
                yield against((*path, "teachers"), teacher, text)
            pixels = [config.form(m).get("image_size") for m in (experiment.student, teacher)]
            if None not in pixels and pixels[0] != pixels[1]:
                text = (
                    f"image_size {pixels[0]} of the student {experiment.student}, {pixels[1]} of "
                    f"its teacher {teacher}: both are shown the same pixels"
                )
                yield against((*path, "teachers"), teacher, text)
        whole = {m: getattr(config.models[m], "of", None) or m for m in company}
        for peer in config.peers_of(id) if families == {"images"} else ():
            if whole[peer] != whole[experiment.student]:
                text = (
                    f"{peer} starts from the weights of {whole[peer]}, the student "
                    f"{experiment.student} from those of {whole[experiment.student]}: of images "
                    "all who learn in a job start from the same"
                )
                yield against((*path, "peers"), peer, text)
            elif config.method(id).together and config.form(peer) == config.form(
                experiment.student
            ):
                text = (
                    f"{peer} is what the student is and starts from the same weights: on the same "
                    "images both stay the same; take one of other `blocks`"
                )
                yield against((*path, "peers"), peer, text)
        size = given.get("batch_size", 0)
        micro = given.get("micro_batch_size") or max(1, size // devices)
        if families == {"images"} and not wrong and size % (micro * devices):
            text = (
                f"batch_size {size} in micro-batches of {micro} cannot be divided among "
                f"device.devices {devices}"
            )
            yield against((*path, "training"), given, text)


def _idle(config: Config, id: str, path: tuple) -> Iterator[Problem]:
    """Settings that an experiment, or a curve over it, itself gives another value than they have
    by default, beside others with which they have no effect.
    """
    experiment, settings = config.experiments[id], config.method(id).Settings
    before = config.experiments[experiment.like].settings if experiment.like else {}
    default = {key: field.default for key, field in settings.model_fields.items()}
    others = len(config.teachers_of(id)) + len(config.peers_of(id))
    family = config.model_kind(experiment.student).family

    def found(where: tuple, key: str, value: Any) -> Iterator[Problem]:
        whole = {**default, **before, **experiment.settings, key: value}
        why = settings.model_construct(**whole).idle(family, others).get(key)
        if why and value and value != default[key]:
            yield against(where, value, f"no effect {why}")

    for key, value in experiment.settings.items():
        yield from found((*path, "settings", key), key, value)
    tried = [((*path, "choose", key), key, each) for key, each in experiment.choose.items()]
    for curve in (c for c, made in config.curves.items() if made.of == id):
        over = config.curves[curve].over.items()
        tried += [(("curves", curve, "over", key), key, values) for key, values in over]
    for where, key, values in tried:
        for place, value in enumerate(values):
            yield from found((*where, place), key, value)


def of_job(
    config: Config, id: str, job: Mapping[str, Any], how: str = "as it was tuned"
) -> str | None:
    """What of a job's settings contradicts itself; a ConfigError if they are none that it takes,
    which `how` they came about brought with it.
    """
    method, student = config.method(id).Settings, config.models[config.experiment(id).student]
    for part, model in {"training": type(student.training), "settings": method}.items():
        for path, _, words in problems_of(model, job[part], part):
            raise ConfigError(f"{id}, {how}: {dotted(path)}: {words}")
    family = config.model_kind(config.experiment(id).student).family
    return method(**job["settings"]).contradiction(job["training"], family)
