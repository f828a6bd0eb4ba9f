"""What no key can say alone: ids that name others, settings that contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from talking_models.config.check_experiments import experiments, jobs, models
from talking_models.config.sections import Curve, Table
from talking_models.data import DATA
from talking_models.data.base import ALL, CATEGORY
from talking_models.data.names import SEED, clean_category, title_tokens
from talking_models.data.windows import evaluated
from talking_models.metrics import METRICS
from talking_models.strict import Problem, against, unknown

if TYPE_CHECKING:
    from talking_models.config import Config

REFERENCES = {
    "Task mean": "task-mean",
    "User and item bias, all rows": "bias-all",
    "User and item bias": "bias",
}
"""Row names of the reference lines of ratings, with the ids that they have in the evidence."""
PAGES = {
    "significance": "What the differences between rows are worth",
    "claims": "The paper's claims, with verdicts",
    "sizes": "What students and teachers weigh and cost",
    "compute": "Time and memory of every step",
}
"""Pages that are made from several tables, with what they show."""
PARTS = ("all", "references", "slices", *REFERENCES.values())
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
        *experiments(config),
        *models(config),
        *_data(config),
    ]
    return found or [*_shown(config), *jobs(config)]


def _splits(config: Config) -> Iterator[Problem]:
    for id, split in config.splits.items():
        if split.tuned_on and split.settings_on:
            text = f"tuned_on {split.tuned_on} serves all of it: leave one of them out"
            yield against(("splits", id, "settings_on"), split.settings_on, text)
        for key in ("tuned_on", "settings_on"):
            yield from _served(config, id, key)
        steps, every = split.search.steps, config.search.every
        if steps is not None and steps < every:
            text = f"search.every {every} is more: no trial would be looked at"
            yield against(("splits", id, "search", "steps"), steps, text)


def _served(config: Config, id: str, key: str) -> Iterator[Problem]:
    """What is wrong with the split whose searches serve another, at the key that names it."""
    path, named = ("splits", id, key), getattr(config.splits[id], key)
    known = {**config.splits, **config.protocols}
    yield from unknown(path, named, known, "no split")
    if named not in known:
        return
    chosen = config.served_by(named, last=key == "tuned_on")
    protocols, further = config.protocols, config.splits[config.wholes[chosen]]
    if any(_sees(protocols[chosen], protocols[part]) for part in config.parts(id)):
        text = f"its training rows are eval rows of {id}: choose on one that is cut no later"
        yield against(path, named, text)
    elif further is config.splits[id]:
        if key == "tuned_on":
            yield against(path, named, f"it is part of {id}: settings_on can name it")
    elif served := further.tuned_on or (key == "settings_on" and further.settings_on):
        yield against(path, named, f"it is served by {served} itself: name that")


def _sees(chosen: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    """Whether some training rows of a cut on which settings are chosen are eval rows of another."""
    kinds = {chosen["kind"], own["kind"]}
    if "given" in kinds:  # the source keeps them apart
        return False
    if "per_user" in kinds:
        return len(kinds) > 1 or chosen["eval"] < own["eval"]
    return evaluated(chosen)[0] > evaluated(own)[0]


def _ids(config: Config) -> Iterator[Problem]:
    for section, reserved in RESERVED.items():
        for id in getattr(config, section):
            of_seed = section in ("experiments", "models") and SEED.fullmatch(id)
            if id in reserved or of_seed:
                yield against((section, id), id, TAKEN)
    for section, other in (("experiments", "models"), ("curves", "tables")):
        for id in getattr(config, section):
            if id in getattr(config, other):
                yield against((section, id), id, f"{other} has this id too, choose another")


def _data(config: Config) -> Iterator[Problem]:
    for id, entry in config.data.items():
        path, tasks, kind = ("data", id, "tasks"), entry.tasks, DATA.get(entry.kind)
        yield from unknown(("data", id, "split"), entry.split, config.protocols, "no such split")
        where, other = ("data", id, "tuned_as"), entry.tuned_as
        yield from unknown(where, other, config.data, "no such data set")
        if other in config.data and config.family(other) != kind.family:
            text = f"settings of {config.family(other)} are none of {kind.family}"
            yield against(where, other, text)
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
                yield from unknown(where, name, kind.categories, "no such category")
            task = "-".join(title_tokens(name))
            if not task or task in TASKS:
                yield against(where, name, f"{task!r} in paths: {TAKEN}")
            elif task in ids:
                yield against(where, name, f"another task is {task!r} in paths, too")
            ids.add(task)


def _shown(config: Config) -> Iterator[Problem]:
    trained, splits = config.trained, dict.fromkeys([*config.splits, *config.protocols])
    for id, shown in config.shown.items():
        table = isinstance(shown, Table)
        path = ("tables" if table else "curves", id)
        for place, data in enumerate(shown.data):
            yield from unknown((*path, "data", place), data, config.data, "no such data set")
        for row, experiment in shown.named.items():
            where = (*path, "rows" if table else "points", row)
            yield from unknown(where, experiment, trained, "no such experiment")
        yield from unknown((*path, "against"), shown.against, trained, "no such experiment")
        yield from unknown((*path, "metric"), shown.metric, METRICS.names(), "no such metric")
        if table:
            of = shown.claims_of
            yield from unknown((*path, "claims_of"), of, config.tables, "no such table")
            if of == id:
                text = "no effect: claims of its own are judged on its own rows"
                yield against((*path, "claims_of"), of, text)
            for place, row in enumerate(shown.bold):
                yield from unknown((*path, "bold", place), row, shown.rows, "not a row of it")
        else:
            for value, split in shown.splits.items():
                yield from unknown((*path, "splits", value), split, splits, "no such split")
                first = next(v for v, s in shown.splits.items() if s == split)
                if value != first:
                    yield against((*path, "splits", value), split, f"{first} shows it already")
            yield from unknown((*path, "of"), shown.of, config.experiments, "no such experiment")
        if set(shown.data) <= set(config.data):
            yield from _fits(config, path, shown, splits)


def _fits(
    config: Config, path: tuple, shown: Table | Curve, splits: Iterable[str]
) -> Iterator[Problem]:
    """Whether the data sets, the metric and the students of a table belong together."""
    families = {config.family(data) for data in shown.data}
    if len(families) > 1:
        yield against((*path, "data"), list(shown.data), "ratings and images in one table")
        return
    (family,) = families
    if shown.seeds and family == "ratings":
        text = "the seeds of ratings train together: set seeds of the data set"
        yield against((*path, "seeds"), shown.seeds, text)
    if isinstance(shown, Curve) and shown.costs and family != "ratings":
        yield against((*path, "costs"), shown.costs, "costs are counted of ratings alone")
    for data in shown.data:
        split = shown.split or config.default_split(data)
        yield from unknown((*path, "split"), split, splits, "no such split")
        first = config.protocols.get(config.parts(split)[0], {})
        if first and (first["kind"] == "given") != (family == "images"):
            text = f"data set {data} of {family} cannot be cut by {split}"
            yield against((*path, "data"), data, text)
    if shown.metric in METRICS.names() and METRICS.get(shown.metric).family != family:
        yield against((*path, "metric"), shown.metric, f"this metric is not for {family}")
    for row, id in shown.named.items():
        if id not in config.experiments and not config.is_teacher(id):
            continue
        if config.family_of(id) != family:
            text = f"{id} trains {config.experiment(id).student}, which is not for {family}"
            yield against((*path, "rows", row), id, text)
