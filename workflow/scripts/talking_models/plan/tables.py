"""Tables and curves of a run: which jobs and files they are made from."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from talking_models.config import Config
from talking_models.config.sections import Curve, Table
from talking_models.plan.jobs import Jobs

Job = tuple[str, str, str, str]  # data, split, task, experiment


class Tables(Jobs):
    """A configuration as the rules of tables and curves see it."""

    def __init__(self, config: Config, given: Mapping[str, Any] | None = None) -> None:
        super().__init__(config, given)
        self.asked, self.config = config, self.with_the_best()
        config = self.config
        tables = config.tables
        self.tables_of_all = [id for id, table in tables.items() if table.in_all]
        self.along_splits = [id for id, c in config.curves.items() if c.splits and c.in_all]
        self.compared = [id for id in self.tables_of_all if tables[id].against]
        self.published = [id for id in self.tables_of_all if tables[id].paper]
        also = [id for id in self.tables_of_all if tables[id].claims_of in self.published]
        self.judged = [*self.published, *also] if config.claims else []
        self.metrics = list(dict.fromkeys(map(config.metric_of, config.shown.values())))

    # Tables and curves

    def with_the_best(self) -> Config:
        """The configuration, where tables and curves name the experiment that a committed choice
        is the best of, in place of one that would be trained again with its settings.
        """
        config, found = self.config, {}
        for section, keys in (("tables", ("rows",)), ("curves", ("points", "lines"))):
            found[section] = {}
            for id, shown in getattr(config, section).items():
                places = self.places_of(shown)
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

    def places_of(self, shown: Table | Curve) -> list[tuple[str, str]]:
        """The data sets of a table or curve with their splits."""
        return list(dict.fromkeys(column[:2] for column in self.config.columns(shown)))

    def jobs(self, shown: Table | Curve) -> list[Job]:
        """The jobs behind a table or curve, what it is compared with among them."""
        ids = dict.fromkeys([*shown.named.values(), *filter(None, [shown.against])])
        return [(*column, id) for column in self.config.columns(shown) for id in ids]

    def evaluations(self, data: str) -> list[dict[str, Any]]:
        """Which tasks of ratings one job evaluates, with the experiments and the splits for which
        it does: those that tables and curves show, and another job the rest, for who asks.
        """
        config, every = self.config, list(self.config.tasks(data))
        shown: dict[tuple[str, str], set[str]] = defaultdict(set)
        for each in config.shown.values():
            for own, split, task, id in self.jobs(each):
                if own == data:
                    shown[split, id].add(task)
        ids = config.trained
        alike: dict[tuple[Any, ...], list[str]] = defaultdict(list)  # splits, by what they show
        for split in config.protocols:
            own = [shown.get((split, id), every) for id in ids]
            alike[tuple(tuple(t for t in every if t in tasks) for tasks in own)].append(split)
        found = []
        for of_each, splits in alike.items():
            for some in dict.fromkeys(of_each):
                own = [id for id, tasks in zip(ids, of_each, strict=True) if tasks == some]
                rest = tuple(task for task in every if task not in some)
                for step, tasks in (("evaluate", some), ("evaluate_others", rest)):
                    mark = f"_{len(found) + 1}" if found else ""  # no two rules have one name
                    one = {"mark": mark, "step": step, "tasks": list(tasks)}
                    found += [one | {"splits": splits, "experiments": own}] if tasks else []
        return found

    def evidence(
        self, file: str, shown: Table | Curve, jobs: Iterable[Job] | None = None
    ) -> list[str]:
        """One file of the evidence of what a table or curve shows, or of some of its jobs, with the
        seeds of an image set that it shows, one after the other.
        """
        found: dict[str, None] = {}
        for job in self.jobs(shown) if jobs is None else jobs:
            images = self.config.family(job[0]) == "images"
            seeds = range(self.config.seeds_of(job[0], shown)) if images else ()
            below = [(f"seed{seed}", file) for seed in seeds] or [(file,)]
            found |= dict.fromkeys(self.path(*job, *each) for each in below)
        return list(found)

    def table_files(self, file: str, *tables: str) -> list[str]:
        """One file of the evidence of some tables."""
        shown = [self.config.tables[id] for id in tables]
        found = [path for each in shown for path in self.evidence(file, each)]
        return list(dict.fromkeys(found))

    def histories(self, *tables: str) -> list[str]:
        """The histories of the students in some tables; a teacher's has one part alone."""
        found: dict[str, None] = {}
        for shown in (self.config.tables[id] for id in tables):
            jobs = [job for job in self.jobs(shown) if not self.config.is_teacher(job[-1])]
            found |= dict.fromkeys(self.evidence("history.csv", shown, jobs))
        return list(found)

    def choices_of(self, id: str) -> dict[str, dict[str, Any]]:
        """The files that say what searches chose for the rows of a table, or lines of a curve:
        `serves`, the data sets and the values of the curve that each serves, "" where all serve the
        same; `steps`, the files that say for how many steps, along the columns.
        """
        config, shown = self.config, self.asked.shown[id]
        splits = getattr(shown, "splits", {})
        values = {part: value for value, split in splits.items() for part in config.parts(split)}
        serves: dict[str, dict[str, None]] = defaultdict(dict)
        steps: dict[str, dict[str, None]] = defaultdict(dict)
        for data, split, _ in config.columns(shown):
            names = {config.name_of(data): None} if len(shown.data) > 1 else {}
            for each in self._rows(id).values():
                for file, own in self.choice_files(data, split, each).items():
                    serves[file] |= names | ({values[split]: None} if values else {})
                    steps[file][own] = None
        found = {file: ", ".join(words) for file, words in serves.items()}
        apart = len({*found.values()}) > 1
        return {
            file: {"serves": words if apart else "", "steps": list(steps[file])}
            for file, words in found.items()
        }

    def choice_inputs(self, id: str) -> list[str]:
        """All these files, those of steps alone behind the others."""
        return self._with_steps(self.choices_of(id))

    @staticmethod
    def _with_steps(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
        return list(
            dict.fromkeys([*found, *(file for of in found.values() for file in of["steps"])])
        )

    def _rows(self, id: str) -> dict[str, str]:
        """Rows or lines with their experiments as asked for; what they are compared with is among
        them.
        """
        shown = self.asked.shown[id]
        rows = dict(shown.named)
        if shown.against not in (None, *rows.values()):
            rows = {shown.against: shown.against, **rows}
        return rows

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
        shown = [each for each in config.shown.values() if data in each.data]
        ids = [id for each in shown for id in each.named.values()]
        teachers = [m for id in ids for m in config.teachers_of(id) if not config.models[m].file]
        models = [*teachers, *(config.experiment(id).student for id in ids)]
        return {f"probe-{model}": model for model in models if not config.is_teacher(model)}

    def costs(self, id: str) -> list[str]:
        """What training takes for the lines of a curve, of the first task and the first window or
        draw of each split; none unless it shows that.
        """
        curve, config = self.config.curves[id], self.config
        if not curve.costs:
            return []
        first = {
            (data, config.wholes[split]): (data, split, task)
            for data, split, task in reversed(config.columns(curve))
        }
        ids = dict.fromkeys([*curve.lines.values(), curve.against])
        return [self.path(*column, id, "cost.csv") for column in first.values() for id in ids]

    # The paper

    def paper_files(self, *tables: str) -> list[str]:
        """The published numbers of tables, and what is known of the paper."""
        found = [self.config.tables[id].paper for id in tables]
        return list(dict.fromkeys(filter(None, [*found, self.config.paper])))

    # Searches

    @property
    def image_searches(self) -> list[tuple[str, str, str]]:
        """The searches of images that tables and curves could take, likewise."""
        config = self.config
        found = [
            (config.data[data].tuned_as or data, self.steps_from(split, id), id)
            for shown in config.shown.values()
            for data, split, _, id in self.jobs(shown)
            if config.family(data) == "images" and config.has_search(id) and self.varies(data, id)
        ]
        return list(dict.fromkeys(found))

    @property
    def searches(self) -> list[tuple[str, str, str]]:
        """All searches, data, split, experiment: those of each data set's own split, and those of
        others that tables and curves show, with their teachers'.
        """
        config = self.config
        ratings = [data for data in config.data if config.family(data) == "ratings"]
        own = [(data, config.default_split(data)) for data in ratings]
        found = [(*place, id) for place in own for id in config.searched(place[0])]
        for shown in config.shown.values():
            for data, split, _, id in self.jobs(shown) if shown.data[0] in ratings else ():
                ids = self.searched_for(id)
                ids = [*config.searched_teachers(ids), *ids]
                found += [(data, split, each) for each in ids]
        whose = (self.settings_from, self.steps_from)
        each = dict.fromkeys(found)  # a place of many tasks is asked about once
        searches = ((data, of(split, id), id) for data, split, id in each for of in whose)
        return list(dict.fromkeys(searches))
