"""What no key of a model or experiment can say alone: who learns from whom, and how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from talking_models.config.errors import ConfigError, dotted
from talking_models.methods import METHODS
from talking_models.strict import Problem, against, problems_of, unknown

if TYPE_CHECKING:
    from talking_models.config import Config
    from talking_models.config.sections import Experiment
    from talking_models.methods import Method
    from talking_models.models.kind import ModelSettings


def _written(config: Config) -> dict[str, Experiment]:
    """The experiments but for those that curves make: these are as theirs, but for one value."""
    made = {id for curve in config.curves.values() if curve.over for id in curve.points.values()}
    return {id: entry for id, entry in config.experiments.items() if id not in made}


def experiments(config: Config) -> Iterator[Problem]:
    """Whom and what each names, and settings that its method has not."""
    for id, curve in config.curves.items():
        for key, values in curve.over.items() if curve.of in config.experiments else ():
            yield from _values(("curves", id, "over", key), config.runs(curve.of), key, values)
    for id, experiment in _written(config).items():
        path, method = ("experiments", id), METHODS.get(experiment.method)
        same = [
            other
            for other, e in config.experiments.items()
            if e.like is None and e.method == experiment.method
        ]
        message = "no experiment of the same method without `like`"
        yield from unknown((*path, "like"), experiment.like, same, message)
        for place, other in enumerate(experiment.best_of):
            others = [each for each in config.experiments if each != id]
            others = [each for each in others if each in same or _has_steps(config, id, each)]
            text = "no experiment of the same method with a search"
            yield from unknown((*path, "best_of", place), other, others, text)
        yield from unknown((*path, "student"), experiment.student, config.models, "no such model")
        if not method.has_teacher and "teachers" in experiment.model_fields_set:
            text = f"the method {experiment.method} has no teacher: leave this key out"
            yield against((*path, "teachers"), list(experiment.teachers), text)
        for key in ("teachers", "peers") if method.has_teacher else ("peers",):
            for place, model in enumerate(getattr(experiment, key)):
                yield from unknown((*path, key, place), model, config.models, "no such model")
        yield from _company(path, experiment, method)
        images = experiment.student in config.models and config.family_of(id) == "images"
        if images and experiment.teacher_seed not in (None, config.teacher_seed):
            text = "of images the top level's teacher_seed is taken"
            yield against((*path, "teacher_seed"), experiment.teacher_seed, text)
        if experiment.search_seed and (experiment.like or experiment.best_of):
            key = "like" if experiment.like else "best_of"
            text = f"no effect beside {key} {getattr(experiment, key)}: no trials are drawn"
            yield against((*path, "search_seed"), experiment.search_seed, text)
        runs = config.runs(id)
        yield from problems_of(METHODS.get(runs).Settings, experiment.settings, *path, "settings")
        for key, values in experiment.choose.items():
            yield from _values((*path, "choose", key), runs, key, values)


def _has_steps(config: Config, id: str, ablation: str) -> bool:
    """Whether an ablation of the same method has a search, for its steps."""
    own, found = config.experiments[id], config.experiments[ablation]
    known = found.like in config.experiments and found.student in config.models
    return known and found.method == own.method and config.has_search(ablation)


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
        yield from unknown((*path, "weights", id), id, known, "nobody else")
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
            where = (*path, place, *loc[1:]) if key in settings.model_fields else path
            yield where, found, words


def models(config: Config) -> Iterator[Problem]:
    """Entries that cannot be built, or that others take for what they are not."""
    for id, model in config.models.items():
        of = {o: getattr(m, "of", None) for o, m in config.models.items() if m.kind == model.kind}
        whole = [other for other in of if other != id and of[other] is None]
        otherwise = "no other model of the same kind without `of`"
        wrong = list(unknown(("models", id, "of"), of[id], whole, otherwise))
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


def jobs(config: Config) -> Iterator[Problem]:
    """Models and training of each experiment, as its jobs will have them."""
    devices = config.device.devices
    teach = {model for id in config.experiments for model in config.teachers_of(id)}
    for id in {experiment.student: None for experiment in config.experiments.values()}:
        if (file := config.models[id].file) and id not in teach:
            text = "no effect: it is a student, which is trained here, and nobody's teacher"
            yield against(("models", id, "file"), file, text)
    yield from _of_peers(config)
    for id, experiment in _written(config).items():
        path, teachers = ("experiments", id), config.teachers_of(id)
        student, form = config.models[experiment.student], config.form(experiment.student)
        given = student.training.model_dump() | experiment.training
        wrong = problems_of(type(student.training), given, *path, "training")
        yield from wrong
        yield from _idle(config, id, path)
        if experiment.training.keys() & {"optimiser", "momentum"}:
            yield from _momentum((*path, "training"), student, given)
        company = (experiment.student, *teachers, *config.peers_of(id))
        family = config.family_of(id)
        strange = [model for model in company if config.model_kind(model).family != family]
        if strange:
            key = "teachers" if strange[0] in teachers else "peers"
            text = f"student and {key} are for different families of data"
            yield against((*path, key), list(getattr(experiment, key)), text)
        for teacher in teachers:
            entry = config.models[teacher]
            if not (entry.on or entry.file or config.model_kind(teacher).pretrained):
                text = f"{teacher} is not trained anywhere: set its `on: all`, or its `file`"
                yield against((*path, "teachers"), teacher, text)
            own, other = (each.get("image_size") for each in (form, config.form(teacher)))
            if None not in (own, other) and own != other:
                text = (
                    f"image_size {own} of the student {experiment.student}, {other} of its "
                    f"teacher {teacher}: both are shown the same pixels"
                )
                yield against((*path, "teachers"), teacher, text)
        images = family == "images" and not strange
        whole = {model: config.whole_of(model) for model in company}
        for peer in config.peers_of(id) if images else ():
            if whole[peer] != whole[experiment.student]:
                text = (
                    f"{peer} starts from the weights of {whole[peer]}, the student "
                    f"{experiment.student} from those of {whole[experiment.student]}: of images "
                    "all who learn in a job start from the same"
                )
                yield against((*path, "peers"), peer, text)
            elif config.method(id).together and config.form(peer) == form:
                text = (
                    f"{peer} is what the student is and starts from the same weights: on the same "
                    "images both stay the same; take one of other `blocks`"
                )
                yield against((*path, "peers"), peer, text)
        size = given.get("batch_size", 0)
        micro = given.get("micro_batch_size") or max(1, size // devices)
        if images and not wrong and size % (micro * devices):
            text = (
                f"batch_size {size} in micro-batches of {micro} cannot be divided among "
                f"device.devices {devices}"
            )
            yield against((*path, "training"), given, text)


def _of_peers(config: Config) -> Iterator[Problem]:
    """What the entry of a model that is a peer alone says of training: it trains as the student
    beside it does.
    """
    students = {experiment.student for experiment in config.experiments.values()}
    for id, experiment in _written(config).items():
        theirs = config.models[experiment.student].training.model_dump()
        for peer in config.peers_of(id):
            entry = config.models[peer]
            if peer in students or entry.on:
                continue
            for key, value in entry.training.model_dump(exclude_unset=True).items():
                if value != theirs.get(key):
                    text = (
                        f"no effect: as a peer it trains as models.{experiment.student} does, "
                        "and no experiment has it as student"
                    )
                    yield against(("models", peer, "training", key), value, text)


def _idle(config: Config, id: str, path: tuple) -> Iterator[Problem]:
    """Settings that an experiment, or a curve over it, itself gives another value than they have
    by default, beside others with which they have no effect.
    """
    experiment, settings = config.experiments[id], METHODS.get(config.runs(id)).Settings
    before = config.experiments[experiment.like].settings if experiment.like else {}
    default = {key: field.default for key, field in settings.model_fields.items()}
    others = len(config.teachers_of(id)) + len(config.peers_of(id))
    family = config.family_of(id)

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
    method = METHODS.get(job["method"]).Settings
    student = config.models[config.experiment(id).student]
    for part, model in {"training": type(student.training), "settings": method}.items():
        for path, _, words in problems_of(model, job[part], part):
            raise ConfigError(f"{id}, {how}: {dotted(path)}: {words}")
    return method(**job["settings"]).contradiction(job["training"], config.family_of(id))
