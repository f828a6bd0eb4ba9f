"""The digest of the code that a job runs: everything that its modules import, and nothing else."""

import ast
import json
import re
import subprocess
import sys

import pytest

from talking_models.running import fingerprint as module
from talking_models.running.fingerprint import ROOT, closure, fingerprint

PACKAGE = "talking_models"
RULES = ROOT.parents[1] / "rules"
COMMON = "".join(file.read_text() for file in sorted(RULES.glob("*.smk")))


def digested(text):
    """The modules named in calls of `fingerprint`, those of the functions in `text` included."""
    for function in re.findall(r"\b(\w+_code)\(", text):
        text += re.search(rf"def {function}\(.*?\n\n", COMMON, re.DOTALL)[0]
    calls = re.findall(r"fingerprint\((.*?)\)", text, re.DOTALL)
    return [name for call in calls for name in re.findall(r'"(talking_models[\w.]*)"', call)]


def forget():
    for cached in (module._imports, closure, fingerprint):
        cached.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a library of its own: `package(name=text, ...)`, `__` for the dots in names."""
    monkeypatch.setattr(module, "ROOT", tmp_path)
    forget()

    def write(**files):
        forget()
        for name, text in {"__init__": "", **files}.items():
            path = tmp_path.joinpath(*name.replace("__init__", "INIT").split("__"))
            path = path.with_name(path.name.replace("INIT", "__init__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

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


# This library

TRAINING = f"{PACKAGE}.training.ratings"
ENTRIES = [
    (f"{PACKAGE}.data.sources",),
    (f"{PACKAGE}.data.splits",),
    (TRAINING, f"{PACKAGE}.methods.td"),
    (f"{PACKAGE}.evidence.predict",),
    (f"{PACKAGE}.evidence.references",),
    (f"{PACKAGE}.report.tables",),
]


def test_a_training_job_depends_on_its_own_method_and_no_other():
    methods = ("fd", "fitnet", "hybrid", "ld", "scratch", "td")
    for own, parts in {"td": (), "fd": (), "scratch": (), "hybrid": ("fd", "ld")}.items():
        found = closure(TRAINING, f"{PACKAGE}.methods.{own}")
        used = {name for name in methods if f"{PACKAGE}.methods.{name}" in found}
        assert used == {own, *parts}
        assert f"{PACKAGE}.methods._base" in found


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry[-1].rsplit(".", 1)[-1])
def test_the_closure_holds_all_that_python_imports(entry):
    code = "import importlib, json, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
    code += f"print(json.dumps([m for m in sys.modules if m.split('.')[0] == '{PACKAGE}']))"
    command = [sys.executable, "-c", code, *entry]
    said = subprocess.run(
        command, cwd=ROOT.parent, check=True, capture_output=True, text=True, timeout=120
    ).stdout
    assert set(json.loads(said)) - set(closure(*entry)) == set()


def test_evidence_and_tables_depend_on_no_method():
    for name in ("evidence.predict", "evidence.references", "report.tables"):
        found = closure(f"{PACKAGE}.{name}")
        assert not [m for m in found if re.search(r"\.methods\.[a-z]", m)], name


def library():
    return sorted(path for path in ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", library(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_imports_in_a_way_that_the_digest_does_not_follow(path):
    for node in ast.walk(ast.parse(path.read_text())):
        assert not (isinstance(node, ast.ImportFrom) and node.level), "a relative import"
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            dynamic = name in ("importlib.import_module", "import_module", "__import__")
            # methods/__init__.py finds methods by name; a training job names its own
            assert not dynamic or path == ROOT / "methods" / "__init__.py"


def rules():
    """Each rule with a script: its name, script, and text."""
    for file in sorted(RULES.glob("*.smk")):
        for name, text in re.findall(r"^rule (\w+):\n((?:    .*\n|\n)*)", file.read_text(), re.M):
            script = re.search(r'script:\s+"\.\./scripts/(\w+\.py)"', text)
            if script:
                yield pytest.param(ROOT.parent / script[1], text, id=name)


@pytest.mark.parametrize(("script", "text"), list(rules()))
def test_the_digest_in_a_rules_params_covers_what_its_script_imports(script, text):
    named = digested(text)
    assert named, "no fingerprint in params"
    covered = set(closure(*named))
    imported = set()
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.startswith(PACKAGE):
            imported.add(node.module)
    # job: where the log goes, not what is made
    assert imported - {f"{PACKAGE}.running.job"} <= covered
    assert len(imported) >= 2


def test_there_are_rules_to_check():
    assert {parameter.id for parameter in rules()} >= {
        "download_movielens", "split_movielens", "train_teacher", "train_student",
        "evaluate_students", "evaluate_teacher", "fit_references", "make_table",
    }  # fmt: skip
