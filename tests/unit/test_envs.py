"""The environments of the rules are made from the pins of requirements.txt."""

import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from talking_models.fingerprint import closure

ROOT = Path(__file__).parents[2]
ENVS = sorted((ROOT / "envs").glob("*.yaml"))
RULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
COMMON = "".join(file.read_text() for file in RULES)
# A vision rule's environment is the accelerator's. XLA's torch is older than the main one.
ACCELERATORS = [env for env in ENVS if env.stem.startswith("vision-")]
OLDER = {"vision-tpu": {"torch": "==2.9.1", "torch-xla": "==2.9.0", "torchvision": "==0.24.1"}}


def pins(lines):
    """Versions by canonical package name."""
    found = {}
    for line in lines:
        line = line.split(" #")[0].strip()
        if line and not line.startswith(("#", "--")):
            requirement = Requirement(line)
            found[canonicalize_name(requirement.name)] = str(requirement.specifier)
    return found


PINNED = pins((ROOT / "requirements.txt").read_text().splitlines())


def packages(env):
    """The packages that pip installs in an environment."""
    (listed,) = (
        d["pip"] for d in yaml.safe_load(env.read_text())["dependencies"] if type(d) is dict
    )
    return pins(listed)


def test_there_are_environments():
    assert {env.stem for env in ENVS} >= {"data", "movielens", "results"}
    assert all(version.startswith("==") for version in PINNED.values())


@pytest.mark.parametrize("env", ENVS, ids=lambda env: env.stem)
def test_an_environment_has_the_versions_of_the_main_one(env):
    found = packages(env)
    assert found
    pinned = PINNED | OLDER.get(env.stem, {})
    assert found == {name: pinned.get(name, "not in requirements.txt") for name in found}


def test_the_environments_of_vision_differ_in_torch_alone():
    assert {env.stem for env in ACCELERATORS} == {"vision-cpu", "vision-cuda", "vision-tpu"}
    found = [packages(env).items() - OLDER.get(env.stem, {}).items() for env in ACCELERATORS]
    torch = {("torch", PINNED["torch"]), ("torchvision", PINNED["torchvision"])}
    assert found[0] == found[1] == found[2] | torch


@pytest.mark.parametrize("env", ENVS, ids=lambda env: env.stem)
def test_an_environment_has_the_python_of_the_project(env):
    dependencies = yaml.safe_load(env.read_text())["dependencies"]
    (python,) = (d for d in dependencies if str(d).startswith("python="))
    least = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text())[1]
    assert python == f"python={least}"
    assert "pip" in dependencies


def environments():
    """Each rule's environment with the modules that its digest covers."""
    for file in RULES:
        for name, text in re.findall(r"^rule (\w+):\n((?:    .*\n|\n)*)", file.read_text(), re.M):
            if "script:" in text:
                yield pytest.param(file, text, id=name)


@pytest.mark.parametrize(("file", "text"), list(environments()))
def test_a_rule_has_an_environment_with_what_its_code_imports(file, text):
    env = re.search(r'conda:\s+(?:"(.+)"|VISION_ENV)', text)
    assert env, "no conda directive"
    paths = [(file.parent / env[1]).resolve()] if env[1] else ACCELERATORS
    assert set(paths) <= set(ENVS)
    for function in re.findall(r"\b(\w+_code)\(", text):
        text += re.search(rf"def {function}\(.*?\n\n", COMMON, re.DOTALL)[0]
    calls = re.findall(r"fingerprint\((.*?)\)", text, re.DOTALL)
    modules = re.findall(r'"(talking_models[\w.]*)"', " ".join(calls))
    assert modules
    named = {"yaml": "pyyaml", "sklearn": "scikit-learn", "tensorflow_datasets": None}
    needed = set()
    for module in closure(*modules):
        source = ROOT / "workflow/scripts" / module.replace(".", "/")
        source = source / "__init__.py" if source.is_dir() else source.with_suffix(".py")
        for package in re.findall(r"^(?:import|from) (\w+)", source.read_text(), re.M):
            package = named.get(package, package)
            if package and canonicalize_name(package) in PINNED:
                needed.add(canonicalize_name(package))
    assert needed
    for path in paths:
        assert needed <= set(packages(path)), path
