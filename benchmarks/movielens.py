"""What a step of MovieLens training costs, and how that grows; writes RESULTS.md.

    make bench

Costs are CPU milliseconds per model and step on one thread: the difference between a long and a
short job, divided by the steps and the models between them, so that set-up does not count. Jobs
to be compared run by turns in the same process, and the middle of their ratios is the result: the
milliseconds are this machine's, ratios should be much the same on another.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import plain
import torch
from machine import HERE, used, write_results
from torch.utils.flop_counter import FlopCounterMode

from talking_models.config import load
from talking_models.config.merge import merge, merged_files
from talking_models.data.canonical import canonicalise, content_digest
from talking_models.data.features import Vocabulary, encode
from talking_models.data.parquet import write
from talking_models.data.splits import split_ratings
from talking_models.models.checkpoint import Checkpoint
from talking_models.models.layers import Streams
from talking_models.report.markdown import grid
from talking_models.training import ratings
from talking_models.training.batches import RatingData
from talking_models.training.setup import one_thread
from talking_models.training.shared import shuffled_rows

METHODS = ("scratch", "ld", "fd", "fitnet", "hybrid", "td")
SHAPE = {"ratings": 36_000, "users": 943, "items": 1_682}  # Drama's training rows in 100k
LARGE = {"users": 162_541, "items": 62_423}  # MovieLens-25M
REPEATS = 3
STEPS = {"td": (10, 30)}  # of the short and the long job
OTHERS = (20, 100)
MANY = (20, 420)  # where setting up takes seconds
DATA = "ml-100k"
CONFIG = load(
    merge(
        merged_files(HERE.parent / "config/config.yaml"),
        {"tuning": "none", "experiments": {method: {"method": method} for method in METHODS}},
    )
)
LOG = logging.getLogger("benchmarks")
LOG.setLevel(logging.ERROR)


def synthetic(ratings: int, users: int, items: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Random ratings and items of a data set's shape, every user and item among them."""
    draw = np.random.default_rng(0)
    places = [draw.permutation(np.arange(max(n, ratings)) % n)[:ratings] for n in (users, items)]
    table = pd.DataFrame(
        {
            "item": np.arange(items, dtype="int32"),
            "title": [f"w{i % 2000} v{i % 700} ({1930 + i % 60})" for i in range(items)],
            "categories": [["Drama", "War"] if i % 3 else ["Drama"] for i in range(items)],
        }
    )
    rows = pd.DataFrame(
        {
            "user": places[0].astype("int32"),
            "item": places[1].astype("int32"),
            "rating": draw.integers(1, 6, ratings).astype("float32"),
            "time": np.arange(ratings, dtype="int64"),
        }
    )
    return rows, table


