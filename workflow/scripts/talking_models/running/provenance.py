"""What made a result: one record for each job, beside its log and its benchmark.

    results/logs/movielens/100k/train_teacher.log
    results/provenance/movielens/100k/train_teacher.json

A record is no output of a rule: results stay byte-identical from run to run, and a record that is
gone or new runs nothing again. Its job writes it at its end, once all outputs are there, so that
there is none of a job that failed. What all jobs of a run share, the main process notes once at
its start (`note_run`): jobs in containers have no git, and a run itself changes committed tables.
"""

from __future__ import annotations

import atexit
import hashlib
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from talking_models.io import write_text
from talking_models.registry import ROOT
from talking_models.running.fingerprint import PACKAGE, fingerprint
from talking_models.running.machine import cores, processor

RAW = "data/"  # below it lies what was downloaded; everything else is made from that
NOTE = "logs/run.json"
RECORDS = "provenance"
KEYS = frozenset((
    "rule", "wildcards", "commit", "dirty", "config", "library", "code", "data", "inputs",
    "outputs", "python", "packages", "host", "processor", "cores", "threads", "started",
    "wall_seconds", "cpu_seconds",
))  # fmt: skip
"""What a record says, see `record`; one that lacks any of it is damaged."""
IMPORTED = time.time()
REPOSITORY = ROOT.parents[2]
MADE_BY_RUNS = ("results", "dvc.lock")  # in git, and no part of what a run is made from


# What all jobs of a run share


def note_run(results: str | Path, config: Mapping[str, Any]) -> None:
    """Note commit, configuration and library for the jobs of the run that starts now.

    Args:
        results: the folder of results; the note goes into its `logs/`.
        config: the effective configuration, in types that JSON has.
    """
    commit, dirty = git_state(results)
    note = {
        "commit": commit,
        "dirty": dirty,
        "config": digest_of_value(config),
        "library": library(),
    }
    write_text(Path(results) / NOTE, json.dumps(note, indent=2) + "\n")


def git_state(
    results: str | Path = "results", root: Path | None = None
) -> tuple[str | None, bool | None]:
    """The commit of the workflow's repository, and whether files differ from it or are new.

    The repository is that of the workflow, wherever the run is (`--directory`, `module:`). What
    runs make does not count. None, None: no git, no repository, or no commit.
    """
    root, folder, made = (root or REPOSITORY).resolve(), Path(results).resolve(), [*MADE_BY_RUNS]
    if folder.is_relative_to(root):
        made.append(folder.relative_to(root).as_posix())
    # no lock: another git may be at work here
    command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--", "."]
    command += [f":(exclude){name}" for name in made if name != "."]
    try:
        said = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None, None
    head, changes = None, False
    for line in said.splitlines():
        if line.startswith("# branch.oid "):
            head = line.removeprefix("# branch.oid ")
        elif not line.startswith("#"):
            changes = True
    return (None, None) if head in (None, "(initial)") else (head, changes)


def library() -> str:
    """The fingerprint of the whole library."""
    files = (path.relative_to(ROOT.parent).with_suffix("") for path in ROOT.rglob("*.py"))
    modules = {".".join(file.parts).removesuffix(".__init__") for file in files}
    return fingerprint(*sorted(modules))


# The record of a job


def places(log: str | Path) -> tuple[Path, Path]:
    """The folder of results, and where in it the record of the job with this log file lies.

    Raises:
        ValueError: the path has no folder `logs`.
    """
    results, found, name = str(log).rpartition("/logs/")
    if not found:
        raise ValueError(f"the log file {log} is in no folder `logs`: where would its record be?")
    return Path(results), Path(results, RECORDS, name).with_suffix(".json")


def follow(snakemake: Any) -> None:
    """Write the record of this job when the process ends; one of an earlier run goes now."""
    results, path = places(snakemake.log[0])
    path.unlink(missing_ok=True)
    atexit.register(finish, snakemake, results, path)


def give_up() -> None:
    """Write no record: the job has failed, though its outputs may be there."""
    atexit.unregister(finish)


