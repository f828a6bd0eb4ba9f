"""What made the results that a report shows: one row per job as CSV, a summary for its front page.

Hosts and times differ from run to run, so that the bytes of these two are not reproducible.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from talking_models.io import write_csv
from talking_models.report.compute import duration
from talking_models.report.markdown import list_table
from talking_models.running.provenance import COLUMNS, Record, digest_of_value, trace

PACKAGES = [  # of which the versions are shown; the CSV has all
    "numpy", "pandas", "pyarrow", "scipy", "sklearn", "torch", "torchvision", "timm", "snakemake",
]  # fmt: skip


def _data(made: Record) -> str | None:
    """A digest of the raw files, "none" if there are none, None if they are unknown."""
    return "none" if made["data"] == {} else made["data"] and digest_of_value(made["data"])


def table(records: Sequence[Record]) -> pd.DataFrame:
    """One row per job: `COLUMNS`."""
    rows = [
        {
            **made,
            "wildcards": ", ".join(f"{key}={value}" for key, value in made["wildcards"].items()),
            "data": _data(made),
            "packages": ", ".join(f"{name} {v}" for name, v in made["packages"].items()),
        }
        for made in records
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def summary(records: Sequence[Record], unknown: Sequence[str]) -> dict[str, str]:
    """What there is to say of all jobs together, by name; `records`, `unknown` are from `trace`."""
    found = {"Jobs": "none has a record"}
    if records:
        jobs = table(records)
        packages = pd.DataFrame([r["packages"] for r in records], columns=PACKAGES)
        versions = {name: " / ".join(sorted(packages[name].dropna().unique())) for name in PACKAGES}
        first, last = (records[i]["started"][:16].replace("T", " ") for i in (0, -1))
        cpu, wall = (duration(jobs[name].sum()) for name in ("cpu_seconds", "wall_seconds"))
        commits = (_short(r["commit"]) + ", with changes" * bool(r["dirty"]) for r in records)
        machines = (f"{r['host']}: {r['processor']}, {r['cores']} cores" for r in records)
        found = {
            "Commit": _counted(commits),
            "Configuration": _counted(_short(r["config"]) for r in records),
            "Data": _counted(_short(_data(r)) for r in records),
            "Library": _counted(_short(r["library"]) for r in records),
            "Python": _counted(jobs["python"]),
            "Packages": ", ".join(f"{name} {v}" for name, v in versions.items() if v),
            "Machine": _counted(machines),
            "Jobs": f"{len(jobs)}, begun from {first} to {last} UTC; sums: {cpu} of CPU time, "
            f"{wall} of wall time",
        }
    if unknown:
        found["No record"] = unknown[0] + (f", {len(unknown) - 1} more" if unknown[1:] else "")
    return found


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "unknown"


def _counted(values: Iterable[str]) -> str:
    """'a', or 'a (20 jobs); b (1 job)', the most frequent first."""
    counts = Counter(values).most_common()
    if len(counts) == 1:
        return counts[0][0]
    return "; ".join(f"{value} ({n} {'job' if n == 1 else 'jobs'})" for value, n in counts)


def run(files: Iterable[str | Path], results: str | Path, csv: str | Path, rst: str | Path) -> None:
    """From the records of all jobs that `files` come from to both outputs."""
    records, unknown = trace(files, results)
    write_csv(csv, table(records))
    list_table(rst, summary(records, unknown).items())
