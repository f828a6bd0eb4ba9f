"""What tables and figures are made of."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from talking_models.config import REFERENCES, ConfigError
from talking_models.config.merge import plain
from talking_models.config.sections import Curve, Table
from talking_models.models import MODELS
from talking_models.plan.jobs import Jobs
from talking_models.report.figures import FIGURES
from talking_models.report.figures.base import Need

Job = tuple[str, str, str, str]
"""Data, split, task, experiment."""


class Shown(Jobs):
    """A configuration as the rules of tables and figures see it."""

    # Tables and curves

    @property
    def tables_of_all(self) -> list[str]:
        """The tables that a run without a target makes."""
        return [id for id, table in self.config.tables.items() if table.in_all]

    @property
    def compared(self) -> list[str]:
        """Those of them whose rows are compared with one."""
        return [id for id in self.tables_of_all if self.config.tables[id].against]

    def points(self, curve: Curve) -> dict[str, str]:
        """The experiments of a curve by what is printed for each."""
        (id,) = (id for id, found in self.config.curves.items() if found is curve)
        return self.config.points(id)

    def rows(self, shown: Table | Curve) -> dict[str, str]:
        """The experiments of a table or curve by what is printed for each."""
        return dict(shown.rows) if isinstance(shown, Table) else self.points(shown)

    def jobs(self, shown: Table | Curve) -> list[Job]:
        """The jobs behind a table or curve, what it is compared with among them."""
        ids = dict.fromkeys([*self.rows(shown).values(), *filter(None, [shown.against])])
        return [(*column, id) for column in self.config.columns(shown) for id in ids]

    def evidence(self, file: str, jobs: Iterable[Job]) -> list[str]:
        """One file of the evidence of jobs, with the seeds of an image set one after the other."""
        found = []
        for data, split, task, id in jobs:
            place = self.root.format(data=data, split=split, task=task) + f"/{id}"
            if self.config.family(data) == "images":
                seeds = range(self.config.seeds_of(data))
                found += [f"{place}/seed{seed}/{file}" for seed in seeds]
            else:
                found.append(f"{place}/{file}")
        return list(dict.fromkeys(found))

    def table_files(self, file: str, *tables: str) -> list[str]:
        """One file of the evidence of some tables."""
        jobs = (job for id in tables for job in self.jobs(self.config.tables[id]))
        return self.evidence(file, jobs)

    def references(self, file: str, *tables: str) -> list[str]:
        """One file of the reference lines of tables' columns; images have none yet."""
        shown = (self.config.tables[id] for id in tables)
        columns = dict.fromkeys(column for table in shown for column in self.config.columns(table))
        return [
            f"{self.root.format(data=data, split=split, task=task)}/references/{file}"
            for data, split, task in columns
            if self.config.family(data) == "ratings"
        ]

    def about(self, id: str) -> dict[str, Any]:
        """What a page needs to know of a table, in types that JSON has."""
        shown, config = self.config.shown[id], self.config
        rows, columns = self.rows(shown), config.columns(shown)
        tuned = {id: self._is_tuned(columns, id) for id in rows.values()}
        return {
            "id": id,
            "title": shown.title,
            "rows": rows,
            "bold": list(getattr(shown, "bold", ())),
            "against": shown.against,
            "metric": config.metric_of(shown),
            "paper": getattr(shown, "paper", None),
            "columns": [list(column) for column in columns],
            "names": {data: config.data[data].name or data for data in shown.data},
            "units": {data: config.data[data].unit or "" for data in shown.data},
            "references": REFERENCES if config.family(shown.data[0]) == "ratings" else {},
            "untuned": [row for row, e in rows.items() if any(tuned.values()) and not tuned[e]],
        }

    def _is_tuned(self, columns: Iterable[tuple[str, str, str]], experiment: str) -> bool:
        return all(self.tuned(data, split, experiment) for data, split, _ in columns)

    def stamp(self, *tables: str) -> str:
        """What the numbers of tables were made from, a sentence or two."""
        config, found = self.config, []
        columns = [c for id in tables for c in config.columns(config.shown[id])]
        ids = dict.fromkeys(job[-1] for id in tables for job in self.jobs(config.shown[id]))
        for data, split in dict.fromkeys(column[:2] for column in columns):
            n, tasks = config.seeds_of(data), len(config.tasks(data))
            name, protocol = config.data[data].name or data, config.protocols[split]
            how = {
                "latest": "evaluated on the latest {eval:.0%} of all ratings",
                "rolling": "evaluated on window {nth} of {windows}",
                "per_user": "evaluated on the latest {eval:.0%} of each user's ratings",
                "given": "evaluated on the part that the source gives",
            }[protocol["kind"]].format(nth=protocol.get("window", 0) + 1, **protocol)
            few = f", {protocol['share']:.0%} of the training rows" if protocol["share"] < 1 else ""
            found.append(
                f"{name}: {tasks} {'task' if tasks == 1 else 'tasks'}, "
                f"{n} {'seed' if n == 1 else 'seeds'}, {how}{few}."
            )
        tuned = any(self._is_tuned(columns, id) for id in ids)
        words = {
            "none": "Settings are those of the configuration.",
            "committed": "Settings were chosen on training rows by a search that is committed."
            if tuned
            else "Settings are those of the configuration: none were searched for this data.",
            "search": "Settings were chosen on training rows by a search in this run.",
        }
        if config.trial:
            found.append("**This is a trial of the workflow and no result.**")
        weights = {getattr(m, "weights", None) for m in config.models.values()}
        image = any(config.family(column[0]) == "images" for column in columns)
        if image and "random" in weights:
            found.append("The pre-trained model has random weights.")
        return " ".join([*found, words[config.tuning]])

    # The paper

    @property
    def published(self) -> list[str]:
        """The tables of a run with published numbers."""
        return [id for id in self.tables_of_all if self.config.tables[id].paper]

    def first_counted(self, table: str) -> list[str]:
        """Predictions of a table's data sets of which the paper counts the first examples alone."""
        if not self.config.paper:
            return []
        try:
            facts = plain(self.config.paper)
            first = facts.get("first", {})
        except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError) as error:
            text = f"paper: {self.config.paper} is no YAML mapping of facts: {error}"
            raise ConfigError(text) from None
        jobs = self.jobs(self.config.tables[table])
        counted = [job for job in jobs if job[0] in first]
        return self.evidence("predictions.parquet", counted)

    # Figures

    @cached_property
    def main(self) -> Table | None:
        """The first table with a student trained from scratch, which figures are about."""
        tables = (self.config.tables[id] for id in self.tables_of_all)
        return next((table for table in tables if self._scratch_in(table)), None)

    def _scratch_in(self, table: Table) -> str | None:
        students = (id for id in table.rows.values() if not self.config.is_teacher(id))
        return next((id for id in students if not self.config.teachers_of(id)), None)

    @property
    def scratch_row(self) -> str | None:
        """That student."""
        return self._scratch_in(self.main) if self.main else None

    @property
    def students(self) -> dict[str, str]:
        """The rows of the main table that are students of ratings."""
        if self.main is None or self.config.family(self.main.data[0]) != "ratings":
            return {}
        rows = self.main.rows.items()
        return {row: id for row, id in rows if not self.config.is_teacher(id)}

    @property
    def places(self) -> list[tuple[str, str]]:
        """The data sets of the main table with their splits."""
        return list(dict.fromkeys(column[:2] for column in self.config.columns(self.main)))

    def cka_file(self, place: tuple[str, str], experiment: str) -> str:
        """How alike the states of an experiment's students and of the teacher are."""
        return f"{self.config.results}/{place[0]}/{place[1]}/cka/{experiment}.csv"

    def cka_teacher(self, data: str, wildcards: Any) -> list[str]:
        """The teacher that an experiment's students are compared with: theirs, or the others'."""
        names = self.config.teachers_of(wildcards.experiment)
        others = (t for id in self.students.values() for t in self.config.teachers_of(id))
        return [self.teacher_file(next(iter([*names, *others])), data, wildcards.split)]

    def code_of_cka(self, data: str) -> list[str]:
        """The modules of that comparison."""
        models = self.config.models.values()
        kinds = {m.kind for m in models if MODELS.get(m.kind).family == self.config.family(data)}
        return ["talking_models.evidence.cka", *map(MODELS.module, sorted(kinds))]

    @property
    def trials(self) -> tuple[list[str], dict[str, str]]:
        """The trials of the searches behind the main table, and its rows that were searched."""
        if self.main is None:
            return [], {}
        files = []
        for data, split in self.places:
            if self.config.tuning == "search":
                place = self.tuning_place(data, split)
                files += [f"{place}/{id}/trials.csv" for id in self.config.searched(data)]
            elif self.config.tuning == "committed":
                file = Path(self.config.tuned, data, "trials.csv")
                files += [str(file)] if file.is_file() else []
        searched = {id for data, _ in self.places for id in self.config.searched(data)}
        return files, {row: id for row, id in self.main.rows.items() if id in searched}

    @cached_property
    def figures(self) -> dict[str, tuple[str, Need]]:
        """The figures that the configuration can have, by id: what draws them, what they need."""
        found = {}
        curves = [id for id, curve in self.config.curves.items() if curve.in_all]
        for id in set(curves) & set(FIGURES.names()) - {"curve"}:
            raise ConfigError(f"curves.{id}: a figure has this name, choose another id")
        order = ["forest", *curves, *FIGURES.names()]
        for id in dict.fromkeys(order):
            name = "curve" if id in self.config.curves else id
            need = FIGURES.get(name).needs(self, id)
            if need is not None:
                found[id] = name, need
        return found

    @property
    def figure_files(self) -> list[str]:
        """Their files."""
        folder = f"{self.config.results}/figures"
        return [f"{folder}/{id}.{form}" for id in self.figures for form in ("png", "svg")]

    def figure(self, id: str) -> dict[str, Any]:
        """What the job and the report are told of a figure."""
        name, need = self.figures[id]
        kind, curve = FIGURES.get(name), self.config.curves.get(id)
        return {
            "name": name,
            "inputs": need.inputs,
            "params": need.params,
            "caption": kind.caption,
            "title": curve.title if curve else kind.title,
            "code": [FIGURES.module(name), *self._metric_of(need)],
        }

    def _metric_of(self, need: Need) -> list[str]:
        return self.metric_code([need.params["metric"]] if "metric" in need.params else [])
