"""What a page says of the searches behind its rows: trials, validation, what lies at an end."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from talking_models.report.markdown import grid

SCORES = ("validation_rmse", "validation_error")  # of a choice, by task


def block(searched: Mapping[str, Any], choices: Iterable[str | Path]) -> list[str]:
    """A table of them; nothing if nothing was searched.

    Args:
        searched: `rows`, names with their experiments as configured; `like`, names with the
            experiment whose settings they take, where they have no search of their own; `against`,
            the experiment whose validation others' is held beside, or None; `serves`, what each
            of the choices serves where they differ, else "".
        choices: files of choices, `<experiment>.yaml` or `<experiment>/choice.yaml`, also of those
            that a row takes the best of; of several splits, each has a folder.
    """
    folders: dict[Path, dict[str, Any]] = defaultdict(dict)
    serves = {}
    for path, served in zip(map(Path, choices), searched["serves"], strict=True):
        # .../{split}/tuning/{experiment}/choice.yaml of this run, or {split}/{experiment}.yaml
        split, made = path.parent, path.stem
        if made == "choice":
            split, made = path.parents[2], path.parent.name
        folders[split][made] = yaml.safe_load(path.read_text(encoding="utf-8"))
        serves[split, made] = f" ({served})" if served else ""
    lines, remarks = [], []
    for row, id in searched["rows"].items():
        for folder, found in folders.items():
            searches = {each: content["about"].get("search", {}) for each, content in found.items()}
            taken = searches.get(id, {})
            tried = [searches.get(member, {}) for member in taken.get("scores", [id])]
            if not all("complete" in search for search in tried):
                continue
            best = searches[taken.get("best", id)]
            counts = (sum(search[key] for search in tried) for key in ("complete", "trials"))
            name = row + serves[folder, id]
            apart = _apart(found, id, searched["against"])
            ends = ", ".join(key.partition(".")[2] for key in best["at_bound"])
            lines.append([name, ends or "none", " of ".join(map(str, counts)), *apart])
            if (line := best.get("bias_line")) is not None:  # a teacher's, see its search
                than = "better" if best["score"] < line else "**no better**"
                remarks.append(
                    f"{name}, on users that it knows: {best['score']:.4f}, {than} than the bias "
                    f"line's {line:.4f}."
                )
    if not lines:
        return []
    head = ["Method", "At an end of its range", "Trials complete", "Validation score"]
    if searched["against"]:
        head.append(f"Minus that of {searched['against']}, ± standard error over tasks")
    others = defaultdict(list)
    for row, other in searched["like"].items():
        others[other].append(row)
    if others:
        taken = (f"those of `{other}`: {', '.join(rows)}" for other, rows in others.items())
        remarks.append(f"Settings of others, but for what each row changes: {'; '.join(taken)}.")
    rows = [line[: len(head)] for line in lines]
    return ["## What was searched", grid(head, rows, words=2), *filter(None, [" ".join(remarks)])]


def _apart(found: Mapping[str, Any], id: str, against: str | None) -> tuple[str, str]:
    """The mean validation score of a choice over tasks, and its difference to another's; "" where
    they have no task in common.
    """
    own, other = (_scores(found.get(each, {})) for each in (id, against))
    apart = (own - other).dropna()
    error = "" if len(apart) < 2 else f" ± {apart.sem():.4f}"
    said = "" if apart.empty or id == against else f"{apart.mean():+.4f}{error}"
    return "" if own.empty else f"{own.mean():.4f}", said


def _scores(choice: Mapping[str, Any]) -> pd.Series:
    """The validation score of each task."""
    found = {
        task: chosen[key]
        for task, chosen in choice.get("chosen", {}).items()
        for key in SCORES
        if key in chosen
    }
    return pd.Series(found, dtype=float)
