"""The configuration: every key with its default, its range and its meaning.

These models are the one source of the defaults, of `workflow/schemas/config.schema.json` and of the
key table in `config/README.md` (see `talking_models.config.docs`). Snakemake reads them while it
builds its DAG, so nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field, SerializeAsAny, ValidationError, field_validator, model_validator

from talking_models import registry
from talking_models.changes import changed
from talking_models.config.check import problems
from talking_models.config.errors import ConfigError, explain
from talking_models.config.merge import merged_files
from talking_models.config.sections import (
    Curve,
    Device,
    Entries,
    Experiment,
    OfDataKind,
    OfModelKind,
    Search,
    Split,
    Table,
    shown_alone,
)
from talking_models.data import DATA
from talking_models.data.base import ALL, DataKind, DataSettings
from talking_models.data.names import slug, title_tokens
from talking_models.methods import METHODS, Method, among
from talking_models.models import MODELS
from talking_models.models.kind import ModelKind, ModelSettings
from talking_models.strict import Precision, Strict, against, raise_all

__all__ = ["Config", "ConfigError", "load", "read"]


class Config(Strict):
    """Everything that a run depends on; made by `load` or `read`, which also check all ids."""

    results: str = Field(
        "results",
        pattern=r"^[\w ./-]*\w[\w ./-]*$",
        description="Folder of everything that a run makes, but for the data in canonical form.",
    )
    containers: str = Field(
        "localhost/talking-models",
        pattern=r"^[\w.-]+(:\d+)?(/[\w.-]+)*$",
        description="Registry and folder of the container images, for `--sdm apptainer` alone.",
    )
    plugins: tuple[str, ...] = Field(
        (),
        strict=False,
        description="Folders with methods, metrics, data kinds and model kinds of your own: each "
        "Python file in them is one.",
    )
    seeds: int = Field(5, ge=1, description="Runs of each cell, with the seeds 0 to n-1.")
    teacher_seed: Literal["paired", "first"] = Field(
        "paired",
        description="Which of the teacher's models teaches the student of seed i: that of seed i, "
        "or the first, for all.",
    )
    precision: Precision = Field(
        "auto",
        description="Of the matrix products of final training on ratings, see `search.precision`.",
    )
    device: Device = Field(default_factory=Device, description="What image jobs run on.")
    tuning: Literal["none", "committed", "search"] = Field(
        "committed",
        description="Where tuned settings come from: nowhere (what stands here serves all "
        "methods), the folder `tuned`, or a search in this run.",
    )
    tuned: str = Field(
        "config/tuned",
        min_length=1,
        description="The committed choices, one file for each data set and experiment, relative "
        "to the repository root.",
    )
    search: Search = Field(default_factory=Search, description="The search for settings.")
    trial: bool = Field(
        False, description="Whether this run only tries the workflow out: every page then says so."
    )
    paper: str | None = Field(
        None,
        description="What is known of the paper's tables: a file with its names of our tasks.",
    )
    claims: str | None = Field(
        None, description="The paper's claims, to be judged: a file; null: there are none."
    )
    data: Entries[Annotated[SerializeAsAny[DataSettings], OfDataKind]] = Field(
        {}, description="Data sets."
    )
    splits: Entries[Split] = Field({}, description="Ways to cut them.")
    models: Entries[Annotated[SerializeAsAny[ModelSettings], OfModelKind]] = Field(
        {}, description="Students and teachers."
    )
    experiments: Entries[Experiment] = Field({}, description="A method, a student, its teachers.")
    tables: Entries[Table] = Field({}, description="Tables.")
    curves: Entries[Curve] = Field({}, description="Curves.")

    @model_validator(mode="before")
    @classmethod
    def _without_what_shows_nothing(cls, given: Any) -> Any:
        return shown_alone(given) if isinstance(given, Mapping) else given

    @field_validator("results")
    @classmethod
    def _as_targets_say_it(cls, folder: str) -> str:
        path = Path(folder)
        file = next((each for each in (path, *path.parents) if each.is_file()), None)
        if file is not None:
            raise ValueError(f"{file} is a file, and no folder")
        return str(PurePosixPath(folder))  # `./out/` is `out`

    @model_validator(mode="after")
    def _curves_make_experiments(self) -> Config:
        wrong = []
        for id, curve in self.curves.items():
            base = self.experiments.get(curve.of)
            points = dict(curve.points)
            for key, values in curve.over.items() if base else ():
                for place, value in enumerate(values):
                    made = f"{id}-{'-'.join(title_tokens(str(value))) or 'none'}"
                    if made in self.experiments:
                        text = f"its experiment {made} is there already, give the curve another id"
                        wrong.append(against(("curves", id, "over", key, place), value, text))
                        continue
                    like = {"like": base.like or curve.of, "choose": {}}
                    settings = {**(base.settings if base.like else {}), key: value}
                    self.experiments[made] = base.model_copy(update={**like, "settings": settings})
                    points[str(value)] = made
            self.curves[id] = curve.model_copy(update={"points": points})
        raise_all(wrong or problems(self))
        return self

    # Data sets and their tasks

    def kind(self, data: str) -> type[DataKind]:
        """The kind of a data set."""
        return DATA.get(self.data[data].kind)

    def family(self, data: str) -> str:
        """Whether a data set is of `ratings` or `images`."""
        return self.kind(data).family

    def name_of(self, data: str) -> str:
        """A data set's name on pages."""
        return self.data[data].name or data

    def tasks(self, data: str) -> dict[str, str | None]:
        """The tasks of a data set, by id: their names, None where the data decides.

        The task of all rows is among them only if there is no other.
        """
        tasks = self.data[data].tasks
        if tasks.densest:
            return {f"densest-{k + 1}": None for k in range(tasks.densest)}
        return {slug(name): name for name in tasks.names} or {ALL: ALL}

    def seeds_of(self, data: str, shown: Table | Curve | None = None) -> int:
        """How many seeds a data set's students have, or how many of them a table or curve shows."""
        seeds = self.data[data].seeds or self.seeds
        return min(seeds, (shown and shown.seeds) or seeds)

    @property
    def protocols(self) -> dict[str, dict[str, Any]]:
        """What jobs are told of a split, by its id in paths."""
        found = (split.protocols(id) for id, split in self.splits.items())
        return {id: protocol for part in found for id, protocol in part.items()}

    def parts(self, split: str) -> list[str]:
        """The ids in paths that a split makes: itself, or its windows or draws."""
        return [*self.splits[split].protocols(split)] if split in self.splits else [split]

    def served_by(self, split: str, *, last: bool) -> str:
        """The one of a split's parts whose searches serve another split: of draws the first, of
        windows that or the last.
        """
        parts, whole = self.parts(split), self.splits.get(split)
        return parts[-1 if last and whole and whole.windows else 0]

    @property
    def wholes(self) -> dict[str, str]:
        """The split that each id in paths is a part of, or is."""
        return {part: id for id in self.splits for part in self.parts(id)}

    def default_split(self, data: str) -> str:
        """The split of a data set where nothing else is said."""
        default = {"ratings": "latest", "images": "given"}[self.family(data)]
        return self.data[data].split or default

    def columns(self, shown: Table | Curve) -> list[tuple[str, str, str]]:
        """The columns of a table or curve, data, split, task id; those of all windows or draws of
        a split, which are one column where they are shown.
        """
        own = getattr(shown, "splits", {}).values()
        return [
            (data, part, task)
            for data in shown.data
            for split in own or [shown.split or self.default_split(data)]
            for part in self.parts(split)
            for task in evenly(list(self.tasks(data)), shown.tasks)
        ]

    def metric_of(self, shown: Table | Curve) -> str:
        """The metric of a table or curve."""
        return shown.metric or {"ratings": "rmse", "images": "accuracy"}[self.family(shown.data[0])]

    @property
    def shown(self) -> dict[str, Table | Curve]:
        """Tables and curves by their ids, of which none is of both."""
        return {**self.tables, **self.curves}

    def metrics_of(self, data: str) -> list[str]:
        """All metrics that a data set is evaluated by."""
        found = [self.metric_of(each) for each in self.shown.values() if data in each.data]
        return list(dict.fromkeys(found))

    # Models, methods, experiments

    def model_kind(self, model: str) -> type[ModelKind]:
        """The kind of a model."""
        return MODELS.get(self.models[model].kind)

    def whole_of(self, model: str) -> str:
        """The model whose pre-trained weights one starts from: another, or itself."""
        return getattr(self.models[model], "of", None) or model

    @property
    def trained(self) -> list[str]:
        """All that jobs train, by id: teachers that are trained here, and experiments."""
        return [*filter(self.is_teacher, self.models), *self.experiments]

    def is_teacher(self, id: str) -> bool:
        """Whether an id is a model that is trained here, and no experiment."""
        return id in self.models and self.models[id].on is not None

    def experiment(self, id: str) -> Experiment:
        """An experiment; a teacher is one of training from scratch, its own student."""
        if self.is_teacher(id):
            return Experiment(method="scratch", student=id)
        return self.experiments[id]

    def family_of(self, id: str) -> str:
        """Whether an experiment or teacher trains on `ratings` or `images`."""
        return self.model_kind(self.experiment(id).student).family

    def method(self, id: str) -> type[Method]:
        """The method of an experiment or teacher, as it is asked for."""
        return METHODS.get(self.experiment(id).method)

    def teachers_of(self, id: str) -> tuple[str, ...]:
        """The models that teach in an experiment; none if its method has no teacher."""
        found = self.experiment(id)
        of = found.teachers if self.method(id).has_teacher else ()
        return tuple(teacher for teacher in of if found.weights.get(teacher, 1))

    def teacher_seed_of(self, id: str) -> str:
        """Which of a teacher's models teach in an experiment."""
        return self.experiment(id).teacher_seed or self.teacher_seed

    def peers_of(self, id: str) -> tuple[str, ...]:
        """The models that learn beside the student of an experiment."""
        found = self.experiment(id)
        return tuple(peer for peer in found.peers if found.weights.get(peer, 1))

    def runs(self, id: str) -> str:
        """The method that its jobs run, whose settings are its: that of several has others."""
        return among(self.experiment(id).method, self.teachers_of(id), self.peers_of(id))

    def alone(self, id: str) -> bool:
        """Whether nobody else is in an experiment than its student."""
        return not self.teachers_of(id) and not self.peers_of(id)

    def own(self, id: str) -> dict[str, Any]:
        """What an experiment itself says of `training` and `settings`."""
        found = self.experiment(id)
        return {"training": found.training, "settings": found.settings}

    def lineage(self, id: str) -> list[str]:
        """The experiment that one is like, if there is one, and itself."""
        return [*filter(None, [self.experiment(id).like]), id]

    def starts_from(self, id: str) -> list[str]:
        """The experiments whose tuned settings one takes: those it is like, and its own."""
        like = self.experiment(id).like
        return [*filter(None, [like]), *([id] if self.has_search(id) else [])]

    def has_search(self, id: str) -> bool:
        """Whether a search chooses something for an experiment or teacher: not for what stays
        random. For an ablation on ratings it chooses at least for how many steps it trains, unless
        it says that, or lacks a teacher of what it is like, or has a further one that is not
        trained here, and so not on the folds of a search.
        """
        found = self.experiment(id)
        student = self.models[found.student].training
        if found.training.get("steps", getattr(student, "steps", None)) == 0:
            return False
        if found.chooses:
            return True
        others, all_of = self.teachers_of(found.like), self.teachers_of(id)
        further = [teacher for teacher in all_of if teacher not in others]
        alike = {*others} <= {*all_of} and all(map(self.is_teacher, further))
        return self.family_of(id) == "ratings" and alike and "steps" not in found.training

    def searched(self, data: str) -> list[str]:
        """The experiments that a search of a set of ratings chooses settings for, teachers first.

        Of images each is searched by name, and its choice committed (config/vision-cpu.yaml).
        """
        if self.family(data) != "ratings":
            return []
        wanted = [
            id for id in self.experiments if self.family_of(id) == "ratings" and self.has_search(id)
        ]
        return [*self.searched_teachers(wanted), *wanted]

    def searched_teachers(self, ids: Iterable[str]) -> list[str]:
        """The teachers of some experiments that a search chooses settings for."""
        found = dict.fromkeys(teacher for id in ids for teacher in self.teachers_of(id))
        return [id for id in found if self.is_teacher(id) and self.has_search(id)]

    def training_job(
        self, id: str, data: str, choices: Mapping[str, Mapping[str, Any]] | None = None
    ) -> dict[str, Any]:
        """The effective config of one training job of an experiment or teacher, but for an image
        job's seed.

        Later ones win: the method's defaults, the student's entry; then, of an experiment that it
        is like and of itself, what tuning chose (`choices`, by experiment) and what the experiment
        itself says.
        """
        model, method = self.experiment(id).student, self.runs(id)
        config = {
            "method": method,
            "settings": METHODS.get(method).Settings().model_dump(mode="json"),
            "training": self.models[model].training.model_dump(mode="json"),
            "model": model,
            "student": self.form(model),
            "teachers": {teacher: self.form(teacher) for teacher in self.teachers_of(id)},
        }
        if self.family(data) == "ratings":
            config |= {"seeds": self.seeds_of(data), "precision": self.precision}
        else:
            config["device"] = self.device.of_results()
        if config["teachers"]:
            config["teacher_seed"] = self.teacher_seed_of(id)
        if peers := self.peers_of(id):
            config["peers"] = {peer: self.form(peer) for peer in peers}
        if len(others := (*config["teachers"], *peers)) > 1:
            given = self.experiment(id).weights
            config["weights"] = {other: given.get(other, 1.0) for other in others}
        for other in self.lineage(id):
            config = changed(config, (choices or {}).get(other, {}), self.own(other))
        return config

    def form(self, model: str, *, probe: bool = False) -> dict[str, Any]:
        """What a model is, without where and how it is trained; with its probe if asked for."""
        entry, others = self.models[model], {"on", "training", "file", "origin"}
        own = entry.model_dump(mode="json", exclude=others if probe else others | {"probe"})
        other = self.whole_of(model)
        whole = self.form(other, probe=probe) if other != model else {}
        return own | {key: whole[key] for key in whole.keys() - entry.model_fields_set}


def evenly(names: Sequence[str], most: int | None) -> list[str]:
    """At most so many of some names, the first and the last among them if there is more than one.

    >>> evenly("abcdefgh", 4)
    ['a', 'c', 'f', 'h']
    """
    if most is None or len(names) <= most:
        return list(names)
    step = (len(names) - 1) / max(most - 1, 1)
    return [names[round(place * step)] for place in range(most)]


def load(raw: Mapping[str, Any]) -> Config:
    """Validate merged configuration files, such as Snakemake's `config`; a `ConfigError` lists
    every problem with its key path, what was found, what is allowed and the nearest known name.
    """
    try:
        folders = raw.get("plugins")
        folders = folders if isinstance(folders, list | tuple) else []
        folders = [each for each in folders if isinstance(each, str)]
        registry.use(folders)
        for folder in folders:
            if not any(Path(folder).glob("*.py")):
                raise registry.PluginError(f"plugins: there is no Python file in {folder}")
        return Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(explain(error)) from None
    except registry.PluginError as error:
        raise ConfigError(f"the configuration has 1 problem:\n  {error}") from error


def read(*paths: Any) -> Config:
    """Load configuration files without Snakemake, later ones on top of earlier ones."""
    return load(merged_files(*paths))
