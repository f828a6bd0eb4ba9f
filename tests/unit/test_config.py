"""The configuration: defaults, effective settings, merging, shipped files, pins."""

import ast
import copy
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from configs import BASE, at, config, curve, table, whole
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from talking_models.config import ConfigError, load, read
from talking_models.config.merge import merge
from talking_models.methods import METHODS

ROOT = Path(__file__).parents[2]
PAPER = [ROOT / "config" / f"{name}.yaml" for name in ("config", "experiments", "tables")]
QUICK = [*PAPER, ROOT / "config" / "quick.yaml"]
VISION = [*PAPER, ROOT / "config" / "vision-cpu.yaml"]

# Defaults and effective values


def test_an_empty_configuration_is_one():
    found = load({})
    assert (found.data, found.models, found.experiments, found.tables) == ({}, {}, {}, {})
    assert found.seeds == 5


def test_the_papers_configuration_has_the_papers_sizes():
    found = read(*PAPER)
    teacher, student = found.models["teacher"], found.models["student"]
    assert found.seeds == 5
    assert found.tasks("ml-100k")["drama"] == "Drama"
    assert len(found.tasks("ml-100k")) == 8
    assert sum(student.features.model_dump().values()) == 300
    assert (teacher.hidden, student.hidden) == ((512, 256), (128, 64))
    assert found.protocols["latest"] == {"kind": "latest", "eval": 0.1, "val": 0.1, "share": 1.0}


def test_a_partial_section_keeps_the_defaults_of_its_own_kind():
    models = config(at("models.teacher.training.dropout", 0.25)).models
    assert models["teacher"].training.dropout == 0.25
    assert models["teacher"].training.steps == models["student"].training.steps == 500
    assert models["vit"].training.steps == 20000


def test_a_training_job_has_complete_settings():
    found = config(at("experiments.talk.settings.rounds", 3))
    assert found.experiments["talk"].settings == {"rounds": 3}
    defaults = METHODS.get("td").Settings().model_dump()
    assert found.training_job("talk", "ml")["settings"] == {**defaults, "rounds": 3}


def test_what_is_laid_on_top_of_what_in_a_training_job():
    over = {
        "models": {"student": {"training": {"steps": 9, "dropout": 0, "batch_size": 8}}},
        "experiments": {"talk": {"settings": {"rounds": 3}, "training": {"steps": 7}}},
    }
    tuned = {"training": {"steps": 50, "dropout": 0.2}, "settings": {"rounds": 0, "w1": 4.0}}
    job = config(over).training_job("talk", "ml", {"talk": tuned})
    assert job["training"] == {
        "steps": 7,  # the experiment's own
        "dropout": 0.2,  # tuned
        "batch_size": 8,  # the student's
        "learning_rate": 0.001,
        "weight_decay": 0.1,
        "clip": 1.0,
        "id_dropout": 0.2,
    }
    assert (job["settings"]["rounds"], job["settings"]["w1"]) == (3, 4.0)


def test_an_ablation_has_what_it_is_like_tuned_and_own_and_then_its_own():
    over = {
        "experiments": {
            "talk": {"settings": {"w1": 2.0}, "training": {"steps": 8}},
            "more": {"method": "td", "like": "talk", "settings": {"noise": 0.1}},
        }
    }
    tuned = {"talk": {"training": {"steps": 50, "dropout": 0.2}, "settings": {"w2": 4.0}}}
    job = config(over).training_job("more", "ml", tuned)
    assert (job["training"]["steps"], job["training"]["dropout"]) == (8, 0.2)
    assert [job["settings"][key] for key in ("w1", "w2", "noise")] == [2.0, 4.0, 0.1]


