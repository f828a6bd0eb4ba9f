"""What made the results that a report shows: one row per job as CSV, a summary for its front page.

Hosts and times differ from run to run, so that the bytes of these two are not reproducible.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from talking_models.io import write_csv, write_text
from talking_models.report.compute import duration
from talking_models.running.provenance import COLUMNS, Record, digest, digest_of_value, read_all

PACKAGES = (
    "numpy", "pandas", "pyarrow", "scipy", "sklearn", "torch", "torchvision", "timm", "snakemake",
)  # shown; the CSV has all  # fmt: skip


def trace(files: Iterable[str | Path], results: str | Path) -> tuple[list[Record], list[str]]:
    """The records of all jobs that `files` come from, and the files whose making is unknown.

    Unknown is a file in `results` without a record, or with other bytes than its record says.
    """
    records, found, unknown = read_all(results), {}, []
    waiting = list(map(str, files))
    seen = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        made = records.get(path)
        # what is gone since was as the record of the job that read it says
        if made and (not Path(path).exists() or made["outputs"][path] == digest(path)):
            found[id(made)] = made
            waiting += made["inputs"]
        elif made or Path(path).is_relative_to(results):
            unknown.append(path)
    return sorted(found.values(), key=lambda made: (made["started"], made["rule"])), sorted(unknown)


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
    each = {
        "Commit": [_short(r["commit"]) + ", with changes" * bool(r["dirty"]) for r in records],
        "Configuration": [_short(r["config"]) for r in records],
        "Data": [_short(_data(r)) for r in records],
        "Library": [_short(r["library"]) for r in records],
        "Python": [r["python"] for r in records],
        "Machine": [f"{r['host']}: {r['processor']}, {r['cores']} cores" for r in records],
    }
    found = {name: _counted(values) for name, values in each.items() if values}
    versions = {
        name: sorted({r["packages"][name] for r in records if name in r["packages"]})
        for name in PACKAGES
    }
    found["Packages"] = ", ".join(f"{name} {' / '.join(v)}" for name, v in versions.items() if v)
    found["Jobs"] = _jobs(records)
    if unknown:
        more = f", {len(unknown) - 1} more" if unknown[1:] else ""
        found["No record"] = unknown[0] + more
    return {name: text for name, text in found.items() if text}


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "unknown"


def _counted(values: Iterable[str]) -> str:
    """'a', or 'a (20 jobs); b (1 job)', the most frequent first."""
    counts = Counter(values).most_common()
    if len(counts) == 1:
        return counts[0][0]
    return "; ".join(f"{value} ({n} {'job' if n == 1 else 'jobs'})" for value, n in counts)


def _jobs(records: Sequence[Record]) -> str:
    if not records:
        return "none has a record"
    first, last = (records[i]["started"][:16].replace("T", " ") for i in (0, -1))
    cpu, wall = (
        duration(sum(r[name] for r in records)) for name in ("cpu_seconds", "wall_seconds")
    )
    return (
        f"{len(records)}, begun from {first} to {last} UTC; sums: {cpu} of CPU time, {wall} of "
        "wall time"
    )


def run(files: Iterable[str | Path], results: str | Path, csv: str | Path, rst: str | Path) -> None:
    """From the records of all jobs that `files` come from to both outputs."""
    records, unknown = trace(files, results)
    write_csv(csv, table(records))
    lines = [".. list-table::", "   :stub-columns: 1", ""]  # in reStructuredText, for the report
    for name, text in summary(records, unknown).items():
        lines += [f"   * - {name}", f"     - {text}"]
    write_text(rst, "\n".join(lines) + "\n")
