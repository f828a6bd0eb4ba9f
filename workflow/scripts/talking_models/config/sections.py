"""The sections of the configuration; see `talking_models.config`, which puts them together.

Nothing here imports torch: Snakemake reads the configuration while it builds its DAG.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from talking_models.data import DATA
from talking_models.methods import METHODS
from talking_models.models import MODELS
from talking_models.registry import Registry
from talking_models.strict import (
    MISSING,
    Identifier,
    Precision,
    Share,
    Strict,
    choices,
    raise_all,
    shown,
    unique,
)

REGISTRIES = {"data": DATA, "models": MODELS}
"""The kinds of entries whose keys depend on their kind, by the section that holds them."""


def present(given: Any) -> Any:
    """A mapping without the entries that are null: they are switched off."""
    if not isinstance(given, Mapping):
        return given
    return {id: entry for id, entry in given.items() if entry is not None}


def shown_alone(given: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration whose tables and curves show no data set that is null; one that would show
    nothing is off, and with it the claims that are judged on another's rows instead of on its own.
    """
    data = given["data"] if isinstance(given.get("data"), Mapping) else {}
    off = [id for id, entry in data.items() if entry is None and isinstance(id, str)]

    def without(entry: Any) -> Any:
        shows = entry.get("data") if isinstance(entry, Mapping) else None
        if not isinstance(shows, list):
            return entry  # the field's own type says what is wrong
        left = [each for each in shows if each not in off]
        return {**entry, "data": left} if left or not shows else None

    found = dict(given)
    for section in ("tables", "curves"):
        if isinstance(given.get(section), Mapping):
            found[section] = {id: without(entry) for id, entry in given[section].items()}
    tables = found.get("tables")
    for id, entry in tables.items() if isinstance(tables, Mapping) else ():
        of = entry.get("claims_of") if isinstance(entry, Mapping) else None
        if isinstance(of, str) and tables.get(of, entry) is None:
            tables[id] = {**entry, "claims_of": None}
    return found


def of_kind(components: Registry, given: Any) -> Any:
    """An entry as the settings of its kind."""
    if not isinstance(given, Mapping):
        return given  # the field's own type says what is wrong
    # YAML reads `on` so.
    given = {"on" if key is True else key: value for key, value in given.items()}
    kind, known = given.get("kind", ""), components.names()
    if kind in known:
        return components.get(kind).Settings.model_validate(given)
    found = shown(kind) if "kind" in given else MISSING
    return raise_all([(("kind",), kind, f"{found}; {choices(kind, known, 'nothing')}")])


Name = TypeVar("Name")
Names = Annotated[tuple[Name, ...], Field(strict=False), AfterValidator(unique)]  # YAML's are lists
Ids = Names[Identifier]
Values = Annotated[list[Any], Field(min_length=1)]
Section = TypeVar("Section")
Entries = Annotated[dict[Identifier, Section], BeforeValidator(present)]
OfDataKind, OfModelKind = (BeforeValidator(partial(of_kind, each)) for each in REGISTRIES.values())


class SplitSearch(Strict):
    """What differs from `search` on a split of one's own."""

    trials: int | None = Field(None, ge=1, description="See `search`; null: as there.")
    training_trials: int | None = Field(None, ge=1, description="See `search`; null: as there.")
    steps: int | None = Field(None, ge=1, description="See `search`; null: as there.")
    tasks: int | None = Field(
        None,
        ge=1,
        description="Most tasks that trials are scored on, taken evenly from the first to the "
        "last; null: all.",
    )


class Split(Strict):
    """How a data set is cut into fit, val and eval rows."""

    kind: Literal["latest", "rolling", "per_user", "given"] = Field(
        description="`latest`: the latest rows of all are eval, the latest of the others val. "
        "`rolling`: several such cuts, one after the other. `per_user`: the latest rows of each "
        "user. `given`: the parts that the source of the images has.",
    )
    eval: float = Field(
        0.1, gt=0, le=0.5, description="Share of all rows that is kept for the tables."
    )
    val: float = Field(
        0.1, gt=0, le=0.5, description="Share of the training rows that selects and never trains."
    )
    share: Share = Field(
        1.0, description="Share of a task's training rows that is used, drawn at random."
    )
    windows: int | None = Field(
        None, ge=2, le=20, description="Of `rolling`: how many cuts; their ids are ID-1, ID-2, ..."
    )
    draws: int | None = Field(
        None,
        ge=2,
        le=20,
        description="Of a share of ratings: how many are drawn, each for one seed; their ids are "
        "ID-1, ID-2, ...; null: one, for all seeds.",
    )

    tuned_on: Identifier | None = Field(
        None,
        description="The split, of windows the last, whose searches serve this one, too; null: it "
        "has its own.",
    )
    settings_on: Identifier | None = Field(
        None,
        description="The split, of windows and draws the first, whose search chooses methods' own "
        "settings for this one; null: itself. How a student of ratings trains, and for how many "
        "steps, is searched on each window and share.",
    )
    search: SplitSearch = Field(
        default_factory=SplitSearch, description="What differs from `search` on this split."
    )

    @model_validator(mode="after")
    def _windows_roll(self) -> Split:
        if (self.windows is None) == (self.kind == "rolling"):
            raise ValueError(
                f"kind {self.kind} and windows {self.windows}: kind `rolling` needs windows, and "
                "no other kind has them"
            )
        if self.draws and (self.share == 1 or self.windows or self.kind == "given"):
            raise ValueError(
                f"draws {self.draws} beside kind {self.kind} and share {self.share}: draws are of "
                "a share below 1 of ratings, in one window"
            )
        says = {"given": "the source says it", "rolling": "windows say it"}
        if self.kind in says and "eval" in self.model_fields_set:
            raise ValueError(
                f"eval {self.eval} has no effect with kind `{self.kind}`: {says[self.kind]}"
            )
        return self

    def protocols(self, id: str) -> dict[str, dict[str, Any]]:
        """What a job is told, by the id in paths: one, or one for each window or draw."""
        common = self.model_dump(exclude={"windows", "draws", "tuned_on", "settings_on", "search"})
        if self.draws:
            return {f"{id}-{k + 1}": common | {"draw": k} for k in range(self.draws)}
        if self.windows is None:
            return {id: common}
        return {
            f"{id}-{k + 1}": common | {"window": k, "windows": self.windows}
            for k in range(self.windows)
        }


