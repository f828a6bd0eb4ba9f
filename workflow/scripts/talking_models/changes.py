"""How settings are laid on top of each other."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import yaml

PARTS = ("training", "settings")
CHOICE = {"about", "from", "chosen"}  # the keys of a file that also says what a choice is for


def changed(config: Mapping[str, Any], *changes: Mapping[str, Any]) -> dict[str, Any]:
    """A training job's config with some of its `training` and `settings` changed, in order."""
    result = dict(config)
    for change in changes:
        result |= {part: result[part] | change.get(part, {}) for part in PARTS}
    return result


def read_chosen(path: str | Path) -> dict[str, Any]:
    """What one search chose: a change of `training` and `settings` for each task; of a file that
    says that alone, or also what it was made on.
    """
    found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return found["chosen"] if found.keys() == CHOICE else found


def with_chosen(
    config: dict[str, Any],
    chosen: Sequence[str | Path],
    task: str,
    own: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """A training job's config with what searches in this run chose for its task, if any did.

    The files `chosen` are those of the experiment that it is like and its own; what these say
    themselves (`own`) wins over a search, and so does what the job's own says, if not searched.
    """
    for path, said in zip_longest(chosen, own if chosen else ()):
        config = changed(config, read_chosen(path)[task] if path else {}, said)
    return config