def test_among_several_a_job_has_the_method_that_takes_the_place_of_its_own():
    """With its settings, which curves and choices can be over, too."""
    models = at("models.other", {"kind": "mlp", "on": "all"})
    two = {"method": "td", "like": "talk", "teachers": ["teacher", "other"]}
    over = at("experiments.two", two | {"choose": {"replies": ["mean", "attention"]}})
    made = curve(of="two", over={"replies": ["separate", "mean"]})
    found = config(models | over | made).training_job("two", "ml")
    assert (found["method"], found["settings"]["replies"]) == ("group", "separate")
    own = METHODS.get("td").Settings.model_fields
    assert found["settings"].keys() - own.keys() == {"replies"}
    found = config(models | over | made).training_job("c-mean", "ml")
    assert (found["method"], found["settings"]["replies"]) == ("group", "mean")
    off = at("experiments.two", two | {"weights": {"other": 0.0}})
    assert config(models | off).training_job("two", "ml")["method"] == "td"


def test_a_teachers_job_is_training_from_scratch():
    found = config(at("models.teacher", {"hidden": [512, 256], "training": {"steps": 9}}))
    job = found.training_job("teacher", "ml", {"teacher": {"training": {"dropout": 0.1}}})
    assert (job["method"], job["settings"], job["teachers"]) == ("scratch", {}, {})
    assert job["student"]["hidden"] == [512, 256]
    assert (job["training"]["steps"], job["training"]["dropout"]) == (9, 0.1)


def test_a_job_on_images_has_the_device_and_on_ratings_the_seeds():
    device = {"threads": 2, "workers": 1, "states_gb": 0.0, "devices": 2}
    found = config({"seeds": 3, "device": device, "data": {"digits": {"seeds": 1}}})
    ratings, images = found.training_job("talk", "ml"), found.training_job("see", "digits")
    assert (ratings["seeds"], ratings["precision"]) == (3, "auto")
    # what no result depends on is none of it: a change would train all anew
    assert images["device"] == {"accelerator": "auto", "precision": "auto", "devices": 2}
    assert not {"seeds", "device"} & (ratings.keys() & images.keys())
    assert (found.seeds_of("ml"), found.seeds_of("digits")) == (3, 1)


def test_a_model_is_like_another_but_for_what_it_says():
    found = config(at("models.vit", {"image_size": 64, "options": {"depth": 12}}))
    form = found.form("vit-student")
    assert (form["image_size"], form["options"]) == (64, {"depth": 12})
    assert (form["blocks"], form["cut"]) == (4, [2, 4])
    assert found.form("vit")["cut"] == [6, 12]


def test_how_a_probe_is_trained_is_no_part_of_a_model():
    """Of which all trainings are told: they would train anew."""
    probe = at("models.vit.probe.epochs", 3)
    other, same = config(probe), config()
    assert other.training_job("see", "digits") == same.training_job("see", "digits")
    assert other.form("vit") == same.form("vit")
    assert other.form("vit-student", probe=True)["probe"]["epochs"] == 3


def test_an_unknown_experiment_has_no_job():
    with pytest.raises(KeyError):
        config().training_job("a", "ml")


def test_what_is_laid_on_top_of_an_experiment_with_a_choice_wins():
    x = at("experiments.x", {"method": "td", "like": "talk", "choose": {"rounds": [2, 3]}})
    tuned = {"x": {"settings": {"rounds": 3}}}
    assert config(x).training_job("x", "ml", tuned)["settings"]["rounds"] == 3
    over = merge(x, at("experiments.x.settings.rounds", 0))
    assert config(over).training_job("x", "ml", tuned)["settings"]["rounds"] == 0


def test_a_curve_over_a_setting_makes_its_experiments():
    over = merge(
        curve(of="talk", over={"noise": [0.0, 0.5]}), at("experiments.talk.training.steps", 7)
    )
    found = config(over)
    assert found.curves["c"].points == {"0.0": "c-0-0", "0.5": "c-0-5"}
    job = found.training_job("c-0-5", "ml", {"talk": {"settings": {"w1": 4.0}}})
    assert (job["method"], job["training"]["steps"]) == ("td", 7)
    assert (job["settings"]["noise"], job["settings"]["w1"]) == (0.5, 4.0)
    assert found.starts_from("c-0-5") == ["talk"]
    assert "c-0-5" not in found.searched("ml")  # it says its steps


def test_a_curve_of_an_ablation_keeps_what_that_changes():
    more = {"method": "td", "like": "talk", "settings": {"w2": 3.0}}
    found = config({**at("experiments.more", more), **curve(of="more", over={"rounds": [2]})})
    job = found.training_job("c-2", "ml")
    assert (job["settings"]["rounds"], job["settings"]["w2"]) == (2, 3.0)
    assert found.starts_from("c-2") == ["talk", "c-2"]


