"""Configuration files on top of each other, as Snakemake lays them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from talking_models.config.errors import ConfigError


def merge(base: Any, update: Mapping[str, Any]) -> Any:
    """Merge as Snakemake does: mappings key by key, anything else replaces what was there."""
    if not update:
        return base
    merged = dict(base) if isinstance(base, Mapping) else {}
    for key, value in update.items():
        merged[key] = merge(merged.get(key, {}), value) if isinstance(value, Mapping) else value
    return merged


def said(raw: Any, *path: Any) -> Any:
    """What stands at a key path; None if nothing does."""
    for key in path:
        raw = raw.get(key) if isinstance(raw, Mapping) and isinstance(key, str) else None
    return raw


def plain(path: str | Path) -> Any:
    """The content of a YAML file. By libyaml where it is: Snakemake waits for this on every call.
    Raises OSError, UnicodeDecodeError or yaml.YAMLError if it cannot be read.
    """
    text = Path(path).read_text(encoding="utf-8")
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def merged_files(*paths: str | Path) -> dict[str, Any]:
    """YAML files, later ones on top of earlier ones; a `ConfigError` if one is no mapping."""
    raw: dict[str, Any] = {}
    for path in paths:
        try:
            content = plain(path)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not YAML: {error}") from None
        if not isinstance(content, Mapping):
            raise ConfigError(f"{path}: the top level must be a mapping of keys to values")
        raw = merge(raw, content)
    return raw
