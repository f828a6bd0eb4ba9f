"""Which figures a configuration can have, and from which experiments. Snakefiles import this."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from talking_models.config import TEACHER, Config

SCRATCH, TD = "scratch", "td"  # methods
ROUNDS = "td-rounds-"  # begins the ids of the rounds ablation: td-rounds-0, td-rounds-2-3


@dataclass(frozen=True)
class Plan:
    """What there is to draw; empty where the configuration lacks it.

    Attributes:
        methods: row names with experiment ids (or `teacher`) of the first table that has the
            student trained from scratch.
        scratch: the id of that student.
        td: the id of TD among `methods`.
        rounds: experiment ids of the rounds ablation, by number of rounds: '0', '2 to 3'.
        published: ids of the tables with the paper's numbers beside ours.
        searched: `methods` whose settings a search chooses, rather than taking another's.
        trials: the file with all trials of the search for settings, if there is one: of this
            run, or beside the committed choice.
    """

    methods: dict[str, str]
    scratch: str | None
    td: str | None
    rounds: dict[str, str]
    published: tuple[str, ...]
    searched: dict[str, str]
    trials: str | None

    @property
    def students(self) -> dict[str, str]:
        """`methods` without the teacher."""
        return {name: id for name, id in self.methods.items() if id != TEACHER}

    @property
    def figures(self) -> list[str]:
        """Names of the figures that can be drawn, in the order to show them."""
        there = {
            "forest": len(self.methods) > 1,
            "rounds": self.scratch and len(self.rounds) > 1,
            "paper": self.published,
            "trials": self.trials and self.searched,
            "losses": self.td,
            "cka": self.students,
        }
        return [name for name, possible in there.items() if possible]


def trials_of(config: Config) -> str | None:
    """See `Plan.trials`."""
    if config.tuning == "search":
        return f"{config.results}/movielens/{config.movielens.variant}/tuned.csv"
    committed = Path(config.tuned).with_suffix(".csv")
    return str(committed) if config.tuning == "committed" and committed.exists() else None


def plan(config: Config) -> Plan:
    """The figures of a configuration. Only experiments of its tables are used."""
    method = {id: experiment.method for id, experiment in config.experiments.items()}
    shown = [id for table in config.tables.values() for id in table.rows.values()]
    main = next(
        (
            table.rows
            for table in config.tables.values()
            if SCRATCH in [method.get(id) for id in table.rows.values()]
        ),
        {},
    )

    def first(name: str) -> str | None:
        return next((id for id in main.values() if method.get(id) == name), None)

    return Plan(
        methods=dict(main),
        scratch=first(SCRATCH),
        td=first(TD),
        rounds={
            id.removeprefix(ROUNDS).replace("-", " to "): id
            for id in sorted(set(shown))
            if id.startswith(ROUNDS)
        },
        published=tuple(
            id
            for id, table in config.tables.items()
            if table.paper and config.movielens.variant == "100k"
        ),
        searched={
            name: id
            for name, id in main.items()
            if id in config.experiments
            and (config.experiments[id].like is None or config.experiments[id].choose)
        },
        trials=trials_of(config),
    )
