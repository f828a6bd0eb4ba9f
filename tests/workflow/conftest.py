"""One finished run of the small configuration, which the tests of the workflow copy."""

import fcntl
import json
import os
import shutil

import pytest
from workspace import Workspace


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "workflow":
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A first run from nothing, with its own download; tests read it and leave it as it is.

    Of pytest-xdist's processes the first makes it, on all cores, and each has a copy.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, given = base / "finished/repository", base / "finished/given.json"
    with open(base / "finished.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not given.exists():
            shutil.rmtree(folder, ignore_errors=True)  # what a process before this one failed with
            space = Workspace.of_repository(folder)
            status, said = space.snakemake()
            if status and "could not be downloaded" in said:
                pytest.skip("MovieLens could not be downloaded: no package index")
            assert status == 0, said
            given.write_text(json.dumps(sorted(space.given)))
    space = Workspace(folder).copy(tmp_path_factory.mktemp("finished") / "repository")
    space.given = set(json.loads(given.read_text()))
    return space


@pytest.fixture
def space(finished, tmp_path):
    """A copy of the finished run."""
    return finished.copy(tmp_path / "repository")


@pytest.fixture
def empty(finished, tmp_path):
    """A copy without results: only the data is downloaded."""
    return finished.copy(tmp_path / "repository", results=False)
