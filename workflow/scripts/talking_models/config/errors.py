"""The one error of the configuration: every problem, with its key path and what is allowed."""

from collections.abc import Iterable

from pydantic import ValidationError

from talking_models.strict import TEXT

NESTED = (
    "Snakemake hands nested values of --config over as text: write them into a file for "
    "--configfile"
)
BOOLEANS = ("true", "false", "yes", "no", "on", "off")
CAPITALS = "on the command line it is True or False, in a file without quotes"


class ConfigError(ValueError):
    """The configuration is wrong; the message lists every problem."""


def dotted(path: Iterable[str | int]) -> str:
    """A key path as text: `tables.t.bold[1]`."""
    text = "".join(f".{key}" if isinstance(key, str) else f"[{key}]" for key in path)
    return text.removeprefix(".") or "top level"


def explain(error: ValidationError) -> str:
    """The message of a `ConfigError`: one line for each problem, which `Strict` put into words."""
    lines: dict[str, None] = {}
    for each in error.errors(include_url=False):
        path, found, words = each["loc"], each["input"], each["msg"]
        if path[-1:] == ("[key]",):
            path = (*path[:-2], found)
        if isinstance(found, str) and "allowed: " in words:
            other = found.lower() in (*BOOLEANS, "null", "~")  # to YAML these are no text
            if found[:1] in ("{", "[") or (path[1:] and (other or TEXT in words)):
                words += f"; {NESTED}"
            elif found.lower() in BOOLEANS and words.endswith("true or false"):
                words += f"; {CAPITALS}"
        lines[f"{dotted(path)}: {words}"] = None
    count = f"{len(lines)} problem" + ("s" if len(lines) > 1 else "")
    return "\n  ".join([f"the configuration has {count}:", *lines])
