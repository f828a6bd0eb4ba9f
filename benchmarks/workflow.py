"""What Table 3 costs as a whole, and what of it is not training; writes RESULTS-workflow.md.

    make bench

Each measurement is a whole command in a clone of the last commit, from its start to its end: wall
time, and the CPU time of all its processes. Other work on the machine lengthens the wall times.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import yaml
from machine import HERE, write_results

from talking_models.report.compute import duration
from talking_models.report.markdown import grid

ROOT = HERE.parent
RATINGS = "data/ml-100k/ratings.parquet"
TABLE = "results/tables/table3.md"
QUICK_TABLE = "results/quick/tables/table3.md"
QUICK = ("--configfile", "config/quick.yaml")
ONE_STEP = {
    "results": "results/one-step",
    "tuning": "none",
    "models": {"teacher": {"training": {"steps": 1}}, "student": {"training": {"steps": 1}}},
}
SNAKEMAKE = """
import json, os, pathlib, sys
from snakemake.cli import main
try:
    main()
finally:
    pathlib.Path(os.environ["TIMES"]).write_text(json.dumps(list(os.times())))
"""
JOB = """
import snakemake.iocontainers, snakemake.logging  # by what Snakemake puts before every script
import talking_models.running.job, talking_models.training.ratings, talking_models.changes
import gc
gc.freeze()  # as talking_models.running.job.start
gc.enable()
"""


@dataclass(frozen=True)
class Cost:
    """Of a command, in seconds.

    Attributes:
        wall: time.
        own: CPU time of its own process.
        cpu: CPU time of all its processes.
    """

    wall: float
    own: float
    cpu: float


class Clone:
    """A clone of this repository, in which Snakemake runs.

    Args:
        path: a folder that does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(path)], check=True)

    def snakemake(self, *words: str) -> Cost:
        """Run it."""
        print("snakemake", *words, flush=True)
        times = self.path / "times.json"
        command = [sys.executable, "-c", SNAKEMAKE, *words]
        environment = os.environ | {"TIMES": str(times)}
        started = time.monotonic()
        with (self.path / "snakemake.log").open("a") as log:
            subprocess.run(
                command, cwd=self.path, stdout=log, stderr=log, check=True, env=environment
            )
        wall = time.monotonic() - started
        user, system, *children = json.loads(times.read_text())[:4]
        cost = Cost(wall, user + system, user + system + sum(children))
        print(f"  {cost.wall:.1f} s, {cost.own:.1f} of {cost.cpu:.1f} CPU s", flush=True)
        return cost


def empty_job() -> float:
    """CPU seconds that a training job takes to start, to import what it needs, and to end."""
    spent = []
    for _ in range(6):  # the first warms the files
        before = sum(os.times()[2:4])  # of children
        subprocess.run([sys.executable, "-c", JOB], check=True)
        spent.append(sum(os.times()[2:4]) - before)
    return statistics.median(spent[1:])


def whole(clone: Clone) -> str:
    """Table 3 from downloaded data, on two cores. A job that only starts, imports and ends is
    measured by itself and multiplied. With one training step a job all is there but the other
    steps: such starts, reading, writing, the teacher's answers on all rows, evaluation, tables and
    Snakemake, which reads the memory of long jobs more often than that of short ones.
    """
    clone.snakemake("--cores", "2", RATINGS)  # the network is no part of it
    full = clone.snakemake("--cores", "2", TABLE)
    overlay = clone.path / "one-step.yaml"
    overlay.write_text(yaml.safe_dump(ONE_STEP))
    table = TABLE.replace("results/", ONE_STEP["results"] + "/", 1)
    rest = clone.snakemake("--cores", "2", table, "--configfile", str(overlay))
    made = (clone.path / ONE_STEP["results"] / "benchmarks").rglob("*.tsv")
    jobs = sum({"train", "evaluate"} & set(path.parts) for path in made)
    lines = [
        ["Table 3", duration(full.wall), full.cpu],
        ["of which Snakemake's own process", "", full.own],
        [f"of which start, imports and end of {jobs} jobs with torch", "", jobs * empty_job()],
        ["the same with one training step a job", duration(rest.wall), rest.cpu],
    ]
    cells = [[name, wall, duration(cpu), f"{cpu / full.cpu:.1%}"] for name, wall, cpu in lines]
    return grid(["what", "wall time", "CPU time", "share"], cells)


def cores(clone: Clone) -> str:
    """The quick Table 3 on one core and on two."""
    costs = {}
    for n in (1, 2):
        costs[n] = clone.snakemake("--cores", str(n), QUICK_TABLE, "--forceall", *QUICK)
    lines = [
        [str(n), duration(cost.wall), duration(cost.cpu), f"{costs[1].wall / cost.wall:.2f}"]
        for n, cost in costs.items()
    ]
    return grid(["cores", "wall time", "CPU time", "times as fast as one"], lines)


def waiting(clone: Clone) -> str:
    """Calls that train nothing. Seeds are within a job: 20 of them are as many jobs as 5."""
    calls = {
        "Table 3, nothing to do": ("--cores", "2", TABLE),
        "what all tables and figures need, 20 seeds": ("--dry-run", "--config", "seeds=20"),
    }
    lines = [[name, f"{clone.snakemake(*words).wall:.1f}"] for name, words in calls.items()]
    return grid(["call", "seconds"], lines)


SECTIONS = {"Where the time goes": whole, "Growth with cores": cores, "Waiting": waiting}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS-workflow.md")
    parser.add_argument("--keep", type=Path, help="where to clone to, and leave what was made")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clone = Clone(options.keep or Path(folder) / "clone")
        parts = {
            title: f"{' '.join(section.__doc__.split())}\n\n{section(clone)}"
            for title, section in SECTIONS.items()
        }
    write_results(options.out, "What Table 3 costs as a whole", __doc__.split("\n\n")[2], parts)


if __name__ == "__main__":
    main()
