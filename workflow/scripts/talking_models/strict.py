"""What all sections of the configuration are made of: strict types, and errors in words.

Nothing here imports torch or pandas: Snakemake reads the configuration while it builds its DAG.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from talking_models import registry
from talking_models.errors import nearest

Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Width = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]
Precision = Literal["auto", "float32", "bfloat16"]
Schema = Mapping[str, Any]
Problem = tuple[tuple[str | int, ...], Any, str]
"""A path below what is validated, the value found there, and words."""

MISSING = "nothing found, the key is required"
TEXT = "to YAML this is text: write a number without quotes, an exponent as 1.0e-3"
IN_WORDS = "said"  # the type of an error that needs no more words
OWN_WORDS = (IN_WORDS, "value_error")
TYPES = {
    "integer": "an integer",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of names",
    "null": "null",
}
LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
    "pattern": "that matches",
    "minLength": "with a length of at least",
    "minItems": "of at least",
}
"""What a JSON schema can say of a type, in words."""


class Strict(BaseModel):
    """Base of all sections: unknown keys are errors and types are not converted.

    An integer is accepted where a number is meant; text never is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _in_words(cls, given: Any, handler: Any) -> Any:
        try:
            return handler(given)
        except ValidationError as error:
            return raise_all(in_words(cls, error))


def tuned(
    default: float, description: str, *, low: float, high: float, log: bool = True, **limits: float
) -> Any:
    """A field that tuning searches between `low` and `high`, on a log scale if `log`. `limits` are
    what else is allowed (pydantic's `gt`, `le`, ...), at least 0 if nothing is said.
    """
    space = {"low": low, "high": high, "log": log}
    limits = limits or {"ge": 0}
    return Field(default, description=description, json_schema_extra={"search": space}, **limits)


def unique(names: tuple[str, ...]) -> tuple[str, ...]:
    """`names` as they are, or an error that lists those given more than once."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"each name once; repeated: {', '.join(repeated)}")
    return names


def raise_all(problems: Iterable[Problem]) -> None:
    """Inside a validator: raise every problem."""
    errors = [
        InitErrorDetails(type=PydanticCustomError(IN_WORDS, words), loc=path, input=found)
        for path, found, words in problems
    ]
    if errors:
        raise ValidationError.from_exception_data("Config", errors)


def problems_of(model: type[BaseModel], given: Mapping[str, Any], *path: str) -> list[Problem]:
    """What is wrong with the keys at `path`, which are a `model`'s."""
    try:
        model.model_validate(dict(given), strict=True)
    except ValidationError as error:
        found = in_words(model, error)
        return [((*path, *loc), value, words) for loc, value, words in found]
    return []


def in_words(model: type[BaseModel], error: ValidationError) -> list[Problem]:
    """The problems in an error of `model`."""
    root, found, unions = _schema(model), {}, set()
    for each in error.errors(include_url=False):
        kind, value, words = each["type"], each["input"], each["msg"].removeprefix("Value error, ")
        path, node = _place(each["loc"], root, kind)
        if len(path) < len(each["loc"]):
            unions.add(path)
        if kind == "invalid_key" or path[-1:] == ("[key]",):
            pattern = each.get("ctx", {}).get("pattern")
            words = f"found the name {value!r}; allowed: text"
            words += f" that matches {pattern}" if pattern else ""
            if not isinstance(value, str):
                words += "; to YAML this is none: write it in quotes"
        elif kind == "extra_forbidden":
            keys = choices(path[-1], node.get("properties", {}), "no keys")
            words = f"unknown key, found with the value {value!r}; {keys}"
        elif kind not in OWN_WORDS:
            allowed = choices(value, map(str, node.get("enum", ())), describe(node, root))
            words = f"{MISSING if kind == 'missing' else shown(value)}; {allowed}"
            if kind in ("float_type", "int_type") and isinstance(value, str):
                words += f"; {TEXT}"
        elif kind != IN_WORDS:
            words = said_of(value, words)
        found[path, words] = value
    # What is wrong inside of one member of a union says more than that the others do not fit.
    inside = {path[:size] for path, _ in found for size in range(len(path))}
    return [
        (path, value, words)
        for (path, words), value in found.items()
        if path not in unions or path not in inside
    ]


