"""Errors of the configuration in words: where, what was found, what is allowed, what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

Schema = Mapping[str, Any]
Problem = tuple[tuple[str | int, ...], Any, PydanticCustomError]
"""A path below the key that is validated, the value found there, an error."""
Part = Callable[[Sequence[str | int]], type[BaseModel] | None]


class ConfigError(ValueError):
    """The configuration is wrong; the message lists every problem."""


def unknown(message: str, choices: Iterable[str]) -> PydanticCustomError:
    """An error for a name that is none of `choices`."""
    return PydanticCustomError("unknown_name", message, {"choices": list(choices)})


def raise_all(problems: list[Problem]) -> None:
    """Inside a validator: raise every problem."""
    if problems:
        raise ValidationError.from_exception_data(
            "Config",
            [InitErrorDetails(type=error, loc=loc, input=found) for loc, found, error in problems],
        )


def describe(schema: Schema, root: Schema) -> str:
    """What a JSON schema allows, in words; `root` is the document that holds its `$defs`."""
    schema = resolve(schema, root)
    if "enum" in schema or "const" in schema:
        return "one of " + ", ".join(map(str, schema.get("enum", [schema.get("const")])))
    if "anyOf" in schema:
        return " or ".join(describe(option, root) for option in schema["anyOf"])
    kind = schema.get("type")
    if kind in ("integer", "number"):
        bounds = {
            "minimum": "at least",
            "exclusiveMinimum": "above",
            "maximum": "at most",
            "exclusiveMaximum": "below",
        }
        limits = [f"{word} {schema[key]:g}" for key, word in bounds.items() if key in schema]
        article = "an" if kind == "integer" else "a"
        return f"{article} {kind}{' ' if limits else ''}{' and '.join(limits)}"
    if kind == "array":
        if "prefixItems" in schema:
            items = schema["prefixItems"]
            return f"a list of {len(items)}, each {describe(items[0], root)}"
        least = schema.get("minItems", 0)
        size = f"a list of at least {least}" if least else "a list"
        return f"{size}, each {describe(schema.get('items', {}), root)}"
    if kind == "object":
        keys = schema.get("properties")
        return f"a mapping with the keys {', '.join(keys)}" if keys else "a mapping of names"
    if kind == "string" and "pattern" in schema:
        return f"text that matches {schema['pattern']}"
    if kind == "string" and "minLength" in schema:
        return f"text with a length of at least {schema['minLength']}"
    return {"string": "text", "boolean": "true or false", "null": "null"}.get(kind, "anything")


def explain(error: ValidationError, model: type[BaseModel], part: Part) -> str:
    """The message of a `ConfigError`: one line for each problem in `error`.

    Args:
        error: what validating the configuration raised.
        model: of the whole configuration.
        part: the model at a key path, where it depends on other keys; else None.
    """
    found: dict[tuple, str] = {}
    several = set()  # paths at which each member of a union has said no
    for details in error.errors(include_url=False):
        path, node, root = _find(details, _schema(model), part)
        if len(path) < len(details["loc"]):
            several.add(path)
        key = path if path in several else (*path, details["type"], details["msg"])
        found.setdefault(key, _line(details, path, node, root))
    # What is wrong inside of one member says more than that the others do not fit, either.
    inside = {path[:size] for path in found for size in range(len(path))}
    lines = [line for path, line in found.items() if not (path in several and path in inside)]
    lines = list(dict.fromkeys(lines))
    count = f"{len(lines)} problem" + ("s" if len(lines) > 1 else "")
    return "\n  ".join([f"the configuration has {count}:", *lines])


@cache
def _schema(model: type[BaseModel]) -> Schema:
    return model.model_json_schema()


def _line(details: ErrorDetails, path: tuple, node: Schema, root: Schema) -> str:
    kind, found, context = details["type"], details["input"], details.get("ctx", {})
    shown = f"found {found!r} ({_type(found)})"
    known: list[str] = []
    if kind in ("repeated", "contradiction", "value_error"):
        said = details["msg"].removeprefix("Value error, ")
        whole = isinstance(found, Mapping | BaseModel)  # what matters in it is in the message
        return f"{_path(path)}: {said}" if whole else f"{_path(path)}: {shown}; {said}"
    if kind == "invalid_key" or path[-1:] == ("[key]",):
        found = found if "[key]" in path else path[-1]
        path = (*[key for key in path if key != "[key]"][:-1], found)
        shown = f"found the name {found!r}"
        allowed = f"text that matches {context['pattern']}" if "pattern" in context else "text"
        allowed += "" if isinstance(found, str) else "; to YAML this is none: write it in quotes"
    elif kind == "extra_forbidden":
        shown = f"unknown key, found with the value {found!r}"
        known, found = list(node.get("properties", {})), str(path[-1])
        allowed = "one of " + ", ".join(known) if known else "no keys"
    else:
        if kind == "missing":  # it comes with what stands around it, which is no news
            shown = "nothing found, the key is required"
        known = list(map(str, context.get("choices", node.get("enum", []))))
        nothing = details["msg"] if "choices" in context else describe(node, root)
        allowed = "one of " + ", ".join(known) if known else nothing
    parts = [f"{_path(path)}: {shown}", f"allowed: {allowed}"]
    if kind in ("float_type", "int_type") and isinstance(found, str) and _is_number(found):
        parts.append("to YAML this is text: write a number without quotes, an exponent as 1.0e-3")
    if isinstance(found, str) and (found[:1] in ("{", "[") or (path[1:] and len(parts) > 2)):
        parts.append(
            "Snakemake hands nested values of --config over as text: write them into a file for "
            "--configfile"
        )
    near = difflib.get_close_matches(_fold(found), list(map(_fold, known)), n=1, cutoff=0.5)
    if near:
        parts.append("nearest: " + next(name for name in known if _fold(name) == near[0]))
    return "; ".join(parts)


def _find(details: ErrorDetails, root: Schema, part: Part) -> tuple[tuple, Schema, Schema]:
    """The key path of a problem, the schema there, and the document that it is part of.

    Pydantic puts the member of a union that it tried into its path: that is no key.
    """
    node, path = root, ()
    for key in details["loc"]:
        options = [option for option in node.get("anyOf", []) if option.get("type") != "null"]
        if len(options) > 1 and isinstance(key, str):
            continue
        if options:
            lists = [option for option in options if option.get("type") == "array"]
            node = resolve(lists[0] if isinstance(key, int) and lists else options[0], root)
        path = (*path, key)
        if details["type"] == "extra_forbidden" and len(path) == len(details["loc"]):
            break  # the schema around it says which keys there are
        own = part(path)
        if own is not None:
            node = root = _schema(own)
            continue
        if isinstance(key, int):
            # A value of `choose` or `over` is as its setting.
            items = node.get("prefixItems")
            node = items[min(key, len(items) - 1)] if items else node.get("items", node)
        elif key in node.get("properties", {}):
            node = node["properties"][key]
        else:
            patterns = node.get("patternProperties", {"": node.get("additionalProperties")})
            node = next(iter(patterns.values())) or {}
        node = resolve(node, root)
    return path, node, root


def resolve(node: Any, root: Schema) -> Schema:
    """Follow `node` if it is a reference into the document `root`; {} if it is no schema."""
    if not isinstance(node, Mapping):
        return {}
    if "$ref" in node:
        return root["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    return node


def _path(loc: Sequence[str | int]) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in loc)
    return text.removeprefix(".") or "top level"


def _type(value: Any) -> str:
    names = {str: "text", bool: "true or false", int: "an integer", float: "a number"}
    return {**names, list: "a list", dict: "a mapping", type(None): "nothing"}.get(
        type(value), type(value).__name__
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _fold(name: Any) -> str:
    """Capitals, hyphens and underscores make no difference in which name is nearest."""
    return str(name).lower().replace("_", "-")
