"""What a run makes as a whole: figures, pages, what they are made of, and what it cost."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from talking_models.config import Config, ConfigError
from talking_models.config.check import PAGES
from talking_models.config.sections import Table
from talking_models.data.base import ALL
from talking_models.plan.pages import Pages
from talking_models.plan.tables import Job
from talking_models.report.figures import FIGURES
from talking_models.report.figures.base import Need


class Plan(Pages):
    """A configuration as all rules see it."""

    def __init__(self, config: Config, given: Mapping[str, Any] | None = None) -> None:
        super().__init__(config, given)
        config, tables = self.config, self.config.tables
        # The first table with a student trained from scratch: what figures are about.
        alone = (
            (id, experiment)
            for id in self.tables_of_all
            for experiment in tables[id].rows.values()
            if experiment in config.experiments and config.alone(experiment)
        )
        self.main_id, self.scratch_row = next(alone, (None, None))
        self.main = tables.get(self.main_id)
        family = config.family(self.main.data[0]) if self.main else None
        self.sizes_step = self.image_step if family == "images" else "movielens"

    # Figures

    @property
    def places(self) -> list[tuple[str, str]]:
        """The data sets of the main table with their splits."""
        return self.places_of(self.main) if self.main else []

    def likeness(self, family: str) -> Table | None:
        """The table whose students' states are held beside a teacher's: of ratings the main one, of
        images the first; none where nobody teaches in it.
        """
        config = self.config
        tables = [self.main] if family == "ratings" else config.tables.values()
        found = next((t for t in tables if t and config.family(t.data[0]) == family), None)
        return found if found and any(map(config.teachers_of, found.rows.values())) else None

    def teacher_beside(self, data: str, experiment: str) -> tuple[str, str]:
        """The teacher that an experiment's students are held beside, theirs or the first of that
        table's others, and which of its models teach.
        """
        table = self.likeness(self.config.family(data))
        ids = [experiment, *(table.rows.values() if table else ())]
        if (taught := next(filter(self.config.teachers_of, ids), None)) is None:
            raise ConfigError(f"{experiment} on {data}: there is no teacher to hold it beside")
        return self.config.teachers_of(taught)[0], self.config.teacher_seed_of(taught)

    def held_beside(self, data: str, split: str, experiment: str) -> dict[str, list[str]]:
        """The files of an experiment's students, of all tasks and the seeds that are shown, and of
        their teacher.
        """
        config, family = self.config, self.config.family(data)
        images = family == "images"
        seeds = range(config.seeds_of(data, self.likeness(family)) if images else 1)
        teacher, _ = self.teacher_beside(data, experiment)
        taught_by = [(ALL, teacher, self.seed_that_teaches(seed)) for seed in seeds]
        learnt = [(task, experiment, seed) for task in config.tasks(data) for seed in seeds]
        return {
            name: [file for each in models for file in self.model_files(data, split, *each)]
            for name, models in {"students": learnt, "teachers": taught_by}.items()
        }

    def tried(self, data: str) -> list[str]:
        """The experiments that trials are made of; others take the best of theirs."""
        return [id for id in self.config.searched(data) if not self.config.experiment(id).best_of]

    @property
    def trials(self) -> dict[str, tuple[str, str]]:
        """The rows of the main table whose settings were searched: a file of trials, and of which
        experiment in it.
        """
        found: dict[str, tuple[str, str]] = {}
        for data, split in self.places:
            for row, id in self.main.rows.items() if self.main else ():
                if id not in self.tried(data):
                    continue
                on = self.settings_from(split, id)
                file = Path(self.committed(data, on, id)).with_name("trials.csv")
                if self.is_searched(data):
                    file = Path(self.path(data, on, "tuning", id, "trials.csv"))
                elif not (self.choice(data, split, id) and file.is_file()):
                    continue
                found.setdefault(row, (str(file), id))
        return found

    @cached_property
    def figures(self) -> dict[str, tuple[str, Need]]:
        """The figures that the configuration can have, by id: what draws them, what they need."""
        found = {}
        curves = list(self.config.curves)
        for id in set(curves) & set(FIGURES.names()) - {"curve", "shares"}:
            raise ConfigError(f"curves.{id}: a figure has this name, choose another id")
        for id in dict.fromkeys(["forest", *curves, *FIGURES.names()]):
            curve = self.config.curves.get(id)
            name = ("shares" if curve.splits else "curve") if curve else id
            need = FIGURES.get(name).needs(self, id)
            if need is not None:
                found[id] = name, need
        return found

    @property
    def figure_files(self) -> list[str]:
        """The files of those that a run without a target draws."""
        return [
            self.path("figures", f"{id}.{form}")
            for id, (_, need) in self.figures.items()
            if need.in_all
            for form in ("png", "svg")
        ]

    def figure(self, id: str) -> dict[str, Any]:
        """What the job and the report are told of a figure."""
        name, need = self.figures[id]
        kind, curve = FIGURES.get(name), self.config.curves.get(id)
        metrics = [need.params["metric"]] if "metric" in need.params else []
        return {
            "name": name,
            "inputs": need.inputs,
            "params": need.params,
            "caption": kind.caption,
            "title": curve.title if curve else kind.title,
            "code": [FIGURES.module(name), *self.metric_code(metrics)],
        }

    # Sizes

    @cached_property
    def sized(self) -> dict[str, tuple[str, Job]]:
        """The models behind the main table, students and teachers, by their files (the first
        seed's of images), each with a job: its own, if it is trained here.
        """
        config, found = self.config, {}
        for data, split, task, id in self.jobs(self.main) if self.main else ():
            elsewhere = [model for model in config.teachers_of(id) if not config.is_teacher(model)]
            for each in (id, *elsewhere):
                job = (data, split, task if each in config.experiments else ALL, each)
                model = each if each in config.models else config.experiments[each].student
                found.setdefault(model, (self.model_files(*job)[0], job))
        return {file: (model, job) for model, (file, job) in found.items()}

    # All results

    @property
    def pages(self) -> list[str]:
        """What a run without a target shows: tables, and pages made from several of them."""
        made = {"significance": self.compared, "claims": self.judged, "sizes": self.sized}
        return [
            *self.tables_of_all,
            *self.along_splits,
            *(page for page in made if made[page]),
            "compute",
        ]

    def markdown(self, page: str) -> str:
        """The file of a page."""
        return self.path("claims.md") if page == "claims" else self.path("tables", f"{page}.md")

    def shows(self, page: str) -> str:
        """What a page shows."""
        return PAGES.get(page) or self.config.shown[page].title

    @property
    def measured(self) -> list[str]:
        """What the table of costs waits for."""
        pages = [self.markdown(page) for page in self.pages if page != "compute"]
        return [*pages, *self.figure_files]

    @property
    def results(self) -> list[str]:
        """All that a run without a target makes, but for pages and records."""
        return [*self.measured, self.markdown("compute"), self.path("metrics.json")]