def test_a_curve_of_experiments_names_them():
    points = {"none": "scratch", "1": "talk"}
    assert config(curve(points=points)).curves["c"].points == points


def test_tables_have_the_columns_and_the_metric_of_their_data():
    found = config({**table(), "data": {"ml": {"tasks": {"names": ["Sci-Fi", "War"]}}}})
    assert found.columns(found.tables["t"]) == [
        ("ml", "latest", "sci-fi"), ("ml", "latest", "war"),
    ]  # fmt: skip
    assert found.metric_of(found.tables["t"]) == "rmse"
    found = config(table(data=["digits"], rows={"A": "see"}))
    assert found.columns(found.tables["t"]) == [("digits", "given", "all")]
    assert (found.metric_of(found.tables["t"]), found.metrics_of("ml")) == ("accuracy", [])


def test_tasks_can_be_counted_instead_of_named():
    found = config(at("data.ml.tasks", {"names": [], "densest": 2}))
    assert found.tasks("ml") == {"densest-1": None, "densest-2": None}


def test_a_rolling_split_is_one_for_each_window():
    found = config(at("splits.roll", {"kind": "rolling", "windows": 2}))
    assert [found.protocols[f"roll-{k}"]["window"] for k in (1, 2)] == [0, 1]
    assert "roll" not in found.protocols


def test_a_search_takes_teachers_first_and_ablations_for_their_steps():
    like = {"method": "td", "like": "talk"}
    over = {
        "models": {
            "random": {"kind": "mlp", "on": "all", "training": {"steps": 0}},
            "file": {"kind": "mlp", "file": "models.safetensors"},
        },
        "experiments": {
            "more": like,
            "long": like | {"training": {"steps": 9}},
            "untaught": like | {"teachers": ["random"]},
            "two": like | {"teachers": ["teacher", "random"]},
            "others": like | {"teachers": ["teacher", "file"]},
            "few": like | {"choose": {"rounds": [2]}},
            "beside": {"method": "td", "teachers": [], "peers": ["student"]},
        },
    }
    found = config(over)
    wanted = ["teacher", "scratch", "talk", "more", "two", "few", "beside"]
    assert found.searched("ml") == wanted, "nothing is chosen for what stays random"
    assert found.searched("digits") == []
    assert found.starts_from("more") == ["talk", "more"]
    for id in ("long", "untaught", "others"):  # no search has a file's teacher on its folds
        assert found.starts_from(id) == ["talk"]
    assert found.starts_from("random") == []


@pytest.mark.parametrize(
    ("given", "folder"),
    [("out/", "out"), ("./out", "out"), ("out//x", "out/x"), ("my results", "my results")],
)
def test_results_are_where_targets_say(given, folder):
    assert config({"results": given}).results == folder


def test_an_integer_is_a_number():
    found = config(at("models.student.training.learning_rate", 1))
    rate = found.models["student"].training.learning_rate
    assert (rate, type(rate)) == (1.0, float)


def test_the_configuration_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load({}).seeds = 3


def test_loading_leaves_what_was_given_as_it_is():
    raw = whole({**table(), **curve(of="talk", over={"rounds": [1]})})
    before = copy.deepcopy(raw)
    load(raw)
    assert raw == before


# Merging, and the shipped files


def test_lists_are_replaced_and_mappings_merged():
    base = {"a": {"b": [1, 2], "c": 1}, "d": 1}
    assert merge(base, {"a": {"b": [3]}}) == {"a": {"b": [3], "c": 1}, "d": 1}
    assert base == {"a": {"b": [1, 2], "c": 1}, "d": 1}


