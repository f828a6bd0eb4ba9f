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

from talking_models import io, methods
from talking_models.config import Config, ConfigError, read
from talking_models.config.errors import describe, resolve

BEGIN = "<!-- keys: made by `make schema`, do not edit -->"
END = "<!-- end of keys -->"

PLACEHOLDERS = {
    "experiments": "<id>",
    "tables": "<id>",
    "rows": "<row name>",
    "choose": "<setting>",
}
"""How the names that a user chooses are written in a key's path."""


def schema() -> dict[str, Any]:
    """The JSON schema of a merged configuration, the settings of every method included."""
    document = Config.model_json_schema()
    for section in (document, document["$defs"]["Vision"]):
        for mapping in section["properties"].values():
            if "patternProperties" in mapping:  # ids: pydantic leaves open what does not match
                mapping["additionalProperties"] = False
    experiments = [document["$defs"][name] for name in ("Experiment", "VisionExperiment")]
    for experiment in experiments:
        experiment["allOf"] = []
    for name in methods.names():
        settings = methods.settings_class(name).model_json_schema(
            ref_template=f"#/$defs/methods/{name}/$defs/{{model}}"
        )
        document["$defs"].setdefault("methods", {})[name] = settings
        for experiment in experiments:
            experiment["allOf"].append(
                {
                    "if": {"properties": {"method": {"const": name}}, "required": ["method"]},
                    "then": {"properties": {"settings": {"$ref": f"#/$defs/methods/{name}"}}},
                }
            )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}


def schema_text() -> str:
    """`schema()` as the text of `workflow/schemas/config.schema.json`."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def key_table() -> str:
    """Every key in Markdown: its default, what is allowed and what it means."""
    document = Config.model_json_schema()
    sections: dict[str, list[str]] = {}
    for path, node in _keys("", document, document):
        section = path.partition(".")[0] if "." in path else "top level"
        sections.setdefault(section, []).append(_row(path, node, document))
    text = []
    for section, rows in sections.items():
        text += ["", f"### {section if section == 'top level' else f'`{section}`'}", "", *HEAD]
        text += rows
    for name in methods.names():
        model = methods.settings_class(name)
        document = model.model_json_schema()
        text += ["", f"### Settings of the method `{name}`", ""]
        rows = [_row(path, node, document) for path, node in _keys("", document, document)]
        text += [*HEAD, *rows] if rows else ["None."]
    return "\n".join(text[1:]) + "\n"


HEAD = ["| key | type | default | allowed | meaning |", "| --- | --- | --- | --- | --- |"]


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
    options = parser.parse_args(arguments)
    path = Path(options.files[0])
    try:
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
            yield from _keys(f"{path}.{PLACEHOLDERS[key]}.", entries, root)
        elif entries:
            required = key in node.get("required", [])
            named = {**entries, "description": value["description"], "required": required}
            yield f"{path}.{PLACEHOLDERS[key]}", named
        else:
            yield path, {**value, "required": key in node.get("required", [])}


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
    return re.sub(r"(matches) (\S+)", r"\1 `\2`", words)
