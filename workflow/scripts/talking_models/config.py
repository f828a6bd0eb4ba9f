"""The configuration: every key with its default, its range and its meaning.

These models are the one source of the defaults, of `workflow/schemas/config.schema.json` and of the
key table in `config/README.md` (see `talking_models.config_docs`). Snakemake reads them while it
builds its DAG, so nothing here imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from talking_models import images, methods
from talking_models.changes import changed
from talking_models.config_errors import ConfigError, explain, raise_all
from talking_models.config_sections import (
    TEACHER,
    Experiment,
    Features,
    Identifier,
    MovieLens,
    Precision,
    Search,
    Strict,
    Student,
    Table,
    Teacher,
    Training,
    start_from_no_experiment,
)
from talking_models.config_vision import IDS as VISION_IDS
from talking_models.config_vision import Vision

__all__ = ["TEACHER", "Config", "ConfigError", "Training", "load", "merge", "read"]


class Config(Strict):
    """Everything that a run depends on; made by `load` or `read`, which also check all ids."""

    results: str = Field(
        "results",
        pattern=r"^[\w./-]+$",
        description="Folder of everything that a run makes, but for the downloaded data.",
    )
    images: str = Field(
        images.PREFIX,
        pattern=r"^[\w.-]+(:\d+)?(/[\w.-]+)*$",
        description="Registry and folder of the container images, for `--sdm apptainer` alone.",
    )
    seeds: int = Field(5, ge=1, description="Runs of each cell, with the seeds 0 to n-1.")
    precision: Precision = Field(
        "float32",
        description="Of the matrix products of final training, see `search.precision`.",
    )
    movielens: MovieLens = Field(default_factory=MovieLens, description="The MovieLens tasks.")
    features: Features = Field(default_factory=Features, description="Embedding widths.")
    teacher: Teacher = Field(default_factory=Teacher, description="The teacher.")
    student: Student = Field(default_factory=Student, description="The student.")
    tuning: Literal["none", "committed", "search"] = Field(
        "committed",
        description="Where tuned settings come from: nowhere (the defaults above serve all "
        "methods), the file `tuned`, or a search in this run.",
    )
    tuned: str = Field(
        "config/tuned/movielens-100k.yaml",
        pattern=r"\.yaml$",
        description="The committed choice of a search, relative to the repository root.",
    )
    search: Search = Field(default_factory=Search, description="The search for settings.")
    experiments: dict[Identifier, Experiment] = Field(
        {}, description="Experiment ids; `teacher` is reserved."
    )
    tables: dict[Identifier, Table] = Field({}, description="Table ids.")
    vision: Vision = Field(default_factory=Vision, description="The image data sets.")

    @field_validator("experiments")
    @classmethod
    def _teacher_is_reserved(cls, experiments: dict[str, Experiment]) -> dict[str, Experiment]:
        if TEACHER in experiments:
            error = PydanticCustomError("reserved", "it stands for the teacher, choose another id")
            raise_all([((TEACHER,), TEACHER, error)])
        return experiments

    @field_validator("experiments")
    @classmethod
    def _ablations_start_from_an_experiment(
        cls, experiments: dict[str, Experiment]
    ) -> dict[str, Experiment]:
        problems = start_from_no_experiment(experiments, "no tuned experiment of the same method")
        for id, experiment in experiments.items():
            if experiment.choose and experiment.like is None:
                error = PydanticCustomError("not_alone", "only beside `like`")
                problems.append(((id, "choose"), experiment.choose, error))
        raise_all(problems)
        return experiments

    @field_validator("vision")
    @classmethod
    def _a_table_has_one_meaning(cls, vision: Vision, info: ValidationInfo) -> Vision:
        both = [id for id in vision.tables if id in info.data.get("tables", {})]
        error = PydanticCustomError("reserved", "a table of MovieLens has this id, choose another")
        raise_all([(("tables", id), id, error) for id in both])
        return vision

    def own(self, experiment: str) -> dict[str, Any]:
        """What an experiment itself says of `training` and `settings`; nothing for the teacher.

        Where no search chooses (`tuning: none`), the first value of `choose` serves.
        """
        if experiment == TEACHER:
            return {"training": {}, "settings": {}}
        found = self.experiments[experiment]
        first = self.tuning == "none"
        return {
            "training": found.training.model_dump(exclude_unset=True),
            "settings": found.settings
            | ({key: values[0] for key, values in found.choose.items()} if first else {}),
        }

    def training_job(self, experiment: str, *changes: Mapping[str, Any]) -> dict[str, Any]:
        """The effective config of one training job: what `training.movielens.fit` takes.

        Later ones win: the method's defaults, `student.training`, `changes` in their order (what
        tuning chose: `training` and `settings`), and what the experiment itself says.

        Raises:
            KeyError: there is no such experiment.
        """
        model = self.teacher if experiment == TEACHER else self.student
        method = "scratch" if experiment == TEACHER else self.experiments[experiment].method
        config = {
            "seeds": self.seeds,
            "precision": self.precision,
            "features": self.features.model_dump(),
            "hidden": list(model.hidden),
            "training": model.training.model_dump(),
            "method": method,
            "settings": methods.settings_class(method)().model_dump(),
        }
        return changed(config, *changes, self.own(experiment))


def load(raw: Mapping[str, Any]) -> Config:
    """Validate merged configuration files, such as Snakemake's `config`.

    Raises:
        ConfigError: its message lists every problem with the key's path, what was found, what is
            allowed and the nearest known name.
    """
    raw = dict(raw)
    ids = {"experiments": _mapping(raw, "experiments"), "vision": _mapping(raw, *VISION_IDS)}
    try:
        return Config.model_validate(raw, context=ids)
    except ValidationError as error:
        raise ConfigError(explain(error, raw, Config.model_json_schema())) from None


def _mapping(raw: Any, *path: str) -> Mapping[str, Any] | None:
    """The mapping at a key path; None if there is something else, {} if there is nothing."""
    for key in path:
        raw = raw.get(key, {})
        if not isinstance(raw, Mapping):
            return None
    return raw


def merge(base: Any, update: Mapping[str, Any]) -> Any:
    """Merge as Snakemake does: mappings key by key, anything else replaces what was there."""
    if not update:
        return base
    merged = dict(base) if isinstance(base, Mapping) else {}
    for key, value in update.items():
        merged[key] = merge(merged.get(key, {}), value) if isinstance(value, Mapping) else value
    return merged


def read(*paths: str | Path) -> Config:
    """Load configuration files without Snakemake, later ones on top of earlier ones.

    Raises:
        ConfigError: a file is not a YAML mapping, or as for `load`.
    """
    raw: dict[str, Any] = {}
    for path in paths:
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not YAML: {error}") from None
        if not isinstance(content, Mapping):
            raise ConfigError(f"{path}: the top level must be a mapping of keys to values")
        raw = merge(raw, content)
    return load(raw)


def read_tuned(path: str | Path) -> dict[str, dict[str, Any]]:
    """The committed choice of a search: for each experiment and task a change of settings.

    Raises:
        ConfigError: the file is missing or is not such a choice.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return content["chosen"]
    except FileNotFoundError:
        raise ConfigError(
            f"tuned: there is no file {path}; `make tuned` searches and writes it, and "
            "`tuning: none` does without"
        ) from None
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(f"tuned: {path} is not the choice of a search: {error}") from None


if __name__ == "__main__":
    from talking_models.config_docs import main

    raise SystemExit(main())