class Jobs:
    """Training jobs on one synthetic data set.

    Args:
        shape: its numbers of ratings, users and items.
    """

    def __init__(self, **shape: int) -> None:
        self.rows, self.items = synthetic(**(SHAPE | shape))
        config = CONFIG.training_job("teacher", DATA)
        config = config | {"seeds": 1, "training": config["training"] | {"steps": 1}}
        self.teacher, _ = ratings.fit(self.rows, self.items, config, {}, LOG)

    def config(
        self, method: str, steps: int, seeds: int, precision: str, settings: dict, batch: int
    ) -> dict:
        """What `ratings.fit` takes."""
        config = CONFIG.training_job(method, DATA)
        config |= {
            "seeds": seeds,
            "precision": precision,
            "settings": config["settings"] | settings,
            "teacher_seed": "first",
        }
        config["training"] = config["training"] | {"steps": steps, "batch_size": batch}
        return config

    def taught_by(self, method: str, teachers: int = 1) -> dict[str, Checkpoint]:
        """The teacher, or several of its size, if the method has one."""
        return {f"teacher{n}": self.teacher for n in range(teachers * (method != "scratch"))}

    def stacked(
        self,
        method: str,
        seeds: int = 5,
        precision: str = "float32",
        settings: dict | None = None,
        batch: int = 256,
        steps: tuple[int, int] | None = None,
        teachers: int = 1,
    ) -> Callable[[], float]:
        """A function that measures the library's cost."""

        def job(steps: int) -> None:
            config = self.config(method, steps, seeds, precision, settings or {}, batch)
            taught_by = self.taught_by(method, teachers)
            ratings.fit(self.rows, self.items, config, taught_by, LOG)

        return lambda: cost(job, *(steps or STEPS.get(method, OTHERS))) / seeds

    def flops(self, method: str, settings: dict | None = None) -> float:
        """Operations in the matrix products of one step of one model."""
        counts = []
        for steps in (20, 30):  # of both, `train` logs ten, which costs extra products
            with FlopCounterMode(display=False) as counter:
                config = self.config(method, steps, 1, "float32", settings or {}, 256)
                ratings.fit(self.rows, self.items, config, self.taught_by(method), LOG)
            counts.append(counter.get_total_flops())
        return (counts[1] - counts[0]) / 10

    def plain(self, method: str, rounds: int = 1) -> Callable[[], float]:
        """A function that measures the plain loop's cost."""
        config = CONFIG.training_job(method, DATA)
        training, form = config["training"], config["student"]
        vocabulary = Vocabulary.of(self.rows, self.items)
        data = RatingData(encode(self.rows, self.items, vocabulary))

        def model(hidden: list[int], dropout: float, id_dropout: float) -> plain.PlainMLP:
            return plain.PlainMLP(vocabulary.sizes, form["features"], hidden, dropout, id_dropout)

        def job(steps: int) -> None:
            student = model(form["hidden"], training["dropout"], training["id_dropout"])
            hidden = CONFIG.form("teacher")["hidden"]
            teacher = model(hidden, 0.0, 0.0).eval().requires_grad_(False)
            loss = plain.PlainLoss(method, form["hidden"], hidden, rounds)
            order = Streams([0], "order", stacked=False)
            rows = shuffled_rows(len(data), training["batch_size"], order)
            plain.train(map(data.batch, rows), student, teacher, loss, steps)

        return lambda: cost(job, *STEPS.get(method, OTHERS))


def cost(job: Callable[[int], None], short: int, long: int) -> float:
    """CPU milliseconds per step of a job that takes its number of steps."""
    spent = []
    for steps in (short, long):
        started = time.process_time()
        job(steps)
        spent.append(time.process_time() - started)
    return 1000 * (spent[1] - spent[0]) / (long - short)


def by_turns(measures: dict[str, Callable[[], float]]) -> pd.DataFrame:
    """Each measure `REPEATS` times, in turn: one column per measure."""
    for measure in measures.values():
        measure()  # warm: allocator, kernels
    return pd.DataFrame(
        [{name: measure() for name, measure in measures.items()} for _ in range(REPEATS)]
    )


def peak(precision: torch.dtype) -> float:
    """Operations per second of a large square matrix product."""
    a = torch.randn(1024, 1024).to(precision)
    times = []
    for _ in range(20):
        started = time.process_time()
        a @ a
        times.append(time.process_time() - started)
    return 2 * 1024**3 / min(times)


def middle(values: pd.Series) -> str:
    """Median, and the range, of a few measurements."""
    return f"{values.median():.2f} ({values.min():.2f} to {values.max():.2f})"


