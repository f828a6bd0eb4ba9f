"""What the jobs of a run read and run: the part of the rules that is no rule."""

import os
from collections.abc import Iterable, Mapping
from math import ceil
from pathlib import Path
from typing import Any

from talking_models.config import Config
from talking_models.data import DATA
from talking_models.data.base import ALL, DataSettings
from talking_models.data.names import TRAIN_SLICES
from talking_models.methods import METHODS
from talking_models.metrics import METRICS
from talking_models.models import MODELS
from talking_models.models.images import PARTS
from talking_models.plan.settings import Settings
from talking_models.tuning.space import grid, spaces

LARGE = ("10m", "20m", "25m", "32m")  # MovieLens variants
DAY = 1440  # minutes; more many clusters give no job


def megabytes(input: Any) -> int:
    """The size of what a job reads; 0 where it is not there yet."""
    files = [Path(str(path)) for path in input]
    return sum(path.stat().st_size for path in files if path.is_file()) // 1_000_000


def _minutes(job: Mapping[str, Any], steps: int) -> int:
    return ceil(steps * job["training"]["batch_size"] / 256 * 0.15 / 60)


class Jobs(Settings):
    """A configuration as the rules of data, training and evaluation see it."""

    def __init__(self, config: Config, given: Mapping[str, Any] | None = None) -> None:
        super().__init__(config, given)
        device = config.device
        # The environment and container of image jobs. `auto` is the CPU's: its packages use a GPU
        # that they find, but a cluster must be told.
        self.image_step = f"vision-{device.accelerator.replace('auto', 'cpu')}"
        self.image_environment = f"../../envs/{self.image_step}.yaml"  # from a rule's file
        self.image_threads = device.threads + device.workers  # of a job on one device

    # Data

    def data(self, data: str) -> dict[str, Any]:
        """The settings of a data set, as its kind takes them. Which tasks are taken is no matter
        of reading it: a configuration with fewer finds it read.
        """
        entry = self.config.data[data]
        settings = entry.model_dump(exclude=DataSettings.model_fields.keys() - {"kind"})
        return settings | {"tasks": {"by": entry.tasks.by}}

    def files(self, data: str) -> list[str]:
        """Files of the user's that a data set is read from."""
        return self.config.kind(data).files(self.data(data))

    def tasks(self, data: str) -> dict[str, Any]:
        """How tasks are found, and their ids with their names; `all`, for teachers, is first."""
        by = self.config.data[data].tasks.by
        return {"by": by, "tasks": {ALL: ALL, **self.config.tasks(data)}}

    def memory_of_ratings(self, wildcards: Any, input: Any, attempt: int) -> int:
        """MB. Measured: 170 for 100k, 620 for 5 million (40 MB of Parquet); TensorFlow: 1,000."""
        data = self.config.data.get(getattr(wildcards, "data", ""))
        large = getattr(data, "variant", None) in LARGE
        return attempt * max(6_000 if large else 1_500, 40 * megabytes(input))

    @staticmethod
    def memory_of_training(wildcards: Any, input: Any, attempt: int) -> int:
        """MB. Measured: 980 MB for 100k, whose slices are a megabyte."""
        return attempt * max(2_000, 1_500 + 60 * megabytes(input))

    def minutes_of_training(self, wildcards: Any, attempt: int) -> int:
        """For all seeds. Measured: 50 ms a step of 256 rows and model for TD with three rounds in
        float32, the most there is; thrice that, as machines differ.
        """
        job = self.training_config(wildcards)
        return min(DAY, attempt * (10 + _minutes(job, job["training"]["steps"] * job["seeds"])))

    def minutes_of_search(self, wildcards: Any, attempt: int) -> int:
        """For all trials, or the teachers of its folds. One that is ended goes on."""
        job = self.untuned(wildcards.experiment, wildcards.data)
        search, tasks = self.search(wildcards), self.searched_tasks(wildcards)["on"]
        steps = search["steps"] or job["training"]["steps"]
        models = search["trials"] * search["folds"] * search["seeds"] * len(tasks)
        return min(DAY, attempt * (10 + _minutes(job, steps * models)))

    @property
    def own_files(self) -> list[str]:
        """What jobs read that the configuration, or TFDS_DATA_DIR, names: files and folders."""
        config = self.config
        found = [file for data in config.data for file in self.files(data)]
        for id, entry in config.models.items():
            found += filter(None, [entry.file])
            found += self.weights(id) if config.model_kind(id).family == "images" else ()
        return [*found, *config.plugins, *filter(None, [os.environ.get("TFDS_DATA_DIR")])]

    # Code: modules, for fingerprints

    def code_of_data(self, *data: str) -> list[str]:
        """What data sets are read with."""
        return [DATA.module(self.config.data[id].kind) for id in data]

    def code_of_models(self, *models: str) -> list[str]:
        """What models are built with."""
        kinds = {self.config.models[model].kind for model in models}
        return [MODELS.module(kind) for kind in sorted(kinds)]

    def training_code(self, experiment: str, *data: str) -> list[str]:
        """A training job's: its method's, its models', those that read images."""
        config, student = self.config, self.config.experiment(experiment).student
        images = config.family_of(experiment) == "images"
        teachers, peers = config.teachers_of(experiment), config.peers_of(experiment)
        return [
            f"talking_models.training.{'images' if images else 'ratings'}",
            METHODS.module(config.runs(experiment)),
            *self.code_of_models(student, *teachers, *peers),
            *(self.code_of_data(*data) if images else ["talking_models.changes"]),
        ]

    def search_code(self, module: str, data: str, experiment: str) -> list[str]:
        """A search's: its own, `jobs`, or what scores in it: `folds`, or `images`."""
        images = self.config.family(data) == "images"
        return [
            f"talking_models.tuning.{'images' if images else module}",
            *(["talking_models.tuning.space"] if module != "folds" else ()),
            *self.training_code(experiment, *([data] if images else ())),
        ]

    def evaluation_code(self, data: str, experiment: str) -> list[str]:
        """An evaluation's."""
        images = self.config.family(data) == "images"
        return [
            f"talking_models.evidence.predict{'_images' if images else ''}",
            *self.code_of_models(
                self.config.experiment(experiment).student,
                *(self.config.teachers_of(experiment)[:1] if images else ()),
            ),
            *(self.code_of_data(data) if images else ()),
            *self.metric_code(self.config.metrics_of(data)),
        ]

    @staticmethod
    def metric_code(names: Iterable[str]) -> list[str]:
        """That of metrics."""
        return [METRICS.module(name) for name in names]

    # Images

    def device(self, devices: int = 1) -> dict[str, int]:
        """The resources of an image job: of a cluster those that it asks for its devices. Its
        processes that prepare images are one, too, as no result depends on them.
        """
        kind = {"cuda": "gpu", "tpu": "tpu"}.get(self.config.device.accelerator)
        return {"workers": self.config.device.workers, **({kind: devices} if kind else {})}

    def backbone(self, model: str) -> str:
        """The file of the pre-trained weights that a model starts from, its own or another's."""
        return self.path("models", f"{self.config.whole_of(model)}.safetensors")

    def weights(self, model: str) -> list[str]:
        """The file that those weights come from; none where they are random."""
        weights = self.config.models[model].weights
        if weights == "random":
            return []
        return [f"data/weights/{model}.safetensors" if weights == "hub" else weights]

    # Training

    def model_files(
        self, data: str, split: str, task: str, id: str, seed: int | str = 0
    ) -> list[str]:
        """The files of a model: an experiment's own, of a task; a teacher's, which comes trained or
        has learnt from all that a split is a share of, or, of images, is weights and what gives
        them the classes. One of ratings holds all seeds.
        """
        config, place = self.config, (data, split, task, id)
        if id in config.models:
            place = (data, self.of_all_rows(split), ALL, id)
            if file := config.models[id].file:
                return [file]
        if config.family(data) == "ratings":
            return [self.path(*place, "models.safetensors")]
        if id in config.trained:
            return [self.path(*place, f"seed{seed}", "models.safetensors")]
        return [self.backbone(id), self.path(*place, "probe.safetensors")]

    def rows_of_all(self, data: str, split: str) -> list[str]:
        """The training rows of all tasks, which teachers have and folds are cut from; those that
        a share is drawn from.
        """
        place = self.path(data, self.of_all_rows(split), ALL, "slices")
        return [f"{place}/{slice}.parquet" for slice in TRAIN_SLICES]

    def teachers(self, wildcards: Any) -> list[str]:
        """The teachers that a training job on ratings reads, in the order of its config.

        Snakemake asks this before any job runs: a contradiction of the job's settings ends it here.
        """
        self.training_config(wildcards)
        place = (wildcards.data, wildcards.split, ALL)
        names = self.config.teachers_of(wildcards.experiment)
        return [file for name in names for file in self.model_files(*place, name)]

    def keeps_states(self, teacher: str, training: Mapping[str, Any]) -> bool:
        """Whether a teacher's states on the training images are kept, for a training like this."""
        whole = training["smallest_area"] == 1 and not training["shift"]
        return (
            whole and self.config.device.states_gb > 0 and self.config.models[teacher].kind == "vit"
        )

    def image_inputs(self, wildcards: Any) -> dict[str, str | list[str]]:
        """What a training job on images reads beside its slices: the weights that the student
        starts from, and for each teacher its own, and what gives it the classes.
        """
        w = wildcards
        return self.image_files(w.data, w.split, w.experiment, int(w.seed))

    def image_search_inputs(self, wildcards: Any) -> dict[str, str | list[str]]:
        """What a search on images reads beside slices: what a training job reads."""
        self.check_trial(wildcards)
        return self.image_files(wildcards.data, wildcards.split, wildcards.experiment)

    def image_trials(self, wildcards: Any) -> int:
        """How many settings a search on images tries."""
        data, id = wildcards.data, wildcards.experiment
        choose = self.config.experiment(id).choose
        listed = self.search(wildcards)["trials"] if self.varies(data, id) else 1
        return len(grid(choose)) if choose else listed

    def varies(self, data: str, experiment: str) -> bool:
        """Whether an experiment has settings of its method's that a search can vary."""
        config, job = self.config, self.untuned(experiment, data)
        found = spaces(job, config.own(experiment), training=False)
        return bool(config.experiment(experiment).choose) or any(found.values())

    def image_files(
        self, data: str, split: str, experiment: str, seed: int = 0
    ) -> dict[str, str | list[str]]:
        """See `image_inputs`."""
        training = self.effective(data, split, ALL, experiment)["training"]
        config, place = self.config, (data, split, ALL)
        found: dict[str, str | list[str]] = {
            "backbone": self.backbone(config.experiment(experiment).student)
        }
        seed = self.seed_that_teaches(seed)
        for number, teacher in enumerate(config.teachers_of(experiment)):
            files = self.model_files(*place, teacher, seed)
            found |= dict(zip((f"teacher{number}", f"probe{number}"), files, strict=False))
            if self.keeps_states(teacher, training):
                own = self.path(*place, teacher) + f"/seed{seed}" * config.is_teacher(teacher)
                flip = int(training["flip"])
                found[f"states{number}"] = [f"{own}/states{flip}/{part}.npy" for part in PARTS]
        return found

    def seed_that_teaches(self, seed: int) -> int:
        """The seed of the teachers of images whose student has this one."""
        return seed if self.config.teacher_seed == "paired" else 0

    # Evaluation

    def first_teacher(self, wildcards: Any) -> tuple[dict[str, Any] | None, list[str]]:
        """The form and the files of the teacher that a student of images is held beside; none, if
        it has none.
        """
        w, teachers = wildcards, self.config.teachers_of(wildcards.experiment)
        if not teachers:
            return None, []
        seed = self.seed_that_teaches(int(w.seed))
        files = self.model_files(w.data, w.split, ALL, teachers[0], seed)
        return self.config.form(teachers[0]), files

    def seeds_on(self, split: str) -> list[int] | None:
        """The seeds that a split is for: one, of a draw, else None: all; a teacher has all."""
        draw = self.config.protocols[split].get("draw")
        return None if draw is None else [draw]

    def models_of(self, data: str, tasks: Iterable[str], wildcards: Any) -> list[str]:
        """The models of an experiment of ratings, one file for each task, or one teacher's."""
        place, id = (data, wildcards.split), wildcards.experiment
        files = [file for task in tasks for file in self.model_files(*place, task, id)]
        return list(dict.fromkeys(files))
