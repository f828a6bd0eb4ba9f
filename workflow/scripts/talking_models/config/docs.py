"""The JSON schema and the key table, both made from the models of `talking_models.config`.

`python -m talking_models.config` is the command line of this file.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from talking_models import io, registry, strict
from talking_models.config import Config, ConfigError, read
from talking_models.config.sections import REGISTRIES
from talking_models.methods import METHODS
from talking_models.strict import Schema, describe, resolve

SEVERAL = {
    "anyOf": [
        {"properties": {key: {"minItems": least}}, "required": [key]}
        for key, least in (("teachers", 2), ("peers", 1))
    ]
}
"""What an experiment is in which another method takes the place of its own, see `Method.among`."""
BEGIN = "<!-- keys: made by `make schema`, do not edit -->"
END = "<!-- end of keys -->"

PLACEHOLDERS = {"rows": "<row>", "points": "<value>", "choose": "<setting>", "over": "<setting>"}
"""How the names that a user chooses are written in a key's path, if not as `<id>`."""
ID = TypeAdapter(strict.Identifier).json_schema()["pattern"]
TOGETHER = dict.fromkeys(("tables", "curves"), "`tables.<id>` and `curves.<id>`")
"""The heading of two sections that have most keys in common."""
HEAD = ("key", "default", "allowed", "meaning")


def schema() -> dict[str, Any]:
    """The JSON schema of a merged configuration: each entry's keys are those of its kind.

    Components of plugin folders are in it if `registry.use` has named them.
    """
    document, off = Config.model_json_schema(), {"type": "null"}
    rows = document["$defs"]["Table"]["properties"]["rows"]
    for section, mapping in document["properties"].items():
        for pattern, node in mapping.get("patternProperties", {}).items():
            if section in REGISTRIES:
                names = REGISTRIES[section].names()
                kind = {"enum": names, "description": f"A file of `{REGISTRIES[section].package}`."}
                node = {"type": "object", "properties": {"kind": kind}, "required": ["kind"]}
                node["allOf"] = [_then(document, section, name, "kind") for name in names]
            # null switches an entry off; and pydantic leaves open what does not match
            mapping["patternProperties"] = {pattern: {"anyOf": [node, off]}}
            mapping["additionalProperties"] = False
    rows["additionalProperties"] = {"anyOf": [rows["additionalProperties"], off]}
    document["$defs"]["Experiment"]["allOf"] = [
        _of_method(document, name) for name in METHODS.names()
    ]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}


def _of_method(document: dict[str, Any], name: str) -> Schema:
    """Where an experiment is of a method, its settings are that's; with several teachers or peers
    those of the one that takes its place.
    """
    node, other = _then(document, "methods", name, "method"), METHODS.get(name).among
    own, several = (
        {"properties": {"settings": {"$ref": f"#/$defs/methods/{each}"}}} for each in (name, other)
    )
    return {**node, "then": {"if": SEVERAL, "then": several, "else": own} if other else own}


def _then(document: dict[str, Any], section: str, name: str, key: str) -> Schema:
    """Where `key` names a component, the entry is of its settings."""
    settings = {**REGISTRIES, "methods": METHODS}[section].get(name).Settings
    place, own = f"#/$defs/{section}/{name}", document["$defs"].setdefault(section, {})
    own[name] = settings.model_json_schema(ref_template=f"{place}/$defs/{{model}}")
    named = {"properties": {key: {"const": name}}, "required": [key]}
    return {"if": named, "then": {"$ref": place}}


def key_table() -> str:
    """Every key in Markdown: whose it is, its default, what is allowed and what it means."""
    document = Config.model_json_schema()
    sections: dict[str, dict[tuple[str, ...], list[str]]] = {}  # rows, and whose they are
    for path, node in _keys("", document, document):
        section, entry, key = path.rpartition(".<id>.")
        if key == "kind" and section in REGISTRIES:
            node |= {"enum": REGISTRIES[section].names()}
        title = TOGETHER.get(section, f"`{section}.<id>`") if entry else "The run"
        rows, row = sections.setdefault(title, {}), _row(key, node, document)
        rows[row] = [section] if section in TOGETHER and row not in rows else []
    kinds = {f"`{section}.<id>`": kinds for section, kinds in REGISTRIES.items()}
    for title, components in {**kinds, "`experiments.<id>.settings`": METHODS}.items():
        rows = sections.setdefault(title, {})
        of_all = {key for key, *_ in rows}
        for name in components.names():
            root = components.get(name).Settings.model_json_schema()
            for path, node in _keys("", root, root):
                if f"`{path}`" not in of_all:
                    rows.setdefault(_row(path, node, root), []).append(name)
    return "\n".join(line for part in sections.items() for line in _part(*part))


def _part(title: str, rows: Mapping[tuple[str, ...], list[str]]) -> list[str]:
    """A section's heading and table, with a column for the kinds or methods where they differ."""
    rows = dict(sorted(rows.items(), key=itemgetter(1)))
    table = [HEAD, ("---",) * len(HEAD), *rows]
    if any(rows.values()):
        whose = ["of", "---", *(", ".join(names) or "all" for names in rows.values())]
        table = [(key, of, *cells) for of, (key, *cells) in zip(whose, table, strict=True)]
    return [f"### {title}", "", *(f"| {' | '.join(cells)} |" for cells in table), ""]


def _keys(prefix: str, node: Schema, root: Schema) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key path that holds a value of its own, with its schema."""
    for key, value in node.get("properties", {}).items():
        path, inner = f"{prefix}{key}", resolve(value, root)
        below = f"{path}.{PLACEHOLDERS.get(key, '<id>')}"
        patterns = inner.get("patternProperties", {"": inner.get("additionalProperties")})
        entries = resolve(next(iter(patterns.values())), root)
        required = {"required": key in node.get("required", [])}
        if inner.get("properties"):
            yield from _keys(f"{path}.", inner, root)
        elif entries.get("properties"):
            yield from _keys(f"{below}.", entries, root)
        elif entries:
            yield below, {**entries, "description": value["description"], **required}
        else:
            yield path, {**inner, **value, **required}


def _row(path: str, node: Mapping[str, Any], root: Mapping[str, Any]) -> tuple[str, ...]:
    if node["required"]:
        default = "required"
    elif "default" in node:
        default = f"`{json.dumps(node['default'], ensure_ascii=False)}`"
    else:
        default = "not set"
    cells = f"`{path}`", default, _allowed(node, root), node["description"]
    return tuple(cell.replace("|", "\\|") for cell in cells)


def _allowed(node: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    words = describe(node, root).replace(f"text that matches {ID}", "an id")
    unsaid = r" with a length of at least 1|(?<=mapping) of names|\b(an?|one of) (?!id)"
    words = re.sub(unsaid, "", words)
    return re.sub(r"matches (\^?.+?)(?= or null$|$)", r"matches `\1`", words)


def readme_with_keys(readme: str) -> str:
    """`readme` with the key table between its markers; a `ValueError` if there are none."""
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
            io.write_text(path, json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")
        elif options.command == "table":
            io.write_text(path, readme_with_keys(path.read_text(encoding="utf-8")))
        else:
            read(*options.files)
    except (ConfigError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
