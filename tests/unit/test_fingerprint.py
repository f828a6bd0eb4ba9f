"""The digest of the code that a job runs: everything that its modules import, and nothing else."""

import ast
import json
import re
import subprocess
import sys

import pytest
from rule_texts import modules, plan, script_of, texts

from talking_models import registry
from talking_models.running import fingerprint as module
from talking_models.running.fingerprint import ROOT, closure, fingerprint

PACKAGE = "talking_models"
RULES = texts()


def forget():
    for cached in (module._read, closure, fingerprint):
        cached.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a library of its own: `package(name=text, ...)`, `__` for the dots in names."""
    monkeypatch.setattr(registry, "ROOT", tmp_path / PACKAGE)
    forget()

    def write(**files):
        forget()
        for name, text in {"__init__": "", **files}.items():
            path = tmp_path.joinpath(PACKAGE, *name.replace("__init__", "INIT").split("__"))
            path = path.with_name(path.name.replace("INIT", "__init__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())

    yield write
    forget()


def names(*modules):
    """The closure, without the package's name."""
    return {name.removeprefix(PACKAGE).removeprefix(".") for name in closure(*modules)}


# A library made for the test


def test_every_way_to_import_is_followed(package):
    package(
        start=(
            "import talking_models.a\n"
            "import talking_models.b as other\n"
            "from talking_models import c\n"
            "from talking_models.d import value\n"
            "import os\n"
            "from pathlib import Path\n"
        ),
        a="", b="", c="", d="from talking_models.e import x", e="", unused="",
    )  # fmt: skip
    assert names("talking_models.start") == {"", "start", "a", "b", "c", "d", "e"}


def test_an_import_inside_a_function_or_a_condition_counts(package):
    package(
        start="def f():\n    from talking_models import a\nif f:\n    import talking_models.b\n",
        a="", b="",
    )  # fmt: skip
    assert {"a", "b"} <= names("talking_models.start")


def test_the_packages_above_an_imported_module_count(package):
    package(
        start="from talking_models.part.inner import x",
        part____init__="from talking_models import hidden",
        part__inner="x = 1",
        hidden="",
    )
    assert {"part", "part.inner", "hidden", ""} <= names("talking_models.start")


def test_the_packages_above_the_first_module_count(package):
    """Python runs them, too, before the module itself."""
    package(part____init__="from talking_models import hidden", part__inner="x = 1", hidden="y = 1")
    assert names("talking_models.part.inner") == {"", "part", "part.inner", "hidden"}


def test_modules_that_import_each_other_end(package):
    package(a="import talking_models.b", b="import talking_models.a")
    assert {"a", "b"} <= names("talking_models.a")


def test_the_digest_changes_with_a_dependency_however_far(package):
    files = {"a": "import talking_models.b", "b": "import talking_models.c", "c": "x = 1"}
    package(**files, other="x = 1")
    before = fingerprint("talking_models.a")
    assert re.fullmatch(r"[0-9a-f]{16}", before)
    package(**files, other="x = 2")
    assert fingerprint("talking_models.a") == before
    package(**{**files, "c": "x = 2"})
    assert fingerprint("talking_models.a") != before


def test_the_digest_changes_with_where_code_stands(package):
    package(a="import talking_models.b, talking_models.c", b="x = 1", c="y = 1")
    before = fingerprint("talking_models.a")
    package(b="y = 1", c="x = 1")
    assert fingerprint("talking_models.a") != before


def test_the_order_in_which_modules_are_named_makes_no_difference(package):
    package(a="", b="")
    assert fingerprint("talking_models.a", "talking_models.b") == fingerprint(
        "talking_models.b", "talking_models.a"
    )


def test_a_module_that_is_not_there_is_an_error(package):
    package(a="")
    with pytest.raises(ModuleNotFoundError, match=r"talking_models\.missing"):
        fingerprint("talking_models.missing")


BODY = '''\
"""What it is."""

def f(a, b):
    """What it does."""
    return [a, b]
'''
SAME = {
    "comment": BODY.replace("return", "# why\n    return"),
    "layout": BODY.replace("[a, b]", "[\n        a,\n        b,\n    ]").replace(
        "\n\n", "\n\n\n\n"
    ),
    "quotes": BODY.replace('"""What it is."""', "'What it is.'"),
    "docstring": BODY.replace("What it does", "What it returns"),
    "no docstring": BODY.replace('    """What it does."""\n', ""),
    "line ends": BODY.replace("\n", "\r\n"),
    "space at the end": BODY + "\n\n",
}


