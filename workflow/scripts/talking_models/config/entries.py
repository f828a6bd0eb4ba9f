"""Entries whose keys depend on their kind: data sets and models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from talking_models.config.errors import raise_all, unknown
from talking_models.data import DATA
from talking_models.methods import METHODS
from talking_models.models import MODELS
from talking_models.registry import Registry
from talking_models.strict import Strict

REGISTRIES = {"data": DATA, "models": MODELS}
"""The kinds of entries, by the key of the configuration that holds them."""


def present(given: Any) -> Any:
    """A mapping without the entries that are null: they are switched off."""
    if not isinstance(given, Mapping):
        return given
    return {id: entry for id, entry in given.items() if entry is not None}


def entries(registry: Registry, given: Any) -> Any:
    """Entries as the settings of their kinds.

    Args:
        registry: of the kinds.
        given: entries as read, by id.

    Raises:
        ValidationError: every problem of every entry.
    """
    if not isinstance(given, Mapping):
        return given
    found: dict[str, Any] = {}
    problems = []
    for id, entry in given.items():
        if isinstance(entry, Mapping):  # YAML takes the key `on` for true
            entry = {"on" if key is True else key: value for key, value in entry.items()}
        if not isinstance(entry, Mapping) or "kind" not in entry:
            found[id] = entry  # the field's own type says what is wrong
            continue
        kind = entry["kind"]
        if kind not in registry.names():
            problems.append(((id, "kind"), kind, unknown("no such kind", registry.names())))
            continue
        model: type[Strict] = registry.get(kind).Settings
        try:
            found[id] = model.model_validate(entry)
        except ValidationError as error:
            problems += [
                ((id, *e["loc"]), e["input"], _again(e)) for e in error.errors(include_url=False)
            ]
    raise_all(problems)
    return found


def _again(error: Mapping[str, Any]) -> PydanticCustomError:
    """An error to be raised one level up; its context is kept for its explanation."""
    return PydanticCustomError(error["type"], error["msg"].replace("{", "("), error.get("ctx"))


def part_of(raw: Mapping[str, Any], loc: Sequence[str | int]) -> type[BaseModel] | None:
    """The model of a key whose meaning depends on another: on a kind, a method, a student."""

    def said(*path: str | int) -> Any:
        value: Any = raw
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    if len(loc) == 2 and loc[0] in REGISTRIES:
        registry, kind = REGISTRIES[loc[0]], said(*loc, "kind")
        return registry.get(kind).Settings if kind in registry.names() else None
    if len(loc) == 3 and loc[0] == "experiments" and loc[2] in ("settings", "choose"):
        method = said(*loc[:2], "method")
        return METHODS.get(method).Settings if method in METHODS.names() else None
    if len(loc) == 3 and loc[0] == "experiments" and loc[2] == "training":
        student = said(*loc[:2], "student") or "student"
        registry, kind = REGISTRIES["models"], said("models", student, "kind")
        if kind in registry.names():
            return registry.get(kind).Settings.model_fields["training"].annotation
    return None
