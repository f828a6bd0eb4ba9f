"""What a page says of the searches behind its rows: trials, validation, what lies at an end."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from talking_models.report.markdown import grid

UNTUNED = "‡ its settings are the configuration's, beside rows that were tuned."
NO_TEST = "Scores are of training rows, each the best of its trials: no test of a method."
SCORES = ("validation_rmse", "validation_error")  # of a choice, by task


def block(searched: Mapping[str, Any], choices: Iterable[str | Path]) -> list[str]:
    """A table of them; nothing if nothing was searched.

    Args:
        searched: `rows`, names with their experiments as configured; `like`, names with the
            experiment whose settings they take, where they have no search of their own; `against`,
            the experiment whose validation others' is held beside, or None; `choices`, of each of
            the first files what it `serves`, where they differ, and which files say the `steps`.
        choices: files of choices, `<experiment>.yaml` or `<experiment>/choice.yaml`, also of those
            that a row takes the best of; of several splits, each has a folder. Behind them those
            of splits that take their settings, and chose steps alone.
    """
    folders: dict[Path, dict[str, Any]] = defaultdict(dict)
    serves, ends, steps = {}, {}, {}
    files = list(map(Path, choices))
    contents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in files]
    for path, content, of in zip(files, contents, searched["choices"], strict=False):
        # .../{split}/tuning/{experiment}/choice.yaml of this run, or {split}/{experiment}.yaml
        split, made = path.parent, path.stem
        if made == "choice":
            split, made = path.parents[2], path.parent.name
        folders[split][made] = content
        serves[split, made] = f" ({of['serves']})" if of["serves"] else ""
        those = [contents[each] for each in of["steps"]]
        steps[split, made] = ", ".join(filter(None, map(_steps, those)))
        ends[split, made] = {key for each in those for key in _search(each).get("at_bound", ())}
    lines, remarks = [], []
    for row, id in searched["rows"].items():
        for folder, found in folders.items():
            searches = {each: _search(content) for each, content in found.items()}
            taken = searches.get(id, {})
            tried = [searches.get(member, {}) for member in taken.get("scores", [id])]
            if not all("complete" in search for search in tried):
                continue
            chosen = taken.get("best", id)
            best = searches[chosen]
            counts = (sum(search[key] for search in tried) for key in ("complete", "trials"))
            name = row + serves[folder, id]
            apart = _apart(found, id, searched["against"])
            at = dict.fromkeys([*best["at_bound"], *sorted(ends[folder, chosen])])
            at_end = ", ".join(key.partition(".")[2] for key in at) or "none"
            lines.append([name, at_end, steps[folder, id], " of ".join(map(str, counts)), *apart])
            if (line := best.get("bias_line")) is not None:  # a teacher's, see its search
                than = "better" if best["score"] < line else "**no better**"
                remarks.append(
                    f"{name}, chosen for users that it knows: {best['score']:.4f} on those, {than} "
                    f"than the bias line's {line:.4f}."
                )
    if not lines:
        return []
    head = ["Method", "At an end of its range", "Steps", "Trials complete", "Validation score"]
    if searched["against"]:
        head.append(f"Minus that of {searched['against']}, ± standard error over tasks")
    others = defaultdict(list)
    for row, other in searched["like"].items():
        others[other].append(row)
    if others:
        taken = (f"those of `{other}`: {', '.join(rows)}" for other, rows in others.items())
        remarks.append(f"Settings of others, but for what each row changes: {'; '.join(taken)}.")
    rows = [line[: len(head)] for line in lines]
    return [
        "## What was searched",
        grid(head, rows, words=2),
        *filter(None, [" ".join(remarks)]),
        NO_TEST,
    ]


def _search(choice: Mapping[str, Any]) -> dict[str, Any]:
    """How a choice was made."""
    return choice["about"].get("search", {})


def _steps(choice: Mapping[str, Any]) -> str:
    """For how many steps a choice trains, if it says that."""
    first = next(iter(choice["chosen"].values()))
    return str(first.get("training", {}).get("steps", ""))


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
