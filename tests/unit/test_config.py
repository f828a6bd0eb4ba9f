"""The configuration: defaults, errors, merging, shipped files, generated documents, pins."""

import copy
import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from talking_models import methods
from talking_models.config import Config, ConfigError, Training, docs, load, merge, read, read_tuned

ROOT = Path(__file__).parents[2]
PAPER = [ROOT / "config" / f"{name}.yaml" for name in ("config", "experiments", "tables")]
QUICK = [*PAPER, ROOT / "config" / "quick.yaml"]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.json"
EXPERIMENTS = {"scratch": {"method": "scratch"}, "talk": {"method": "td"}}


def message(raw):
    with pytest.raises(ConfigError) as caught:
        load(raw)
    return str(caught.value)


def line(raw):
    """The only problem of `raw`."""
    first, *problems = message(raw).splitlines()
    assert first == "the configuration has 1 problem:"
    assert len(problems) == 1
    return problems[0].strip()


def table(**keys):
    rows = {"rows": {"A": "scratch", "B": "teacher"}}
    return {"experiments": EXPERIMENTS, "tables": {"t": {"title": "T", **rows, **keys}}}


# Defaults and effective values


def test_defaults_are_the_papers_sizes():
    config = load({})
    assert config.seeds == 5
    assert config.movielens.genres[0] == "Drama"
    assert len(config.movielens.genres) == 8
    assert sum(config.features.model_dump().values()) == 300
    assert (config.teacher.hidden, config.student.hidden) == ((512, 256), (128, 64))
    assert (config.experiments, config.tables) == ({}, {})


def test_a_partial_section_keeps_the_defaults_of_its_own_section():
    config = load({"teacher": {"training": {"dropout": 0.5}}})
    assert config.teacher.training.dropout == 0.5
    assert config.teacher.training.steps == load({}).teacher.training.steps
    assert config.teacher.training.steps != config.student.training.steps


def test_a_training_job_has_complete_settings():
    config = load({"experiments": {"a": {"method": "td", "settings": {"rounds": 3}}}})
    assert config.experiments["a"].settings == {"rounds": 3}
    defaults = methods.settings_class("td")().model_dump()
    assert config.training_job("a")["settings"] == {**defaults, "rounds": 3}


def test_what_is_laid_on_top_of_what_in_a_training_job():
    raw = {
        "student": {"training": {"steps": 9, "dropout": 0, "batch_size": 8}},
        "experiments": {
            "a": {"method": "td", "settings": {"rounds": 3}, "training": {"steps": 7}},
        },
    }
    tuned = {"training": {"steps": 50, "dropout": 0.2}, "settings": {"rounds": 0, "w1": 4.0}}
    job = load(raw).training_job("a", tuned)
    default = Training()
    assert job["training"] == {
        "steps": 7,  # the experiment's own
        "dropout": 0.2,  # tuned
        "batch_size": 8,  # the students'
        "learning_rate": default.learning_rate,
        "weight_decay": default.weight_decay,
        "id_dropout": default.id_dropout,
    }
    assert (job["settings"]["rounds"], job["settings"]["w1"]) == (3, 4.0)


def test_the_teachers_job_is_training_from_scratch():
    config = load({"teacher": {"training": {"steps": 9}}})
    job = config.training_job("teacher", {"training": {"dropout": 0.1}})
    assert (job["method"], job["settings"], job["hidden"]) == ("scratch", {}, [512, 256])
    assert (job["training"]["steps"], job["training"]["dropout"]) == (9, 0.1)


def test_an_unknown_experiment_has_no_job():
    with pytest.raises(KeyError):
        load({}).training_job("a")


ABLATION = {"td": {"method": "td"}, "a": {"method": "td", "like": "td"}, "ld": {"method": "ld"}}


@pytest.mark.parametrize(
    ("experiment", "where", "nearest"),
    [
        ({"method": "td", "like": "tx"}, "experiments.x.like", "td"),
        ({"method": "td", "like": "a"}, "experiments.x.like", "td"),
        ({"method": "td", "like": "ld"}, "experiments.x.like", "td"),
        ({"method": "td", "choose": {"rounds": [1]}}, "experiments.x.choose", "like"),
    ],
)
def test_an_ablation_is_like_a_tuned_experiment_of_its_method(experiment, where, nearest):
    with pytest.raises(ConfigError) as caught:
        load({"experiments": {**ABLATION, "x": experiment}})
    assert where in str(caught.value)
    assert nearest in str(caught.value)