@pytest.mark.parametrize(
    "files",
    [
        QUICK,
        [{"a": 1, "b": [1]}, {"a": {"x": 1}, "b": {}}, {"a": {"y": {}}}, {"a": {"x": [1]}}],
        [{"a": {"x": 1}}, {"a": None}, {"b": None}],
    ],
    ids=["shipped", "clashing", "off"],
)
def test_the_merge_rule_is_snakemakes(files):
    utils = pytest.importorskip("snakemake.utils")
    contents = [yaml.safe_load(f.read_text()) if isinstance(f, Path) else f for f in files]
    ours, theirs = {}, {}
    for content in contents:
        ours = merge(ours, content)
        utils.update_config(theirs, copy.deepcopy(content))
    assert ours == theirs


def test_a_data_set_that_is_off_takes_its_tables_and_curves_along():
    row = {"title": "T", "rows": {"Talk": "talk"}}
    over = {
        "data": {"ml": None, "shop": BASE["data"]["ml"]},
        "tables": {
            "theirs": row | {"data": ["ml"]},
            "both": row | {"data": ["ml", "shop"]},
            "mine": row | {"data": ["shop"], "claims_of": "theirs"},
        },
        "curves": {"c": {"title": "C", "data": ["ml"], "points": {"0": "talk"}}},
    }
    config = load(whole(over))
    assert {id: shown.data for id, shown in config.tables.items()} == {
        "both": ("shop",),
        "mine": ("shop",),
    }
    assert config.tables["mine"].claims_of is None
    assert not config.curves
    with pytest.raises(ConfigError, match=r"tables\.t\.data\[0\]: found 'mll'"):
        load(whole({"data": {"ml": None}, "tables": {"t": row | {"data": ["mll"]}}}))


def test_the_paper_configuration_names_published_rows():
    found = read(*PAPER)
    assert set(found.tables) >= {"table3"}
    for shown in (each for each in found.tables.values() if each.paper):
        published = (ROOT / shown.paper).read_text()
        ours = {"TD, talking", "TD, to the letter"}
        assert {row for row in shown.rows if f",{row}," not in published} <= ours


def test_the_quick_configuration_only_makes_it_smaller():
    paper, quick = read(*PAPER), read(*QUICK)
    assert set(quick.tasks("ml-100k")) == {"drama", "war"}
    assert quick.seeds < paper.seeds
    assert quick.models["student"].training.steps < paper.models["student"].training.steps
    assert set(quick.experiments) == set(paper.experiments)
    assert [t.rows for t in quick.tables.values()] == [t.rows for t in paper.tables.values()]
    assert quick.trial
    assert not paper.trial


def test_configurations_open_with_their_command():
    for path in (PAPER[0], QUICK[-1], VISION[-1]):
        head = re.match(r"(#.*\n)+", path.read_text()).group()
        assert "snakemake --cores" in head
        assert "Run time:" in head
        assert "Expected:" in head


def test_the_vision_configuration_loads():
    assert read(*VISION).form("vit-student")["image_size"] == 56


HEAVY = ("torch", "pandas", "numpy", "pyarrow", "scipy", "matplotlib", "timm", "sklearn")


def test_planning_a_run_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from talking_models import config, plan\n"
        "made = plan.Plan(config.read(*sys.argv[1:]))\n"
        "made.results, made.figure_files, [made.about(id) for id in made.config.tables]\n"
        f"assert not set({HEAVY}) & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", code, *map(str, QUICK)]
    environment = {"PYTHONPATH": str(ROOT / "workflow" / "scripts")}
    subprocess.run(command, check=True, env=environment, timeout=60, cwd=ROOT)


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


INSTALLED_AS = {
    "PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml", "pydantic_core": "pydantic",
    "markdown_it": "markdown-it-py", "torch_xla": "", "lightning_fabric": "lightning-fabric",
}  # fmt: skip


def test_the_package_names_all_that_the_library_imports():
    """Those of optional parts as extras; torch_xla comes with the machine."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    listed = [*project["dependencies"], *(each for name in extras for each in extras[name])]
    listed = {canonicalize_name(Requirement(text).name) for text in listed}
    library = ROOT / "workflow" / "scripts" / "talking_models"
    found = set()
    for path in library.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    found -= sys.stdlib_module_names | {"talking_models", "talking_models_plugins"}
    needed = {canonicalize_name(INSTALLED_AS.get(name, name)) for name in found} - {""}
    assert needed - listed == set()


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