def methods() -> str:
    """Every method, stacked in both precisions, beside the plain loop."""
    jobs, top = Jobs(), {p: peak(getattr(torch, p)) for p in ("float32", "bfloat16")}
    cases = [(m, {}) for m in METHODS if m != "td"]
    cases += [("td", {"rounds": rounds}) for rounds in range(4)]
    lines = []
    for method, settings in cases:
        found = by_turns(
            {
                "plain": jobs.plain(method, settings.get("rounds", 1)),
                "float32": jobs.stacked(method, settings=settings),
                "bfloat16": jobs.stacked(method, settings=settings, precision="bfloat16"),
            }
        )
        flops = jobs.flops(method, settings)
        name = method + "".join(f", {n} rounds" for n in settings.values())
        print(name, found.median().round(2).to_dict(), flush=True)
        lines.append(
            [
                name,
                *(f"{found[column].median():.2f}" for column in found),
                *(middle(found[p] / found["plain"]) for p in top),
                f"{flops / 1e9:.2f}",
                *(f"{flops / (found[p].median() / 1000) / top[p]:.0%}" for p in top),
            ]
        )
    head = ["method", "plain", "float32", "bfloat16", "float32 / plain", "bfloat16 / plain"]
    head += ["GFLOP", "of the float32 peak", "of the bfloat16 peak"]
    peaks = " and ".join(f"{top[p] / 1e9:.0f} GFLOP/s in {p}" for p in top)
    return f"A square product of 1,024 reaches {peaks}.\n\n" + grid(head, lines)


def growth(of: str, base: str, measures: dict[str, Callable[[], float]]) -> str:
    """Costs per model and step, as ratios to one of them."""
    found = by_turns(measures)
    print(of, found.median().round(2).to_dict(), flush=True)
    lines = [
        [name, f"{found[name].median():.2f}", middle(found[name] / found[base])] for name in found
    ]
    return grid([of, "ms per model and step", f"ratio to {base}"], lines)


def by(option: str, base: int, values: tuple[int, ...]) -> str:
    """Scratch and TD by one option of `Jobs.stacked`."""
    jobs = Jobs()
    return "\n\n".join(
        growth(
            f"{method}, {option}",
            str(base),
            {str(n): jobs.stacked(method, **{option: n}) for n in values},
        )
        for method in ("scratch", "td")
    )


def company() -> str:
    """TD, one round, by the number of its teachers, each of the same size."""
    jobs = Jobs()
    measures = {str(n): jobs.stacked("td", seeds=1, teachers=n) for n in (1, 2, 3)}
    return growth("td, teachers", "1", measures)


def seeds() -> str:
    """Scratch and TD by number of seeds in a stack."""
    return by("seeds", 5, (1, 5, 20))


def batches() -> str:
    """Scratch and TD by batch size."""
    return by("batch", 256, (64, 256, 1024))


def tables() -> str:
    """Scratch by the size of the embedding tables, and by the number of ratings."""
    size = max(LARGE["users"], SHAPE["ratings"])
    shapes = {
        "100k's users and items": {},
        f"{10 * size:,} ratings, 100k's users and items": {"ratings": 10 * size},
        f"{size:,} ratings, 25m's users and items": {"ratings": size, **LARGE},
    }
    measures = {
        name: Jobs(**shape).stacked("scratch", seeds=1, steps=MANY)
        for name, shape in shapes.items()
    }
    return growth("scratch, one seed", "100k's users and items", measures)


def prepare(rows: int) -> tuple[float, float]:
    """CPU seconds and peak GiB of bringing raw ratings into form, splitting and writing them."""
    _, items = synthetic(0, **LARGE)
    turn, user = np.divmod(np.random.default_rng(0).permutation(rows), LARGE["users"])
    item = (turn + 31 * user) % LARGE["items"]  # no user rates an item twice
    values = {"user": user, "item": item, "rating": 1.0 + turn % 5, "time": turn}
    ratings = pd.DataFrame(values)
    del turn, user, item, values
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        ratings, items = canonicalise(ratings, items, "synthetic ratings")
        content_digest(ratings, items)
        files = [Path(folder) / name for name in ("ratings.parquet", "items.parquet")]
        write(ratings, files[0])
        write(items, files[1])
        del ratings, items
        protocol = CONFIG.protocols["latest"]
        tasks = {"all": "all", "drama": "Drama", "war": "War"}
        names = ("fit", "val", "eval")
        outputs = [f"{folder}/{task}/slices/{name}.parquet" for task in tasks for name in names]
        split_ratings(*files, protocol, "category", tasks, outputs)
        spent = time.process_time() - started
    return spent, used()[1] / 1024


