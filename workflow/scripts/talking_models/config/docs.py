"""The JSON schema and the key table, both made from the models of `talking_models.config`.

`python -m talking_models.config` is the command line of this file.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from talking_models import io, registry
from talking_models.config import Config, ConfigError, read
from talking_models.config.sections import REGISTRIES
from talking_models.methods import METHODS
from talking_models.strict import Schema, describe, resolve

BEGIN = "<!-- keys: made by `make schema`, do not edit -->"
END = "<!-- end of keys -->"

PLACEHOLDERS = {"rows": "<row>", "points": "<value>", "choose": "<setting>", "over": "<setting>"}
"""How the names that a user chooses are written in a key's path, if not as `<id>`."""
HEAD = ["| key | default | allowed | meaning |", "| --- | --- | --- | --- |"]


def schema() -> dict[str, Any]:
    """The JSON schema of a merged configuration: each entry's keys are those of its kind.

    Components of plugin folders are in it if `registry.use` has named them.
    """
    document = Config.model_json_schema()
    rows = document["$defs"]["Table"]["properties"]["rows"]
    for section, mapping in document["properties"].items():
        for pattern, node in mapping.get("patternProperties", {}).items():
            if section in REGISTRIES:
                names = REGISTRIES[section].names()
                kind = {"enum": names, "description": f"A file of `{REGISTRIES[section].package}`."}
                node = {"type": "object", "properties": {"kind": kind}, "required": ["kind"]}
                node["allOf"] = [_then(document, section, name, "kind") for name in names]
            # null switches an entry off; and pydantic leaves open what does not match
            mapping |= {"patternProperties": {pattern: _or_null(node)}}
            mapping["additionalProperties"] = False
    rows["additionalProperties"] = _or_null(rows["additionalProperties"])
    document["$defs"]["Experiment"]["allOf"] = [
        _then(document, "methods", name, "method", "settings") for name in METHODS.names()
    ]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}


def _or_null(node: Any) -> dict[str, Any]:
    return {"anyOf": [node, {"type": "null"}]}


def _then(document: dict[str, Any], section: str, name: str, key: str, below: str = "") -> Schema:
    """Where `key` names a component, the entry (or what is `below` in it) is of its settings."""
    settings = {**REGISTRIES, "methods": METHODS}[section].get(name).Settings
    place, own = f"#/$defs/{section}/{name}", document["$defs"].setdefault(section, {})
    own[name] = settings.model_json_schema(ref_template=f"{place}/$defs/{{model}}")
    then = {"$ref": place}
    return {
        "if": {"properties": {key: {"const": name}}, "required": [key]},
        "then": {"properties": {below: then}} if below else then,
    }


def schema_text() -> str:
    """`schema()` as the text of `workflow/schemas/config.schema.json`."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def key_table() -> str:
    """Every key in Markdown: its default, what is allowed and what it means."""
    parts: dict[str, dict[str, str]] = defaultdict(dict)
    for path, row in _rows("", Config).items():
        section = path.partition(".")[0]
        parts[f"`{section}`" if "." in path else "top level"][path] = row
    for section, kinds in REGISTRIES.items():
        of_all = parts[f"`{section}`"]
        for name in kinds.names():
            rows = _rows(f"{section}.<id>.", kinds.get(name).Settings)
            own = {path: row for path, row in rows.items() if path not in of_all}
            parts[f"`{section}` of the kind `{name}`"] = own
    for name in METHODS.names():
        parts[f"Settings of the method `{name}`"] = _rows("", METHODS.get(name).Settings)
    text: list[str] = []
    for title, rows in parts.items():
        own = [*HEAD, *rows.values()] if rows else ["No keys of its own."]
        text += ["", f"### {title}", "", *own]
    return "\n".join(text[1:]) + "\n"


def _rows(prefix: str, model: type[BaseModel]) -> dict[str, str]:
    """Lines of the table by key path."""
    root, found = model.model_json_schema(), {}
    for path, node in _keys(prefix, root, root):
        section = path.partition(".")[0]
        if section in REGISTRIES and path.endswith(".kind"):
            node |= {"enum": REGISTRIES[section].names()}
        default = (
            f"`{json.dumps(node['default'], ensure_ascii=False)}`" if "default" in node else ""
        )
        default = "required" if node["required"] else default or "not set"
        allowed = re.sub(r"(?<=matches )(.+?)(?= or null$|$)", r"`\1`", describe(node, root))
        cells = [f"`{path}`", default, allowed, node["description"]]
        found[path] = "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    return found


def _keys(prefix: str, node: Schema, root: Schema) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key path that holds a value of its own, with its schema."""
    for key, value in node.get("properties", {}).items():
        path, inner = f"{prefix}{key}", resolve(value, root)
        below = f"{path}.{PLACEHOLDERS.get(key, '<id>')}"
        patterns = inner.get("patternProperties", {"": inner.get("additionalProperties")})
        entries = resolve(next(iter(patterns.values())), root)
        if inner.get("properties"):
            yield from _keys(f"{path}.", inner, root)
        elif entries.get("properties"):
            yield from _keys(f"{below}.", entries, root)
        else:
            own = (
                {**entries, "description": value["description"]} if entries else {**inner, **value}
            )
            required = key in node.get("required", [])
            yield below if entries else path, {**own, "required": required}


def readme_with_keys(readme: str) -> str:
    """`readme` with the key table between its two markers.

    Raises:
        ValueError: there are no such markers.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the text needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{key_table()}\n{END}{after}"


def main(arguments: list[str] | None = None) -> int:
    """Write the schema or the key table, or check configuration files."""
    parser = argparse.ArgumentParser("python -m talking_models.config", description=__doc__)
    parser.add_argument(
        "command",
        choices=["schema", "table", "check"],
        help="write the JSON schema to FILE; write the key table between the two markers of FILE; "
        "check the FILEs, each merged on top of those before it",
    )
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--plugins", nargs="*", default=[], metavar="FOLDER")
    options = parser.parse_args(arguments)
    path = Path(options.files[0])
    try:
        registry.use(options.plugins)
        if options.command == "schema":
            io.write_text(path, schema_text())
        elif options.command == "table":
            io.write_text(path, readme_with_keys(path.read_text(encoding="utf-8")))
        else:
            read(*options.files)
    except (ConfigError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
