"""Pages of a run: what those of tables, curves and claims need to know of what they show."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from talking_models.config.check import REFERENCES
from talking_models.config.sections import Table
from talking_models.plan.tables import Tables

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


class Pages(Tables):
    """A configuration as the rules of pages see it."""

    def about(self, id: str) -> dict[str, Any]:
        """What a page needs to know of a table, in types that JSON has."""
        table, config = self.config.tables[id], self.config
        columns = config.columns(table)
        return {
            "id": id,
            "title": table.title,
            "rows": dict(table.rows),
            "bold": list(table.bold),
            "against": table.against,
            "apart": bool(table.against) and not table.in_all,
            "teachers": {id: list(config.teachers_of(id)) for id in table.rows.values()},
            "teacher_seed": {id: config.teacher_seed_of(id) for id in table.rows.values()},
            "metric": config.metric_of(table),
            "paper": table.paper,
            "columns": [list(column) for column in columns],
            "pooled": {
                part: split
                for split in config.splits
                for part in config.parts(split)
                if part != split and part in {column[1] for column in columns}
            },
            "names": {data: config.name_of(data) for data in table.data},
            "units": {data: config.data[data].unit or "" for data in table.data},
            "references": self.lines_of(table),
            "lines": LINES[config.family(table.data[0])],
            "untuned": self._untuned(columns, table.rows),
            "searched": self.searched(id),
        }

    def lines_of(self, table: Table) -> dict[str, str]:
        """The names of a table's reference lines, with their ids in the evidence."""
        if self.config.family(table.data[0]) == "ratings":
            one = all(map(self.is_one_task, table.data))
            return {row: id for row, id in REFERENCES.items() if not one or id != "bias-all"}
        probed = {id: model for data in table.data for id, model in self.probed(data).items()}
        return {f"Linear probe of {model}, untouched": id for id, model in probed.items()}

    def along(self, id: str) -> dict[str, Any]:
        """What a page needs to know of a curve along splits, in types that JSON has."""
        curve, config = self.config.curves[id], self.config
        rows = {curve.against: curve.against, **curve.lines}
        return {
            "title": curve.title,
            "lines": dict(curve.lines),
            "against": curve.against,
            "metric": config.metric_of(curve),
            "splits": {
                part: value for value, split in curve.splits.items() for part in config.parts(split)
            },
            "names": {data: config.name_of(data) for data in curve.data},
            "untuned": self._untuned(config.columns(curve), rows),
            "searched": self.searched(id),
        }

    def searched(self, id: str) -> dict[str, Any]:
        """What the rows of a table, or lines of a curve, are called and were searched as, see
        `report.searches`.
        """
        against, rows = self.asked.shown[id].against, self._rows(id)
        entries = {row: self.config.experiment(made) for row, made in rows.items()}
        like = {row: e.like for row, e in entries.items() if not e.chooses}
        found = self.choices_of(id)
        place = {file: number for number, file in enumerate(self._with_steps(found))}
        choices = [of | {"steps": [place[file] for file in of["steps"]]} for of in found.values()]
        return {"rows": rows, "like": like, "against": against, "choices": choices}

    def judged_on(self) -> dict[str, dict[str, Any]]:
        """The tables that claims are judged on, by what they are shown as: the published ones, and
        those that stand for them on other rows, by their split.
        """
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        for id in self.judged:
            table = self.config.tables[id]
            of, split = table.claims_of, self.config.splits.get(table.split)
            on = f"{split.windows} windows" if split and split.windows else table.split or id
            found[on if of else "the paper's protocol"][of or id] = self.about(id) | {
                "paper": self.config.tables[of or id].paper
            }
        return dict(found)

    def _untuned(
        self, columns: Iterable[tuple[str, str, str]], rows: Mapping[str, str]
    ) -> list[str]:
        """The rows or lines whose settings were not chosen for the data, if others' were."""
        tuned = {row: self._is_tuned(columns, made) for row, made in rows.items()}
        return [row for row in tuned if any(tuned.values()) and not tuned[row]]

    def _is_tuned(self, columns: Iterable[tuple[str, str, str]], experiment: str) -> bool:
        return all(self.tuned(data, split, experiment) for data, split, _ in columns)

    def stamp(self, *tables: str) -> str:
        """What the numbers of tables or curves were made from, a sentence or two."""
        config, found = self.config, []
        shown = [config.shown[id] for id in tables]
        columns = [column for table in shown for column in config.columns(table)]
        ids = dict.fromkeys(job[-1] for table in shown for job in self.jobs(table))
        whole = config.wholes
        parts: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(dict)
        for data, split, task in dict.fromkeys(columns):
            parts[data, whole[split]].setdefault(split, []).append(task)
        shares: dict[str, dict[str, str]] = defaultdict(dict)
        for (data, _), of in parts.items():
            n = max(config.seeds_of(data, each) for each in shown if data in each.data)
            first = next(iter(of))
            protocol, tasks = config.protocols[first], len(of[first])
            pooled = len(of) > 1 and "window" in protocol
            how = HOW["windows" if pooled else protocol["kind"]]
            how = how.format(nth=protocol.get("window", 0) + 1, **protocol)
            of_all = (
                f"{config.name_of(data)}: {tasks} {'task' if tasks == 1 else 'tasks'}, "
                f"{n} {'seed' if n == 1 else 'seeds'}, {how}"
            )
            drawn = ", drawn anew for each seed" if "draw" in protocol else ""
            shares[of_all][f"{protocol['share']:.0%}"] = drawn
        for of_all, drawn in shares.items():
            *more, last = drawn
            some = f"{', '.join(more)}{' and ' * bool(more)}{last} of the training rows"
            few = f", with {some}{max(drawn.values())}" if [*drawn] != ["100%"] else ""
            found.append(f"{of_all}{few}.")
        if config.trial:
            found.append("**This is a trial of the workflow and no result.**")
        seen = [id for id in ids if config.family_of(id) == "images"]
        models = [config.experiment(id).student for id in seen]
        models += [m for id in seen for m in config.teachers_of(id) if not config.models[m].file]
        for whole in dict.fromkeys(map(config.whole_of, models)):
            entry = config.models[whole]
            hub = "timm's, from the Hugging Face hub" if entry.weights == "hub" else entry.weights
            said = f"{entry.name} begins with these weights: {entry.origin or hub}."
            random = "The pre-trained model has random weights."
            found.append(random if entry.weights == "random" else said)
        if any(map(self.is_searched, {data for data, _, _ in columns})):
            found.append("Settings were chosen on training rows by a search in this run.")
        elif any(self._is_tuned(columns, id) for id in ids):
            found.append("Settings were chosen on training rows by a search that is committed.")
        else:
            why = "" if config.tuning == "none" else ": none were searched for this data"
            found.append(f"Settings are those of the configuration{why}.")
        return " ".join(found)
