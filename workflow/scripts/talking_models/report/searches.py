"""What a page says of the searches behind its rows: how many trials, and what lies at an end."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml


def said(rows: Mapping[str, str], choices: Iterable[str | Path]) -> str:
    """In words; "" if nothing was searched.

    Args:
        rows: row names with their experiments.
        choices: files of choices, `<experiment>.yaml` or `<experiment>/choice.yaml`, also of those
            that a row takes the best of.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in map(Path, choices):
        about = yaml.safe_load(path.read_text(encoding="utf-8"))["about"]
        found[path.parent.name if path.stem == "choice" else path.stem] = about.get("search", {})
    trials, bounds = defaultdict(list), []
    for row, id in rows.items():
        taken = found.get(id, {})
        search = found.get(taken.get("best", id), {})
        if "complete" in search:
            trials[search["complete"], search["trials"]].append(row)
            bounds += [f"{row}'s {key.partition('.')[2]}" for key in search["at_bound"]]
    if not trials:
        return ""
    counts = [f"{c} of {n} trials complete ({', '.join(of)})" for (c, n), of in trials.items()]
    ends = f" At an end of what was searched: {', '.join(bounds)}." if bounds else ""
    return f"Searched: {'; '.join(counts)}.{ends}"
