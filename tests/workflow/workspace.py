"""A copy of the repository in which Snakemake runs, and what its output says."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SECONDS = 1800  # for one call of Snakemake, on a slow machine that has much else to do

CONFIG = """\
seeds: 2
trial: true
tuning: none  # the settings below, and no others
data:
  ml-100k: {tasks: {names: [Sci-Fi, War]}}
models:
  teacher:
    hidden: [16, 8]
    features: {user: 8, item: 8, title: 4, categories: 4}
    training: {steps: 4, batch_size: 32, learning_rate: 0.02}
  student:
    hidden: [8, 4]
    features: {user: 8, item: 8, title: 4, categories: 4}
    training: {steps: 4, batch_size: 32, learning_rate: 0.02}
"""
# Instead of the paper's: only what the tests need, FD also as a part of Hybrid.
EXPERIMENTS = """\
experiments:
  scratch: {method: scratch}
  fd: {method: fd}
  hybrid: {method: hybrid}
  td: {method: td, settings: {rounds: 1}}
"""
TABLES = """\
tables:
  table3:
    title: RMSE
    data: [ml-100k]
    paper: config/paper/table3.csv
    against: td
    rows: {Train from Scratch: scratch, Teacher: teacher, FD: fd, Hybrid: hybrid, TD: td}
    bold: [FD, Hybrid, TD]
  talk:
    title: Talking alone
    data: [ml-100k]
    rows: {TD: td}
"""
SMALL = {
    "small.yaml": CONFIG,
    "config/experiments.yaml": EXPERIMENTS,
    "config/tables.yaml": TABLES,
}
# The quick run, with all that is shipped.
QUICK = {"small.yaml": (ROOT / "config/quick.yaml").read_text()}
QUICK_RESULTS = "results/quick"
QUICK_TABLE = f"{QUICK_RESULTS}/tables/table3.md"
DATA, SPLIT = "ml-100k", "latest"
JOBS = f"{DATA}/{SPLIT}"  # below it a folder for each task and experiment
# What of the results is as good as the models behind it, and what of it is measured time.
PARTS = (DATA, "digits", "tables", "figures", "pages", "claims.csv", "claims.md")
TIMED = ("compute", "sizes")

# Python runs this file at its start: a job stops where it is about to rename a file whose path
# ends with PAUSE_AT, says so, and waits.
PAUSE = """\
import os, pathlib, time
rename, at, here = os.replace, os.environ["PAUSE_AT"], pathlib.Path(os.environ["PAUSE_HERE"])
def replace(source, target, **more):
    if str(target).endswith(at) and not (here / "go").exists():
        (here / "paused").write_text(str(os.getpid()))
        while not (here / "go").exists():
            time.sleep(0.02)
    rename(source, target, **more)
os.replace = replace
"""


@dataclass(frozen=True)
class Job:
    """One job as Snakemake prints it."""

    rule: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    wildcards: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        """The rule with the wildcards that tell its jobs apart: 'train td war'."""
        keys = ["experiment", "model", "task", "table", "figure", "page"]
        if self.wildcards.get("split") not in (SPLIT, "given", "given-1", "given-10"):
            keys.append("split")
        return " ".join([self.rule, *(self.wildcards[k] for k in keys if k in self.wildcards)])


def jobs(output: str) -> list[Job]:
    """The jobs in Snakemake's output, in its order, without the target rule."""
    found = []
    for block in re.split(r"^(?=(?:local)?rule [\w-]+:$)", output, flags=re.MULTILINE)[1:]:
        head, *lines = block.splitlines()
        parts = dict(re.findall(r"^    (\w+): (.*)$", "\n".join(lines), re.MULTILINE))
        wildcards = dict(pair.split("=", 1) for pair in _list(parts.get("wildcards", "")))
        found.append(
            Job(
                re.fullmatch(r"(?:local)?rule ([\w-]+):", head)[1],
                _list(parts.get("input", "")),
                _list(parts.get("output", "")),
                wildcards,
            )
        )
    return [job for job in found if job.rule != "all"]


def _list(text: str) -> tuple[str, ...]:
    return tuple(re.sub(r" \(.*\)$", "", item) for item in text.split(", ") if item)