def data() -> str:
    """Preparing synthetic ratings of MovieLens-25M's users and items, each in a new process."""
    lines = []
    for rows in (2_500_000, 25_000_000):
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            spent, memory = pool.submit(prepare, rows).result()
        print(rows, spent, memory, flush=True)
        lines.append([f"{rows:,}", f"{spent:.1f}", f"{1e6 * spent / rows:.2f}", f"{memory:.1f}"])
    return grid(["ratings", "CPU s", "CPU s per million", "peak GiB"], lines)


JOB = """
import json, logging, sys
import torch
from machine import used
found = {"torch": used()}
from talking_models.training.ratings import run
files = json.loads(sys.argv[1])
run(**files, outputs=json.loads(sys.argv[2]), log=logging.getLogger())
print(json.dumps(found | {"job": used()}))
"""


def new_process(files: dict, outputs: dict) -> dict[str, tuple[float, float]]:
    """CPU seconds and peak memory (MB) of a training job, after `import torch` and at its end."""
    command = [sys.executable, "-c", JOB, json.dumps(files), json.dumps(outputs)]
    path = os.pathsep.join([str(HERE), os.environ["PYTHONPATH"]])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    return json.loads(run.stdout)


def whole_jobs() -> str:
    """Whole training jobs of 300 steps, each a new process from files to files: with 5 and with 20
    seeds, and how much memory they take beyond that of `import torch` alone.
    """
    jobs, lines = Jobs(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(jobs.rows, folder / "fit.parquet", about={"slice": "fit"})
        write(jobs.items, folder / "items.parquet")
        jobs.teacher.save(folder / "teacher")
        for method in METHODS:
            found = {}
            for seeds in (5, 20):
                files = {
                    "rows": [str(folder / "fit.parquet")],
                    "items": str(folder / "items.parquet"),
                    "config": jobs.config(method, 300, seeds, "float32", {}, 256),
                    "teachers": dict.fromkeys(jobs.taught_by(method), str(folder / "teacher")),
                }
                outputs = {key: str(folder / key) for key in ("models", "history", "config")}
                found[seeds] = new_process(files, outputs)
            (few, memory), (many, _) = found[5]["job"], found[20]["job"]
            print(method, found, flush=True)
            cells = (few, many, found[5]["torch"][0], memory, memory - found[5]["torch"][1])
            lines.append([method, *(f"{cell:.1f}" for cell in cells[:3]), f"{many / few:.2f}",
                          *(f"{cell:.0f}" for cell in cells[3:])])  # fmt: skip
    head = ["method", "CPU s, 5 seeds", "20 seeds", "of which import torch", "20 / 5 seeds"]
    return grid([*head, "peak MB, 5 seeds", "beyond import torch"], lines)


SECTIONS = {
    "Methods": methods,
    "Whole jobs": whole_jobs,
    "Growth with teachers": company,
    "Growth with seeds": seeds,
    "Growth with the batch": batches,
    "Growth with users and items": tables,
    "Growth of the data": data,
}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS.md")
    parser.add_argument("--only", choices=[title.split()[-1] for title in SECTIONS])
    options = parser.parse_args()
    one_thread()
    about = (
        f"{__doc__.split(chr(10) * 2)[2]} One thread, batch 256, stacks of 5 models, "
        f"{SHAPE['ratings']:,} random ratings unless it says otherwise; median of {REPEATS}, in "
        "brackets the range."
    )
    parts = {}
    for title, section in SECTIONS.items():
        if options.only in (None, title.split()[-1]):
            parts[title] = f"{' '.join(section.__doc__.split())}\n\n{section()}"
            write_results(options.out, "What a training step of MovieLens costs", about, parts)


if __name__ == "__main__":
    main()
