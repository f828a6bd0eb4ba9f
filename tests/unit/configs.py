"""A small whole configuration that tests lay their own keys on."""

import copy

import pytest

from talking_models.config import ConfigError, load
from talking_models.config.merge import merge

BASE = {
    "data": {
        "ml": {
            "kind": "movielens",
            "tasks": {"by": "category", "names": ["Drama", "War"]},
        },
        "digits": {"kind": "digits"},
    },
    "splits": {"latest": {"kind": "latest"}, "given": {"kind": "given"}},
    "models": {
        "teacher": {"kind": "mlp", "on": "all"},
        "student": {"kind": "mlp"},
        "vit": {"kind": "vit"},
        "vit-student": {"kind": "vit", "of": "vit", "blocks": 4, "cut": [2, 4]},
    },
    "experiments": {
        "scratch": {"method": "scratch"},
        "talk": {"method": "td"},
        "see": {"method": "td", "student": "vit-student", "teachers": ["vit"]},
    },
}


def at(path, value):
    """`{"a": {"b": value}}` for the path `a.b`."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def whole(over=()):
    """The small configuration with what a test lays on it."""
    return merge(copy.deepcopy(BASE), dict(over))


def config(over=()):
    return load(whole(over))


def message(over):
    with pytest.raises(ConfigError) as caught:
        config(over)
    return str(caught.value)


def line(over):
    """The only problem of it."""
    first, *problems = message(over).splitlines()
    assert first == "the configuration has 1 problem:", problems
    assert len(problems) == 1
    return problems[0].strip()


def table(**keys):
    rows = {"A": "scratch", "B": "teacher"}
    return {"tables": {"t": {"title": "T", "data": ["ml"], "rows": rows, **keys}}}


def curve(**keys):
    return {"curves": {"c": {"title": "C", "data": ["ml"], **keys}}}
