"""Entries whose keys depend on their kind: data sets and models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from talking_models.config.errors import raise_all, unknown
from talking_models.config.merge import said
from talking_models.data import DATA
from talking_models.methods import METHODS
from talking_models.models import MODELS
from talking_models.registry import Registry
from talking_models.strict import Strict

REGISTRIES = {"data": DATA, "models": MODELS}
"""The kinds of entries, by the key of the configuration that holds them."""


def words(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration whose entries have the key `on` as a word: YAML takes it for true."""

    def named(entry: Any) -> Any:
        if not isinstance(entry, Mapping):
            return entry
        return {"on" if key is True else key: value for key, value in entry.items()}

    found = dict(raw)
    for section in REGISTRIES:
        if isinstance(found.get(section), Mapping):
            found[section] = {id: named(entry) for id, entry in found[section].items()}
    return found


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
        if not isinstance(entry, Mapping):
            found[id] = entry  # the field's own type says what is wrong
            continue
        if "kind" not in entry:
            error = PydanticCustomError("missing", "no kind", {"choices": registry.names()})
            problems.append(((id, "kind"), entry, error))
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
    section, *rest = loc
    last = rest[-1] if rest else None
    registry, kind = METHODS, None
    if len(loc) == 2 and section in REGISTRIES:
        registry, kind = REGISTRIES[section], said(raw, *loc, "kind")
    elif len(loc) == 3 and section == "experiments" and last in ("settings", "choose"):
        kind = said(raw, *loc[:2], "method")
    elif len(loc) == 3 and section == "curves" and last == "over":
        kind = said(raw, "experiments", said(raw, *loc[:2], "of"), "method")
    elif len(loc) == 3 and section == "experiments" and last == "training":
        student = said(raw, *loc[:2], "student") or "student"
        registry, kind = REGISTRIES["models"], said(raw, "models", student, "kind")
    if kind not in registry.names():
        return None
    model = registry.get(kind).Settings
    return model.model_fields["training"].annotation if last == "training" else model
