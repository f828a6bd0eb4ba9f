"""What Table 3 costs as a whole, and what of it is not training; writes RESULTS-workflow.md.

    make bench

Each measurement is a whole command in a clone of the last commit, from its start to its end: wall
time, and the CPU time of all its processes. Other work on the machine lengthens the wall times.
"""

from __future__ import annotations

import argparse
import os
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
RATINGS = "data/movielens/100k/ratings.parquet"
TABLE = "results/tables/table3.md"
QUICK_TABLE = "results/quick/tables/table3.md"
QUICK = ("--configfile", "config/quick.yaml")
ONE_STEP = {
    "results": "results/one-step",
    "tuning": "none",
    "teacher": {"training": {"steps": 1}},
    "student": {"training": {"steps": 1}},
}


@dataclass(frozen=True)
class Cost:
    """Of a command, in seconds.

    Attributes:
        wall: time.
        cpu: time of all its processes.
    """

    wall: float
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
        started, before = time.monotonic(), os.times()
        command = [str(Path(sys.executable).with_name("snakemake")), *words]
        with (self.path / "snakemake.log").open("a") as log:
            subprocess.run(command, cwd=self.path, stdout=log, stderr=log, check=True)
        after = os.times()
        cpu = after.children_user + after.children_system
        cpu -= before.children_user + before.children_system
        cost = Cost(time.monotonic() - started, cpu)
        print(f"  {cost.wall:.1f} s, {cost.cpu:.1f} CPU s", flush=True)
        return cost


def whole(clone: Clone) -> str:
    """Table 3 from downloaded data, on two cores. What does not train is what the same jobs cost
    with one training step each: start-up, imports, reading, writing, the teacher's answers on all
    rows, evaluation, tables and Snakemake itself.
    """
    clone.snakemake("--cores", "2", RATINGS)  # the network is no part of it
    full = clone.snakemake("--cores", "2", TABLE)
    overlay = clone.path / "one-step.yaml"
    overlay.write_text(yaml.safe_dump(ONE_STEP))
    table = TABLE.replace("results/", ONE_STEP["results"] + "/", 1)
    rest = clone.snakemake("--cores", "2", table, "--configfile", str(overlay))
    lines = [
        [name, duration(cost.wall), duration(cost.cpu), f"{cost.cpu / full.cpu:.0%}"]
        for name, cost in (("Table 3", full), ("of which not training", rest))
    ]
    return grid(["what", "wall time", "CPU time", "share"], lines)


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
