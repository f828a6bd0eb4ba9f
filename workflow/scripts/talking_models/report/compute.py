"""What a run costs: time and memory per step, from the records that its jobs leave.

Times differ from run to run, so that the bytes of this table are not reproducible.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import pandas as pd

from talking_models.io import write_csv
from talking_models.machine import cores, processor
from talking_models.report.markdown import grid, write
from talking_models.report.paper import Paper
from talking_models.running.provenance import Record, trace

COLUMNS = ["step", "jobs", "cpu_seconds", "wall_seconds", "peak_mb"]
STUDENTS, OTHERS, TOTAL, PAPER = "Students", "Others", "Total", "The paper"
STEPS = {  # the names of rules, which a workflow that has this one as a module may lengthen
    "Data": "prepare_ratings|split_.*",
    "Tuning": "tune|tune_images|try_images|train_fold_teachers|take_choice|choose_best",
    "Teachers": "download_weights|make_backbone|probe_teacher|keep_states|keep_trained_states",
    STUDENTS: "train|train_images",
    "Evaluation": "evaluate_(?!probes).*",
    "Reference lines": "fit_references_.*|evaluate_probes",
    "Tables": "make_table|make_curve|measure_sizes|measure_cost",
    "Statistics": "test_significance|judge_claims",
    "Figures": "draw|measure_cka.*",
}


def step(made: Record, teachers: Collection[str]) -> str:
    """The step that a job belongs to: a key of `STEPS`, or "Students: ld"; some experiments are
    `teachers`.
    """
    of = next(
        (key for key, rule in STEPS.items() if re.fullmatch(f"(.*_)?({rule})", made["rule"])),
        OTHERS,
    )
    if of != STUDENTS:
        return of
    experiment = made["wildcards"]["experiment"]
    return "Teachers" if experiment in teachers else f"{STUDENTS}: {experiment}"


def collect(records: Iterable[Record], teachers: Collection[str] = ()) -> pd.DataFrame:
    """One row per step, the sum of its jobs, and a last one for their total: `COLUMNS`.

    `peak_mb` is that of the largest job.
    """
    jobs = pd.DataFrame(
        [(step(made, teachers), 1, *(made[key] for key in COLUMNS[2:])) for made in records],
        columns=COLUMNS,
    )
    how = dict(zip(COLUMNS[1:], ["sum"] * 3 + ["max"], strict=True))
    found = jobs.groupby("step", sort=False).agg(how).round(2)
    order = [*STEPS, OTHERS]
    found = found.sort_index(
        key=lambda names: [order.index(name.partition(":")[0]) for name in names]
    )
    if len(found):
        found.loc[TOTAL] = found.agg(how).round(2)
    return found.reset_index().astype({"jobs": "Int64"})


def duration(seconds: float) -> str:
    """'8.4 s', '2 min 05 s' or '1 h 02 min'."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def page(found: pd.DataFrame, unknown: Sequence[str], stamp: str, paper: Paper) -> list[str]:
    """The table for people; of the `unknown` files nobody knows what they cost."""
    rows = []
    for row in found.itertuples():
        bold = "**" if row.step == TOTAL else ""
        times = duration(row.cpu_seconds), duration(row.wall_seconds)
        cells = (row.step, row.jobs, *times, f"{row.peak_mb:.0f} MB")
        rows.append([f"{bold}{cell}{bold}" for cell in cells])
    made_on = f"The table was made on: {processor()}, {cores()} cores."
    if "hours" in paper.quotes:
        rows.append([f"_{PAPER}_", "", "", f"_less than {paper.quotes['hours']} h_", ""])
    if "cost" in paper.quotes:
        made_on += f" The paper says: “{paper.quotes['cost']}”; neither on which machine nor "
        made_on += "whether that includes its tuning."
    more = f", and {len(unknown) - 1} more" if unknown[1:] else ""
    return [
        "# Compute per step",
        stamp,
        grid(["Step", "Jobs", "CPU time", "Wall time", "Peak memory"], rows),
        "CPU and wall time are sums over jobs of one thread each: on n cores a run takes about the "
        "total wall time divided by n. Of a job that was killed and went on, they are those of its "
        "last part. Peak memory is the resident set of the largest job.",
        made_on,
        *([f"What this took is not known: {unknown[0]}{more}."] if unknown else []),
    ]


def run(
    files: Iterable[str | Path],
    results: str | Path,
    teachers: Collection[str],
    facts: str | Path | None,
    stamp: str,
    csv: str | Path,
    md: str | Path,
) -> None:
    """From the records of all jobs that `files` come from to both tables; the CSV ends with the
    paper's upper bound.
    """
    (records, unknown), paper = trace(files, results), Paper.read(facts)
    found = collect(records, teachers)
    write(md, page(found, unknown, stamp, paper))
    if "hours" in paper.quotes:
        line = {"step": PAPER, "wall_seconds": 3600.0 * paper.quotes["hours"]}
        found = pd.concat([found, pd.DataFrame([line])], ignore_index=True)
    write_csv(csv, found)