def finish(snakemake: Any, results: Path, path: Path) -> None:
    """Write the record, if the job made all its outputs."""
    if all(Path(output).exists() for output in snakemake.output):
        write_text(path, json.dumps(record(snakemake, results), indent=2) + "\n")


def record(snakemake: Any, results: Path) -> dict[str, Any]:
    """What made the outputs of this job.

    Returns:
        rule, wildcards: which job;
        commit, dirty, config, library: as `note_run` found them, None without its note;
        code: the fingerprint of the library code that the job needs;
        data: the raw files that it all comes from, see `raw`;
        inputs, outputs: files with their SHA-256;
        python, packages: versions of what the process imported;
        host, processor, cores (that the process may use), threads (that the job was given);
        started (UTC), wall_seconds, cpu_seconds (child processes included).
    """
    inputs, outputs = digests(snakemake.input), digests(snakemake.output)
    run = _read(results / NOTE)
    made = {path: digest for path, digest in outputs.items() if path.startswith(RAW)}
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    began = start_of_process()
    return {
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards.items()),
        **{key: run.get(key) for key in ("commit", "dirty", "config", "library")},
        "code": snakemake.params.get("code"),
        "data": raw(made or inputs or outputs, read_all(results), results),
        "inputs": inputs,
        "outputs": outputs,
        "python": platform.python_version(),
        "packages": packages(),
        "host": platform.node(),
        "processor": processor(),
        "cores": cores(),
        "threads": snakemake.threads,
        "started": datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds"),
        "wall_seconds": round(time.time() - began, 2),
        "cpu_seconds": round(sum(part.ru_utime + part.ru_stime for part in used), 2),
    }


def start_of_process() -> float:
    """When this process began, in seconds since 1970; where unknown, when this was imported."""
    try:
        ticks = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]  # since boot
    except OSError:
        return IMPORTED
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(ticks) / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def digests(paths: Iterable[str | Path]) -> dict[str, str]:
    """SHA-256 (hex) of each file; of a folder, of the names and digests of all its files."""
    return {str(path): _digest(Path(path)) for path in paths}


def _digest(path: Path) -> str:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return digest_of_value({str(file.relative_to(path)): _digest(file) for file in files})
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_value(value: Any) -> str:
    """SHA-256 (hex) of a value that JSON has, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def packages() -> dict[str, str]:
    """Versions of the packages that this process has imported, by the names they import under."""
    names = {name for name in sys.modules if "." not in name}
    found = {}
    for name in sorted(names - sys.stdlib_module_names - {PACKAGE, "__main__", "__mp_main__"}):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # sklearn comes with scikit-learn
            version = vars(sys.modules[name]).get("__version__")
        if isinstance(version, str):
            found[name] = version
    return found


# Records together


def _read(path: Path) -> dict[str, Any]:
    """A note or a record; empty if it is not there or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def read_all(results: str | Path) -> dict[str, dict[str, Any]]:
    """The record of each file that the records in a folder of results say was made.

    A damaged record is as none: its files are unknown.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(Path(results, RECORDS).rglob("*.json")):
        made = _read(path)
        if made.keys() >= KEYS and isinstance(made["outputs"], dict):
            found |= dict.fromkeys(made["outputs"], made)
    return found


def raw(
    files: Mapping[str, str], records: Mapping[str, dict[str, Any]], results: str | Path
) -> dict[str, str] | None:
    """The raw files that `files`, given with their digests, come from; None if unknown.

    Unknown it is where a file in `results` has no record, or is no longer what its record says.
    Files elsewhere, such as the published numbers, belong to the commit.
    """
    found: dict[str, str] = {}
    for path, digest in files.items():
        if path.startswith(RAW):
            found[path] = digest
        elif Path(path).is_relative_to(results):
            made = records.get(path)
            if made is None or made["outputs"][path] != digest or made["data"] is None:
                return None
            found |= made["data"]
    return dict(sorted(found.items()))
