"""Away from its own folder the workflow has the same jobs: as a `module:`, with `--directory`, from
a path with a space.
"""

import json
import shlex
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from workspace import Workspace, jobs

SHIPPED = ("config/config.yaml", "config/experiments.yaml", "config/tables.yaml")
MODULE = """\
{configfiles}

module tm:
    snakefile: "{snakefile}"
    config: config

use rule * from tm{renamed}
"""
# Without the windows and curves, which have ten times as many jobs.
TABLES = [f"results/tables/table{n}.csv" for n in (3, 5, 7, 8)]
ON_TOP = "seeds: 2\ndata: {ml-100k: {tasks: {names: [War]}}}\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The repository with the configuration that it is shipped with, in a path with a space."""
    folder = tmp_path_factory.mktemp("home") / "my project"
    space = Workspace.of_repository(folder, {"on-top.yaml": ON_TOP})
    (space.path / "data").mkdir()
    return space.path


def dry(folder, *arguments, python=sys.executable, status=0):
    command = [str(python), "-m", "snakemake", *TABLES, "--dry-run", "--forceall", "--cores", "1"]
    result = subprocess.run(
        [*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=300
    )
    said = result.stdout + result.stderr
    assert result.returncode == status, said
    return said


def listed(said, home, prefix=""):
    """Jobs by rule and files, with the repository's own files as they are named at home."""

    def at_home(paths):
        return tuple(path.removeprefix(f"{home}/") for path in paths)

    found = [job for job in jobs(said) if job.outputs]  # not the target, which may be renamed
    assert found
    return {(j.rule.removeprefix(prefix), at_home(j.inputs), at_home(j.outputs)) for j in found}


@pytest.fixture(scope="module")
def expected(home):
    return listed(dry(home), home)


@pytest.fixture(scope="module")
def expected_on_top(home):
    return listed(dry(home, "--configfile", "on-top.yaml"), home)


def test_in_the_checkout_all_tables_are_made(expected):
    rules = {rule for rule, _, _ in expected}
    assert {"prepare_ratings", "train", "tune"} & rules == {"prepare_ratings", "train"}
    made = {path for _, _, outputs in expected for path in outputs}
    assert {*TABLES} <= made
    assert len(expected) > 100


def test_with_directory_the_jobs_are_those_of_the_checkout(home, expected, tmp_path):
    said = dry(home, "--directory", str(tmp_path))
    assert listed(said, home) == expected
    assert not (home / "results").exists()


def test_a_job_runs_with_directory_and_its_record_names_the_workflows_commit(home, tmp_path):
    (tmp_path / "own.yaml").write_text("data: {digits: {kind: digits}}\n")
    target = "results/digits/given/all/slices/fit.yaml"
    command = [sys.executable, "-m", "snakemake", "--cores", "1", target, "--configfile"]
    command += [str(tmp_path / "own.yaml"), "--directory", str(tmp_path)]
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y", "-C", str(home)]
    if not (home / ".git").exists():
        subprocess.run([*git, "init", "--quiet"], check=True)
        subprocess.run([*git, "add", "workflow"], check=True)
        subprocess.run([*git, "commit", "--quiet", "-m", "x"], check=True)
    result = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    (record,) = (tmp_path / "results/provenance").rglob("split_images.json")
    assert json.loads(record.read_text())["commit"] == head.stdout.strip()


def test_a_configuration_on_top_is_found_with_directory(home, expected_on_top, tmp_path):
    said = dry(home, "--directory", str(tmp_path), "--configfile", "on-top.yaml")
    assert listed(said, home) == expected_on_top


@pytest.mark.parametrize("handed", [SHIPPED[:1], SHIPPED, ()], ids=["one", "all", "none"])
def test_as_a_module_the_jobs_are_those_of_the_checkout(home, expected, tmp_path, handed):
    (tmp_path / "config").mkdir()
    for name in handed:
        shutil.copy(home / name, tmp_path / name)
    module(tmp_path, home, handed)
    assert listed(dry(tmp_path), home) == expected


def test_what_the_other_workflow_changes_is_changed(home, expected_on_top, tmp_path):
    (tmp_path / "own.yaml").write_text(ON_TOP)
    module(tmp_path, home, ["own.yaml"])
    assert listed(dry(tmp_path), home) == expected_on_top


def test_a_module_may_rename_the_rules_and_read_its_part_of_a_configuration(
    home, expected_on_top, tmp_path
):
    text = "tm:\n" + "".join(f"  {line}\n" for line in ON_TOP.splitlines())
    (tmp_path / "own.yaml").write_text(text)
    module(tmp_path, home, ["own.yaml"], renamed=" as tm_*", config='config["tm"]')
    assert listed(dry(tmp_path), home, "tm_") == expected_on_top


def module(folder, home, configfiles, renamed="", config="config"):
    lines = "\n".join(f'configfile: "{name}"' for name in configfiles)
    text = MODULE.format(configfiles=lines, snakefile=home / "workflow/Snakefile", renamed=renamed)
    (folder / "Snakefile").write_text(text.replace("config: config", f"config: {config}"))


# With a Python whose own path has a space


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    folder = tmp_path_factory.mktemp("python") / "my python"
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    here = Path(sys.executable).parents[1].glob("lib/python*/site-packages")
    (packages / "shared.pth").write_text("".join(f"{path}\n" for path in here))
    return folder / "bin/python"


def test_a_job_runs_with_it_as_a_module_and_takes_no_other_library_of_the_name(
    home, python, tmp_path, monkeypatch
):
    """Such as an older copy that is installed, or one on PYTHONPATH."""
    other = tmp_path / "other/talking_models"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text('raise SystemExit("the other one")\n')
    monkeypatch.setenv("PYTHONPATH", str(other.parent))
    (tmp_path / "own.yaml").write_text("data: {digits: {kind: digits}}\n")
    module(tmp_path, home, ["own.yaml"])
    target = "results/digits/given/all/slices/fit.yaml"
    command = [str(python), "-m", "snakemake", "--cores", "1", target]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / target).is_file()
    assert (tmp_path / "results/provenance/digits/given/split_images.json").is_file()


def test_where_it_cannot_one_sentence_says_so_before_any_job(home, python, tmp_path, monkeypatch):
    folder = tmp_path / "no place"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    said = dry(home, python=python, status=1)
    assert f"Snakemake cannot start jobs with {python}" in said
    assert "set TMPDIR to a folder without" in said
    assert "Traceback" not in said
    assert jobs(said) == []


@pytest.mark.skipif(not shutil.which("make"), reason="no make")
@pytest.mark.parametrize(
    ("target", "word"),
    [("repro", "{}/.venv/bin:"), ("tfds", "{}/data/tfds")],
    ids=["repro", "tfds"],
)
def test_make_quotes_the_paths_of_a_folder_with_a_space(home, target, word):
    old = ["--old-file", ".venv/.installed", "--old-file", ".venv-tfds/.installed"]
    command = ["make", "--no-print-directory", "--dry-run", *old, target]
    result = subprocess.run(command, cwd=home, capture_output=True, text=True, check=True)
    line = next(line for line in result.stdout.splitlines() if str(home) in line)
    words = [part.removeprefix("PATH=") for part in shlex.split(line)]
    assert any(found.startswith(word.format(home)) for found in words), words