def test_without_a_search_the_first_value_of_a_choice_serves():
    raw = {**ABLATION, "x": {"method": "td", "like": "td", "choose": {"rounds": [2, 3]}}}
    config = load({"experiments": raw, "tuning": "none"})
    assert config.training_job("x")["settings"]["rounds"] == 2
    config = load({"experiments": raw, "tuning": "search"})
    assert config.training_job("x", {"settings": {"rounds": 3}})["settings"]["rounds"] == 3


def test_a_missing_or_broken_tuned_file_is_named(tmp_path):
    path = tmp_path / "tuned.yaml"
    with pytest.raises(ConfigError, match=r"tuned\.yaml"):
        read_tuned(path)
    path.write_text("chosen_: {}")
    with pytest.raises(ConfigError, match=r"tuned\.yaml"):
        read_tuned(path)


def test_an_integer_is_a_number():
    rate = load({"student": {"training": {"learning_rate": 1}}}).student.training.learning_rate
    assert rate == 1.0
    assert isinstance(rate, float)


def test_the_configuration_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load({}).seeds = 3


def test_loading_leaves_what_was_given_as_it_is():
    raw = table()
    before = copy.deepcopy(raw)
    load(raw)
    assert raw == before


# Errors


@pytest.mark.parametrize(
    ("raw", "path", "nearest"),
    [
        ({"seed": 2}, "seed", "seeds"),
        ({"movielens": {"genre": 2}}, "movielens.genre", "genres"),
        ({"student": {"training": {"learning-rate": 2}}}, "student.training.learning-rate", "lea"),
        ({"experiments": {"a": {"method": "ld", "setting": 2}}}, "experiments.a.setting", "settin"),
        (
            {"experiments": {"a": {"method": "ld", "settings": {"wieght": 2}}}},
            "experiments.a.settings.wieght",
            "weight",
        ),
        (
            {"experiments": {"a": {"method": "ld", "training": {"step": 2}}}},
            "experiments.a.training.step",
            "steps",
        ),
        (table(rowz=2), "tables.t.rowz", "rows"),
    ],
)
def test_a_misspelt_key_is_named_with_its_path_value_and_nearest_key(raw, path, nearest):
    problem = line(raw)
    assert problem.startswith(f"{path}: unknown key, found with the value 2; allowed: one of ")
    assert f"; nearest: {nearest}" in problem


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"seeds": 0}, "seeds: found 0 (an integer); allowed: an integer at least 1"),
        ({"seeds": True}, "seeds: found True (true or false); allowed: an integer at least 1"),
        ({"seeds": 2.0}, "seeds: found 2.0 (a number); allowed: an integer at least 1"),
        ({"seeds": None}, "seeds: found None (nothing); allowed: an integer at least 1"),
        (
            {"movielens": {"val_fraction": 0}},
            "movielens.val_fraction: found 0 (an integer); "
            "allowed: a number above 0 and at most 0.5",
        ),
        (
            {"student": {"training": {"dropout": float("nan")}}},
            "student.training.dropout: found nan (a number); "
            "allowed: a number at least 0 and below 1",
        ),
        (
            {"movielens": {"variant": "100K"}},
            "movielens.variant: found '100K' (text); "
            "allowed: one of 100k, 1m, latest-small, 20m, 25m; nearest: 100k",
        ),
        (
            {"teacher": {"hidden": [512, 0]}},
            "teacher.hidden[1]: found 0 (an integer); allowed: an integer at least 1",
        ),
        (
            {"teacher": {"hidden": [512, 256, 128]}},
            "teacher.hidden: found [512, 256, 128] (a list); "
            "allowed: a list of 2, each an integer at least 1",
        ),
        (
            {"teacher": {"hidden": [512]}},
            "teacher.hidden[1]: nothing found, the key is required; allowed: an integer at least 1",
        ),
        (
            {"movielens": {"genres": ["War", "Drama", "War"]}},
            "movielens.genres: found ['War', 'Drama', 'War'] (a list); "
            "each name once; repeated: War",
        ),
        (
            {"features": [1]},
            "features: found [1] (a list); allowed: a mapping with the keys user, item, title, "
            "categories",
        ),
        (
            {"experiments": {"a": {"method": "td", "settings": {"rounds": 9}}}},
            "experiments.a.settings.rounds: found 9 (an integer); "
            "allowed: an integer at least 0 and at most 3",
        ),
        (
            {"experiments": {"a": {"method": "td", "settings": {"rounds": "2"}}}},
            "experiments.a.settings.rounds: found '2' (text); "
            "allowed: an integer at least 0 and at most 3; "
            "to YAML this is text: write a number without quotes, an exponent as 1.0e-3",
        ),
        (
            {"experiments": {"a": {"method": "ld", "training": {"steps": None}}}},
            "experiments.a.training.steps: found None (nothing); allowed: an integer at least 1",
        ),
        (
            {"experiments": {"Big": {"method": "ld"}}},
            "experiments.Big: found the name 'Big'; allowed: text that matches "
            "^[a-z0-9][a-z0-9-]*$",
        ),
        (
            {"experiments": {"teacher": {"method": "ld"}}},
            "experiments.teacher: found 'teacher' (text); "
            "it stands for the teacher, choose another id",
        ),
        (
            {"experiments": {"a": {}}},
            "experiments.a.method: nothing found, the key is required; "
            f"allowed: one of {', '.join(methods.names())}",
        ),
        (
            {"experiments": {"a": {"method": "fitnets"}}},
            "experiments.a.method: found 'fitnets' (text); "
            f"allowed: one of {', '.join(methods.names())}; nearest: fitnet",
        ),
        (
            table(rows={"A": "talks"}),
            "tables.t.rows.A: found 'talks' (text); "
            "allowed: one of teacher, scratch, talk; nearest: talk",
        ),
        (
            table(bold=["A", "b"]),
            "tables.t.bold[1]: found 'b' (text); allowed: one of A, B; nearest: B",
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_path_and_what_is_allowed(raw, problem):
    assert line(raw) == problem


def test_a_misspelt_genre_is_named_with_the_nearest_one():
    problem = line({"movielens": {"genres": ["Drama", "SciFi"]}})
    assert problem.startswith("movielens.genres[1]: found 'SciFi' (text); allowed: one of Action, ")
    assert problem.endswith("; nearest: Sci-Fi")


def test_an_exponent_without_a_point_is_text_to_yaml_and_the_message_says_so():
    raw = yaml.safe_load("student: {training: {learning_rate: 1e-3}}")
    assert raw["student"]["training"]["learning_rate"] == "1e-3"
    assert line(raw) == (
        "student.training.learning_rate: found '1e-3' (text); "
        "allowed: a number above 0 and at most 1; "
        "to YAML this is text: write a number without quotes, an exponent as 1.0e-3"
    )


def test_every_problem_is_listed_at_once():
    text = message(
        {
            "sedes": 1,
            "seeds": -1,
            "experiments": {"a": {"method": "ldd"}, "b": {"method": "ld", "settings": {"w": 1}}},
            "tables": {"t": {"title": "T", "rows": {"A": "c", "B": "b"}}, "u": {"rows": {}}},
        }
    )
    assert text.startswith("the configuration has 7 problems:\n")
    paths = [problem.strip().partition(":")[0] for problem in text.splitlines()[1:]]
    assert sorted(paths) == [
        "experiments.a.method",
        "experiments.b.settings.w",
        "sedes",
        "seeds",
        "tables.t.rows.A",
        "tables.u.rows",
        "tables.u.title",
    ]


def test_a_file_that_is_no_mapping_is_an_error(tmp_path):
    for text, words in [("- 1", "must be a mapping"), ("a: [", "is not YAML"), ("", "mapping")]:
        path = tmp_path / "x.yaml"
        path.write_text(text)
        with pytest.raises(ConfigError, match=words) as caught:
            read(path)
        assert str(path) in str(caught.value)


# Merging, and the shipped files


def test_lists_are_replaced_and_mappings_merged():
    base = {"a": {"b": [1, 2], "c": 1}, "d": 1}
    assert merge(base, {"a": {"b": [3]}}) == {"a": {"b": [3], "c": 1}, "d": 1}
    assert base == {"a": {"b": [1, 2], "c": 1}, "d": 1}


@pytest.mark.parametrize(
    "files",
    [QUICK, [{"a": 1, "b": [1]}, {"a": {"x": 1}, "b": {}}, {"a": {"y": {}}}, {"a": {"x": [1]}}]],
    ids=["shipped", "clashing"],
)
def test_the_merge_rule_is_snakemakes(files):
    utils = pytest.importorskip("snakemake.utils")
    contents = [yaml.safe_load(f.read_text()) if isinstance(f, Path) else f for f in files]
    ours, theirs = {}, {}
    for content in contents:
        ours = merge(ours, content)
        utils.update_config(theirs, copy.deepcopy(content))
    assert ours == theirs


def test_the_paper_configuration_loads():
    config = read(*PAPER)
    assert set(config.tables) >= {"table3"}
    for spec in config.tables.values():
        if spec.paper is not None:
            published = (ROOT / spec.paper).read_text()
            assert {row for row in spec.rows if f",{row}," not in published} == set()


def test_the_quick_configuration_only_makes_it_smaller():
    paper, quick = read(*PAPER), read(*QUICK)
    assert quick.movielens.genres == ("Drama", "War")
    assert quick.seeds < paper.seeds
    assert quick.student.training.steps < paper.student.training.steps
    assert quick.experiments == paper.experiments
    assert quick.tables == paper.tables


def test_configurations_open_with_their_command():
    for path in (PAPER[0], QUICK[-1]):
        head = re.match(r"(#.*\n)+", path.read_text()).group()
        assert "snakemake --cores" in head
        assert "Run time:" in head
        assert "Expected:" in head


def test_loading_the_configuration_does_not_import_torch():
    code = (
        "import sys\n"
        "from talking_models import config\n"
        "config.read(*sys.argv[1:])\n"
        "assert 'torch' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, *map(str, QUICK)]
    environment = {"PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    subprocess.run(command, check=True, env=environment, timeout=60)


# Generated documents


def test_the_committed_schema_is_the_generated_one():
    assert SCHEMA.read_text() == docs.schema_text(), "run `make schema`"


def test_the_key_table_is_the_generated_one():
    readme = (ROOT / "config" / "README.md").read_text()
    assert readme == docs.readme_with_keys(readme), "run `make schema`"


def test_every_key_has_a_description():
    for model in [Config, *map(methods.settings_class, methods.names())]:
        schema = model.model_json_schema()
        for node in [schema, *schema.get("$defs", {}).values()]:
            for key, value in node.get("properties", {}).items():
                assert value.get("description"), f"{node['title']}.{key}"


def test_every_setting_of_every_method_is_in_the_key_table():
    text = docs.key_table()
    for name in methods.names():
        section = text.split(f"### Settings of the method `{name}`")[1].split("###")[0]
        assert re.findall(r"^\| `(\w+)`", section, re.M) == list(
            methods.settings_class(name).model_fields
        )


def test_the_schema_accepts_what_load_accepts_and_refuses_what_it_refuses():
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    shipped = {}
    for path in QUICK:
        shipped = merge(shipped, yaml.safe_load(path.read_text()))
    assert list(validator.iter_errors(shipped)) == []
    for wrong in [
        {"seed": 1},
        {"seeds": 0},
        {"student": {"training": {"learning_rate": "1e-3"}}},
        {"experiments": {"a": {"method": "no"}}},
        {"experiments": {"Big": {"method": "ld"}}},
        {"experiments": {"a": {"method": "ld", "settings": {"rounds": 1}}}},
        {"experiments": {"a": {"method": "ld", "training": {"steps": None}}}},
    ]:
        assert not validator.is_valid(wrong), wrong
        message(wrong)


def test_the_command_line_writes_both_documents_and_checks_files(tmp_path, capsys):
    schema, readme, wrong = tmp_path / "s.json", tmp_path / "README.md", tmp_path / "wrong.yaml"
    assert docs.main(["schema", str(schema)]) == 0
    assert schema.read_text() == docs.schema_text()
    readme.write_text(f"before\n{docs.BEGIN}\nold\n{docs.END}\nafter\n")
    assert docs.main(["table", str(readme)]) == 0
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert docs.key_table() in text
    assert docs.main(["check", *map(str, QUICK)]) == 0
    wrong.write_text("seeds: 0\n")
    assert docs.main(["check", *map(str, PAPER), str(wrong)]) == 1
    assert "seeds: found 0" in capsys.readouterr().err
    wrong.write_text("no markers\n")
    assert docs.main(["table", str(wrong)]) == 1
    assert wrong.read_text() == "no markers\n"


# Pinned requirements


def requirements(name):
    lines = (re.sub(r"(^|\s)#.*", "", raw) for raw in (ROOT / name).read_text().splitlines())
    return {canonicalize_name(r.name): r for r in map(Requirement, filter(str.strip, lines))}


def test_every_requirement_is_pinned_to_one_public_version():
    for requirement in requirements("requirements.txt").values():
        assert re.fullmatch(r"==[0-9a-z.]+", str(requirement.specifier)), requirement


def test_what_is_used_directly_is_pinned_and_agrees():
    pins = requirements("requirements.txt")
    for name, direct in requirements("requirements.in").items():
        assert name in pins, f"{name} is not in requirements.txt"
        assert direct.specifier.contains(str(pins[name].specifier).removeprefix("=="))


def test_what_the_direct_requirements_need_is_pinned_too():
    pins, open_, seen = requirements("requirements.txt"), list(requirements("requirements.in")), {}
    while open_:
        name = open_.pop()
        if name in seen:
            continue
        seen[name] = True
        assert name in pins, f"{name} is not in requirements.txt"
        for text in importlib.metadata.requires(name) or []:
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                open_.append(canonicalize_name(need.name))
