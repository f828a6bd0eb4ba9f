"""One finished run of the small configuration, which the tests of the workflow copy."""

import pytest
from workspace import Workspace


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "workflow":
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A first run from nothing, with its own download; tests read it and leave it as it is."""
    space = Workspace.of_repository(tmp_path_factory.mktemp("finished") / "repository")
    status, said = space.snakemake()
    if status and "could not be downloaded" in said:
        pytest.skip("MovieLens could not be downloaded: no package index")
    assert status == 0, said
    return space


@pytest.fixture
def space(finished, tmp_path):
    """A copy of the finished run."""
    return finished.copy(tmp_path / "repository")


@pytest.fixture
def empty(finished, tmp_path):
    """A copy without results: only the data is downloaded."""
    return finished.copy(tmp_path / "repository", results=False)
