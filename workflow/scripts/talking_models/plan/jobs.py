"""What the jobs of a run are told, and what they read: the part of the rules that is no rule.

Snakemake asks this while it builds its DAG, so nothing here imports torch or reads data.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from talking_models.config import Config, ConfigError
from talking_models.config.check import of_job
from talking_models.config.choices import Choice, read_choice, unless_set
from talking_models.config.merge import said
from talking_models.data import DATA
from talking_models.data.base import ALL
from talking_models.methods import METHODS
from talking_models.metrics import METRICS
from talking_models.models import MODELS

log = logging.getLogger(__name__)

LARGE = ("10m", "20m", "25m", "32m")  # MovieLens variants


def _megabytes(input: Any) -> int:
    """The size of what a job reads; 0 where it is not there yet."""
    files = [Path(str(path)) for path in input]
    return sum(path.stat().st_size for path in files if path.is_file()) // 1_000_000


class Jobs:
    """A configuration as the rules of data, training, tuning and evaluation see it.

    Args:
        config: the whole.
        given: what of it the user's own files and command line say: a tuned choice yields to that.
    """

    def __init__(self, config: Config, given: Mapping[str, Any] | None = None) -> None:
        self.config, self.given = config, given or {}
        self.root = f"{config.results}/{{data}}/{{split}}/{{task}}"
        self.said: set[str] = set()
        # Snakemake asks again and again.
        self.choice, self.effective = cache(self._choice), cache(self._effective)
        self.untuned = cache(config.training_job)

    def _say(self, text: str) -> None:
        """A remark on the configuration, once."""
        if text not in self.said:
            self.said.add(text)
            log.warning(text)

    # Data

    def data(self, data: str) -> dict[str, Any]:
        """The settings of a data set, as its kind takes them."""
        return self.config.data[data].model_dump(exclude={"name", "unit", "split", "seeds"})

    def files(self, data: str) -> list[str]:
        """Files of the user's that a data set is read from."""
        return self.config.kind(data).files(self.data(data))

    def tasks(self, data: str) -> dict[str, Any]:
        """How a data set's tasks are found, and their ids with their names."""
        by = self.config.data[data].tasks.by
        return {"by": by, "tasks": {ALL: ALL, **self.config.tasks(data)}}

    def tasks_with_all(self, data: str) -> list[str]:
        """The ids of a data set's tasks, `all` first: teachers train on it."""
        return list(self.tasks(data)["tasks"])

    def code_of_data(self, data: str) -> list[str]:
        """The modules that a data set is read with."""
        return ["talking_models.data.canonical", DATA.module(self.config.data[data].kind)]

    def memory_of_ratings(self, wildcards: Any, input: Any, attempt: int) -> int:
        """MB. Measured: 170 MB for 100k, 620 MB for 5 million ratings, which are 40 MB of Parquet;
        TensorFlow adds 1 GB.
        """
        data = getattr(wildcards, "data", "")
        large = getattr(self.config.data.get(data), "variant", None) in LARGE
        return attempt * max(6_000 if large else 1_500, 40 * _megabytes(input))

    @staticmethod
    def memory_of_training(wildcards: Any, input: Any, attempt: int) -> int:
        """MB. Measured: 980 MB for 100k, whose slices are a megabyte."""
        return attempt * max(2_000, 1_500 + 60 * _megabytes(input))

    # Images

    @property
    def image_step(self) -> str:
        """The environment and container of image jobs. `auto` is the CPU's: its packages use a GPU
        that they find, but a cluster must be told.
        """
        return f"vision-{self.config.device.accelerator.replace('auto', 'cpu')}"

    @property
    def image_environment(self) -> str:
        """Its conda environment, from a rule's file."""
        return f"../../envs/{self.image_step}.yaml"

    @property
    def image_threads(self) -> int:
        """Threads of an image job on one device."""
        return self.config.device.threads + self.config.device.workers

    def device(self, devices: int) -> dict[str, int]:
        """The resources that an image job asks of a cluster for its devices."""
        kind = {"cuda": "gpu", "tpu": "tpu"}.get(self.config.device.accelerator)
        return {kind: devices} if kind else {}

    def backbone_of(self, model: str) -> str:
        """The model whose pre-trained weights one starts from: its own, or another's."""
        return getattr(self.config.models[model], "of", None) or model

    def backbone(self, model: str) -> str:
        """The file of those weights, as all image jobs read them."""
        return f"{self.config.results}/models/{self.backbone_of(model)}.safetensors"

    def weights(self, model: str) -> list[str]:
        """The file that those weights come from; none where they are random."""
        weights = self.config.models[model].weights
        if weights == "random":
            return []
        return [f"data/weights/{model}.safetensors" if weights == "hub" else weights]

    # Training

    def has_teacher(self, experiment: str) -> bool:
        """Whether an experiment's method has a teacher."""
        return bool(self.config.teachers_of(experiment))

    def teacher_file(self, teacher: str, data: str, split: str) -> str:
        """The file of a teacher of ratings: trained here, or elsewhere."""
        place = self.root.format(data=data, split=split, task=ALL)
        return self.config.models[teacher].file or f"{place}/{teacher}/models.safetensors"

    def code_of_model(self, model: str) -> list[str]:
        """The modules that a model of images is built with."""
        return ["talking_models.models.weights", MODELS.module(self.config.models[model].kind)]

    def teachers(self, wildcards: Any) -> list[str]:
        """The teachers that a training job on ratings reads, in the order of its config.

        Snakemake asks this before any job runs: a contradiction of the job's settings ends it here.
        """
        self.training_config(wildcards)
        names = self.config.teachers_of(wildcards.experiment)
        return [self.teacher_file(name, wildcards.data, wildcards.split) for name in names]

    def image_inputs(self, wildcards: Any) -> dict[str, str]:
        """What a training job on images reads beside its slices: the weights that the student
        starts from, and for each teacher its own, and what gives it the classes.
        """
        self.training_config(wildcards)
        experiment, place = wildcards.experiment, self.root.format(**dict(wildcards, task=ALL))
        found = {"backbone": self.backbone(self.config.student_of(experiment))}
        seed = wildcards.seed if self.config.teacher_seed == "paired" else 0
        for number, teacher in enumerate(self.config.teachers_of(experiment)):
            if self.config.is_teacher(teacher):
                found[f"teacher{number}"] = f"{place}/{teacher}/seed{seed}/models.safetensors"
            else:
                found[f"teacher{number}"] = self.backbone(teacher)
                found[f"probe{number}"] = f"{place}/{teacher}/probe.safetensors"
        return found

    def training_config(self, wildcards: Any) -> dict[str, Any]:
        """The effective settings of a training job, but for what a search in this run chooses.

        Raises:
            ConfigError: they contradict each other, or there is no choice for the task.
        """
        w = wildcards
        config = self.effective(w.data, w.split, w.task, w.experiment)
        return config | ({"seed": int(w.seed)} if hasattr(w, "seed") else {})

    def _effective(self, data: str, split: str, task: str, experiment: str) -> dict[str, Any]:
        self._check(experiment, data)
        choices = self._committed(data, split, task, experiment)
        config = self.config.training_job(experiment, data, choices)
        if wrong := of_job(self.config, experiment, config):
            self._say(f"{experiment} on {task} of {data}, as it was tuned: {wrong}")
        return config

    def _check(self, experiment: str, data: str) -> None:
        """Refuse what the configuration itself says, if it contradicts itself."""
        wrong = of_job(self.config, experiment, self.untuned(experiment, data))
        if wrong:
            raise ConfigError(
                f"experiments.{experiment}, with models.{self.config.student_of(experiment)}."
                f"training: {wrong}: change one of them, or switch off (`~`) the experiment and "
                "its rows in tables"
            )

    def own(self, experiment: str) -> list[dict[str, Any]]:
        """What the experiments that one starts from, and itself, say: a job lays each on what a
        search in this run chose for it.
        """
        names = dict.fromkeys([*self.config.starts_from(experiment), experiment])
        return [self.config.own(name) for name in names]

    def training_code(self, experiment: str, data: str | None = None) -> list[str]:
        """The modules of a training job: its method's, its models', those that read images."""
        config = self.config
        student = config.student_of(experiment)
        kinds = {config.models[m].kind for m in (student, *config.teachers_of(experiment))}
        family = config.model_kind(student).family
        more = ["talking_models.changes"] if family == "ratings" else self.code_of_images(data)
        return [
            f"talking_models.training.{family}",
            METHODS.module(config.method_of(experiment)),
            *(MODELS.module(kind) for kind in sorted(kinds)),
            *more,
        ]

    def code_of_images(self, data: str | None) -> list[str]:
        """The module that the images of a data set are read with, in each job that sees them."""
        return [DATA.module(self.config.data[data].kind)] if data else []

    # Tuning

    def _choice(self, data: str, split: str, experiment: str) -> Choice | None:
        """The committed choice for an experiment, if it was made on this data and split."""
        config = self.config
        if config.tuning != "committed":
            return None
        found = read_choice(Path(config.tuned, data, f"{experiment}.yaml"))
        if found is None:
            return None
        for word, now in self.basis(data, split).items():
            then = found.about.get(word)
            if then != now:
                self._say(
                    f"{config.tuned}/{data}/{experiment}.yaml is not used for {data} cut by "
                    f"{split}: it was chosen for the {word} {then}, not {now}"
                )
                return None
        return found

    def basis(self, data: str, split: str) -> dict[str, Any]:
        """What a choice was made on."""
        entry = self.config.data[data].model_dump(mode="json")
        return {
            "data": self.config.kind(data).identity(entry),
            "split": self.config.protocols[split],
        }

    def _committed(self, data: str, split: str, task: str, experiment: str) -> dict[str, Any]:
        """The committed choices for one job, but for what the user's own files say."""
        choices = {}
        for id in self.config.starts_from(experiment):
            choice = self.choice(data, split, id)
            if choice is None:
                continue
            if task not in choice.chosen:
                raise ConfigError(
                    f"{self.config.tuned}/{data}/{id}.yaml has no choice for the task {task!r}, "
                    f"only for {', '.join(choice.chosen)}: search with these tasks (`tuning: "
                    "search`), or do without (`tuning: none`)"
                )
            now, given = self.untuned(id, data), self._given(id)
            left, kept = unless_set(choice.chosen[task], now, choice.begun, given)
            if kept:
                self._say(
                    f"what your configuration says of {', '.join(kept)} wins over the choices in "
                    f"{self.config.tuned}/{data}"
                )
            choices[id] = left
        return choices

    def _given(self, experiment: str) -> dict[str, Any]:
        """What the user's own files say of an experiment's training and settings."""
        own = said(self.given, "models", self.config.student_of(experiment), "training")
        training = said(self.given, "experiments", experiment, "training")
        settings = said(self.given, "experiments", experiment, "settings")
        return {"training": {**(own or {}), **(training or {})}, "settings": settings or {}}

    def tuned(self, data: str, split: str, experiment: str) -> bool:
        """Whether an experiment's settings were chosen for this data, by whatever search."""
        if self.config.tuning == "search":
            return self.config.family(data) == "ratings"
        names = self.config.starts_from(experiment)
        return all(self.choice(data, split, id) is not None for id in names)

    def tuning_place(self, data: str, split: str) -> str:
        """The folder of the searches on a data set."""
        return f"{self.config.results}/{data}/{split}/tuning"

    def chosen(self, wildcards: Any) -> list[str]:
        """The files of a search in this run that say what it chose for an experiment."""
        if self.config.tuning != "search":
            return []
        place = self.tuning_place(wildcards.data, wildcards.split)
        names = self.config.starts_from(wildcards.experiment)
        return [f"{place}/{id}/chosen.yaml" for id in names]

    def search(self, experiment: str) -> dict[str, Any]:
        """How one experiment is searched; an ablation keeps its steps."""
        search = self.config.search.model_dump()
        steps = search.pop("teacher_steps")
        if self.config.is_teacher(experiment):
            search["steps"] = steps
        elif self.config.experiments[experiment].choose:
            search |= {"steps": None, "every": None}
        return search

    def search_inputs(self, wildcards: Any) -> dict[str, list[str]]:
        """What a search reads of the searches before it."""
        config, experiment = self.config, wildcards.experiment
        self._check(experiment, wildcards.data)
        place = self.tuning_place(wildcards.data, wildcards.split)
        like = None if config.is_teacher(experiment) else config.experiments[experiment].like
        scratch = self.scratch(wildcards.data)
        before = like or (scratch if self.has_teacher(experiment) else None)
        teachers = {
            f"teacher{number}": [
                f"{place}/{teacher}/fold{fold}.safetensors" for fold in range(config.search.folds)
            ]
            for number, teacher in enumerate(config.teachers_of(experiment))
        }
        return {**teachers, "chosen": [f"{place}/{before}/chosen.yaml"] if before else []}

    def searched_tasks(self, wildcards: Any) -> dict[str, Any]:
        """The tasks that a search trains on; a teacher's is `all`."""
        found = self.tasks(wildcards.data)
        if self.config.is_teacher(wildcards.experiment):
            return {**found, "tasks": {ALL: ALL}}
        return {**found, "tasks": self.config.tasks(wildcards.data)}

    def choose(self, experiment: str) -> dict[str, list[Any]]:
        """The few values that an ablation's search chooses from; none: it searches all settings."""
        own = self.config.is_teacher(experiment)
        return {} if own else self.config.experiments[experiment].choose

    def scratch(self, data: str) -> str | None:
        """Training from scratch, whose search also chooses what all methods share."""
        students = [id for id in self.config.searched(data) if not self.config.is_teacher(id)]
        return next((id for id in students if self.config.method_of(id) == "scratch"), None)

    def tuning_code(self, experiment: str) -> list[str]:
        """The modules of a search."""
        return [
            "talking_models.tuning.jobs",
            "talking_models.tuning.space",
            *self.training_code(experiment),
        ]

    # Evaluation

    def models_of(self, data: str, wildcards: Any) -> list[str]:
        """The models of an experiment of ratings, one file for each task, or one teacher's."""
        id, split = wildcards.experiment, wildcards.split
        if self.config.is_teacher(id):
            return [self.teacher_file(id, data, split)]
        places = (self.root.format(data=data, split=split, task=t) for t in self.config.tasks(data))
        return [f"{place}/{id}/models.safetensors" for place in places]

    def place(self, data: str, wildcards: Any) -> dict[str, str]:
        """What evidence says of where it is from."""
        id = getattr(wildcards, "experiment", None)
        return {"data": data, "split": wildcards.split, **({"experiment": id} if id else {})}

    def evaluation_code(self, data: str, experiment: str) -> list[str]:
        """The modules of an evaluation."""
        kind = self.config.models[self.config.student_of(experiment)].kind
        images = self.config.family(data) == "images"
        return [
            f"talking_models.evidence.predict{'_images' if images else ''}",
            MODELS.module(kind),
            *(self.code_of_images(data) if images else ()),
            *self.metric_code(self.config.metrics_of(data)),
        ]

    @staticmethod
    def metric_code(names: Iterable[str]) -> list[str]:
        """The modules of metrics."""
        return [METRICS.module(name) for name in names]
