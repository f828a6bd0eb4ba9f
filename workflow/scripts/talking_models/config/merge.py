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


def said(raw: Any, *path: str) -> Mapping[str, Any]:
    """The mapping that stands at a key path; an empty one if none does."""
    for key in path:
        raw = raw.get(key) if isinstance(raw, Mapping) else None
    return raw if isinstance(raw, Mapping) else {}


class Once(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML whose keys stand once: of two that are the same the first would go without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """See PyYAML; keys that `<<` brings are others."""
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            same = key.tag, key.value
            if same in seen and key.tag != "tag:yaml.org,2002:merge":
                text = f"the key {key.value!r} stands here for the second time"
                raise yaml.constructor.ConstructorError(None, None, text, key.start_mark)
            seen.add(same)
        return super().construct_mapping(node, deep)


def plain(path: str | Path) -> Any:
    """The content of a YAML file. By libyaml where it is: Snakemake waits for this on every call.
    Raises OSError, UnicodeDecodeError or yaml.YAMLError if it cannot be read.
    """
    return yaml.load(Path(path).read_text(encoding="utf-8"), Once)


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
