"""What a run makes as a whole: its results, the report's pages, what it cost."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from talking_models.models import MODELS
from talking_models.plan.shown import Job, Shown

SHOWS = {
    "significance": "What the differences between rows are worth",
    "claims": "The paper's claims, with verdicts",
    "sizes": "What students and teachers weigh and cost",
    "compute": "Time and memory of every step",
}


class Plan(Shown):
    """A configuration as all rules see it."""

    def tables_as(self, form: str, *tables: str) -> list[str]:
        """Tables as files of a form: `md` or `csv`."""
        return [f"{self.config.results}/tables/{id}.{form}" for id in tables]

    @property
    def statistics(self) -> list[str]:
        """The pages that are made from several tables, as Markdown."""
        names = [
            *(["significance"] if self.compared else []),
            *(["sizes"] if self.sized else []),
        ]
        claims = [f"{self.config.results}/claims.md"] if self.judged else []
        return [*self.tables_as("md", *names), *claims]

    @property
    def measured(self) -> list[str]:
        """What the table of costs waits for."""
        return [*self.tables_as("md", *self.tables_of_all), *self.statistics, *self.figure_files]

    @property
    def results(self) -> list[str]:
        """All that a run without a target makes, but for pages and records."""
        return [
            *self.measured,
            *self.tables_as("csv", *self.tables_of_all),
            *self.tables_as("md", "compute"),
            f"{self.config.results}/metrics.json",
        ]

    # Pages

    @property
    def page_sources(self) -> dict[str, str]:
        """The pages that the report can have, each with the Markdown that it shows."""
        tables = self.tables_as("md", *self.config.tables, "compute")
        return {Path(file).stem: file for file in [*tables, *self.statistics]}

    @property
    def pages(self) -> list[str]:
        """Those of a run without a target."""
        left_out = set(self.config.tables) - set(self.tables_of_all)
        return [page for page in self.page_sources if page not in left_out]

    @property
    def image_tables(self) -> list[str]:
        """The tables of images."""
        tables = self.config.tables.items()
        return [id for id, t in tables if self.config.family(t.data[0]) == "images"]

    def shows(self, page: str) -> str:
        """What a page shows."""
        return SHOWS.get(page) or self.config.tables[page].title

    # The paper

    @property
    def judged(self) -> list[str]:
        """The tables that claims can be judged by; none if there are no claims."""
        return self.published if self.config.claims else []

    def paper_files(self, *tables: str) -> list[str]:
        """The published numbers of tables, and what is known of the paper."""
        found = [self.config.tables[id].paper for id in tables]
        return list(dict.fromkeys(filter(None, [*found, self.config.paper])))

    @property
    def metrics(self) -> list[str]:
        """The metrics of all tables."""
        tables = self.config.tables.values()
        return list(dict.fromkeys(self.config.metric_of(table) for table in tables))

    # Sizes

    @cached_property
    def sized(self) -> list[tuple[str, Job]]:
        """The models that the main table trains, students and teachers, each with one job."""
        if self.main is None:
            return []
        found: dict[str, Job] = {}
        for job in self.jobs(self.main):
            data, split, _, id = job
            place = (data, split, "all", id) if self.config.is_teacher(id) else job
            found.setdefault(self.config.student_of(id), place)
        return list(found.items())

    @property
    def sized_files(self) -> list[str]:
        """Their files, the first seed's of images."""
        jobs = dict.fromkeys(job for _, job in self.sized)
        files = self.evidence("models.safetensors", jobs)
        return [file for file in files if "/seed" not in file or "/seed0/" in file]

    @property
    def code_of_sized(self) -> list[str]:
        """The modules that they are built with."""
        kinds = {self.config.models[model].kind for model, _ in self.sized}
        return ["talking_models.evidence.sizes", *map(MODELS.module, sorted(kinds))]

    @property
    def sizes_step(self) -> str:
        """The environment and container that measure them."""
        image = self.main is not None and self.config.family(self.main.data[0]) == "images"
        return self.image_step if image else "movielens"

    # Costs

    @property
    def steps(self) -> dict[str, list[str]]:
        """Benchmark files of the jobs that a run without a target needs, by step."""
        config, found = self.config, {}
        root = f"{config.results}/benchmarks"

        def add(step: str, *files: str) -> None:
            own = found.setdefault(step, {})
            own |= dict.fromkeys(f"{root}/{file}.tsv" for file in files)

        shown = [config.tables[id] for id in self.tables_of_all]
        shown += [curve for curve in config.curves.values() if curve.in_all]
        jobs = dict.fromkeys(job for each in shown for job in self.jobs(each))
        for data, split, task, id in jobs:
            place = f"{data}/{split}"
            if config.family(data) == "images":
                add("Data", f"{place}/split_images")
                names = [f"{id}/{task}/seed{seed}" for seed in range(config.seeds_of(data))]
                backbone = self.backbone_of(config.student_of(id))
                add("Teachers", f"models/make_backbone/{backbone}")
                for teacher in config.teachers_of(id):
                    add("Teachers", f"{place}/probe_teacher/{task}/{teacher}")
                add(f"Students: {id}", *(f"{place}/train_images/{name}" for name in names))
                add("Evaluation", *(f"{place}/evaluate_images/{name}" for name in names))
                continue
            add("Data", f"{data}/prepare_ratings", f"{place}/split")
            for teacher in config.teachers_of(id):
                add("Teachers", f"{place}/train/{teacher}/all")
            if not config.is_teacher(id):
                add(f"Students: {id}", f"{place}/train/{id}/{task}")
            add("Reference lines", f"{place}/fit_references")
            add("Evaluation", f"{place}/evaluate/{id}")
            if config.tuning == "search":
                add("Tuning", *(f"{place}/tune/{each}" for each in config.searched(data)))
        add("Tables", *(f"make_table/{id}" for id in self.tables_of_all))
        add("Statistics", *(["test_significance"] if self.compared else []))
        add("Statistics", *(["judge_claims"] if self.judged else []))
        add("Figures", *(f"draw/{id}" for id in self.figures))
        order = ["Data", "Tuning", "Teachers"]
        steps = [*order, *(step for step in found if step not in order)]
        return {step: list(found[step]) for step in steps if found.get(step)}
