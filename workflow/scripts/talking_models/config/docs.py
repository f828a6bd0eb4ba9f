"""The JSON schema and the key table, both made from the models of `talking_models.config`.

`python -m talking_models.config` is the command line of this file.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from talking_models import io, registry
from talking_models.config import Config, ConfigError, read
from talking_models.config.sections import REGISTRIES
from talking_models.methods import METHODS
from talking_models.strict import describe, resolve

BEGIN = "<!-- keys: made by `make schema`, do not edit -->"
END = "<!-- end of keys -->"

PLACEHOLDERS = {"rows": "<row>", "points": "<value>", "choose": "<setting>", "over": "<setting>"}
"""How the names that a user chooses are written in a key's path, if not as `<id>`."""
HEAD = ["| key | type | default | allowed | meaning |", "| --- | --- | --- | --- | --- |"]


def schema() -> dict[str, Any]:
    """The JSON schema of a merged configuration: each entry's keys are those of its kind.

    Components of plugin folders are in it if `registry.use` has named them.
    """
    document = Config.model_json_schema()
    sections, tables = document["properties"], document["$defs"]["Table"]["properties"]
    for name, kinds in REGISTRIES.items():
        kind = {"enum": kinds.names(), "description": f"A file of `{kinds.package}`."}
        (pattern,) = sections[name]["patternProperties"]
        sections[name]["patternProperties"][pattern] = {
            "type": "object",
            "properties": {"kind": kind},
            "required": ["kind"],
            "allOf": [_then(document, name, kinds, kind, "kind") for kind in kinds.names()],
        }
    document["$defs"]["Experiment"]["allOf"] = [
        _then(document, "methods", METHODS, name, "method", "settings") for name in METHODS.names()
    ]
    for mapping in (*sections.values(), tables["rows"]):
        ids = mapping.get("patternProperties")
        if ids:  # null switches an entry off; and pydantic leaves open what does not match
            mapping["patternProperties"] = {key: _or_null(node) for key, node in ids.items()}
            mapping["additionalProperties"] = False
        elif mapping is tables["rows"]:
            mapping["additionalProperties"] = _or_null(mapping["additionalProperties"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}


def _or_null(node: Any) -> dict[str, Any]:
    return {"anyOf": [node, {"type": "null"}]}


def _then(
    document: dict[str, Any], section: str, components: registry.Registry, name: str, *keys: str
) -> dict[str, Any]:
    """Where the first key names a component, an entry (or its second key) is of its settings."""
    place, (key, *below) = f"#/$defs/{section}/{name}", keys
    settings, reference = components.get(name).Settings, f"{place}/$defs/{{model}}"
    own = document["$defs"].setdefault(section, {})
    own[name] = settings.model_json_schema(ref_template=reference)
    then = {"$ref": place}
    return {
        "if": {"properties": {key: {"const": name}}, "required": [key]},
        "then": {"properties": {below[0]: then}} if below else then,
    }


def schema_text() -> str:
    """`schema()` as the text of `workflow/schemas/config.schema.json`."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def key_table() -> str:
    """Every key in Markdown: its default, what is allowed and what it means."""
    document = Config.model_json_schema()
    sections: dict[str, list[str]] = {}
    for path, node in _keys("", document, document):
        section = path.partition(".")[0] if "." in path else "top level"
        if section in REGISTRIES and path.endswith(".kind"):
            node |= {"enum": REGISTRIES[section].names()}
        sections.setdefault(section, []).append(_row(path, node, document))
    text: list[str] = []
    for section, rows in sections.items():
        text += _part(section if section == "top level" else f"`{section}`", rows)
        for name in REGISTRIES[section].names() if section in REGISTRIES else ():
            root = REGISTRIES[section].get(name).Settings.model_json_schema()
            own = [_row(path, node, root) for path, node in _keys(f"{section}.<id>.", root, root)]
            keys = {row.split("|")[1] for row in rows}  # those of all kinds are said above
            own = [row for row in own if row.split("|")[1] not in keys]
            text += _part(f"`{section}` of the kind `{name}`", own)
    for name in METHODS.names():
        root = METHODS.get(name).Settings.model_json_schema()
        rows = [_row(path, node, root) for path, node in _keys("", root, root)]
        text += _part(f"Settings of the method `{name}`", rows)
    return "\n".join(text[1:]) + "\n"


def _part(title: str, rows: list[str]) -> list[str]:
    return ["", f"### {title}", "", *([*HEAD, *rows] if rows else ["No keys of its own."])]


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
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in {
        "schema": "write the JSON schema to FILE",
        "table": "write the key table between the two markers of FILE",
        "check": "check the FILEs, each merged on top of those before it",
    }.items():
        command = commands.add_parser(name, help=words)
        command.add_argument("files", nargs="+" if name == "check" else 1, metavar="FILE")
        command.add_argument("--plugins", nargs="*", default=[], metavar="FOLDER")
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


def _keys(prefix: str, node: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[Any]:
    """Every key path that holds a value of its own, with its schema."""
    for key, value in node.get("properties", {}).items():
        path = f"{prefix}{key}"
        inner = resolve(value, root)
        if inner.get("properties"):
            yield from _keys(f"{path}.", inner, root)
            continue
        entries = next(iter(inner.get("patternProperties", {}).values()), None)
        entries = resolve(entries or inner.get("additionalProperties"), root)
        if entries.get("properties"):
            yield from _keys(f"{path}.{PLACEHOLDERS.get(key, '<id>')}.", entries, root)
        elif entries:
            required = key in node.get("required", [])
            named = {**entries, "description": value["description"], "required": required}
            yield f"{path}.{PLACEHOLDERS.get(key, '<id>')}", named
        else:
            yield path, {**inner, **value, "required": key in node.get("required", [])}


def _row(path: str, node: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    if node["required"]:
        default = "required"
    elif "default" in node:
        default = f"`{json.dumps(node['default'], ensure_ascii=False)}`"
    else:
        default = "not set"
    cells = [f"`{path}`", _type(node, root), default, _allowed(node, root), node["description"]]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(node: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    if "anyOf" in node:
        return " or ".join(_type(resolve(option, root), root) for option in node["anyOf"])
    kind = node.get("type", "string")
    return {"array": "list", "object": "mapping", "string": "text"}.get(kind, kind)


def _allowed(node: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    words = describe(node, root)
    if words in ("text", "a mapping of names"):
        return "any"
    # The type has a column of its own.
    words = re.sub(r"\b(an integer|a number|text that|text with|one of) ", "", words)
    return re.sub(r"matches (\^?.+?)(?= or null$|$)", r"matches `\1`", words)
