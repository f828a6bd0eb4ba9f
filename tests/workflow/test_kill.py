"""A run killed at any moment, and called again, ends with the results of an undisturbed one."""

import random
import shutil
import time

from workspace import DATA, JOBS, is_leftover


def differing(space, finished):
    """Result files that are not what the undisturbed run made."""
    expected = finished.results()
    return {name for name, found in space.results().items() if found != expected.get(name)}


def kill_at(space, path, *targets, **options):
    """Kill everything when a job has written `path` under another name, and not yet renamed it."""
    run = space.start(*targets, pause_at=path, **options)
    run.wait_until_paused()
    run.kill()


def kill_after(space, seconds, *targets, **options):
    """Kill everything some time after the start, whatever it does then."""
    run = space.start(*targets, **options)
    time.sleep(seconds)
    run.kill()


def test_killed_at_every_stage_it_ends_with_the_same_results_on_one_core_as_on_two(finished, empty):
    target = "results/tables/talk.csv"
    at_random = random.Random(0).uniform
    for moment in (
        0.3,  # reading the Snakefile
        at_random(0.5, 1.5),
        "war/slices/val.parquet",  # some slices are there, others are not
        "teacher/models.safetensors",
        at_random(2, 5),
        "war/td/history.csv",  # of a training job's three files, one is there
        "war/td/metrics.csv",  # in the middle of evaluating
        "tables/talk.md",  # the CSV is there
    ):
        if isinstance(moment, str):
            kill_at(empty, moment, target, cores=1)
            assert not any(name.endswith(moment) for name in empty.results())
        else:
            kill_after(empty, moment, target, cores=1)
        assert differing(empty, finished) == set(), f"killed at {moment}"
    assert "make_table talk" in empty.due(target)
    empty.make(target, cores=1)
    assert differing(empty, finished) == set()
    expected = {
        name
        for name in finished.results()
        if name.startswith(("tables/talk", f"{JOBS}/all/teacher/models"))
        or any(f"/{job}/" in name for job in ("slices", "td", "references"))
    }
    assert expected <= set(empty.results())
    assert empty.due(target) == set()
    hidden = [path for path in (empty.path / "results").rglob(".*") if path.name != ".run.lock"]
    assert hidden, "no job was killed while it wrote: nothing is tested"
    assert all(is_leftover(path) for path in hidden)


def test_killed_while_downloading_it_downloads_again(finished, empty):
    for name in ("ratings", "items"):
        (empty.path / f"data/{DATA}/{name}.parquet").unlink()
    target = f"data/{DATA}/items.parquet"
    kill_at(empty, target, target)
    assert (empty.path / f"data/{DATA}/ratings.parquet").exists()
    assert empty.due(target) == {"prepare_ratings"}


def test_one_run_at_a_time_and_the_lock_ends_with_its_process(finished, space):
    model = f"{JOBS}/war/td/models.safetensors"
    shutil.rmtree((space.path / "results" / model).parent)
    target = "results/tables/talk.md"
    (space.path / target).unlink()
    first = space.start(target, pause_at=model)
    job = first.wait_until_paused()

    status, said = space.snakemake(target)
    assert status != 0
    assert f"another run (process {first.process.pid})" in said
    assert "--config results=FOLDER" in said
    assert "rule train:" not in said

    # Only Snakemake itself is killed: its job still waits there, about to write.
    first.kill_snakemake_alone()
    second = space.start(target)
    deadline = time.monotonic() + 60
    while "rule train:" not in second.said and time.monotonic() < deadline:
        time.sleep(0.02)
    first.release(job)
    status, said = second.wait()
    assert status == 0, said
    assert space.results() == finished.results()
    assert space.due(target) == set()
    leftovers = [path for path in (space.path / "results").rglob("*") if is_leftover(path)]
    assert leftovers == []
