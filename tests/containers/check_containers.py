"""The quick workflow in containers gives the tables of a run without them.

make test-containers

The images are built from the project's own Containerfiles with podman. Where python:3.11-slim
cannot be pulled, a Debian with its own Python stands in for it; where there is no apptainer, the
script beside this file does, over podman. Needs root and 30 GB of disk, for a while; 22 GB below
build/ are the images, which stay for the next time. No part of `make test`. IMAGES=vision-cuda
builds and looks into that one alone, which the quick workflow does not use; no GPU is needed.

Debian 12: apt-get install -y --no-install-recommends podman buildah runc conmon netavark
aardvark-dns iptables uidmap fuse-overlayfs catatonit mmdebstrap
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "workflow"))
from workspace import QUICK, QUICK_RESULTS, QUICK_TABLE, Workspace  # noqa: E402  the path to it is set above

from talking_models.running.containers import image  # noqa: E402

BASE = "python:3.11-slim"
STORE = ROOT / "build" / "containers"
VISION = [
    "talking_models.data.splits",
    "talking_models.data.images",
    "talking_models.models.weights",
    "talking_models.training.images",
    "talking_models.training.probe",
    "talking_models.evidence.predict_images",
]
# For each image, what the rules that name it import, and what it must have beside that.
# The largest first: for a while podman has an image that it builds three times.
IMPORTS = {
    "workflow": ["snakemake", "torch", "talking_models.training.ratings"],
    "movielens": [
        "talking_models.training.ratings",
        "talking_models.evidence.predict",
        "talking_models.evidence.references",
        "talking_models.evidence.cka",
        "talking_models.tuning.jobs",
    ],
    "vision-cpu": VISION,
    "data": ["talking_models.data.sources", "talking_models.data.splits", "tensorflow"],
    "results": [
        "talking_models.report.tables",
        "talking_models.report.significance",
        "talking_models.report.claims",
        "talking_models.report.figures.forest",
        "talking_models.report.pages",
    ],
}
USED = list(IMPORTS)  # by the quick workflow
# Without a device it cannot run, but it is built for one.
IMPORTS["vision-cuda"] = [*VISION, "torch; assert torch.version.cuda"]
TABLES = [QUICK_TABLE, f"{QUICK_RESULTS}/tables/table4.md"]
STEPS = os.environ.get("IMAGES", " ".join(USED)).split()

CONF = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{store}/storage"
runroot = "{store}/run"
"""
# Debian's Python under the names of the official image.
STANDIN = """\
FROM localhost/debian-rootfs:bookworm
LABEL talking-models=stand-in
RUN rm -f /usr/lib/python3*/EXTERNALLY-MANAGED \\
    && ln -s /usr/bin/python3 /usr/local/bin/python3 \\
    && ln -s /usr/bin/python3 /usr/local/bin/python \\
    && ln -s /usr/bin/pip3 /usr/local/bin/pip
"""


def podman(*words, **options):
    return subprocess.run(["podman", *map(str, words)], check=True, text=True, **options)