def shown(value: Any) -> str:
    """A value that was found, and what it is."""
    names = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}
    name = "a mapping" if isinstance(value, dict) else TYPES.get(names.get(type(value)))
    return f"found {value!r} ({'nothing' if value is None else name or type(value).__name__})"


def said_of(value: Any, words: str) -> str:
    """Words after the value that they are about; of a whole section, what matters is in them."""
    return words if isinstance(value, Mapping | BaseModel) else f"{shown(value)}; {words}"


def choices(found: Any, known: Iterable[str], otherwise: str) -> str:
    """Which names are allowed in place of what was found, the nearest last; or what, if none."""
    known = list(dict.fromkeys(known))
    some = f"one of {', '.join(known)}{nearest(str(found), known)}"
    return f"allowed: {some if known else otherwise}"


def _schema(model: type[BaseModel]) -> Schema:
    return _schema_with(model, registry.used())


@cache
def _schema_with(model: type[BaseModel], plugins: tuple) -> Schema:  # these are among its names
    return model.model_json_schema()


def resolve(node: Any, root: Schema) -> Schema:
    """Follow `node` if it is a reference into the document `root`; {} if it is no schema."""
    if not isinstance(node, Mapping):
        return {}
    return root["$defs"][node["$ref"].rsplit("/", 1)[-1]] if "$ref" in node else node


def _place(loc: tuple[str | int, ...], root: Schema, kind: str) -> tuple[tuple, Schema]:
    """The key path of a problem and the schema there, or around it if the key is unknown.

    Pydantic puts the member of a union that it tried into its path: that is no key.
    """
    node, path = root, ()
    for depth, key in enumerate(loc, start=1):
        options = [option for option in node.get("anyOf", ()) if option.get("type") != "null"]
        if len(options) > 1 and isinstance(key, str):
            continue
        path = (*path, key)
        if kind == "extra_forbidden" and depth == len(loc):
            break
        lists = [option for option in options if "items" in option and isinstance(key, int)]
        node = resolve([*lists, *options, node][0], root)
        keys, items = node.get("properties", {}), node.get("prefixItems") or [node.get("items")]
        others = node.get("patternProperties", {"": node.get("additionalProperties")})
        if isinstance(key, int):
            node = items[min(key, len(items) - 1)]
        else:
            node = keys[key] if key in keys else next(iter(others.values()))
        node = resolve(node, root)
    return path, node


def describe(schema: Schema, root: Schema) -> str:
    """What a JSON schema allows, in words; `root` is the document that holds its `$defs`."""
    schema = resolve(schema, root)
    if "anyOf" in schema:
        return " or ".join(describe(option, root) for option in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return "one of " + ", ".join(map(str, schema.get("enum", [schema.get("const")])))
    if schema.get("properties"):
        return f"a mapping with the keys {', '.join(schema['properties'])}"
    items = schema.get("prefixItems", [schema.get("items")])
    if len(items) > 1:
        return f"a list of {len(items)}, each {describe(items[0], root)}"
    limits = [f"{limit} {schema[key]}" for key, limit in LIMITS.items() if key in schema]
    words = f"{TYPES.get(schema.get('type'), 'anything')} {' and '.join(limits)}".rstrip()
    return f"{words}, each {describe(items[0], root)}" if "items" in schema else words


def against(path: tuple, found: Any, text: str) -> Problem:
    """What does not go together, in words."""
    return path, found, said_of(found, text)


def unknown(path: tuple, found: Any, known: Iterable[str], otherwise: str) -> Iterator[Problem]:
    """A problem, if what is found is none of those that there are."""
    known = list(known)
    if found is not None and found not in known:
        yield against(path, found, choices(found, known, otherwise))
