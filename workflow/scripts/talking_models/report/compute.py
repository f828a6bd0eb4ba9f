"""What a run costs: time and memory per step, from the rules' benchmark files.

Times differ from run to run, so that this is the one table whose bytes are not reproducible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from talking_models.io import write_csv, write_text
from talking_models.report.paper import Paper
from talking_models.running.machine import cores, processor

COLUMNS = ["step", "jobs", "measured", "cpu_seconds", "wall_seconds", "peak_mb"]
TOTAL, PAPER = "Total", "The paper"


def read(path: str | Path) -> tuple[float, float, float] | None:
    """CPU seconds, wall seconds and peak memory (MB) of a job; None if it left no benchmark file.

    CPU time and memory are NaN for a job that ended before Snakemake looked at it.
    """
    if not Path(path).is_file():
        return None
    frame = pd.read_csv(path, sep="\t", na_values=["-"])
    cpu, wall = (frame[name].sum(min_count=1) for name in ("cpu_time", "s"))
    return float(cpu), float(wall), float(frame["max_rss"].max())


def collect(steps: Mapping[str, Sequence[str | Path]]) -> pd.DataFrame:
    """One row per step, the sum of its jobs, and a last one for their total.

    Args:
        steps: names with the benchmark files of their jobs. A file may be absent, as after results
            were copied from elsewhere: the job is then counted, but not as measured.

    Returns:
        The columns `COLUMNS`; a step without any measured job is left out. `peak_mb` is that of
        the largest job.
    """
    found, everything = [], []
    for step, paths in steps.items():
        jobs = [job for job in map(read, paths) if job is not None]
        everything += jobs
        if jobs:
            found.append((step, len(paths), len(jobs), *_sum(jobs)))
    if found:
        planned = sum(row[1] for row in found)
        found.append((TOTAL, planned, len(everything), *_sum(everything)))
    return pd.DataFrame(found, columns=COLUMNS)


def _sum(jobs: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    frame = pd.DataFrame(jobs, columns=COLUMNS[3:])
    return (
        frame["cpu_seconds"].sum(),
        frame["wall_seconds"].sum(),
        frame["peak_mb"].max(),
    )


def duration(seconds: float) -> str:
    """'8.4 s', '2 min 05 s' or '1 h 02 min'."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def machine() -> str:
    """The processor that this runs on, and how many cores the process may use."""
    return f"{processor()}, {cores()} cores"


def markdown(
    found: pd.DataFrame, steps: Sequence[str], stamp: str, made_on: str, paper: Paper
) -> str:
    """The table for people.

    Args:
        found: from `collect`.
        steps: names of all steps that were asked for.
        stamp: what was run, a sentence or two.
        made_on: the machine.
        paper: what is known of the paper: its words on cost.
    """
    hours = paper.quotes.get("hours")
    rows = [
        "| Step | Jobs | CPU time | Wall time | Peak memory |",
        "| :-- | --: | --: | --: | --: |",
    ]
    for row in found.itertuples():
        bold = "**" if row.step == TOTAL else ""
        jobs = f"{row.jobs}" if row.jobs == row.measured else f"{row.measured} of {row.jobs}"
        # Snakemake looks every half second: of a shorter job it knows nothing but the wall time
        seen = row.cpu_seconds > 0
        memory = f"{row.peak_mb:.0f} MB" if seen and not pd.isna(row.peak_mb) else "not seen"
        cpu = duration(row.cpu_seconds) if seen else "not seen"
        cells = (row.step, jobs, cpu, duration(row.wall_seconds), memory)
        rows.append(f"| {' | '.join(f'{bold}{cell}{bold}' for cell in cells)} |")
    if hours:
        rows.append(f"| _{PAPER}_ | | | _less than {hours} h_ | |")
    notes = [
        "CPU and wall time are sums over jobs of one thread each: on n cores a run takes about the "
        "total wall time divided by n. CPU time is what Snakemake last saw, every half second at "
        "first and every 30 s after 15 s, so that a long job's is up to 30 s short and the wall "
        "time is the upper bound. Peak memory is the resident set of the largest job.",
        f"The table was made on: {made_on}."
        + (
            f" The paper says: “{paper.quotes['cost']}”; neither on which machine nor whether that "
            "includes its tuning."
            if "cost" in paper.quotes
            else ""
        ),
    ]
    absent = [step for step in steps if step not in set(found["step"])]
    if absent:
        notes.append(f"Not part of this run, or not measured: {', '.join(absent)}.")
    return "\n\n".join(["# Compute per step", stamp, "\n".join(rows), *notes]) + "\n"


def run(
    steps: Mapping[str, Sequence[str | Path]],
    facts: str | Path | None,
    stamp: str,
    csv: str | Path,
    md: str | Path,
) -> None:
    """From benchmark files to both tables; the CSV ends with the paper's upper bound."""
    found, paper = collect(steps), Paper.read(facts)
    write_text(md, markdown(found, list(steps), stamp, machine(), paper))
    if "hours" in paper.quotes:
        line = {"step": PAPER, "wall_seconds": 3600.0 * paper.quotes["hours"]}
        found = pd.concat([found, pd.DataFrame([line])], ignore_index=True)
    write_csv(csv, found.astype({"jobs": "Int64", "measured": "Int64"})[COLUMNS])
