"""A run killed at any moment, and called again, ends with the results of an undisturbed one."""

import random
import shutil
import time

import pytest
from workspace import is_leftover

STUDENTS = "results/movielens/100k/students"


def differing(space, finished):
    """Result files that are not what the undisturbed run made."""
    expected = finished.results()
    return {name for name, found in space.results().items() if found != expected.get(name)}


def kill_at(space, path, *targets):
    """Kill everything when a job has written `path` under another name, and not yet renamed it."""
    run = space.start(*targets, pause_at=path)
    run.wait_until_paused()
    run.kill()
    shutil.rmtree(run.here)


def test_killed_at_every_stage_it_ends_with_the_same_results(finished, empty):
    target = "results/tables/talk.csv"
    draw = random.Random(0)
    for seconds in (0.3, draw.uniform(0.8, 2), draw.uniform(2, 4)):
        run = empty.start(target)
        time.sleep(seconds)
        run.kill()
        assert differing(empty, finished) == set(), f"killed after {seconds:.1f} s"
    for path in (
        "tasks/war/val.parquet",  # some slices are there, others are not
        "teacher/models.safetensors",
        "td/war/history.csv",  # of a training job's three files, one is there
        "td/war/metrics.csv",  # in the middle of evaluating
        "tables/talk.md",  # the CSV is there
    ):
        kill_at(empty, path, target)
        assert differing(empty, finished) == set(), f"killed at {path}"
        assert not any(name.endswith(path) for name in empty.results())
    said = empty.make(target)
    assert "make_table" in said
    assert differing(empty, finished) == set()
    for name in ("tables/talk.csv", "tables/talk.md", "movielens/100k/teacher/models.safetensors"):
        assert name in empty.results()
    assert {f"movielens/100k/students/td/{task}/{name}" for task in ("sci-fi", "war") for name in (
        "models.safetensors", "history.csv", "config.yaml", "predictions.parquet", "metrics.csv",
    )} <= set(empty.results())  # fmt: skip
    assert "Nothing to be done" in empty.make(target)
    hidden = [p for p in (empty.path / "results").rglob(".*") if p.name != ".run.lock"]
    assert all(is_leftover(path) for path in hidden)


def test_killed_while_downloading_it_downloads_again(finished, empty):
    for name in ("ratings", "movies"):
        (empty.path / f"data/movielens/100k/{name}.parquet").unlink()
    target = "data/movielens/100k/movies.parquet"
    kill_at(empty, target, target)
    assert (empty.path / "data/movielens/100k/ratings.parquet").exists()
    assert empty.due(target) == {"download_movielens"}


def test_one_run_at_a_time_and_the_lock_ends_with_its_process(finished, space):
    model = "movielens/100k/students/td/war/models.safetensors"
    for task in ("sci-fi", "war"):
        (space.path / f"{STUDENTS}/td/{task}/models.safetensors").unlink()
    first = space.start(pause_at=model)
    job = first.wait_until_paused()

    status, said = space.snakemake()
    assert status != 0
    assert f"another run (process {first.process.pid})" in said
    assert "results" in said
    assert "rule train_student" not in said

    # Only Snakemake itself is killed: its job still waits there, about to write.
    first.kill_snakemake_alone()
    second = space.start()
    deadline = time.monotonic() + 60
    while "rule train_student" not in second.said and time.monotonic() < deadline:
        time.sleep(0.02)
    first.release(job)
    status, said = second.wait()
    assert status == 0, said
    assert f"{space.path.name}/results/{model}" in str(space.path / "results" / model)
    assert space.results() == finished.results()
    assert space.due() == set()
    leftovers = [path for path in (space.path / "results").rglob("*") if is_leftover(path)]
    assert leftovers == []


@pytest.mark.parametrize("content", [b"", b"half of it"])
def test_a_leftover_of_a_killed_job_is_no_result(finished, space, content):
    folder = space.path / STUDENTS / "td" / "war"
    (folder / "metrics.csv").unlink()
    (folder / ".metrics.csv.123.tmp").write_bytes(content)
    assert "evaluate_students td" in space.due()