@pytest.mark.parametrize("other", SAME.values(), ids=SAME)
def test_comments_docstrings_layout_and_line_ends_are_no_change(package, other):
    package(a=BODY)
    before = fingerprint("talking_models.a")
    package(a=other)
    assert other != BODY
    assert fingerprint("talking_models.a") == before


CHANGES = [("[a, b]", "[b, a]"), ("(a, b)", "(a, b=1)"), ("f(", "g("), ("is.", "does.")]


@pytest.mark.parametrize("other", CHANGES)
def test_what_code_does_is_a_change(package, other):
    package(a=BODY)
    before = fingerprint("talking_models.a")
    package(a=BODY.replace(*other))
    assert fingerprint("talking_models.a") != before


def test_imports_for_readers_alone_do_not_count(package):
    package(
        start=(
            "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    from talking_models import a\n"
            "else:\n    import talking_models.b\n"
        ),
        a="", b="",
    )  # fmt: skip
    assert names("talking_models.start") == {"", "start", "b"}


def test_plugins_are_followed_and_change_the_digest(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "loud.py").write_text(
        f"from {registry.PLUGINS} import helper\nfrom talking_models.methods.ld import LD\n"
    )
    (mine / "helper.py").write_text("LEVEL = 1\n")
    (mine / "other.py").write_text("LEVEL = 1\n")
    loud = f"{registry.PLUGINS}.loud"
    try:
        registry.use([mine])
        forget()
        found = closure(loud)
        assert {loud, f"{registry.PLUGINS}.helper", f"{PACKAGE}.methods.ld"} <= set(found)
        assert f"{registry.PLUGINS}.other" not in found
        before = fingerprint(loud)
        (mine / "helper.py").write_text("LEVEL = 2\n")
        forget()
        assert fingerprint(loud) != before
    finally:
        registry.use([])
        forget()


# This library

TRAINING = f"{PACKAGE}.training.ratings"
ENTRIES = [
    (f"{PACKAGE}.data.canonical", f"{PACKAGE}.data.movielens"),
    (f"{PACKAGE}.data.splits",),
    (TRAINING, f"{PACKAGE}.methods.td"),
    (f"{PACKAGE}.evidence.predict", f"{PACKAGE}.models.mlp"),
    (f"{PACKAGE}.evidence.references",),
    (f"{PACKAGE}.report.tables", f"{PACKAGE}.metrics.rmse"),
]


def test_a_training_job_depends_on_its_own_method_and_no_other():
    methods = ("fd", "fitnet", "hybrid", "ld", "scratch", "td")
    for own, parts in {"td": (), "fd": (), "scratch": (), "hybrid": ("fd", "ld")}.items():
        found = closure(TRAINING, f"{PACKAGE}.methods.{own}")
        used = {name for name in methods if f"{PACKAGE}.methods.{name}" in found}
        assert used == {own, *parts}
        assert f"{PACKAGE}.methods.base" in found


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry[-1].rsplit(".", 1)[-1])
def test_the_closure_holds_all_that_python_imports(entry):
    code = "import importlib, json, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
    code += f"print(json.dumps([m for m in sys.modules if m.split('.')[0] == '{PACKAGE}']))"
    command = [sys.executable, "-c", code, *entry]
    said = subprocess.run(
        command, cwd=ROOT.parent, check=True, capture_output=True, text=True, timeout=120
    ).stdout
    assert set(json.loads(said)) - set(closure(*entry)) == set()


def test_evidence_and_tables_depend_on_no_method_and_no_job_on_the_configuration():
    for name in ("evidence.predict", "evidence.references", "report.tables"):
        found = closure(f"{PACKAGE}.{name}")
        assert not [m for m in found if re.search(r"\.methods\.[a-z]", m)], name
    for name in ("training.ratings", "training.images", "data.splits", "evidence.predict"):
        found = closure(f"{PACKAGE}.{name}")
        assert not [m for m in found if ".config" in m or ".plan" in m], name


