"""What a run costs: time and memory per step, from the rules' benchmark files.

Times differ from run to run, so that the bytes of this table are not reproducible.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from talking_models.io import write_csv
from talking_models.machine import cores, processor
from talking_models.report.markdown import grid, write
from talking_models.report.paper import Paper

COLUMNS = ["step", "jobs", "measured", "cpu_seconds", "wall_seconds", "peak_mb"]
TOTAL, PAPER = "Total", "The paper"


def collect(steps: Mapping[str, Sequence[str | Path]]) -> pd.DataFrame:
    """One row per step, the sum of its jobs, and a last one for their total: `COLUMNS`.

    `peak_mb` is that of the largest job. A job without its benchmark file, as after results were
    copied from elsewhere, is counted, but not as measured; a step of such jobs alone is left out.
    """
    rows = []
    for step, paths in steps.items():
        files = [pd.read_csv(p, sep="\t", na_values=["-"]) for p in paths if Path(p).is_file()]
        if files:
            jobs = pd.concat(files)
            sums = jobs["cpu_time"].sum(), jobs["s"].sum(), jobs["max_rss"].max()
            rows.append((step, len(paths), len(files), *sums))
    found = pd.DataFrame(rows, columns=COLUMNS)
    if rows:
        found.loc[len(rows)] = [TOTAL, *found[COLUMNS[1:-1]].sum(), found["peak_mb"].max()]
    return found.astype({"jobs": "Int64", "measured": "Int64"})


def duration(seconds: float) -> str:
    """'8.4 s', '2 min 05 s' or '1 h 02 min'."""
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def page(found: pd.DataFrame, steps: Sequence[str], stamp: str, paper: Paper) -> list[str]:
    """The table for people; `steps` are the names of all that were asked for."""
    rows = []
    for row in found.itertuples():
        bold = "**" if row.step == TOTAL else ""
        jobs = f"{row.jobs}" if row.jobs == row.measured else f"{row.measured} of {row.jobs}"
        # Snakemake looks every half second: of a shorter job it knows nothing but the wall time
        seen = row.cpu_seconds > 0
        memory = f"{row.peak_mb:.0f} MB" if seen and not pd.isna(row.peak_mb) else "not seen"
        cpu = duration(row.cpu_seconds) if seen else "not seen"
        cells = (row.step, jobs, cpu, duration(row.wall_seconds), memory)
        rows.append([f"{bold}{cell}{bold}" for cell in cells])
    made_on = f"The table was made on: {processor()}, {cores()} cores."
    if "hours" in paper.quotes:
        rows.append([f"_{PAPER}_", "", "", f"_less than {paper.quotes['hours']} h_", ""])
    if "cost" in paper.quotes:
        made_on += f" The paper says: “{paper.quotes['cost']}”; neither on which machine nor "
        made_on += "whether that includes its tuning."
    absent = [step for step in steps if step not in set(found["step"])]
    return [
        "# Compute per step",
        stamp,
        grid(["Step", "Jobs", "CPU time", "Wall time", "Peak memory"], rows),
        "CPU and wall time are sums over jobs of one thread each: on n cores a run takes about the "
        "total wall time divided by n. CPU time is what Snakemake last saw, every half second at "
        "first and every 30 s after 15 s, so that a long job's is up to 30 s short and the wall "
        "time is the upper bound. Peak memory is the resident set of the largest job.",
        made_on,
        *([f"Not part of this run, or not measured: {', '.join(absent)}."] if absent else []),
    ]


def run(
    steps: Mapping[str, Sequence[str | Path]],
    facts: str | Path | None,
    stamp: str,
    csv: str | Path,
    md: str | Path,
) -> None:
    """From benchmark files to both tables; the CSV ends with the paper's upper bound."""
    found, paper = collect(steps), Paper.read(facts)
    write(md, page(found, list(steps), stamp, paper))
    if "hours" in paper.quotes:
        line = {"step": PAPER, "wall_seconds": 3600.0 * paper.quotes["hours"]}
        found = pd.concat([found, pd.DataFrame([line])], ignore_index=True)
    write_csv(csv, found)
