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

from talking_models.changes import PARTS
from talking_models.config.errors import ConfigError


def read_choice(path: str | Path) -> dict[str, Any] | None:
    """A committed choice: `about`, `from` and `chosen`; None if there is no such file.

    Raises:
        ConfigError: the file is not such a choice.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return {key: content[key] for key in ("about", "from", "chosen")}
    except FileNotFoundError:
        return None
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(
            f"tuned: {path} is not the choice of a search ({type(error).__name__}: {error}): "
            "restore it from git, or remove it and its experiment is not tuned"
        ) from None


def unless_set(
    change: Mapping[str, Any],
    now: Mapping[str, Any],
    begun: Mapping[str, Any],
    given: Mapping[str, Any],
) -> tuple[dict[str, Any], list[str]]:
    """A choice without the keys that a user has set.

    Args:
        change: the choice for one task, `training` and `settings`.
        now: both, as the configuration has them without a choice.
        begun: both, as they were when the search began.
        given: both, as the user's own files give them.

    Returns:
        What is left of the choice, and the keys that the user's word wins for.
    """
    left: dict[str, Any] = {part: {} for part in PARTS}
    kept = []
    for part in PARTS:
        for key, value in change.get(part, {}).items():
            before = begun.get(part, {})
            own = key in given.get(part, {}) or (
                key in before and key in now[part] and now[part][key] != before[key]
            )
            if own:
                kept.append(f"{part}.{key}")
            else:
                left[part][key] = value
    return left, kept
