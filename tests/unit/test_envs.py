"""The environments and images of the rules are made from the pins of requirements.txt."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rule_texts import modules, plan, texts

from talking_models import registry
from talking_models.running import containers
from talking_models.running.fingerprint import closure

ROOT = Path(__file__).parents[2]
ENVS = sorted((ROOT / "envs").glob("*.yaml"))
# An image job's environment is the accelerator's. XLA's torch is older than the main one.
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


RULES = [pytest.param(*rule, id=name) for name, rule in texts().items() if "conda:" in rule[1]]
CONDA = re.compile(r'conda:\s+(?:"(.+)"|(f".+sizes_step.+"|PLAN\.image_environment))')


def environments(file, text):
    """The files of a rule's environment; of an image job, and of sizes, one for each device."""
    found = CONDA.search(text)
    assert found, "no conda directive"
    return [(file.parent / found[1]).resolve()] if found[1] else ACCELERATORS


@pytest.fixture(scope="module")
def run():
    return plan()


NAMED = {
    "yaml": "pyyaml", "sklearn": "scikit-learn", "PIL": "pillow", "pydantic_core": "pydantic",
}  # fmt: skip
SOME = {"tensorflow-datasets", "pillow"}  # imported where a source, or an image, is read
IMPORT = re.compile(r"^\s*(?:import|from) (\w+)", re.M)


@pytest.mark.parametrize("name", [p.id for p in RULES if "fingerprint(" in p.values[1]])
def test_a_rule_has_an_environment_with_what_its_code_imports(run, name):
    file, text = texts()[name]
    paths = environments(file, text)
    assert set(paths) <= set(ENVS)
    needed = set()
    for named in modules(name, text, run):
        for module in closure(*named):
            found = IMPORT.findall(registry.file_of(module).read_text())
            needed |= {canonicalize_name(NAMED.get(package, package)) for package in found}
    needed &= PINNED.keys() - SOME
    assert needed
    for path in paths:
        assert needed <= set(packages(path)), path


@pytest.mark.parametrize("package", ["METHODS", "MODELS", "METRICS", "DATA"])
def test_a_component_imports_what_the_environment_of_its_jobs_has(package):
    """Also inside of functions, and in the modules beside it: it is imported by name."""
    components = getattr(__import__("rule_texts"), package)
    for name in components.names():
        family = getattr(components.get(name), "family", None)
        steps = {
            "METHODS": ["movielens", "vision-cpu"],
            "METRICS": ["movielens", "results"],
            "MODELS": ["movielens"] if family == "ratings" else ["vision-cpu"],
            "DATA": ["data"] if family == "ratings" else ["vision-cpu"],
        }[package]
        if package == "METRICS" and family == "images":
            steps[0] = "vision-cpu"
        text = registry.file_of(components.module(name)).read_text()
        needed = {canonicalize_name(NAMED.get(each, each)) for each in IMPORT.findall(text)}
        for step in steps:
            missing = needed & PINNED.keys() - set(packages(ROOT / "envs" / f"{step}.yaml"))
            assert missing == set(), f"{name} in {step}"


# Images are made from the same files.

CONTAINERFILES = sorted((ROOT / "containers").glob("*.Containerfile"))


def test_every_environment_has_an_image_and_one_image_has_everything():
    assert {file.stem for file in CONTAINERFILES} == {"workflow", *(env.stem for env in ENVS)}


@pytest.mark.parametrize(("file", "text"), RULES)
def test_a_rule_has_the_image_of_its_environment(file, text):
    found = re.search(r'container:\s+image\((?:"(.+)"|PLAN\.(\w+))\)', text)
    assert found, "no container directive"
    own = CONDA.search(text)
    if own[1]:
        assert found[1] == (file.parent / own[1]).stem
    else:
        assert found[2] == ("sizes_step" if "sizes_step" in own[2] else "image_step")


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


def test_an_image_has_another_name_when_its_pins_change(tmp_path, monkeypatch):
    for folder in ("containers", "envs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for name in ("requirements.txt", "requirements-tfds.txt"):
        shutil.copy(ROOT / name, tmp_path / name)

    def names():
        return {step: containers.image(step, "r.org:5000/me") for step in ("data", "results")}

    here = names()
    monkeypatch.setattr(containers, "ROOT", tmp_path)
    before = names()
    assert before == here
    assert all(
        re.fullmatch(rf"r\.org:5000/me/{step}:[0-9a-f]{{12}}", name)
        for step, name in before.items()
    )
    env = tmp_path / "envs" / "results.yaml"
    env.write_text(env.read_text().replace("scipy==", "scipy==9"))
    after = names()
    assert after["results"] != before["results"]
    assert after["data"] == before["data"]