class Experiment(Strict):
    """A method, a student, its teachers, and what differs from defaults and from what was tuned."""

    method: str = Field(
        description="A file of `talking_models/methods`, without `.py`.",
        json_schema_extra=lambda schema: schema.update(enum=METHODS.names()),
    )
    student: Identifier = Field("student", description="The model that is trained.")
    teachers: Ids = Field(
        ("teacher",),
        description="The models that teach; without effect for a method without a teacher.",
    )
    peers: Ids = Field(
        (),
        description="Models that learn beside the student, in its job and from its rows; of "
        "methods that have such.",
    )
    teacher_seed: Literal["paired", "first", "all"] | None = Field(
        None,
        description="See the top level; null: as there. `all`, of ratings: all of a teacher's "
        "models as one, their states side by side, the mean of their outputs.",
    )
    weights: dict[Identifier, Annotated[float, Field(ge=0)]] = Field(
        {},
        description="Of several teachers and peers, if not 1; one of weight 0 is left out.",
    )
    settings: dict[str, Any] = Field(
        {}, description="Hyper-parameters of the method that differ from its defaults, see below."
    )
    training: dict[str, Any] = Field(
        {}, description="What differs from the `training` of the student's entry."
    )
    like: Identifier | None = Field(
        None,
        description="Start from the settings of this experiment, of the same method, and change "
        "only what stands here: an ablation. If left out, the experiment is tuned itself.",
    )
    best_of: Ids = Field(
        (),
        description="Instead of a search: the settings of whichever of these experiments, of the "
        "same method, validation finds best.",
    )
    choose: dict[str, Values] = Field(
        {},
        description="With `like`: a few values of a setting: validation's choice, else the first.",
    )
    search_seed: int = Field(
        0, ge=0, description="Of the settings that its search tries: another one tries others."
    )

    @property
    def chooses(self) -> bool:
        """Whether a search chooses settings of its own: not of an ablation with fixed ones."""
        return not self.like or bool(self.choose)

    @field_validator("method")
    @classmethod
    def _known_method(cls, name: str) -> str:
        if name not in METHODS.names():
            raise ValueError(choices(name, METHODS.names(), "nothing"))
        return name

    @model_validator(mode="after")
    def _choose_needs_like(self) -> Experiment:
        if self.choose and self.like is None:
            raise ValueError("choose has an effect only beside `like`")
        if self.best_of and self.like:
            raise ValueError("either `like` or `best_of`")
        return self


class Search(Strict):
    """How settings are searched: on the training rows, the same for every method."""

    trials: int = Field(24, ge=1, description="Settings tried for each method.")
    training_trials: int = Field(
        32,
        ge=1,
        description="Ways to train that are tried, for the teacher and for training from scratch; "
        "all methods share those of the latter.",
    )
    folds: int = Field(3, ge=2, le=8, description="Rolling-origin folds of the training rows.")
    seeds: int = Field(2, ge=1, description="Models whose scores are averaged in each trial.")
    steps: int = Field(400, ge=1, description="Most steps that a student can be given.")
    teacher_steps: int = Field(800, ge=1, description="Most steps that the teacher can be given.")
    every: int = Field(25, ge=1, description="Steps between two looks at the validation rows.")
    image_steps: int | None = Field(
        None, ge=1, description="Steps of a trial on images; null: those of the training."
    )
    precision: Precision = Field(
        "auto",
        description="Of the trials' matrix products; `auto` is bfloat16 on processors that have "
        "instructions for it. Weights, losses and scores stay float32.",
    )

    @model_validator(mode="after")
    def _it_looks(self) -> Search:
        for name, steps in (("steps", self.steps), ("teacher_steps", self.teacher_steps)):
            if steps < self.every:
                text = f"search.{name} {steps} < search.every {self.every}"
                raise ValueError(f"{text}: no trial would be looked at")
        return self