def test_jobs_of_images_depend_on_no_module_of_ratings():
    """Which a change of theirs would otherwise train again."""
    own = {"training.ratings", "training.loop", "training.optimizer", "training.batches"}
    own |= {"training.teacher", "models.network", "models.checkpoint", "data.features"}
    own = {f"{PACKAGE}.{name}" for name in (*own, "data.parquet")}
    assert own < set(closure(TRAINING, f"{PACKAGE}.models.mlp"))
    for name in ("training.images", "training.probe", "tuning.images", "evidence.predict_images"):
        assert not own & set(closure(f"{PACKAGE}.{name}")), name


# Who imports by name: the registry, whose components rules name, and two that no job imports.
BY_NAME = {"registry.py", "__init__.py", "predictor.py"}


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_module_imports_in_a_way_that_the_digest_does_not_follow(path):
    for node in ast.walk(ast.parse(path.read_text())):
        assert not (isinstance(node, ast.ImportFrom) and node.level), "a relative import"
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            dynamic = name in ("importlib.import_module", "import_module", "__import__")
            assert not dynamic or str(path.relative_to(ROOT)) in BY_NAME


@pytest.fixture(scope="module")
def run():
    return plan()


@pytest.mark.parametrize("name", [n for n, (_, text) in RULES.items() if "fingerprint(" in text])
def test_the_digest_in_a_rules_params_covers_what_its_script_runs(run, name):
    file, text = RULES[name]
    imported = set()
    for node in ast.walk(ast.parse(script_of(file, text).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.startswith(PACKAGE):
            imported.add(node.module)
    assert len(imported) >= 2
    found = modules(name, text, run)
    assert found, "no fingerprint in params"
    for named in found:
        covered = set(closure(*named))
        if name in FUNCTIONS:
            assert f"{PACKAGE}.{FUNCTIONS[name]}" in named
            covered |= {f"{PACKAGE}.{other}" for other in (*FUNCTIONS.values(), "changes")}
        # job: where the log goes, not what is made
        assert imported - {f"{PACKAGE}.running.job"} <= covered
        # What code gets by name is in no import: the rule names the component's module.
        code = "".join(
            registry.file_of(each).read_text()
            for each in closure(*named)
            if each in named or each not in NOT_RUN[f"{PACKAGE}.training.ratings" in named]
        )
        for components, package in BY_REGISTRY.items():
            if re.search(rf"\b{components}\.get\(", code):
                own = f"{PACKAGE}.{package}."
                assert [each for each in named if each.startswith(own)], f"no module of {package}"


# One script for both families: the module of a rule's own function.
FUNCTIONS = {
    "train": "training.ratings",
    "train_images": "training.images",
    "measure_cost": "evidence.cost",
    "tune": "tuning.jobs",
    "tune_images": "tuning.choose",
    "try_images": "tuning.images",
}
BY_REGISTRY = {"MODELS": "models", "METRICS": "metrics", "DATA": "data"}
# Imported for another function of theirs, unless a rule names them; by jobs on ratings, too.
SPLITS = {f"{PACKAGE}.data.splits", f"{PACKAGE}.data.canonical"}
NOT_RUN = {False: SPLITS, True: {*SPLITS, f"{PACKAGE}.data.images"}}


@pytest.mark.parametrize("name", ["train", "train_images", "tune", "train_fold_teachers"])
def test_what_trains_names_its_method(run, name):
    methods = {f"{PACKAGE}.methods.{method}" for method in ("scratch", "td")}
    found = modules(name, RULES[name][1], run)
    assert all([each for each in named if f"{PACKAGE}.methods." in each] for named in found)
    assert methods <= {each for named in found for each in named}


def test_every_rule_with_a_script_has_a_digest():
    # take_choice copies a file
    assert {name for name, (_, text) in RULES.items() if "fingerprint(" not in text} <= {
        "take_choice"
    }


def test_there_are_rules_to_check():
    assert set(RULES) >= {
        "prepare_ratings", "split", "split_images", "train", "train_images", "evaluate",
        "evaluate_images", "fit_references", "tune", "make_table", "draw", "measure_sizes",
    }  # fmt: skip
