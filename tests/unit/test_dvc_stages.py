"""The stages of dvc.yaml name all that Snakemake looks at, and keep what git does not."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from talking_models.config import Config
from talking_models.running.fingerprint import ROOT as LIBRARY
from talking_models.running.fingerprint import closure

ROOT = Path(__file__).parents[2]
DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text())
(VARS,) = DVC["vars"]
# The rules of each stage; the last one has all others.
RULES = {
    "data": {"download_movielens", "split_movielens"},
    "teacher": {"train_teacher", "evaluate_teacher"},
    "students": {"train_student", "evaluate_students"},
}
# A search is no stage: its choice is committed.
SEARCH = {"tune_teacher", "train_fold_teachers", "tune_student", "collect_tuned"}


def resolved(text):
    return re.sub(r"(?<!\\)\$\{(\w+)\}", lambda found: VARS[found[1]], text)


def rules():
    """Each rule that has a script: its name with its file and text."""
    found = {}
    for file in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        for name, text in re.findall(r"^rule (\w+):\n((?:    .*\n|\n)*)", file.read_text(), re.M):
            if "script:" in text:
                found[name] = (file, text)
    return found


ALL = rules()
COMMON = "".join(file.read_text() for file in sorted((ROOT / "workflow/rules").glob("*.smk")))


def rules_of(stage):
    others = set(ALL) - SEARCH - set().union(*RULES.values())
    return RULES.get(stage, others)


def deps(stage):
    return [resolved(path) for path in DVC["stages"][stage]["deps"]]


def outs(stage):
    """Paths of a stage's outputs and metrics, with how DVC treats them."""
    listed = [*DVC["stages"][stage].get("outs", []), *DVC["stages"][stage].get("metrics", [])]
    return {resolved(path): how for out in listed for path, how in out.items()}


def params(stage):
    return {resolved(path) for entry in DVC["stages"][stage]["params"] for path in entry}


def covered(path, stage):
    return any(path == dep or path.is_relative_to(dep) for dep in map(Path, deps(stage)))


STAGES = list(DVC["stages"])
BY_RULE = [(stage, rule) for stage in STAGES for rule in sorted(rules_of(stage))]


def test_the_stages_have_all_rules():
    assert set(RULES) | {"results"} == set(STAGES)
    assert set().union(*RULES.values(), SEARCH) <= set(ALL)
    assert {"make_table", "test_significance", "draw_forest"} <= rules_of("results")


@pytest.mark.parametrize(("stage", "rule"), BY_RULE)
def test_a_stage_depends_on_the_files_and_the_code_of_its_rules(stage, rule):
    file, text = ALL[rule]
    script = (file.parent / re.search(r'script:\s+"(.+)"', text)[1]).resolve()
    for function in re.findall(r"\b(\w+_code)\(", text):
        text += re.search(rf"def {function}\(.*?\n\n", COMMON, re.DOTALL)[0]
    calls = " ".join(re.findall(r"fingerprint\((.*?)\)", text, re.DOTALL))
    methods = ["scratch"] if stage == "teacher" else ["ld", "fd", "hybrid", "td"]
    named = re.findall(r'"(talking_models[\w.]*)"', calls)
    named += [f"talking_models.methods.{m}" for m in methods if "methods.{method}" in calls]
    assert named
    needed = [ROOT / "workflow/Snakefile", ROOT / "workflow/rules/common.smk", file, script]
    for module in closure(*named):
        path = LIBRARY.joinpath(*module.split(".")[1:])
        needed.append(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
    # where the defaults stand that the configuration does not name
    needed += [LIBRARY / "config/__init__.py", LIBRARY / "config/sections.py"]
    missing = [
        str(path.relative_to(ROOT))
        for path in needed
        if not covered(path.relative_to(ROOT), stage) and path != LIBRARY / "config/docs.py"
    ]
    assert missing == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_configuration_that_its_rules_read(stage):
    expected = {"config/config.yaml"}
    if stage in ("students", "results"):
        expected |= {"config/experiments.yaml", "config/tables.yaml"}
    assert params(stage) == expected
    if stage != "data":
        assert "config/tuned" in deps(stage)
        # the whole file: a key that is left out today can be there tomorrow
        assert {"config/config.yaml": None} in DVC["stages"][stage]["params"]
    else:
        texts = " ".join(ALL[rule][1] for rule in rules_of(stage))
        sections = set(re.findall(r"CONFIG\.(\w+)", texts)) & set(Config.model_fields)
        assert sections == {"movielens"}


def test_a_stage_depends_on_what_the_ones_before_it_make():
    made = []
    for stage in STAGES:
        assert set(made) <= set(deps(stage))
        made += outs(stage)
    assert len(made) == len(set(made))


@pytest.mark.parametrize("stage", STAGES)
def test_snakemake_owns_the_files(stage):
    """DVC neither deletes them before a stage runs nor puts others there from its run cache."""
    assert outs(stage)
    assert all(how["persist"] is True for how in outs(stage).values())
    assert DVC["stages"][stage]["cmd"].startswith(f"snakemake {stage.replace('results', 'all')} ")


@pytest.mark.parametrize("stage", STAGES)
def test_what_dvc_does_not_keep_is_in_git(stage):
    for path, how in outs(stage).items():
        name = path if Path(path).suffix else f"{path}/"  # a folder, there or not
        command = ["git", "check-ignore", "--quiet", "--no-index", name]
        ignored = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
        assert ignored == how.get("cache", True), path


def test_raw_data_models_and_predictions_are_never_in_git():
    kept = {path for stage in STAGES for path, how in outs(stage).items() if how.get("cache", True)}
    for part in ("data/movielens/100k", "tasks", "teacher", "students", "references"):
        assert any(path.endswith(part) for path in kept), part


def test_no_remote_is_committed():
    assert "remote" not in (ROOT / ".dvc/config").read_text().replace("# Remotes", "")
    ignored = (ROOT / ".dvc/.gitignore").read_text().split()
    assert {"/config.local", "/cache", "/tmp"} <= set(ignored)
