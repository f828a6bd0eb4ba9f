"""The one stage of dvc.yaml: it names all that Snakemake looks at, and keeps what git does not."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from rule_texts import LAYERS, plan, script_of, texts

from talking_models import registry

ROOT = Path(__file__).parents[2]
DVC = yaml.safe_load((ROOT / "dvc.yaml").read_text())
(VARS,) = DVC["vars"]
(STAGE,) = DVC["stages"].values()


def resolved(text):
    return re.sub(r"(?<!\\)\$\{(\w+)\}", lambda found: VARS[found[1]], text)


DEPS = [resolved(path) for path in STAGE["deps"]]
OUTS = {
    resolved(path): how for out in [*STAGE["outs"], *STAGE["metrics"]] for path, how in out.items()
}
PARAMS = {resolved(path): keys for entry in STAGE["params"] for path, keys in entry.items()}


def covered(path):
    return any(path == dep or path.is_relative_to(dep) for dep in map(Path, DEPS))


def test_snakemake_decides_what_runs():
    assert list(DVC["stages"]) == ["all"]
    assert STAGE["cmd"].startswith("snakemake all ")
    assert STAGE["cmd"].endswith("--configfile ${config}")


@pytest.mark.parametrize("name", texts())
def test_the_stage_depends_on_the_files_and_the_code_of_each_rule(name):
    file, text = texts()[name]
    needed = [ROOT / "workflow/Snakefile", ROOT / "workflow/rules/common.smk", file]
    needed.append(script_of(file, text))
    needed += sorted(registry.ROOT.rglob("*.py"))  # the plan and its defaults among them
    captions = re.findall(r'caption="(.+)"', text)
    needed += [(file.parent / caption).resolve() for caption in captions]
    assert [str(path) for path in needed if not covered(path.relative_to(ROOT))] == []


def test_the_stage_depends_on_all_that_the_run_is_configured_by():
    assert set(PARAMS) == {f"config/{path.stem}.yaml" for path in LAYERS[:3]}
    # the whole files: a key that is left out today can be there tomorrow
    assert set(PARAMS.values()) == {None}
    assert {"config/paper", "config/tuned"} <= set(DEPS)


def test_snakemake_owns_the_files():
    """DVC neither deletes them before the stage runs nor puts others there from its run cache."""
    assert OUTS
    assert all(how["persist"] is True for how in OUTS.values())


def test_what_a_run_makes_is_kept_but_for_its_logs():
    made = plan()
    config = made.config
    results, there = config.results, VARS["results"]
    files = [*made.results, *(f"{results}/tables/{id}.csv" for id in made.tables_of_all)]
    files += [f"{results}/pages/{page}.html" for page in made.pages]
    files += [f"{results}/provenance.csv", f"{results}/provenance.rst", f"{results}/claims.rst"]
    ratings = [job for job in made.jobs(made.main) if config.family(job[0]) == "ratings"]
    files += made.evidence("models.safetensors", made.main, ratings)
    files += [made.path(*place, "cka", "td.csv") for place in made.places]
    kept = list(map(Path, OUTS))
    for file in files:
        path = Path(there) / Path(file).relative_to(results)
        assert any(path == out or path.is_relative_to(out) for out in kept), file
    assert not any(Path(there, "logs").is_relative_to(out) for out in kept)


@pytest.mark.parametrize("path", OUTS)
def test_what_dvc_does_not_keep_is_in_git(path):
    name = path if Path(path).suffix else f"{path}/"  # a folder, there or not
    command = ["git", "check-ignore", "--quiet", "--no-index", name]
    ignored = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    assert ignored == OUTS[path].get("cache", True)


def test_raw_data_models_and_predictions_are_never_in_git():
    kept = {path for path, how in OUTS.items() if how.get("cache", True)}
    assert {"data/ml-100k", "results/ml-100k"} <= kept


def test_no_remote_is_committed():
    assert "remote" not in (ROOT / ".dvc/config").read_text().replace("# Remotes", "")
    ignored = (ROOT / ".dvc/.gitignore").read_text().split()
    assert {"/config.local", "/cache", "/tmp"} <= set(ignored)
