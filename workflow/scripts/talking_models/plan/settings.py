"""What training and searches are told: settings that say what wins over what.

Snakemake asks this while it builds its DAG, so nothing here imports torch or reads data.
"""

import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from talking_models.changes import PARTS
from talking_models.config import Config, ConfigError, evenly
from talking_models.config.check_experiments import of_job
from talking_models.config.choices import Choice, read_choice
from talking_models.config.merge import said
from talking_models.config.sections import SplitSearch
from talking_models.data.base import ALL
from talking_models.tuning.space import grid

log = logging.getLogger(__name__)


class Settings:
    """A configuration as the rules of training and tuning see it; a tuned choice yields to what the
    user's own files and command line say (`given`).
    """

    def __init__(self, config: Config, given: Mapping[str, Any] | None = None) -> None:
        self.config, self.given = config, given or {}
        # Snakemake asks again and again, and a remark is made once.
        self.choice, self.effective = cache(self._choice), cache(self._effective)
        self.untuned, self.remark = cache(config.training_job), cache(log.warning)
        if config.tuning == "committed" and not Path(config.tuned).is_dir():
            self.remark(f"tuned: there is no folder {config.tuned}, so that nothing is tuned")

    def path(self, *parts: str) -> str:
        """A path below the results."""
        return "/".join((self.config.results, *parts))

    def training_config(self, wildcards: Any) -> dict[str, Any]:
        """The effective settings of a training job, but for what a search in this run chooses.
        `ConfigError` if they contradict each other, or there is no choice for the task.
        """
        w = wildcards
        config = self.effective(w.data, w.split, w.task, w.experiment)
        return config | ({"seed": int(w.seed)} if hasattr(w, "seed") else {})

    def _effective(self, data: str, split: str, task: str, experiment: str) -> dict[str, Any]:
        self._check_place(experiment, data, split)
        self._check(experiment, data)
        choices = self._choices(data, split, task, experiment)
        config = self.config.training_job(experiment, data, choices)
        if "draw" in self.config.protocols[split]:
            self._check_draws(experiment, data, split)
            config |= {"seeds": 1, "first_seed": self.config.protocols[split]["draw"]}
        if wrong := of_job(self.config, experiment, config):
            self.remark(f"{experiment} on {task} of {data}, as it was tuned: {wrong}")
        return config

    def _check(self, experiment: str, data: str, trial: int | None = None) -> None:
        """Refuse what the configuration itself says, if it contradicts itself: of a job, or of a
        trial with its own number of steps.
        """
        job, student = self.untuned(experiment, data), self.config.experiment(experiment).student
        where = f"models.{student}.training"
        if trial is not None:
            job = {**job, "training": {**job["training"], "steps": trial}}
            where = "the steps of a trial (search)"
        if wrong := of_job(self.config, experiment, job, f"with {where}"):
            raise ConfigError(
                f"experiments.{experiment}, with {where}: {wrong}: change one of them, or switch "
                "off (`~`) the experiment and its rows in tables"
            )

    def _check_place(self, experiment: str, data: str, split: str) -> None:
        """Refuse a job that no table shows, and that there cannot be: a target may name any."""
        config, family = self.config, self.config.family(data)
        if config.family_of(experiment) != family:
            student = config.experiment(experiment).student
            raise ConfigError(
                f"{experiment} on {data}: it trains {student}, which is not for {family}"
            )
        if (config.protocols[split]["kind"] == "given") != (family == "images"):
            raise ConfigError(f"data set {data} of {family} cannot be cut by {split}")

    def _check_draws(self, experiment: str, data: str, split: str) -> None:
        """Refuse draws for which a teacher has no model of their seed."""
        config, whole = self.config, self.config.wholes[split]
        draws, seeds = config.splits[whole].draws, config.seeds_of(data)
        paired = config.teacher_seed_of(experiment) == "paired"
        here = any(map(config.is_teacher, config.teachers_of(experiment)))
        if here and paired and draws > seeds:
            raise ConfigError(
                f"splits.{whole}: draws {draws}, each for one seed, but the teachers of {data} "
                f"have seeds {seeds}: draw as often (splits.{whole}.draws), raise seeds, or set "
                "teacher_seed to first"
            )

    def check_trial(self, wildcards: Any) -> None:
        """`ConfigError` if the settings of a search's trials contradict each other."""
        self._check_place(wildcards.experiment, wildcards.data, wildcards.split)
        search = self.search(wildcards)
        steps = search["steps"] or search.get("image_steps")
        self._check(wildcards.experiment, wildcards.data, steps)

    def own(self, experiment: str) -> list[dict[str, Any]]:
        """What the experiment that one is like, and itself, say: it wins over any search."""
        return [self.config.own(id) for id in self.config.lineage(experiment)]

    def _choice(
        self, data: str, split: str, experiment: str, *, quiet: bool = False
    ) -> Choice | None:
        """The committed choice for an experiment; where none was made on this split, that of the
        one which chooses a method's settings, and it is said, unless `quiet`, whose it is.
        """
        if self.config.tuning == "none" or self.is_searched(data):
            return None
        own, first = self.steps_from(split, experiment), self.first(split, experiment)
        if own != first and (found := self._chosen_on(data, own, experiment, quiet=True)):
            return found
        found = self._chosen_on(data, first, experiment, quiet=quiet)
        if found and own != first and not quiet:
            self.remark(
                f"on {data} cut by {split} some train as was chosen on {first}: how, and for how "
                "many steps, is best on its own rows was not searched"
            )
        return found

    def _chosen_on(self, data: str, split: str, experiment: str, *, quiet: bool) -> Choice | None:
        """A committed choice, if it was made on just this data and split; else it is said, unless
        `quiet`, that there is one which is not used.
        """
        path = self.committed(data, split, experiment)
        data = self.config.data[data].tuned_as or data
        found = read_choice(path)
        for word, now in self.basis(data, split).items() if found else ():
            then = found.about.get(word)
            if then != now:
                if not quiet:
                    self.remark(
                        f"{path} is not used for {data} cut by {split}: it was chosen for the "
                        f"{word} {then}, not {now}"
                    )
                return None
        return found

    def committed(self, data: str, split: str, experiment: str) -> str:
        """The file of a choice that was made on a split; that of one which is not the data set's
        own lies in a folder of the split's name, or is the data set's, too.
        """
        folder = f"{self.config.tuned}/{self.config.data[data].tuned_as or data}"
        own = f"{folder}/{split}/{experiment}.yaml"
        return own if Path(own).exists() else f"{folder}/{experiment}.yaml"

    def takes(self, wildcards: Any) -> list[str]:
        """The committed choice that makes a search needless, or a file that is not there, so that
        Snakemake searches.
        """
        place = wildcards.data, wildcards.split, wildcards.experiment
        there = self.config.tuning == "committed" and self._chosen_on(*place, quiet=True)
        return [self.committed(*place) if there else f"{self.config.tuned}/nothing"]

    def first(self, split: str, experiment: str) -> str:
        """The split on which the settings of methods are searched that serve another, of windows
        and draws the first; for a teacher, that of all rows.
        """
        whole = self.config.wholes[self.steps_from(split, experiment)]
        other = self.config.splits[whole].settings_on or whole
        return self.config.served_by(other, last=False)

    def settings_from(self, split: str, experiment: str) -> str:
        """The split whose search chooses what is an experiment's own: of a method's settings the
        first; what has none, training from scratch, a teacher, an ablation, is searched on each.
        """
        config, found = self.config, self.config.experiment(experiment)
        own = found.chooses and not config.alone(experiment)
        return (self.first if own else self.steps_from)(split, experiment)

    def steps_from(self, split: str, experiment: str) -> str:
        """The split whose search chooses how a student trains, and for how many steps: both depend
        on how many rows there are, so that it is the split itself, of draws the first, unless
        another serves it whole; for a teacher, that of all rows.
        """
        config = self.config
        split = self.of_all_rows(split) if config.is_teacher(experiment) else split
        whole = config.wholes[split]
        if other := config.splits[whole].tuned_on:
            return self.steps_from(config.served_by(other, last=True), experiment)
        return config.parts(whole)[0] if config.splits[whole].draws else split

    def takes_settings(self, wildcards: Any) -> bool:
        """Whether a search is for steps alone, with settings that another chose."""
        place = wildcards.split, wildcards.experiment
        return self.settings_from(*place) != wildcards.split == self.steps_from(*place)

    def of_all_rows(self, split: str) -> str:
        """The split of which one is a share, from which teachers learn and folds are cut; itself,
        if it is no share, or of none that there is.
        """
        protocols = self.config.protocols
        if protocols[split]["share"] == 1:
            return split
        whole = {key: value for key, value in protocols[split].items() if key != "draw"}
        whole["share"] = 1.0
        return next((id for id in protocols if protocols[id] == whole), split)

    def searched_for(self, experiment: str) -> list[str]:
        """The experiments whose searches choose for one, those that it takes the best of too."""
        ids = self.config.starts_from(experiment)
        for id in ids:  # which grows
            ids += [other for other in self.config.experiment(id).best_of if other not in ids]
        return ids

    def choice_files(self, data: str, split: str, experiment: str) -> dict[str, str]:
        """The files that say what a search chose for an experiment, and for those that it takes the
        best of, each with that which says the steps; none where settings were not searched.
        """
        found = {}
        for id in self.searched_for(experiment):
            whose = self.first if self.config.experiment(id).chooses else self.steps_from
            on = whose(split, id)
            if self.is_searched(data):
                file = self.path(data, on, "tuning", id, "choice.yaml")
                found[file] = self.choice_in_run(data, split, id, "choice.yaml")
            elif choice := self.choice(data, split, id):
                settings = self._chosen_on(data, on, id, quiet=True) or choice
                found[settings.path] = choice.path
        return found

    def basis(self, data: str, split: str) -> dict[str, Any]:
        """What a choice was made on."""
        entry = self.config.data[data].model_dump(mode="json")
        return {
            "data": self.config.kind(data).identity(entry),
            "split": self.config.protocols[split],
        }

    def _choices(self, data: str, split: str, task: str, experiment: str) -> dict[str, Any]:
        """The committed choices for one job, but for what the user's own files say; of `choose`,
        where there is none and this run does not search, the first values.
        """
        choices = {}
        for id in self.config.starts_from(experiment):
            choice, entry = self.choice(data, split, id), self.config.experiment(id)
            if choice is None:
                if not self.is_searched(data):
                    first = {key: values[0] for key, values in entry.choose.items()}
                    choices[id] = {"settings": first}
                if not entry.chooses and self.choice(data, split, entry.like):
                    self.remark(
                        f"{id} trains for as many steps as {entry.like}: how many are best for it "
                        "was not searched"
                    )
                continue
            if task not in choice.chosen:
                raise ConfigError(
                    f"{choice.path} has no choice for the task {task!r}, "
                    f"only for {', '.join(choice.chosen)}: search with these tasks "
                    "(`tuning: search`), or do without (`tuning: none`)"
                )
            given = {part: {**said(self.given, "experiments", id, part)} for part in PARTS}
            given["training"] |= said(self.given, "models", entry.student, "training")
            choices[id], kept = choice.unless_set(task, self.untuned(id, data), given)
            if kept:
                self.remark(
                    f"what your configuration says of {', '.join(kept)} wins over the choices in "
                    f"{Path(choice.path).parent}"
                )
            for key, values in entry.choose.items():
                value = choices[id]["settings"].get(key, values[0])
                if value not in values:
                    self.remark(
                        f"{choice.path} has {key} {value}, and it is taken, "
                        f"though experiments.{id}.choose.{key} is {values}: search again "
                        "(`tuning: search`), or say it under settings"
                    )
        return choices

    def is_searched(self, data: str) -> bool:
        """Whether this run searches what trains on a data set; of images it is committed first, so
        that a run takes what is committed.
        """
        return self.config.tuning == "search" and self.config.family(data) == "ratings"

    def tuned(self, data: str, split: str, experiment: str) -> bool:
        """Whether an experiment's settings were chosen for this data, by whatever search."""
        ids = self.config.starts_from(experiment)
        chosen = ids if self.config.experiment(experiment).chooses else ids[:1]
        if self.is_searched(data):
            return True
        return bool(chosen) and all(self.choice(data, split, id) for id in chosen)

    def chosen(self, wildcards: Any) -> list[str]:
        """The files of a search in this run that say what it chose for an experiment."""
        if not self.is_searched(wildcards.data):
            return []
        return self.choices_in_run(wildcards.data, wildcards.split, wildcards.experiment)

    def choices_in_run(self, data: str, split: str, experiment: str) -> list[str]:
        """The files of searches that choose for an experiment or teacher; none, if it is random."""
        ids = self.config.starts_from(experiment)
        return [self.choice_in_run(data, split, id) for id in ids]

    def choice_in_run(
        self, data: str, split: str, experiment: str, file: str = "chosen.yaml"
    ) -> str:
        """A file of the search in this run that chooses for an experiment or teacher."""
        return self.path(data, self.steps_from(split, experiment), "tuning", experiment, file)

    def is_one_task(self, data: str) -> bool:
        """Whether the only task of a data set is all of it."""
        return [*self.config.tasks(data)] == [ALL]

    def by_user(self, split: str) -> bool:
        """Whether a split cuts each user's rows, as its folds then do."""
        return self.config.protocols[split]["kind"] == "per_user"

    def _drawn_already(self, data: str, split: str) -> bool:
        """Whether the rows that folds are cut from are a share themselves, as of the one task."""
        return self.of_all_rows(split) == split and self.is_one_task(data)

    def search(self, wildcards: Any) -> dict[str, Any]:
        """How one experiment is searched on a split; an ablation keeps its steps."""
        config, experiment = self.config, wildcards.experiment
        split, protocol = config.splits[config.wholes[wildcards.split]], config.protocols
        search = config.search.model_dump()
        search |= self._differs(wildcards).model_dump(exclude={"tasks"}, exclude_none=True)
        of_others = ("image_steps", "teacher_steps", "training_trials")
        image_steps, teacher_steps, trials = (search.pop(key) for key in of_others)
        if config.alone(experiment):
            search["trials"] = trials
        if config.experiment(experiment).like:
            search["trials"] = len(grid(config.experiment(experiment).choose))
        if self.takes_settings(wildcards):  # of more rows, perhaps, which take more steps
            search |= {"trials": 1, "steps": max(search["steps"], config.search.steps)}
        if config.family(wildcards.data) == "images":
            found = {"trials": search["trials"], "seeds": 1, "folds": 1, "warm": False}
            return found | {"steps": None, "every": None, "image_steps": image_steps}
        search["warm"] = config.is_teacher(experiment)
        if self.by_user(wildcards.split):
            search["per_user"] = True
        if config.is_teacher(experiment):
            search["steps"] = teacher_steps
        elif split.share < 1 and not self._drawn_already(wildcards.data, wildcards.split):
            search |= {key: protocol[wildcards.split].get(key, 0) for key in ("share", "draw")}
        return search

    def _differs(self, wildcards: Any) -> SplitSearch:
        """What differs in a search from others, on the split that chooses the settings."""
        on = self.settings_from(wildcards.split, wildcards.experiment)
        return self.config.splits[self.config.wholes[on]].search

    def search_inputs(self, wildcards: Any) -> dict[str, list[str]]:
        """What a search reads of the searches before it: its teachers', that which it starts from,
        for students with a teacher training from scratch, and the one whose settings it takes
        (`settings`).
        """
        config, experiment = self.config, wildcards.experiment
        self.check_trial(wildcards)
        place = self.path(wildcards.data, wildcards.split, "tuning")
        on = self.settings_from(wildcards.split, experiment)
        # no committed choice stands in for this one: of one experiment all is searched
        taken = [self.path(wildcards.data, on, "tuning", experiment, "choice.yaml")]
        settings = {"settings": taken} if self.takes_settings(wildcards) else {}
        if members := config.experiment(experiment).best_of:
            return {"chosen": [f"{place}/{id}/chosen.yaml" for id in members], **settings}
        teachers, before = config.teachers_of(experiment), config.experiment(experiment).like
        if elsewhere := [teacher for teacher in teachers if not config.is_teacher(teacher)]:
            raise ConfigError(
                f"experiments.{experiment} cannot be searched: a fold needs teachers that have "
                f"learnt from its rows alone, and models.{elsewhere[0]} is not trained here "
                "(`on: all`)"
                ": take the settings of an experiment whose teachers are (`like`), or switch the "
                "search off (`tuning: none`)"
            )
        if not config.alone(experiment) and not before:
            alone = (id for id in config.searched(wildcards.data) if id in config.experiments)
            before = next((id for id in alone if config.experiments[id].method == "scratch"), None)
        folds = range(config.search.folds)
        above = self.path(wildcards.data, self.of_all_rows(wildcards.split), "tuning")
        return {
            **{
                f"teacher{number}": [f"{above}/{id}/fold{fold}.safetensors" for fold in folds]
                for number, id in enumerate(teachers)
            },
            "chosen": [f"{place}/{before}/chosen.yaml"] if before else [],
            **settings,
        }

    def searched_tasks(self, wildcards: Any) -> dict[str, Any]:
        """All tasks that a search chooses for, a teacher's is `all`; and which it trains `on`."""
        config, teacher = self.config, self.config.is_teacher(wildcards.experiment)
        tasks = {ALL: ALL} if teacher else config.tasks(wildcards.data)
        on = evenly(list(tasks), self._differs(wildcards).tasks)
        return {**self.tasks(wildcards.data), "tasks": tasks, "on": on}
