"""What a run makes as a whole: tables, figures, pages, what they are made of, and what it cost."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from talking_models.config import REFERENCES, Config, ConfigError
from talking_models.config.sections import Curve, Table
from talking_models.data.base import ALL
from talking_models.plan.jobs import Jobs
from talking_models.report.figures import FIGURES
from talking_models.report.figures.base import Need

Job = tuple[str, str, str, str]  # data, split, task, experiment
SHOWS = {
    "significance": "What the differences between rows are worth",
    "claims": "The paper's claims, with verdicts",
    "sizes": "What students and teachers weigh and cost",
    "compute": "Time and memory of every step",
}
LINES = {
    "ratings": "without a network",
    "images": "which train a classifier alone on models as they came",
}
HOW = {
    "latest": "evaluated on the latest {eval:.0%} of all ratings",
    "rolling": "evaluated on window {nth} of {windows}",
    "windows": "evaluated on {windows} windows of the last half, pooled",
    "per_user": "evaluated on the latest {eval:.0%} of each user's ratings",
    "given": "evaluated on the part that the source gives",
}


class Plan(Jobs):
    """A configuration as all rules see it."""

    def __init__(self, config: Config, given: Mapping[str, Any] | None = None) -> None:
        super().__init__(config, given)
        self.config = config = self.with_the_best()
        tables = config.tables
        self.tables_of_all = [id for id, table in tables.items() if table.in_all]
        curves = config.curves.items()
        self.along_splits = [id for id, curve in curves if curve.splits and curve.in_all]
        self.compared = [id for id in self.tables_of_all if tables[id].against]
        self.published = [id for id in self.tables_of_all if tables[id].paper]
        also = [id for id in self.tables_of_all if tables[id].claims_of in self.published]
        self.judged = [*self.published, *also] if config.claims else []
        shown = [*tables.values(), *config.curves.values()]
        self.metrics = list(dict.fromkeys(map(config.metric_of, shown)))
        # The first table with a student trained from scratch: what figures are about.
        alone = (
            (tables[id], experiment)
            for id in self.tables_of_all
            for experiment in tables[id].rows.values()
            if experiment in config.experiments and config.alone(experiment)
        )
        self.main, self.scratch_row = next(alone, (None, None))
        images = self.main is not None and config.family(self.main.data[0]) == "images"
        self.sizes_step = self.image_step if images else "movielens"

    # Tables and curves

    def with_the_best(self) -> Config:
        """The configuration, where tables and curves name the experiment that a committed choice
        is the best of, in place of one that would be trained again with its settings.
        """
        config, found = self.config, {}
        for section, keys in (("tables", ("rows",)), ("curves", ("points", "lines"))):
            found[section] = {}
            for id, shown in getattr(config, section).items():
                places = dict.fromkeys(column[:2] for column in config.columns(shown))
                change: dict[str, Any] = {
                    key: {row: self.best(places, made) for row, made in getattr(shown, key).items()}
                    for key in keys
                }
                if shown.against:
                    change["against"] = self.best(places, shown.against)
                found[section][id] = shown.model_copy(update=change)
        return config.model_copy(update=found)

    def best(self, places: Iterable[tuple[str, str]], experiment: str) -> str:
        """The experiment whose choice another takes on these data sets and splits, or that."""
        entry = self.config.experiments.get(experiment)
        if entry is None or not entry.best_of or entry.settings or entry.training:
            return experiment
        choices = [self.choice(*place, experiment, quiet=True) for place in places]
        best = {each and each.about.get("search", {}).get("best") for each in choices}
        (found, *more) = best or {None}
        return found if found in entry.best_of and not more else experiment

    def jobs(self, shown: Table | Curve) -> list[Job]:
        """The jobs behind a table or curve, what it is compared with among them."""
        ids = dict.fromkeys([*shown.named.values(), *filter(None, [shown.against])])
        return [(*column, id) for column in self.config.columns(shown) for id in ids]

    def evidence(self, file: str, jobs: Iterable[Job]) -> list[str]:
        """One file of the evidence of jobs, with the seeds of an image set one after the other."""
        found: dict[str, None] = {}
        for job in jobs:
            images = self.config.family(job[0]) == "images"
            seeds = range(self.config.seeds_of(job[0])) if images else ()
            below = [(f"seed{seed}", file) for seed in seeds] or [(file,)]
            found |= dict.fromkeys(self.path(*job, *each) for each in below)
        return list(found)

    def table_files(self, file: str, *tables: str) -> list[str]:
        """One file of the evidence of some tables."""
        jobs = (job for id in tables for job in self.jobs(self.config.tables[id]))
        return self.evidence(file, jobs)

    def histories(self, *tables: str) -> list[str]:
        """The histories of the students in some tables; a teacher's has one part alone."""
        jobs = (job for id in tables for job in self.jobs(self.config.tables[id]))
        return self.evidence("history.csv", [j for j in jobs if not self.config.is_teacher(j[-1])])

    def choices_of(self, table: str) -> list[str]:
        """The files that say what searches chose for a table's rows."""
        shown = self.config.tables[table]
        found = [
            file
            for data, split, _ in self.config.columns(shown)
            for id in shown.rows.values()
            for file in self.choice_files(data, split, id)
        ]
        return list(dict.fromkeys(found))

    def references(self, file: str, *tables: str) -> list[str]:
        """One file of the reference lines of tables' columns."""
        shown = (self.config.tables[id] for id in tables)
        columns = dict.fromkeys(column for table in shown for column in self.config.columns(table))
        return [self.path(*column, "references", file) for column in columns]

    def probed(self, data: str) -> dict[str, str]:
        """The untouched models of a set of images whose linear probes are reference lines, by their
        ids in the evidence: students, and teachers that are not trained here, of tables and curves.
        """
        config = self.config
        shown = [*config.tables.values(), *config.curves.values()]
        ids = [id for each in shown if data in each.data for id in each.named.values()]
        teachers = [model for id in ids for model in config.teachers_of(id)]
        models = [*teachers, *(config.experiment(id).student for id in ids)]
        return {f"probe-{model}": model for model in models if not config.is_teacher(model)}

    def lines_of(self, table: Table) -> dict[str, str]:
        """The names of a table's reference lines, with their ids in the evidence."""
        if self.config.family(table.data[0]) == "ratings":
            return REFERENCES
        probed = {id: model for data in table.data for id, model in self.probed(data).items()}
        return {f"Linear probe of {model}, untouched": id for id, model in probed.items()}

    def about(self, id: str) -> dict[str, Any]:
        """What a page needs to know of a table, in types that JSON has."""
        table, config = self.config.tables[id], self.config
        columns = config.columns(table)
        tuned = {row: self._is_tuned(columns, made) for row, made in table.rows.items()}
        return {
            "id": id,
            "title": table.title,
            "rows": dict(table.rows),
            "bold": list(table.bold),
            "against": table.against,
            "teachers": {id: list(config.teachers_of(id)) for id in table.rows.values()},
            "metric": config.metric_of(table),
            "paper": table.paper,
            "columns": [list(column) for column in columns],
            "pooled": {
                part: split
                for split in config.splits
                for part in config.parts(split)
                if part != split and part in {column[1] for column in columns}
            },
            "names": {data: config.data[data].name or data for data in table.data},
            "units": {data: config.data[data].unit or "" for data in table.data},
            "references": self.lines_of(table),
            "lines": LINES[config.family(table.data[0])],
            "untuned": [row for row in tuned if any(tuned.values()) and not tuned[row]],
        }

    def along(self, id: str) -> dict[str, Any]:
        """What a page needs to know of a curve along splits, in types that JSON has."""
        curve, config = self.config.curves[id], self.config
        return {
            "title": curve.title,
            "lines": dict(curve.lines),
            "against": curve.against,
            "metric": config.metric_of(curve),
            "splits": {
                part: value for value, split in curve.splits.items() for part in config.parts(split)
            },
            "names": {data: config.data[data].name or data for data in curve.data},
        }

    def judged_on(self) -> dict[str, dict[str, Any]]:
        """The tables that claims are judged on, by what they are shown as: the published ones, and
        those that stand for them on other rows, by their split.
        """
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        for id in self.judged:
            of, split = self.config.tables[id].claims_of, self.config.tables[id].split
            found[split or id if of else "the paper's protocol"][of or id] = self.about(id) | {
                "paper": self.config.tables[of or id].paper
            }
        return dict(found)

    def _is_tuned(self, columns: Iterable[tuple[str, str, str]], experiment: str) -> bool:
        return all(self.tuned(data, split, experiment) for data, split, _ in columns)

    def stamp(self, *tables: str) -> str:
        """What the numbers of tables or curves were made from, a sentence or two."""
        config, found = self.config, []
        shown = [{**config.tables, **config.curves}[id] for id in tables]
        columns = [column for table in shown for column in config.columns(table)]
        ids = dict.fromkeys(job[-1] for table in shown for job in self.jobs(table))
        whole = config.wholes
        parts: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(dict)
        for data, split, task in dict.fromkeys(columns):
            parts[data, whole[split]].setdefault(split, []).append(task)
        for (data, _), of in parts.items():
            n, (first, *_) = config.seeds_of(data), of
            name, protocol, tasks = config.data[data].name, config.protocols[first], len(of[first])
            pooled = len(of) > 1 and "window" in protocol
            how = HOW["windows" if pooled else protocol["kind"]]
            how = how.format(nth=protocol.get("window", 0) + 1, **protocol)
            few = f", {protocol['share']:.0%} of the training rows" if protocol["share"] < 1 else ""
            few += ", drawn anew for each seed" if "draw" in protocol else ""
            found.append(
                f"{name or data}: {tasks} {'task' if tasks == 1 else 'tasks'}, "
                f"{n} {'seed' if n == 1 else 'seeds'}, {how}{few}."
            )
        if config.trial:
            found.append("**This is a trial of the workflow and no result.**")
        random = any(getattr(m, "weights", None) == "random" for m in config.models.values())
        if random and any(config.family(column[0]) == "images" for column in columns):
            found.append("The pre-trained model has random weights.")
        if config.tuning == "search":
            found.append("Settings were chosen on training rows by a search in this run.")
        elif any(self._is_tuned(columns, id) for id in ids):
            found.append("Settings were chosen on training rows by a search that is committed.")
        else:
            why = ": none were searched for this data" if config.tuning == "committed" else ""
            found.append(f"Settings are those of the configuration{why}.")
        return " ".join(found)

    # The paper

    def paper_files(self, *tables: str) -> list[str]:
        """The published numbers of tables, and what is known of the paper."""
        found = [self.config.tables[id].paper for id in tables]
        return list(dict.fromkeys(filter(None, [*found, self.config.paper])))

    # Figures

    @property
    def students(self) -> dict[str, str]:
        """The rows of the main table that are students of ratings."""
        if self.main is None or self.config.family(self.main.data[0]) != "ratings":
            return {}
        return {row: id for row, id in self.main.rows.items() if id in self.config.experiments}

    @property
    def places(self) -> list[tuple[str, str]]:
        """The data sets of the main table with their splits."""
        columns = self.config.columns(self.main) if self.main else ()
        return list(dict.fromkeys(column[:2] for column in columns))

    def cka_teacher(self, data: str, wildcards: Any) -> list[str]:
        """The teacher that an experiment's students are compared with: theirs, or the others'."""
        ids = [wildcards.experiment, *self.students.values()]
        names = [teacher for id in ids for teacher in self.config.teachers_of(id)]
        return [self.teacher_file(names[0], data, wildcards.split)]

    @property
    def searches(self) -> list[tuple[str, str, str]]:
        """All searches, data, split, experiment: those of each data set's own split, and those of
        others that tables and curves show.
        """
        config = self.config
        ratings = [data for data in config.data if config.family(data) == "ratings"]
        found = [
            (data, self.source(config.default_split(data), id), id)
            for data in ratings
            for id in config.searched(data)
        ]
        for shown in (*config.tables.values(), *config.curves.values()):
            for data, split, _, id in self.jobs(shown) if shown.data[0] in ratings else ():
                found += [(data, self.source(split, each), each) for each in self.searched_for(id)]
        return list(dict.fromkeys(found))

    @property
    def seen(self) -> tuple[dict[str, str], list[tuple[str, str]]]:
        """The students of the first table of images by row, and its data sets with their splits."""
        config = self.config
        tables = (t for t in config.tables.values() if config.family(t.data[0]) == "images")
        if (table := next(tables, None)) is None:
            return {}, []
        rows = {row: id for row, id in table.rows.items() if id in config.experiments}
        return rows, list(dict.fromkeys(column[:2] for column in config.columns(table)))

    def seen_teacher(self, data: str, split: str) -> tuple[str, list[str]]:
        """The teacher that students of images are compared with, the first one of their table's,
        and its files for each seed.
        """
        rows, _ = self.seen
        taught = next(id for id in rows.values() if self.config.teachers_of(id))
        files = []
        for seed in range(self.config.seeds_of(data)):
            own = self.image_files(data, split, taught, seed)
            files += [str(own[name]) for name in ("teacher0", "probe0") if name in own]
        return self.config.teachers_of(taught)[0], files

    def tried(self, data: str) -> list[str]:
        """The experiments that trials are made of; others take the best of theirs."""
        return [id for id in self.config.searched(data) if not self.config.experiment(id).best_of]

    @property
    def trials(self) -> tuple[list[str], dict[str, str]]:
        """The trials of the searches behind the main table, and its rows that were searched."""
        files, config = [], self.config
        for data, split in self.places:
            if config.tuning == "search":
                ids = self.tried(data)
                files += [self.choice_in_run(data, split, id, "trials.csv") for id in ids]
            elif config.tuning == "committed":
                file = Path(config.tuned, data, "trials.csv")
                files += [str(file)] if file.is_file() else []
        searched = {id for data, _ in self.places for id in self.tried(data)}
        rows = self.main.rows if self.main else {}
        return files, {row: id for row, id in rows.items() if id in searched}

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
        curves = self.config.curves
        wanted = [
            id
            for id, (name, _) in self.figures.items()
            if getattr(curves.get(id), "in_all", True) and FIGURES.get(name).in_all
        ]
        names = [f"{id}.{form}" for id in wanted for form in ("png", "svg")]
        return [self.path("figures", name) for name in names]

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
            job = (data, split, ALL if config.is_teacher(id) else task, id)
            file = self.evidence("models.safetensors", [job])[0]
            found.setdefault(config.experiment(id).student, (file, job))
            for model in config.teachers_of(id):
                if not config.is_teacher(model):
                    file = config.models[model].file or self.backbone(model)
                    found.setdefault(model, (file, (data, split, ALL, model)))
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
        return SHOWS.get(page) or {**self.config.tables, **self.config.curves}[page].title

    @property
    def measured(self) -> list[str]:
        """What the table of costs waits for."""
        pages = [self.markdown(page) for page in self.pages if page != "compute"]
        return [*pages, *self.figure_files]

    @property
    def results(self) -> list[str]:
        """All that a run without a target makes, but for pages and records."""
        return [*self.measured, self.markdown("compute"), self.path("metrics.json")]

    @property
    def steps(self) -> dict[str, list[str]]:
        """Benchmark files of the jobs that a run without a target needs, by step."""
        config = self.config
        found = defaultdict(list, {"Data": [], "Tuning": [], "Teachers": []})
        shown = [config.tables[id] for id in self.tables_of_all]
        shown += [curve for curve in config.curves.values() if curve.in_all]
        jobs = dict.fromkeys(job for each in shown for job in self.jobs(each))
        for data, split, task, id in jobs:
            place, teachers = f"{data}/{split}", config.teachers_of(id)
            if config.family(data) == "images":
                backbone = Path(self.backbone(config.experiment(id).student)).stem
                names = [f"{id}/{task}/seed{seed}" for seed in range(config.seeds_of(data))]
                found["Data"] += [f"{place}/split_images"]
                found["Teachers"] += [f"models/make_backbone/{backbone}"]
                found["Teachers"] += [f"{place}/probe_teacher/{task}/{each}" for each in teachers]
                found[f"Students: {id}"] += [f"{place}/train_images/{name}" for name in names]
                found["Evaluation"] += [f"{place}/evaluate_images/{name}" for name in names]
                found["Reference lines"] += [f"{place}/evaluate_probes/{task}"]
                continue
            found["Data"] += [f"{data}/prepare_ratings", f"{place}/split"]
            if config.tuning == "search":
                ids = self.tried(data)
                found["Tuning"] += [f"{data}/{self.source(split, id)}/tune/{id}" for id in ids]
            found["Teachers"] += [f"{place}/train/{teacher}/all" for teacher in teachers]
            if not config.is_teacher(id):
                found[f"Students: {id}"] += [f"{place}/train/{id}/{task}"]
            found["Reference lines"] += [f"{place}/fit_references"]
            found["Evaluation"] += [f"{place}/evaluate/{id}"]
        found["Tables"] = [f"make_table/{id}" for id in self.tables_of_all]
        found["Tables"] += [f"make_curve/{id}" for id in self.along_splits]
        statistics = {"test_significance": self.compared, "judge_claims": self.judged}
        found["Statistics"] = [rule for rule, tables in statistics.items() if tables]
        drawn = dict.fromkeys(Path(file).stem for file in self.figure_files)
        found["Figures"] = [f"draw/{id}" for id in drawn]
        return {
            step: [self.path("benchmarks", f"{file}.tsv") for file in dict.fromkeys(files)]
            for step, files in found.items()
            if files
        }