class Device(Strict):
    """What image jobs run on. Nothing here changes a result by more than rounding, but for
    `devices` where `micro_batch_size` is null: dropout and batch norm see what one of them takes.
    """

    accelerator: Literal["auto", "cpu", "cuda", "tpu"] = Field(
        "auto",
        description="`auto` takes the best that is there. Clusters need the word: a job asks for "
        "a device only if it says `cuda` or `tpu`.",
    )
    devices: int = Field(1, ge=1, description="Devices that a training job uses.")
    precision: Precision = Field(
        "auto",
        description="Of the products; `auto` is bfloat16 on CUDA devices that have it, and on "
        "processors that have it and are faster with it, by a short measurement. For small models "
        "on a GPU float32 can be as fast (benchmarks/RESULTS-gpu.md).",
    )
    states_gb: float = Field(
        4.0,
        ge=0,
        description="Most gigabytes of a teacher's states on a training set that are kept on disk, "
        "instead of being computed in every epoch; for training without crops and shifts. 0: none.",
    )
    threads: int = Field(1, ge=1, description="CPU threads of torch in each process.")
    workers: int = Field(
        0, ge=0, description="Processes that prepare images, for each training process."
    )

    def of_results(self, **more: Any) -> dict[str, Any]:
        """What a result depends on, be it by rounding: with another value a job runs again."""
        return self.model_dump(include={"accelerator", "devices", "precision"}) | more


class Shown(Strict):
    """What tables and curves have in common."""

    title: str = Field(min_length=1, description="What it shows.")
    data: Ids = Field(min_length=1, description="The data sets; each of their tasks is a column.")
    split: Identifier | None = Field(
        None, description="The split; null: the one that each data set names."
    )
    tasks: int | None = Field(
        None,
        ge=1,
        description="Most tasks of a data set, taken evenly from its first to its last; null: all.",
    )
    seeds: int | None = Field(
        None,
        ge=1,
        description="Of images: most seeds of a data set that it shows, the first ones; null: all.",
    )
    metric: str | None = Field(
        None,
        description="A file of `talking_models/metrics`, without `.py`; null: `rmse` of ratings, "
        "`accuracy` of images.",
    )
    against: Identifier | None = Field(
        None, description="The experiment that the others are compared with; null: none."
    )
    in_all: bool = Field(
        True, description="Whether a run without a target makes it; else it is asked for by name."
    )

    @property
    def named(self) -> dict[str, str]:
        """Its experiments by what is printed for each."""
        return self.rows if isinstance(self, Table) else {**self.points, **self.lines}


class Table(Shown):
    """A table of results: rows are experiments, columns the tasks of data sets."""

    @model_validator(mode="before")
    @classmethod
    def _without_rows_that_are_off(cls, given: Any) -> Any:
        rows = given.get("rows") if isinstance(given, Mapping) else None
        if not isinstance(rows, Mapping) or None not in rows.values():
            return given
        found, bold = {**given, "rows": present(rows)}, given.get("bold")
        if isinstance(bold, list) and all(isinstance(row, str) for row in bold):
            found["bold"] = [row for row in bold if row in found["rows"] or row not in rows]
        return found

    paper: str | None = Field(
        None,
        pattern=r"\.csv$",
        description="The published numbers, relative to the repository root; none if left out.",
    )
    claims_of: Identifier | None = Field(
        None,
        description="A published table whose claims are judged on this one's rows, too: on other "
        "rows of the data.",
    )
    rows: dict[str, Identifier] = Field(
        min_length=1,
        description="Row names, as published, with their experiment ids, or a teacher's.",
    )
    bold: Names[str] = Field(
        (), description="The rows among which the best mean is printed in bold."
    )


class Curve(Shown):
    """Results along the values of a setting, drawn as a figure."""

    of: Identifier | None = Field(
        None, description="With `over`: the experiment whose setting takes the values."
    )
    over: dict[str, Values] = Field(
        {},
        description="One setting of the method with its values: an experiment is made for each.",
    )
    points: dict[str, Identifier] = Field(
        {}, description="Instead: experiments by the value that is printed for each."
    )
    splits: dict[str, Identifier] = Field(
        {}, description="Or, with `lines`: splits by the value that is printed for each."
    )
    lines: dict[str, Identifier] = Field(
        {}, description="With `splits`: names and experiments, each a line."
    )
    costs: bool = Field(
        False,
        description="With `splits`, of ratings: whether it also says what a student of each line "
        "weighs, and what its training takes.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Curve:
        ways = sum(map(bool, (self.points, self.over, self.splits)))
        beside = bool(self.lines and self.against) if self.splits else not self.lines
        if ways != 1 or bool(self.over) != bool(self.of) or not beside:
            raise ValueError(
                "either `of` and `over`, or `points`, or `splits` with `lines` and `against`"
            )
        if len(self.over) > 1:
            raise ValueError("`over` takes one setting")
        if self.costs and not self.splits:
            raise ValueError("costs has an effect only beside `splits`")
        return self
