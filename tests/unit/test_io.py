"""Files that are whole or absent, and the log of a job."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from talking_models import io

SCRIPTS = Path(io.__file__).parents[1]
FRAME = pd.DataFrame({"a": [1, 2], "b": [0.1, 1 / 3], "c": ["x", None]})
WRITERS = {
    "text": (io.write_text, "new"),
    "yaml": (io.write_yaml, {"b": 1, "a": [1, 2]}),
    "csv": (io.write_csv, FRAME),
    "parquet": (io.write_parquet, FRAME),
}


class Planted(Exception):
    pass


def test_the_file_is_there_when_the_block_ends_and_not_before(tmp_path):
    path = tmp_path / "new" / "folder" / "file.txt"
    with io.atomic(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == path.parent  # renaming needs the same file system
        assert temporary.name.startswith(".")
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_link_is_replaced_and_what_it_led_to_is_left(tmp_path):
    kept, path = tmp_path / "cache", tmp_path / "file.txt"
    kept.write_text("old")
    path.symlink_to(kept)
    io.write_text(path, "new")
    assert (kept.read_text(), path.read_text()) == ("old", "new")
    assert not path.is_symlink()


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(Planted), io.atomic(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise Planted
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_exception_before_anything_is_written_leaves_nothing(tmp_path):
    with pytest.raises(Planted), io.atomic(tmp_path / "file.txt"):
        raise Planted
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_writes_nothing_is_an_error_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), io.atomic(path):
        pass
    assert path.read_text() == "old"


def test_a_killed_process_leaves_the_old_file_and_no_other_visible_one(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    code = (
        "import os, signal, sys\n"
        "from talking_models.io import atomic\n"
        "with atomic(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    result = subprocess.run([sys.executable, "-c", code, str(path)], cwd=SCRIPTS, timeout=60)
    assert result.returncode == -9
    assert path.read_text() == "old"
    left = [p.name for p in tmp_path.iterdir() if p != path]
    assert all(name.startswith(".") and name.endswith(".tmp") for name in left)
    io.write_text(path, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("kind", WRITERS)
def test_every_writer_makes_the_folder_and_replaces_the_file_whole(tmp_path, kind, monkeypatch):
    write, value = WRITERS[kind]
    path = tmp_path / "folder" / f"file.{kind}"
    write(path, value)
    first = path.read_bytes()
    write(path, value)
    assert path.read_bytes() == first
    assert list(path.parent.iterdir()) == [path]

    def fail(*_):
        raise Planted

    monkeypatch.setattr(io.os, "replace", fail)  # killed before the last step, so to speak
    with pytest.raises(Planted):
        write(path, value)
    assert path.read_bytes() == first
    assert list(path.parent.iterdir()) == [path]


def test_what_is_written_is_read_back(tmp_path):
    for kind, (write, value) in WRITERS.items():
        write(tmp_path / kind, value)
    assert (tmp_path / "text").read_text() == "new"
    assert list(yaml.safe_load((tmp_path / "yaml").read_text()).items()) == [
        ("b", 1), ("a", [1, 2]),
    ]  # fmt: skip
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "csv"), FRAME)  # every digit
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "parquet"), FRAME)


def test_all_files_have_the_rights_that_the_umask_gives(tmp_path):
    """Somebody else on the same machine can read one result as well as another."""
    from safetensors.torch import save_file
    from torch import zeros

    plain = tmp_path / "plain"
    plain.write_text("")
    with io.atomic(tmp_path / "models.safetensors") as temporary:
        save_file({"a": zeros(1)}, temporary)
    for kind, (write, value) in WRITERS.items():
        write(tmp_path / kind, value)
    rights = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()}
    assert rights == dict.fromkeys(rights, rights["plain"])


# The log of a job: in a process of its own, as `start` changes what belongs to the process

JOB = """\
import gc, logging, sys, types, warnings
from talking_models.running.job import start
assert not gc.isenabled()  # for the adapter's imports
log = start(types.SimpleNamespace(log=[sys.argv[1]], output=["not made"], config={{}}))
assert gc.isenabled()
logging.getLogger("talking_models.part").info("from the library")
log.info("from the adapter")
warnings.warn("take care")
{then}
"""


def job(path, then=""):
    command = [sys.executable, "-c", JOB.format(then=then), str(path)]
    return subprocess.run(command, cwd=SCRIPTS, capture_output=True, text=True, timeout=60)


def test_a_job_logs_to_its_rules_file(tmp_path):
    path = tmp_path / "logs" / "new" / "rule.log"
    result = job(path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    text = path.read_text()
    assert "INFO from the library" in text
    assert "INFO from the adapter" in text
    assert "take care" in text


def test_an_uncaught_error_is_in_the_log_whole_and_on_standard_error_in_short(tmp_path):
    path = tmp_path / "logs" / "rule.log"
    path.parent.mkdir()
    path.write_text("of the last run")
    result = job(path, "def inner():\n    raise ValueError('planted')\ninner()")
    assert result.returncode == 1
    assert result.stderr.splitlines() == ["ValueError: planted", f"(details in {path})"]
    text = path.read_text()
    assert "CRITICAL ValueError: planted" in text
    assert "Traceback (most recent call last)" in text
    assert "in inner" in text
    assert "of the last run" not in text


ARGUMENTS = """\
from talking_models.running.job import arguments
params = {{"{name}": 3, "code": "0f"}}
print(arguments(types.SimpleNamespace(input={{"a": 1}}, output={{"b": 2}}, params=params)))
"""


PLACED = """\
from talking_models.running.job import placed
given = types.SimpleNamespace(threads={threads}, resources=types.SimpleNamespace(workers=2))
print(placed(given, {{"device": {{"devices": 2}}}})["device"], placed(given, {{"a": 1}}))
"""


@pytest.mark.parametrize(("threads", "left"), [(10, 3), (1, 1)])  # Snakemake cuts to `--cores`
def test_an_image_job_is_told_its_processes_threads_and_workers(tmp_path, threads, left):
    result = job(tmp_path / "rule.log", PLACED.format(threads=threads))
    device = {"devices": 2, "workers": 2, "threads": left}
    assert result.stdout == f"{device} {{'a': 1}}\n"


def test_what_a_rule_names_are_arguments_each_name_once(tmp_path):
    result = job(tmp_path / "rule.log", ARGUMENTS.format(name="c"))
    assert result.stdout == "{'a': 1, 'b': 2, 'c': 3}\n"
    assert "TypeError" in job(tmp_path / "rule.log", ARGUMENTS.format(name="a")).stderr
