"""The environments and images of the rules are made from the pins of requirements.txt."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from talking_models.running.containers import image
from talking_models.running.fingerprint import closure

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


# Images are made from the same files.

CONTAINERFILES = sorted((ROOT / "containers").glob("*.Containerfile"))


def test_every_environment_has_an_image_and_one_image_has_everything():
    assert {file.stem for file in CONTAINERFILES} == {"workflow", *(env.stem for env in ENVS)}


@pytest.mark.parametrize(("file", "text"), list(environments()))
def test_a_rule_has_the_image_of_its_environment(file, text):
    env = re.search(r'conda:\s+(?:"(.+)"|VISION_ENV)', text)[1]
    found = re.search(r'container:\s+(?:image\("(.+)"\)|VISION_IMAGE)', text)
    assert found, "no container directive"
    assert found[1] == (env and (file.parent / env).stem)


@pytest.mark.parametrize("file", CONTAINERFILES, ids=lambda file: file.stem)
def test_an_image_installs_the_pins_and_nothing_else(file):
    text = file.read_text().replace("\\\n", "")
    assert re.findall(r"^FROM (.+)$", text, re.M) == ["python:3.11-slim"]
    (install,) = re.findall(r"pip install (.+)", text)
    words = [Path(word).name for word in install.split()]
    assert words[0] == "--no-cache-dir"
    options = list(zip(words[1::2], words[2::2], strict=True))
    if file.stem == "workflow":
        assert options == [("--requirement", "requirements.txt")]
        return
    more = [("--requirement", "requirements-tfds.txt")] if file.stem == "data" else []
    constraints = "constraints.txt" if file.stem in OLDER else "requirements.txt"
    assert options == [
        ("--requirement", "packages.txt"),
        *more,
        ("--constraint", constraints),
    ]
    if file.stem in OLDER:  # the pins but for those of torch, and of what torch alone pulls in
        expression = re.search(r"sed -E '(.+)' requirements.txt > constraints.txt", text)[1]
        command = ["sed", "-E", expression, ROOT / "requirements.txt"]
        left = subprocess.run(command, check=True, capture_output=True)
        gone = PINNED.keys() - pins(left.stdout.decode().splitlines())
        assert {name for name in gone if not name.startswith("nvidia-")} == {
            "torch", "torchvision", "triton"
        }  # fmt: skip
    # packages.txt is what sed takes from the environment
    expression, source = re.search(r"sed -n '(.+)' (\S+) > packages.txt", text).groups()
    env = ROOT / "envs" / source
    assert env.stem == file.stem
    taken = subprocess.run(["sed", "-n", expression, env], check=True, capture_output=True)
    assert pins(taken.stdout.decode().splitlines()) == packages(env)


@pytest.mark.parametrize("file", CONTAINERFILES, ids=lambda file: file.stem)
def test_an_image_holds_package_lists_alone_and_does_not_run_as_root(file):
    instructions = re.findall(r"^([A-Z]+) (.+)$", file.read_text(), re.M)
    assert {name for name, _ in instructions} <= {"FROM", "COPY", "RUN", "USER", "WORKDIR"}
    copied = [word for name, rest in instructions if name == "COPY" for word in rest.split()[:-1]]
    assert copied
    assert {ROOT / name for name in copied} <= {*ROOT.glob("requirements*.txt"), *ENVS}
    users = [rest for name, rest in instructions if name == "USER"]
    assert users == ["worker"]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    ignored = [line for line in ignored if line and not line.startswith("#")]
    assert ignored[0] == "*"
    assert set(ignored[1:]) == {"!requirements.txt", "!requirements-tfds.txt", "!envs/*.yaml"}


def test_both_requirement_files_pin_the_same_versions():
    tfds = pins((ROOT / "requirements-tfds.txt").read_text().splitlines())
    both = tfds.keys() & PINNED.keys()
    assert len(both) > 10
    assert {name: tfds[name] for name in both} == {name: PINNED[name] for name in both}


def test_an_image_has_another_name_when_its_pins_change(tmp_path):
    for folder in ("containers", "envs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for name in ("requirements.txt", "requirements-tfds.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    before = {step: image(step, "r.org:5000/me", tmp_path) for step in ("data", "results")}
    assert all(
        re.fullmatch(rf"r\.org:5000/me/{step}:[0-9a-f]{{12}}", name)
        for step, name in before.items()
    )
    assert image("data", root=tmp_path) == image("data", root=ROOT)
    env = tmp_path / "envs" / "results.yaml"
    env.write_text(env.read_text().replace("scipy==", "scipy==9"))
    assert image("results", "r.org:5000/me", tmp_path) != before["results"]
    assert image("data", "r.org:5000/me", tmp_path) == before["data"]
