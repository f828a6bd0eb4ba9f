"""The workflow through its Slurm profile, on a real Slurm of one node on loopback.

make test-slurm

Needs root and Slurm from Debian (start-slurm.sh names the packages). The jobs are those of the
quick run, and one more that asks for a GPU. `dvc repro` has to give the files of that run, too. No
part of `make test`.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "workflow"))
from repository import Repository  # noqa: E402  the path to it is set above
from workspace import JOBS, QUICK, QUICK_RESULTS, QUICK_TABLE, Workspace  # noqa: E402

TEACHER = f"{JOBS}/all/teacher/models.safetensors"
# What this cluster is: no accounting, and polling often makes the check shorter. All else is the
# profile's.
CLUSTER = [
    "--slurm-no-account",
    "--slurm-status-command=squeue",
    "--slurm-init-seconds-before-status-checks=3",
    "--slurm-keep-successful-logs",
]


def processes(*words):
    """Command lines of the living processes that name one of the words."""
    listed = subprocess.run(["ps", "-eo", "stat=,pid=,args="], capture_output=True, text=True)
    lines = [line for line in listed.stdout.splitlines() if not line.startswith("Z")]
    return [line for line in lines if any(word in line for word in words)]


@pytest.fixture(scope="module")
def cluster():
    """Start Slurm; end it with all its jobs, whatever happened, and see that nothing is left."""
    folder = Path(tempfile.mkdtemp(prefix="talking-models-slurm-"))
    folder.chmod(0o755)  # Slurm's own demand
    try:
        # not captured: the daemons keep the descriptors
        assert subprocess.run([HERE / "start-slurm.sh", folder]).returncode == 0
        yield
    finally:
        stopped = subprocess.run([HERE / "stop-slurm.sh", folder]).returncode
        left = processes(str(folder), "slurmstepd")
        shutil.rmtree(folder)
        assert stopped == 0
        assert left == []


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The quick run on this machine, without Slurm."""
    space = Workspace.of_repository(tmp_path_factory.mktemp("local") / "repository", QUICK)
    space.append("workflow/Snakefile", '\n\ninclude: "../tests/slurm/see_device.smk"\n')
    space.make(QUICK_TABLE)
    return space


@pytest.fixture
def space(cluster, local, tmp_path):
    """The same repository and downloaded data; results are to be made through Slurm."""
    return local.copy(tmp_path / "repository", results=False)


def on_slurm(*targets, profile="slurm", more=()):
    return [*targets, "--profile", f"workflow/profiles/{profile}", *CLUSTER, *more]


def field(text, name):
    """A field of what `scontrol show job` prints."""
    return re.search(rf"\b{name}=(\S+)", text)[1]


def running(comment):
    """The Slurm jobs that run for a rule: id and what `scontrol show job` says."""
    listing = ["squeue", "--noheader", "--states=RUNNING", "--format=%A"]
    ids = subprocess.run(listing, check=True, capture_output=True, text=True).stdout.split()
    shown = {
        id: subprocess.run(
            ["scontrol", "show", "job", id], check=True, capture_output=True, text=True
        ).stdout
        for id in ids
    }
    return {id: text for id, text in shown.items() if f"Comment={comment}" in text}


def test_the_results_are_those_of_a_local_run_and_a_gpu_job_sees_its_gpu(space, local):
    said = space.make(*on_slurm(QUICK_TABLE, f"{QUICK_RESULTS}/gpu.txt"), cores=8)
    assert "SLURM jobid" in said or "SLURM run ID" in said
    seen = (space.path / f"{QUICK_RESULTS}/gpu.txt").read_text()
    print(seen)
    assert re.search(r"^CUDA_VISIBLE_DEVICES=[01]$", seen, re.M)
    assert field(seen, "Partition") == "gpu"
    assert re.search(r"gres[:/]gpu:fake[:=]1\b|GRES=gpu:fake:1\b", seen)
    # every job ran in Slurm, the CPU jobs among them
    rules = {path.name for path in (space.path / ".snakemake/slurm_logs").iterdir()}
    assert rules >= {"rule_split_ml-100k", "rule_train"}
    assert rules >= {"rule_see_device", "group_tables_make_table"}
    found, expected = space.results(QUICK_RESULTS), local.results(QUICK_RESULTS)
    assert set(found) == set(expected)
    assert {"tables/table3.md", "tables/table3.csv"} <= set(found)
    assert [name for name in expected if found[name] != expected[name]] == []


def test_the_results_of_dvc_repro_are_those_of_a_local_run(local, tmp_path):
    space = Repository(local.copy(tmp_path / "repository", results=False).path)
    text = (space.path / "config/quick.yaml").read_text()  # images are no outputs of the stage
    (space.path / "config/quick.yaml").write_text(text.replace("in_all: true", "in_all: false"))
    space.begin("config/quick.yaml", QUICK_RESULTS)
    space.dvc("repro")
    assert space.changed() == []
    found, expected = space.results(QUICK_RESULTS), local.results(QUICK_RESULTS)
    assert {"tables/table3.md", "tables/table3.csv"} <= set(expected)
    assert [name for name in expected if found.get(name) != expected[name]] == []


def test_a_job_ended_by_scancel_is_submitted_again_with_more_and_completes(space, local):
    run = space.start(*on_slurm(f"{QUICK_RESULTS}/{TEACHER}"), pause_at=TEACHER)
    try:
        run.wait_until_paused()
        ((id, first),) = running("rule_train").items()
        (run.here / "paused").unlink()
        subprocess.run(["scancel", id], check=True)
        # the second attempt stops at the same place, and is looked at there
        run.wait_until_paused()
        ((again, second),) = running("rule_train").items()
        (run.here / "go").touch()
        status, said = run.wait()
    finally:
        run.kill()
    print(said)
    assert status == 0, said
    assert again != id
    assert "CANCELLED" in said
    assert "Trying to restart job" in said
    megabytes = [int(field(text, "MinMemoryNode").removesuffix("M")) for text in (first, second)]
    assert megabytes[1] == 2 * megabytes[0]
    assert [field(text, "TimeLimit") for text in (first, second)] == ["01:00:00", "02:00:00"]
    assert {field(text, "Partition") for text in (first, second)} == {"cpu"}
    assert space.results(QUICK_RESULTS)[TEACHER] == local.results(QUICK_RESULTS)[TEACHER]


def test_a_job_placed_as_the_tpu_profile_places_its_jobs_has_a_node_for_itself(space):
    place = ["--set-resources", "see_node:slurm_partition=tpu", "see_node:slurm_extra=--exclusive"]
    space.make(*on_slurm(f"{QUICK_RESULTS}/node.txt", profile="tpu", more=place))
    seen = (space.path / f"{QUICK_RESULTS}/node.txt").read_text()
    assert field(seen, "Partition") == "tpu"
    assert field(seen, "OverSubscribe") == "NO"
    assert field(seen, "NumCPUs") == "8"


def test_nothing_waits_or_runs_any_more(cluster):
    end = time.monotonic() + 30
    listing = ["squeue", "--noheader"]
    while subprocess.run(listing, check=True, capture_output=True).stdout:
        assert time.monotonic() < end, "a job is left"
        time.sleep(0.5)
