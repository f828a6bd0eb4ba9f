"""Every key with values of every wrong kind: a `ConfigError` that names it, and no other error."""

import datetime
import random

import jsonschema
import pytest
from configs import at, curve, table, whole

from talking_models.config import Config, ConfigError, docs, load
from talking_models.config.merge import merge
from talking_models.config.sections import REGISTRIES
from talking_models.methods import METHODS
from talking_models.plan import Plan

VALUES = [
    None, True, False, 0, -1, 10**30, 1.5, -0.5, float("nan"), float("inf"), "", "x", "~", "Big Id",
    "{a: 1}", "[1]", "1e-3", [], [None], [[]], [1, "x"], ["x", "x"], [{}], {}, {"a": 1}, {1: 2},
    {True: False}, {"a": None}, datetime.date(2020, 1, 1), b"x",
]  # fmt: skip
NEEDED = {
    "folder": {"path": "pictures"}, "ratings": {"ratings": "a.csv"}, "tfds": {"set": "cifar10"},
}  # fmt: skip


def nodes(prefix, root):
    """Every key path below a model, with its schema."""
    for path, node in docs._keys(prefix, root, root):
        yield path, {**node, "$defs": root.get("$defs", {})}


def keys():
    """Key paths, a configuration that has them, the schema of their values."""
    tables = merge(table(), curve(points={"1": "talk"}))
    ids = {"data": "ml", "splits": "latest", "models": "student", "experiments": "talk"}
    ids |= {"tables": "t", "curves": "c"}
    for path, node in nodes("", Config.model_json_schema()):
        path = path.replace("<id>", ids.get(path.split(".")[0], ""))
        yield path, tables, node
        if "<" in path:  # and the mapping itself
            yield path.partition(".<")[0], tables, {"type": "object"}
    for section, kinds in REGISTRIES.items():
        for name in kinds.names():
            entry = at(f"{section}.new", {"kind": name, **NEEDED.get(name, {})})
            for path, node in nodes(
                f"{section}.new.", kinds.get(name).Settings.model_json_schema()
            ):
                yield path, entry, node
    for name in METHODS.names():
        method, id = METHODS.get(name), f"{name.replace('_', '-')}-new"
        peers = {} if method.has_teacher or not method.has_peers else {"peers": ["student"]}
        entry = at(f"experiments.{id}", {"method": name} | peers)
        for path, node in nodes("", method.Settings.model_json_schema()):
            yield f"experiments.{id}.settings.{path}", entry, node
    for section in (*ids, "device", "search"):
        yield section, tables, {"type": "object"}
        if section in ids:
            yield f"{section}.{ids[section]}", tables, {"type": ["object", "null"]}


KEYS = [key for key in keys() if not key[0].endswith("<value>")]


def test_there_are_keys_of_every_section():
    assert {path.partition(".")[0] for path, _, _ in KEYS} == set(Config.model_fields)
    assert len(KEYS) * len(VALUES) > 3000


def said(raw):
    """The words in which a configuration is refused; empty if it is taken, and planned with."""
    try:
        made = Plan(load(raw))
        made.results, made.searches, made.figure_files  # noqa: B018
        for id in made.tables_of_all:
            made.about(id), made.stamp(id), made.choices_of(id)
    except ConfigError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("path", "over", "schema"), KEYS, ids=[key[0] for key in KEYS])
def test_no_value_of_a_key_gives_another_error(path, over, schema):
    schema = {key: value for key, value in schema.items() if key != "required"}
    fits = jsonschema.Draft202012Validator(schema).is_valid
    *sections, key = path.split(".")
    words = []
    for value in VALUES:
        given = merge(whole(over), at(path, value))
        node = given
        for section in sections:
            node = node[section]
        node[key] = value  # as it is: for `merge` an empty mapping is no value
        words.append(said(given))
        off = value is None and ".<row>" in path
        assert words[-1] or fits(value) or off, f"{value!r} was taken"
        if words[-1] and not fits(value):
            assert path.partition(".<")[0].rpartition(".")[0] in words[-1]
            assert "problem" in words[-1].partition("\n")[0]
    assert any(words)


FEW = [0, 1, 2, 3, 10, 1000, 0.1, 0.9, True, None, "all", "latest", "talk", ["teacher"], *VALUES]


def fitting(schema):
    """Values that a key takes by itself, or any."""
    schema = {key: value for key, value in schema.items() if key != "required"}
    enum = schema.get("enum", [])
    return [*enum, *filter(jsonschema.Draft202012Validator(schema).is_valid, FEW)] or FEW


def test_no_two_keys_together_give_another_error():
    """Neighbours that may contradict each other, and keys from anywhere."""
    draw, taken = random.Random(0), 0
    for _ in range(800):
        first = draw.choice(KEYS)
        section = first[0].partition(".")[0]
        near = [key for key in KEYS if key[0].partition(".")[0] == section]
        given = whole({})
        for path, over, schema in (first, draw.choice(draw.choice([near, KEYS]))):
            given = merge(merge(given, over), at(path, draw.choice(fitting(schema))))
        taken += not said(given)
    assert 100 < taken < 700
