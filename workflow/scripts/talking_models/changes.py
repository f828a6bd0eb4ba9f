"""How settings are laid on top of each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PARTS = ("training", "settings")


def changed(config: Mapping[str, Any], *changes: Mapping[str, Any]) -> dict[str, Any]:
    """A training job's config with some of its `training` and `settings` changed, in order."""
    result = dict(config)
    for change in changes:
        result |= {part: result[part] | change.get(part, {}) for part in PARTS}
    return result
