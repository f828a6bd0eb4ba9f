"""Ids of the configuration: which are taken, which are there, `~`, and YAML's `on`."""

import pytest
import yaml
from configs import at, config, curve, line, table, whole

from talking_models.config import load
from talking_models.config.check import RESERVED
from talking_models.config.merge import merge

OWNED = [(section, id) for section, ids in RESERVED.items() for id in ids]


@pytest.mark.parametrize(("section", "id"), [*OWNED, ("experiments", "seed1"), ("models", "seed0")])
def test_an_id_that_owns_other_files_is_refused(section, id):
    entries = {
        "data": {"kind": "digits"},
        "experiments": {"method": "scratch"},
        "models": {"kind": "mlp"},
        "tables": {"title": "T", "data": ["ml"], "rows": {"A": "scratch"}},
        "curves": {"title": "T", "data": ["ml"], "points": {"A": "scratch"}},
    }
    assert line(at(f"{section}.{id}", entries[section])) == (
        f"{section}.{id}: found {id!r} (text); "
        "this name is taken by other files of the results, choose another"
    )


def test_what_must_be_reserved_is():
    assert {"compute", "claims", "significance", "sizes"} <= set(RESERVED["tables"])
    assert {"references", "slices", "all", "task-mean", "bias"} <= set(RESERVED["experiments"])
    assert {"tables", "figures", "logs", "models"} <= set(RESERVED["data"])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["Tuning"], "'tuning' in paths: this name is taken"),
        (["cka"], "'cka' in paths: this name is taken"),
        (["All"], "'all' in paths: this name is taken"),
        (["?!"], "'' in paths: this name is taken"),
        (["Sci-Fi", "sci fi"], "another task is 'sci-fi' in paths, too"),
    ],
)
def test_a_task_has_a_name_of_its_own_in_paths(names, said):
    assert said in line(at("data.ml.tasks", {"by": "shop", "names": names}))


def test_one_id_means_one_thing():
    assert line(at("experiments.teacher", {"method": "ld"})) == (
        "experiments.teacher: found 'teacher' (text); models has this id too, choose another"
    )
    both = {**table(), "curves": {"t": {"title": "C", "data": ["ml"], "points": {"1": "talk"}}}}
    assert line(both).startswith("curves.t: found 't' (text); tables has this id too")


@pytest.mark.parametrize(
    ("experiment", "where", "nearest"),
    [
        ({"method": "td", "like": "tal"}, "experiments.x.like", "nearest: talk"),
        ({"method": "td", "like": "a"}, "experiments.x.like", "allowed: one of talk, see"),
        ({"method": "td", "like": "scratch"}, "experiments.x.like", "allowed: one of talk, see"),
        ({"method": "td", "choose": {"rounds": [1]}}, "experiments.x", "beside `like`"),
        ({"method": "scratch", "teachers": ["teacher"]}, "experiments.x.teachers", "leave this"),
    ],
)
def test_an_ablation_is_like_an_experiment_of_its_method(experiment, where, nearest):
    ablation = {"a": {"method": "td", "like": "talk"}, "x": experiment}
    problem = line({"experiments": ablation})
    assert problem.startswith(f"{where}: ")
    assert nearest in problem


# `~`


@pytest.mark.parametrize("path", ["data.digits", "models.vit-student", "experiments.talk"])
def test_null_switches_an_entry_off(path):
    section, id = path.split(".")
    off = {"experiments": {"see": None}}
    assert id not in getattr(config(merge(off, at(path, None))), section)


def test_null_switches_tables_curves_splits_and_rows_off():
    over = {
        **table(rows={"A": "scratch", "B": "talk"}, bold=["A", "B"]),
        **curve(points={"1": "talk"}),
    }
    found = config(over)
    assert (list(found.tables), list(found.curves)) == (["t"], ["c"])
    off = {"tables": {"t": {"rows": {"B": None}}}, "curves": {"c": None}, "splits": {"given": None}}
    found = config(merge(over, off))
    assert (found.tables["t"].rows, found.tables["t"].bold) == ({"A": "scratch"}, ("A",))
    assert (list(found.curves), list(found.splits)) == ([], ["latest"])
    assert config(merge(over, {"tables": {"t": None}})).tables == {}


def test_what_names_an_entry_that_is_off_says_so():
    problem = line({**table(rows={"A": "talk"}), "experiments": {"talk": None}})
    assert problem.startswith("tables.t.rows.A: found 'talk' (text); allowed: one of ")


# YAML's `on`


def test_the_key_on_works_though_yaml_reads_it_as_true():
    raw = yaml.safe_load("models: {m: {kind: mlp, on: all}, n: {kind: mlp, 'on': all}}")
    assert True in raw["models"]["m"]
    found = config(raw)
    assert found.is_teacher("m")
    assert found.is_teacher("n")
    assert line(yaml.safe_load("models: {m: {kind: mlp, on: some}}")).startswith(
        "models.m.on: found 'some' (text); allowed: one of all"
    )


def test_loading_leaves_what_was_given_as_it_is():
    raw = merge(whole(), yaml.safe_load("models: {m: {kind: mlp, on: all}}"))
    load(raw)
    assert raw["models"]["m"] == {"kind": "mlp", True: "all"}
