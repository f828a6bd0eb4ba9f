"""Errors of the configuration in words: where, what was found, what is allowed, what was meant."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    schema = model.model_json_schema()
    found = (_line(details, schema, part) for details in error.errors(include_url=False))
    lines = list(dict.fromkeys(found))
    count = f"{len(lines)} problem" + ("s" if len(lines) > 1 else "")
    return "\n  ".join([f"the configuration has {count}:", *lines])


def _line(details: ErrorDetails, schema: Schema, part: Part) -> str:
    loc, kind, found = details["loc"], details["type"], details["input"]
    if kind == "missing":
        # A missing key is reported with what stands around it, which is no news.
        shown, at = "nothing found, the key is required", loc
    elif loc and loc[-1] == "[key]":
        loc = loc[:-1]
        pattern = details.get("ctx", {}).get("pattern", "")
        return f"{_path(loc)}: found the name {found!r}; allowed: text that matches {pattern}"
    elif kind == "extra_forbidden":
        shown, at = f"unknown key, found with the value {found!r}", loc[:-1]
    else:
        shown, at = f"found {found!r} ({_type(found)})", loc
    node, root = _find(at, schema, part)
    known: Sequence[str]
    if kind == "extra_forbidden":
        known, found = list(node.get("properties", {})), str(loc[-1])
        allowed = "one of " + ", ".join(known) if known else "no keys"
    else:
        known = details.get("ctx", {}).get("choices", node.get("enum", []))
        allowed = "one of " + ", ".join(known) if known else describe(node, root)
    parts = [f"{_path(loc)}: {shown}", f"allowed: {allowed}"]
    if kind in ("repeated", "contradiction", "value_error"):
        parts[1] = details["msg"].removeprefix("Value error, ")
    if kind in ("float_type", "int_type") and isinstance(found, str) and _is_number(found):
        parts.append("to YAML this is text: write a number without quotes, an exponent as 1.0e-3")
    if isinstance(found, str) and found[:1] in ("{", "["):
        parts.append(
            "Snakemake hands nested values of --config over as text: write them into a file for "
            "--configfile"
        )
    near = difflib.get_close_matches(_fold(found), list(map(_fold, known)), n=1, cutoff=0.5)
    if near:
        parts.append("nearest: " + next(name for name in known if _fold(name) == near[0]))
    return "; ".join(parts)


def _find(loc: Sequence[str | int], root: Schema, part: Part) -> tuple[Schema, Schema]:
    """The schema at a key path, and the document that it is part of."""
    node: Schema = root
    for depth, key in enumerate(loc):
        own = part(loc[: depth + 1])
        if own is not None:
            node = root = own.model_json_schema()
            continue
        if isinstance(key, int):
            items = node.get("prefixItems")
            node = items[min(key, len(items) - 1)] if items else node.get("items", {})
        elif key in node.get("properties", {}):
            node = node["properties"][key]
        else:
            patterns = node.get("patternProperties", {"": node.get("additionalProperties")})
            node = next(iter(patterns.values())) or {}
        node = resolve(node, root)
    return node, root


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