class Workspace:
    """A folder with the repository's files and a small configuration."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.given = {entry.name for entry in path.iterdir()}

    @classmethod
    def of_repository(cls, path: Path, config: Mapping[str, str] = SMALL) -> "Workspace":
        """Copy what git knows or would add, and write the files of a configuration."""
        listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True).stdout.decode()
        for name in filter(None, names.split("\0")):
            # made by runs, even where git has them
            if (ROOT / name).is_file() and not name.startswith(("results/", "logs/", "data/")):
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, path / name)
        for name, text in config.items():
            (path / name).write_text(text)
        return cls(path)

    def copy(self, path: Path, *, results: bool = True) -> "Workspace":
        """The same in another folder; without `results`, only the downloaded data is left."""
        left_out = [] if results else ["results", ".snakemake"]
        shutil.copytree(self.path, path, ignore=shutil.ignore_patterns(*left_out))
        return Workspace(path)

    def start(
        self, *arguments: str, cores: int = 2, configs: Sequence[str] = (), pause_at: str = ""
    ) -> "Run":
        """Begin a call of Snakemake in a process group of its own.

        Args:
            arguments: targets first, as options take all that follows.
            cores: how many jobs run at once.
            configs: configuration files on top of the small one.
            pause_at: the end of a path; the job that makes the file stops before it is there.
        """
        command = [sys.executable, "-m", "snakemake", *arguments, "--cores", str(cores)]
        command += ["--configfile", "small.yaml", *configs]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SNAKEMAKE")}
        here = self.path.parent / f"run-{time.monotonic_ns()}"
        here.mkdir()
        if pause_at:
            (here / "sitecustomize.py").write_text(PAUSE)
            environment |= {
                "PAUSE_AT": pause_at,
                "PAUSE_HERE": str(here),
                "PYTHONPATH": str(here),
            }
        return Run(command, self.path, environment, here)

    def snakemake(self, *arguments: str, **options) -> tuple[int, str]:
        """A whole call, as `start` takes it: its exit status and what it said."""
        return self.start(*arguments, **options).wait()

    def make(self, *arguments: str, **options) -> str:
        """A whole call that must succeed: what it said."""
        status, said = self.snakemake(*arguments, **options)
        assert status == 0, said
        return said

    def due(self, *arguments: str) -> set[str]:
        """The names of the jobs that a call would run."""
        said = self.make(*arguments, "--dry-run")
        found = {job.name for job in jobs(said)}
        assert found or "Nothing to be done" in said, said
        return found

    def append(self, name: str, text: str) -> None:
        """Add `text` at the end of a file."""
        with open(self.path / name, "a") as file:
            file.write(text)

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace the one place of a file that says `old`."""
        text = (self.path / name).read_text()
        assert text.count(old) == 1, f"{name} says {old!r} {text.count(old)} times"
        (self.path / name).write_text(text.replace(old, new))

    def results(self, folder: str = "results") -> dict[str, bytes]:
        """The result files by path; no times (logs, journals, costs) and no leftovers."""
        folder = self.path / folder
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for part in PARTS
            for path in sorted([folder / part, *(folder / part).rglob("*")])
            if path.is_file() and not is_leftover(path)
            if path.stem not in TIMED and path.name != "journal.log"
        }


def is_leftover(path: Path) -> bool:
    """Whether a killed job left this behind: a hidden file that no rule makes or reads."""
    return path.name.startswith(".") and path.name.endswith(".tmp")


class Run:
    """A call of Snakemake that goes on."""

    def __init__(self, command, folder, environment, here) -> None:
        self.here = here
        # a file, not a pipe: a process that outlives Snakemake would keep a pipe open
        self.output = here / "said.txt"
        with open(self.output, "w") as output:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def wait(self) -> tuple[int, str]:
        """Wait for the end."""
        try:
            return self.process.wait(SECONDS), self.said
        except BaseException:
            self.kill()
            raise

    def wait_until(self, found: Callable[[], Any], otherwise: str) -> Any:
        """Wait until `found` gives something true, and return it; the run must not end before."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            value = found()
            if value:
                return value
            time.sleep(0.02)
        self.kill()
        raise AssertionError(f"{otherwise}:\n{self.said}")

    def wait_until_paused(self) -> int:
        """Wait until a job stops at `pause_at`; its process id."""
        paused = self.here / "paused"
        return int(self.wait_until(lambda: _read(paused), "no job came to the file to stop at"))

    def kill(self) -> None:
        """SIGKILL Snakemake and all its children at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill_snakemake_alone(self) -> None:
        """SIGKILL the main process; its children go on."""
        self.process.kill()
        self.process.wait()

    def release(self, process_id: int) -> None:
        """Let the paused job go on, and wait for its end."""
        (self.here / "go").touch()
        end = time.monotonic() + SECONDS
        while Path(f"/proc/{process_id}").exists() and time.monotonic() < end:
            time.sleep(0.02)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
