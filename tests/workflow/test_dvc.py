"""DVC and Snakemake agree on what is up to date, whichever of them made or brought the files."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import Repository
from workspace import DATA, JOBS, SECONDS, jobs

LIBRARY = "workflow/scripts/talking_models"
STAGES = ["all"]
PUSHED_BY_GIT = ("tables", "figures", "claims.csv", "claims.md", "metrics.json")


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    """A remote as DVC is told of it: an S3 server on this machine with one bucket, or a folder
    where the packages for that are not there.
    """
    try:
        import boto3
        import dvc_s3  # noqa: F401
        from moto.server import ThreadedMotoServer
    except ImportError:
        folder = tmp_path_factory.mktemp("remote")
        yield [["add", "--local", "--default", "here", str(folder)]]
        return
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys).create_bucket(
        Bucket="bucket"
    )
    yield [
        ["add", "--local", "--default", "here", "s3://bucket/talking-models"],
        ["modify", "--local", "here", "endpointurl", url],
    ]
    server.stop()


@pytest.fixture(scope="module")
def recorded(finished, remote, tmp_path_factory):
    """The finished run, recorded by DVC and committed, its files in the remote."""
    space = Repository(finished.copy(tmp_path_factory.mktemp("dvc") / "repository").path)
    space.begin("small.yaml")
    space.dvc("commit", "--force")
    space.commit("results")
    space.add_remote(remote)
    space.dvc("push", "--remote", "here")
    return space


@pytest.fixture(scope="module")
def pulled(recorded, remote, tmp_path_factory):
    """A clone with the results of the remote."""
    clone = recorded.clone(tmp_path_factory.mktemp("clone") / "repository", remote)
    assert set(clone.due()) >= {"prepare_ratings", "train td war"}
    clone.bring("pull")
    return clone


def test_a_finished_run_is_recorded_without_making_anything_again(finished, recorded):
    assert list(recorded.lock()) == STAGES
    assert recorded.changed() == []
    assert recorded.results() == finished.results()
    tracked = recorded.git("ls-files", "results", "data").splitlines()
    assert tracked
    assert all(name.removeprefix("results/").startswith(PUSHED_BY_GIT) for name in tracked)


def test_every_file_that_snakemake_makes_is_an_output_of_a_stage(recorded):
    outs = [Path(out["path"]) for stage in recorded.lock().values() for out in stage["outs"]]
    made = {path for job in jobs(recorded.make("--dry-run", "--forceall")) for path in job.outputs}
    assert "results/tables/talk.csv" in made
    assert [path for path in made if not any(Path(path).is_relative_to(out) for out in outs)] == []


def test_after_clone_and_pull_nothing_is_due(finished, pulled):
    assert pulled.due() == set()
    assert pulled.changed() == []
    assert pulled.results() == finished.results()


def test_after_the_pull_a_change_of_code_is_seen_by_both(pulled):
    pulled.append(f"{LIBRARY}/methods/td.py", "\n_EDITED = True\n")
    due = pulled.due()
    changed = pulled.changed()
    pulled.git("checkout", f"{LIBRARY}/methods/td.py")
    assert {"train td war", f"evaluate_{DATA} td", "make_table talk"} <= due
    trained = {name.split()[1] for name in due if name.startswith("train ")}
    assert trained == {"td"}
    assert changed == STAGES


def test_results_of_other_code_are_not_taken_for_up_to_date(pulled, tmp_path):
    clone = Repository(pulled.copy(tmp_path / "repository", results=False).path)
    clone.append(f"{LIBRARY}/methods/td.py", "\n_EDITED = True\n")
    said = clone.bring("checkout", status=1)
    assert "workflow/scripts" in said
    assert "`dvc repro` makes what differs" in said
    assert not (clone.path / ".snakemake").exists(), "Snakemake was told"


def test_repro_makes_what_snakemake_would_and_another_commit_is_taken_over(finished, pulled):
    first = pulled.git("rev-parse", "HEAD")
    before = pulled.lock()
    pulled.replace("config/experiments.yaml", "rounds: 1", "rounds: 2")
    due = pulled.due()
    assert "train td war" in due
    assert pulled.changed() == STAGES

    said = pulled.dvc("repro")
    assert {job.name for job in jobs(said)} == due
    assert pulled.due() == set()
    assert pulled.changed() == []
    made = pulled.results()
    assert made["tables/talk.csv"] != finished.results()["tables/talk.csv"]
    record = f"results/provenance/{JOBS}/train/td/war.json"
    record = json.loads((pulled.path / record).read_text())
    assert (record["commit"], record["dirty"]) == (first, True)
    second = pulled.commit("two rounds")

    difference = json.loads(pulled.dvc("metrics", "diff", "--json", first, second))
    (changes,) = difference.values()
    assert set(changes) == {"rmse.table3.TD", "rmse.talk.TD"}
    assert changes["rmse.talk.TD"]["diff"] != 0

    pulled.git("checkout", "--quiet", first)
    pulled.bring("checkout")
    assert pulled.due() == set()
    assert pulled.results() == finished.results()
    assert pulled.lock() == before

    # The second commit's files lie in DVC's cache. Taken from there, they would be new to
    # Snakemake, so that it has to be asked.
    pulled.replace("config/experiments.yaml", "rounds: 1", "rounds: 2")
    said = pulled.dvc("repro", "--dry", "all")
    pulled.git("checkout", "--quiet", ".")
    assert "> snakemake all" in said
    assert "is cached" not in said


def test_metrics_and_plots_are_shown(recorded, tmp_path):
    (shown,) = json.loads(recorded.dvc("metrics", "show", "--json"))[""]["data"].values()
    means = shown["data"]["rmse"]
    assert list(means["table3"]) == ["Train from Scratch", "Teacher", "FD", "Hybrid", "TD"]
    text = (recorded.path / "results/tables/table3.md").read_text()
    line = next(line for line in text.splitlines() if line.startswith("| TD |"))
    assert f"{means['table3']['TD']:.4f}" in line
    recorded.dvc("plots", "show", "--out", str(tmp_path / "plots"))
    page = (tmp_path / "plots/index.html").read_text()
    specs = [json.loads(text) for text in re.findall(r"var spec = (\{.*\});?\n", page)]
    (spec,) = [spec for spec in specs if "RMSE" in str(spec["title"])]
    assert "DVC_METRIC" not in json.dumps(spec)
    assert {cell["row"] for cell in spec["data"]["values"]} == set(means["table3"])
    names = {path.name for path in (tmp_path / "plots/static").iterdir()}
    for figure in ("forest", "paper", "losses", "cka"):
        assert any(name.endswith(f"{figure}.png") for name in names), figure


CONFLICT = """\
schema: '2.0'
stages:
  all:
    cmd: snakemake all
    deps:
    - path: workflow/Snakefile
