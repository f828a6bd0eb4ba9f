"""What made the results that a report shows: one row per job as CSV, a summary for its front page.

Hosts and times differ from run to run, so that the bytes of these two are not reproducible.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from talking_models.io import write_csv, write_text
from talking_models.report.compute import duration
from talking_models.running.provenance import digest_of_value, digests, read_all

COLUMNS = [
    "rule", "wildcards", "commit", "dirty", "config", "data", "library", "code", "python",
    "packages", "host", "processor", "cores", "threads", "started", "wall_seconds", "cpu_seconds",
]  # fmt: skip
PACKAGES = (
    "numpy", "pandas", "pyarrow", "scipy", "sklearn", "torch", "torchvision", "timm", "snakemake",
)  # shown; the CSV has all  # fmt: skip
SHOWN = 12  # digits of a digest; the CSV has all
UNKNOWN = "unknown"
NO_BREAK, NO_BREAK_HYPHEN = "\u00a0", "\u2011"


def trace(
    files: Iterable[str | Path], results: str | Path
) -> tuple[list[dict[str, Any]], list[str]]:
    """The records of all jobs that `files` come from, and the files whose making is unknown.

    Unknown is a file in `results` without a record, or with other bytes than its record says.
    """
    records = read_all(results)
    found: dict[int, dict[str, Any]] = {}
    unknown = []
    waiting = list(dict.fromkeys(map(str, files)))
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        made = records.get(path)
        if made is None or made["outputs"][path] != digests([path])[path]:
            # files elsewhere, such as the published numbers, belong to the commit
            if made is not None or Path(path).is_relative_to(results):
                unknown.append(path)
            continue
        found[id(made)] = made
        new = set(made["inputs"]) - seen
        seen |= new
        waiting += sorted(new)
    return sorted(found.values(), key=lambda made: (made["started"], made["rule"])), sorted(unknown)


def table(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per job: `COLUMNS`."""
    rows = [
        {
            **{name: made[name] for name in COLUMNS},
            "wildcards": ", ".join(f"{key}={value}" for key, value in made["wildcards"].items()),
            "data": digest_of_value(made["data"]) if made["data"] else None,
            "packages": ", ".join(f"{name} {v}" for name, v in made["packages"].items()),
        }
        for made in records
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def summary(records: Sequence[Mapping[str, Any]], unknown: Sequence[str]) -> dict[str, str]:
    """What there is to say of all jobs together, by name; `records`, `unknown` are from `trace`."""
    machines = [f"{r['host']}: {r['processor']}, {r['cores']} cores" for r in records]
    versions = {
        name: sorted({r["packages"][name] for r in records if name in r["packages"]})
        for name in PACKAGES
    }
    found = {
        "Commit": _counted(map(_commit, records)),
        "Configuration": _counted(_short(r["config"]) for r in records),
        "Data": _data(records),
        "Library": _counted(_short(r["library"]) for r in records),
        "Python": _counted(r["python"] for r in records),
        "Packages": ", ".join(f"{name} {' / '.join(v)}" for name, v in versions.items() if v),
        "Machine": _counted(machines),
        "Jobs": _jobs(records),
    }
    if unknown:
        found["No record"] = ", ".join(
            [unknown[0], *([f"{len(unknown) - 1} more"] if unknown[1:] else [])]
        )
    return {name: text or UNKNOWN for name, text in found.items()}


def _commit(made: Mapping[str, Any]) -> str:
    return _short(made["commit"]) + (", with changes" if made["dirty"] else "")


def _data(records: Sequence[Mapping[str, Any]]) -> str:
    # {}: what a search left, and the like, is part of the commit
    known = [r["data"] for r in records if r["data"] is not None]
    lost = [r for r in records if r["data"] is None]
    digests = [_short(digest_of_value(data)) if data else "none" for data in known]
    found = [_counted(digests)] if digests else []
    if lost:  # in the order of time, so that the others come from the first
        first = " ".join([lost[0]["rule"], *lost[0]["wildcards"].values()])
        after = " and what came after" if lost[1:] else ""
        found.append(f"not recorded of {_jobs_of(len(lost))}: {first}{after}")
    return "; ".join(found)


def _jobs_of(n: int) -> str:
    return f"{n} {'job' if n == 1 else 'jobs'}"


def _short(digest: str | None) -> str:
    return digest[:SHOWN] if digest else UNKNOWN


def _counted(values: Iterable[str]) -> str:
    """'a', or 'a (20 jobs); b (1 job)', the most frequent first."""
    counts = Counter(values).most_common()
    if len(counts) == 1:
        return counts[0][0]
    return "; ".join(f"{value} ({_jobs_of(n)})" for value, n in counts)


def _jobs(records: Sequence[Mapping[str, Any]]) -> str:
    if not records:
        return "none has a record"
    cpu, wall = (sum(r[name] for r in records) for name in ("cpu_seconds", "wall_seconds"))
    first, last = (_minute(records[i]["started"]) for i in (0, -1))
    return (
        f"{len(records)}, begun from {first} to {last} UTC; sums: "
        f"{duration(cpu)} of CPU time, {duration(wall)} of wall time"
    )


def _minute(started: str) -> str:
    """A date that no browser breaks over lines."""
    return started[:16].replace("T", NO_BREAK).replace("-", NO_BREAK_HYPHEN)


def page(rows: Mapping[str, str]) -> str:
    """A table for the report's front page, in reStructuredText."""
    lines = [".. list-table::", "   :stub-columns: 1", ""]
    for name, text in rows.items():
        lines += [f"   * - {name}", f"     - {text}"]
    return "\n".join(lines) + "\n"


def run(files: Iterable[str | Path], results: str | Path, csv: str | Path, rst: str | Path) -> None:
    """From the records of all jobs that `files` come from to both outputs."""
    records, unknown = trace(files, results)
    write_csv(csv, table(records))
    write_text(rst, page(summary(records, unknown)))