@pytest.fixture(scope="module", autouse=True)
def store():
    """A store of images of our own, so that nothing else on this machine sees ours."""
    missing = [name for name in ("podman", "runc", "mmdebstrap") if not shutil.which(name)]
    assert not missing, f"not found: {', '.join(missing)}; {__doc__.splitlines()[-2]} ..."
    STORE.mkdir(parents=True, exist_ok=True)
    (STORE / "containers.conf").write_text(CONF)
    (STORE / "storage.conf").write_text(STORAGE.format(store=STORE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_CONF", str(STORE / "containers.conf"))
        patch.setenv("CONTAINERS_STORAGE_CONF", str(STORE / "storage.conf"))
        yield patch


@pytest.fixture(scope="module")
def base(store):
    """python:3.11-slim, or what stands in for it."""
    exists = subprocess.run(["podman", "image", "exists", BASE]).returncode == 0
    if exists or subprocess.run(["podman", "pull", "--quiet", BASE]).returncode == 0:
        return BASE
    print(f"{BASE} cannot be pulled: Debian's own Python stands in for it")
    tar = STORE / "debian.tar"
    packages = "ca-certificates,python3,python3-venv,python3-pip"
    bootstrap = ["mmdebstrap", "--variant=minbase", f"--include={packages}", "bookworm", tar]
    subprocess.run(bootstrap, check=True)
    podman("import", "--quiet", tar, "localhost/debian-rootfs:bookworm")
    tar.unlink()
    podman("build", "--pull=never", "--network=host", "--tag", BASE, "-", input=STANDIN)
    return BASE


def pip_of_this_host():
    """Mounts that let pip in a container find what it finds here: settings, and files they name.

    Where a host has none, as most, pip there asks PyPI. The Containerfiles know none of it.
    """
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True
    ).stdout
    settings = dict(re.findall(r"^(?:global|:env:)\.([\w-]+)='(.*)'$", listed, re.M))
    (STORE / "pip.conf").write_text(
        "[global]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())
    )
    words = [word for value in settings.values() for word in value.split()]
    paths = [Path(word) for word in words if word.startswith("/")]
    # the pages of an index in a folder link to packages beside it
    paths += [Path(word.removeprefix("file://")).parent for word in words if "file://" in word]
    paths = [path for path in dict.fromkeys(paths) if path.exists()]
    return [f"{STORE / 'pip.conf'}:/etc/pip.conf:ro", *(f"{path}:{path}:ro" for path in paths)]


@pytest.fixture(scope="module")
def images(base):
    """All images, built from the Containerfiles as they are."""
    mounts = [word for mount in pip_of_this_host() for word in ("--volume", mount)]
    for step in STEPS:
        podman(
            "build", "--pull=never", "--network=host", *mounts, "--tag", image(step),
            "--file", ROOT / "containers" / f"{step}.Containerfile", ROOT,
        )  # fmt: skip
    return {step: image(step) for step in STEPS}


@pytest.mark.parametrize("step", STEPS)
def test_an_image_has_all_that_its_rules_import_and_is_not_root(images, step):
    code = "import " + ", ".join(IMPORTS[step])
    library = f"{ROOT}/workflow/scripts:/code:ro"
    run = ["run", "--rm", "--network=none", "--volume", library, "--env", "PYTHONPATH=/code"]
    podman(*run, images[step], "python", "-c", code)
    shown = podman("run", "--rm", "--network=none", images[step], "id", "-u", capture_output=True)
    assert shown.stdout.strip() == "1000"
    podman("run", "--rm", "--network=none", images[step], "pip", "check")


@pytest.mark.parametrize("step", STEPS)
def test_an_image_has_no_data_weights_or_secrets(images, step):
    shown = podman("image", "inspect", images[step], capture_output=True).stdout
    (found,) = json.loads(shown)
    assert found["Config"]["User"] == "worker"
    names = {word.split("=")[0] for word in found["Config"].get("Env") or []}
    assert not [name for name in names if re.search("KEY|TOKEN|SECRET|PASSWORD", name)]
    # of what comes from here, the package lists alone; of this host's pip settings, nothing
    search = "find /opt/talking-models /home /workdir /data -type f 2>/dev/null; cat /etc/pip.conf"
    run = podman("run", "--rm", images[step], "sh", "-c", f"{search} || true", capture_output=True)
    ours = {Path(line).name for line in run.stdout.split() if not Path(line).name.startswith(".")}
    assert ours <= {
        "requirements.txt", "requirements-tfds.txt", f"{step}.yaml", "packages.txt",
    }  # fmt: skip


@pytest.fixture(scope="module")
def spaces(tmp_path_factory):
    """Two copies of the repository as it is shipped, with the data downloaded."""
    space = Workspace.of_repository(tmp_path_factory.mktemp("without") / "repository", QUICK)
    space.make("data/ml-100k/ratings.parquet")
    return space, space.copy(tmp_path_factory.mktemp("within") / "repository", results=False)


@pytest.mark.skipif(not set(USED) <= set(STEPS), reason="IMAGES leaves out what it needs")
def test_the_quick_tables_are_those_of_a_run_without_containers(images, spaces, store):
    without, within = spaces
    without.make(*TABLES)
    if not shutil.which("apptainer"):
        store.setenv("PATH", f"{HERE}{os.pathsep}{os.environ['PATH']}")
    for name in ("ratings", "items"):
        (within.path / f"data/ml-100k/{name}.parquet").unlink()
    # its own download too, in the image that has TensorFlow
    store.setenv("APPTAINER_BIND", ",".join(pip_of_this_host()))
    within.make(*TABLES, "--sdm", "apptainer")
    pulled = [file.read_text() for file in (within.path / ".snakemake/singularity").iterdir()]
    assert sorted(pulled) == sorted(f"{images[step]}\n" for step in USED if step != "workflow")
    for table in TABLES:
        for form in (".md", ".csv"):
            file = Path(table).with_suffix(form)
            assert (within.path / file).read_bytes() == (without.path / file).read_bytes()
    left = podman("ps", "--all", "--quiet", capture_output=True).stdout
    assert left == ""