<<<<<<< HEAD
      md5: 22222222222222222222222222222222
=======
      md5: 11111111111111111111111111111111
>>>>>>> one
"""


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        (None, "no results are recorded: dvc.lock has no stage 'all'; `dvc repro` makes them"),
        ("schema: '2.0'\nstages: {}\n", "no results are recorded"),
        (CONFLICT, "dvc.lock has a merge conflict: take one side"),
        ("", "dvc.lock is empty: restore it"),
        ("stages: [", "dvc.lock is not what DVC writes"),
        ("text", "dvc.lock is not what DVC writes"),
        ("stages: {all: null}", "dvc.lock is not what DVC writes"),
        ("stages: {all: {cmd: [a, b]}}", "dvc.lock is not what DVC writes"),
        (b"\xff\xfes\0t\0", "dvc.lock is not what DVC writes"),
    ],
)
def test_what_cannot_be_brought_is_said_in_a_sentence(tmp_path, lock, expected):
    script = Path(__file__).parents[2] / "workflow/scripts/bring_results.py"
    if lock is not None:
        (tmp_path / "dvc.lock").write_bytes(lock if isinstance(lock, bytes) else lock.encode())
    command = [sys.executable, script, "pull"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS)
    assert result.returncode == 1
    assert result.stderr.startswith(expected)
    assert len(result.stderr.splitlines()) == 1
