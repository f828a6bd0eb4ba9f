"""Tuned settings in files of the repository: `config/tuned/<data>/<experiment>.yaml`.

A choice knows what it is for: `about` says which data set (its entry, without words for pages) and
split it was made on, and `from` what it started from. It serves nothing else, and it yields to
whatever a user has set since.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field, ValidationError

from talking_models.changes import PARTS
from talking_models.config.errors import ConfigError
from talking_models.config.merge import plain


class Change(BaseModel):
    """What a search chose, or started from."""

    training: dict[str, Any] = {}
    settings: dict[str, Any] = {}


class Choice(BaseModel):
    """The content of such a file."""

    about: dict[str, Any]
    begun: Change = Field(alias="from")
    chosen: dict[str, Change] = Field(min_length=1)


def read_choice(path: str | Path) -> Choice | None:
    """A committed choice; None if there is no such file.

    Raises:
        ConfigError: the file is not such a choice.
    """
    try:
        return Choice.model_validate(plain(path))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        wrong = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        wrong = str(error)
    raise ConfigError(
        f"tuned: {path} is not the choice of a search ({wrong}): restore it from git, or remove "
        "it and its experiment is not tuned"
    )


def unless_set(
    change: Change, now: Mapping[str, Any], begun: Change, given: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """A choice without the keys that a user has set.

    Args:
        change: the choice for one task.
        now: `training` and `settings`, as the configuration has them without a choice.
        begun: both, as they were when the search began.
        given: both, as the user's own files give them.

    Returns:
        What is left of the choice, and the keys that the user's word wins for.
    """
    left: dict[str, Any] = {part: dict(getattr(change, part)) for part in PARTS}
    kept = []
    for part in PARTS:
        before = getattr(begun, part)
        altered = {key for key in before.keys() & now[part] if now[part][key] != before[key]}
        for key in sorted(left[part].keys() & (altered | set(given.get(part, {})))):
            del left[part][key]
            kept.append(f"{part}.{key}")
    return left, kept
