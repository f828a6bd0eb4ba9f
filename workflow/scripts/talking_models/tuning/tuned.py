"""Chosen settings in files: of one search, and collected for the repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import yaml

from talking_models.changes import PARTS, changed
from talking_models.io import write_text


def read_chosen(path: str | Path) -> dict[str, Any]:
    """What one search chose: a change of `training` and `settings` for each task."""
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def with_chosen(
    config: dict[str, Any],
    chosen: Sequence[str | Path],
    task: str,
    own: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """A training job's config with what searches in this run chose for its task.

    Args:
        config: the config without it; returned as it is if nothing was searched.
        chosen: files of the searches, of the experiment that it is like and its own.
        task: the job's task.
        own: what those experiments say themselves, which wins over a search; then what the job's
            own says, if it was not searched.
    """
    for path, said in zip_longest(chosen, own if chosen else ()):
        config = changed(config, read_chosen(path)[task] if path else {}, said)
    return config


def write_choice(
    path: str | Path,
    chosen: Mapping[str, Any],
    about: Mapping[str, Any],
    begun: Mapping[str, Any],
) -> None:
    """Write what a search chose for each task as the repository keeps it, see `config.choices`.

    `about` says what it is for (data, split, search, version); the search started from `begun`.
    """
    content = {
        "about": dict(about),
        "from": {part: begun[part] for part in PARTS},
        "chosen": dict(chosen),
    }
    head = "# Made by `make tuned`; not to be edited. How: docs/deviations.md, section Settings.\n"
    write_text(path, head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
