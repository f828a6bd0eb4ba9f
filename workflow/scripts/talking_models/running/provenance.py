"""What made a result: one record for each job, beside its log and its benchmark.

    results/logs/ml-100k/latest/train/td/war.log
    results/provenance/ml-100k/latest/train/td/war.json

A record is no output of a rule: results stay byte-identical from run to run, and a record that is
gone or new runs nothing again. Its job writes it at its end, once all outputs are there, so that
there is none of a job that failed. What all jobs of a run share, the main process notes once at
its start (`note_run`): jobs in containers have no git, and a run itself changes committed tables.
"""

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

from talking_models.io import digest_of_file, write_text
from talking_models.machine import cores, processor
from talking_models.registry import ROOT
from talking_models.running.fingerprint import PACKAGE, fingerprint

Record = dict[str, Any]
COLUMNS = [  # docs/data.md says what they mean
    "rule", "wildcards", "commit", "dirty", "config", "data", "library", "code", "python",
    "packages", "host", "processor", "cores", "threads", "started", "wall_seconds", "cpu_seconds",
    "peak_mb",
]  # fmt: skip
KEYS = {*COLUMNS, "inputs", "outputs"}
RAW = "data/"  # what jobs put there was downloaded, or is a user's own
CONFIG = "config"  # what lies there belongs to the commit
NOTE, RECORDS = "logs/run.json", "provenance"
REPOSITORY = ROOT.parents[2]
STARTED = time.time()  # the job's: an adapter imports this first


def note_run(results: str | Path, config: Mapping[str, Any]) -> None:
    """Note commit, effective configuration (as JSON has it) and library for the run's jobs."""
    note = dict(zip(("commit", "dirty"), git_state(results), strict=True))
    note |= {"config": digest_of_value(config), "library": library()}
    write_text(Path(results) / NOTE, json.dumps(note, indent=2) + "\n")


def git_state(results: str | Path) -> tuple[str | None, bool | None]:
    """The commit of the workflow's repository, and whether files differ from it or are new.

    The repository is that of the workflow, wherever the run is (`--directory`, `module:`). What
    runs make does not count, though it is in git. None, None: no git, no repository, or no commit.
    """
    folder, made = Path(results).resolve(), ["results", "dvc.lock"]
    if folder.is_relative_to(REPOSITORY):
        made.append(folder.relative_to(REPOSITORY).as_posix())
    # no lock: another git may be at work here
    command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--", "."]
    command += [f":(exclude){name}" for name in made if name != "."]
    try:
        said = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return None, None
    head, *rest = said.stdout.splitlines()
    head, changed = head.removeprefix("# branch.oid "), any(line[0] != "#" for line in rest)
    return (None, None) if head == "(initial)" else (head, changed)


def library() -> str:
    """The fingerprint of the whole library."""
    files = (path.relative_to(ROOT.parent).with_suffix("") for path in ROOT.rglob("*.py"))
    return fingerprint(*{".".join(file.parts).removesuffix(".__init__") for file in files})


def places(log: str | Path) -> tuple[Path, Path]:
    """The folder of results, and where in it the record of the job with this log file lies."""
    results, _, name = str(log).rpartition("/logs/")
    return Path(results), Path(results, RECORDS, name).with_suffix(".json")


def finish(snakemake: Any) -> None:
    """Write the record of a job that made all its outputs, at the end of its process."""
    if not all(Path(output).exists() for output in snakemake.output):
        return
    results, path = places(snakemake.log[0])
    run = _read(results / NOTE)
    inputs = {str(path): digest(Path(path)) for path in snakemake.input}
    outputs = {str(path): digest(Path(path)) for path in snakemake.output}
    made = {path: outputs[path] for path in outputs if path.startswith(RAW)}
    record = {
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards.items()),
        **{key: run.get(key) for key in ("commit", "dirty", "config", "library")},
        "code": snakemake.params.get("code"),
        "data": raw(made or inputs, results),
        "inputs": inputs,
        "outputs": outputs,
        "python": platform.python_version(),
        "packages": packages(),
        "host": platform.node(),
        "processor": processor(),
        "cores": cores(),
        "threads": snakemake.threads,
        "started": datetime.fromtimestamp(STARTED, UTC).isoformat(timespec="seconds"),
        "wall_seconds": round(time.time() - STARTED, 2),
        "cpu_seconds": round(sum(os.times()[:4]), 2),  # child processes included
        "peak_mb": round(peak_mb()),
    }
    write_text(path, json.dumps(record, indent=2) + "\n")


def peak_mb() -> float:
    """The most memory that this process, or one that it started, had at once."""
    used = (
        resource.getrusage(of).ru_maxrss for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return max(used) / (2**20 if sys.platform == "darwin" else 2**10)


def digest(path: Path) -> str:
    """SHA-256 (hex) of a file; of a folder, of the names and digests of all its files."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return digest_of_value({str(file.relative_to(path)): digest(file) for file in files})
    return digest_of_file(path)


def digest_of_value(value: Any) -> str:
    """SHA-256 (hex) of a value that JSON has, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def packages() -> dict[str, str]:
    """Versions of the packages that this process has imported, by the names they import under."""
    names, found = {name for name in sys.modules if "." not in name}, {}
    for name in sorted(names - sys.stdlib_module_names - {PACKAGE}):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # sklearn comes with scikit-learn
            version = vars(sys.modules[name]).get("__version__")
        if isinstance(version, str):
            found[name] = version
    return found


def raw(files: Mapping[str, str], results: Path) -> dict[str, str] | None:
    """The raw files that `files` come from, all with their digests; None if that is unknown: where
    a file in `results` has no record, or is no longer what its record says.
    """
    records, found = read_all(results), {}
    for path, known in files.items():
        if Path(path).is_relative_to(results):
            made = records.get(path)
            if made is None or made["outputs"][path] != known or made["data"] is None:
                return None
            found |= made["data"]
        elif CONFIG not in Path(path).parts:
            found[path] = known
    return dict(sorted(found.items()))


def _read(path: Path) -> Record:
    """A note or a record; empty if it is not there or damaged."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError):
        return {}


def read_all(results: str | Path) -> dict[str, Record]:
    """The record of each file that the records in a folder of results say was made."""
    found: dict[str, Record] = {}
    for path in sorted(Path(results, RECORDS).rglob("*.json")):
        made = _read(path)
        if made.keys() >= KEYS:
            found |= dict.fromkeys(made["outputs"], made)
    return found


def trace(files: Iterable[str | Path], results: str | Path) -> tuple[list[Record], list[str]]:
    """The records of all jobs that `files` come from, and the files whose making is unknown.

    Unknown is a file in `results` without a record, or with other bytes than its record says.
    """
    records, found, unknown = read_all(results), {}, []
    waiting, seen = list(map(str, files)), set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        made = records.get(path)
        # what is gone since was as the record of the job that read it says
        if made and (not Path(path).exists() or made["outputs"][path] == digest(Path(path))):
            found[id(made)] = made
            waiting += made["inputs"]
        elif made or Path(path).is_relative_to(results):
            unknown.append(path)
    return sorted(found.values(), key=lambda made: (made["started"], made["rule"])), sorted(unknown)
