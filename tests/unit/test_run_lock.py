"""One run at a time in a folder, by a lock that ends with its process."""

import errno
import gc
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from talking_models.running import run_lock
from talking_models.running.run_lock import lock

HOLD = """\
import sys, time
sys.path.insert(0, sys.argv[2])
from talking_models.running.run_lock import lock
lock(sys.argv[1])
print("held", flush=True)
{then}
"""
SCRIPTS = str(Path(run_lock.__file__).parents[2])


@pytest.fixture
def hold(tmp_path):
    """Start another process that takes the lock; ends it at the end."""
    started = []

    def start(path, then="time.sleep(600)"):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD.format(then=then), str(path), SCRIPTS],
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_process_is_refused_with_the_id_of_the_first(tmp_path, hold):
    path = tmp_path / "results" / ".run.lock"
    holder = hold(path)
    with pytest.raises(RuntimeError) as caught:
        lock(path)
    message = str(caught.value)
    assert f"process {holder.pid})" in message
    assert str(path.parent) in message
    assert "--config results=FOLDER" in message


def test_the_lock_ends_with_a_killed_process(tmp_path, hold):
    path = tmp_path / ".run.lock"
    holder = hold(path)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert path.exists()  # the file is left and means nothing
    lock(path)
    assert path.read_text() == f"{os.getpid()}\n"


def test_the_lock_ends_with_a_process_that_ends_by_itself(tmp_path, hold):
    path = tmp_path / ".run.lock"
    hold(path, then="").wait()
    lock(path)


def test_a_job_that_outlives_a_killed_run_does_not_keep_the_lock(tmp_path, hold):
    path = tmp_path / ".run.lock"
    then = (
        "import subprocess\n"
        "job = subprocess.Popen(['sleep', '60'], close_fds=False)\n"
        "print(job.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    holder = hold(path, then)
    job = int(holder.stdout.readline())
    try:
        holder.kill()
        holder.wait()
        os.kill(job, 0)  # it is still there
        lock(path)
    finally:
        os.kill(job, signal.SIGKILL)


def test_the_lock_is_held_until_the_process_ends(tmp_path):
    lock(tmp_path / ".run.lock")
    gc.collect()
    with pytest.raises(RuntimeError, match=f"process {os.getpid()}"):
        lock(tmp_path / ".run.lock")


def test_two_folders_have_two_locks(tmp_path):
    paths = [tmp_path / name / ".run.lock" for name in ("a", "b")]
    for path in paths:
        lock(path)
    assert all(path.is_file() for path in paths)


def test_a_refused_process_leaves_the_holders_id(tmp_path, hold):
    path = tmp_path / ".run.lock"
    holder = hold(path)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=f"process {holder.pid}"):
            lock(path)
    assert path.read_text() == f"{holder.pid}\n"


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_does_not_stop_a_run(tmp_path, monkeypatch, caplog, code):
    def flock(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(run_lock.fcntl, "flock", flock)
    with caplog.at_level(logging.WARNING):
        lock(tmp_path / ".run.lock")
    assert f"{tmp_path}: the file system has no locks" in caplog.text
    assert (tmp_path / ".run.lock").read_text() == f"{os.getpid()}\n"


def test_a_folder_that_cannot_be_written_is_named_in_a_sentence(tmp_path, monkeypatch):
    def denied(path, *_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(run_lock.os, "open", denied)
    with pytest.raises(RuntimeError, match=rf"Permission denied: '{tmp_path}/\.run\.lock'; let"):
        lock(tmp_path / ".run.lock")


def test_any_other_error_of_the_lock_is_one(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.EIO, "planted")

    monkeypatch.setattr(run_lock.fcntl, "flock", flock)
    with pytest.raises(OSError, match="planted"):
        lock(tmp_path / ".run.lock")
