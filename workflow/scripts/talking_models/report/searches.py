"""What a page says of the searches behind its rows: how many trials, and what lies at an end."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml


def said(searched: Mapping[str, Any], choices: Iterable[str | Path]) -> str:
    """In words; "" if nothing was searched.

    Args:
        searched: `rows`, names with their experiments as configured, and `like`, names with the
            experiment whose settings they take, where they have no search of their own.
        choices: files of choices, `<experiment>.yaml` or `<experiment>/choice.yaml`, also of those
            that a row takes the best of; of several splits, each has a folder.
    """
    folders: dict[Path, dict[str, Any]] = defaultdict(dict)
    for path in map(Path, choices):
        made = path.parent if path.stem == "choice" else path.with_suffix("")
        about = yaml.safe_load(path.read_text(encoding="utf-8"))["about"]
        folders[made.parent][made.name] = about.get("search", {})
    counts, ends, others, scores = defaultdict(dict), {}, defaultdict(list), []
    for row, id in searched["rows"].items():
        for found in folders.values():
            taken = found.get(id, {})
            tried = [found.get(member, {}) for member in taken.get("scores", [id])]
            if all("complete" in search for search in tried):
                counts[sum(s["complete"] for s in tried), sum(s["trials"] for s in tried)][row] = id
                best = found[taken.get("best", id)]
                score = f"{row} {best['score']:.4f} ({best['stderr']:.4f})"
                if (line := best.get("bias_line")) is not None:  # a teacher's, see its search
                    than = "better" if best["score"] < line else "**no better**"
                    score += f" on users that it knows, {than} than the bias line's {line:.4f}"
                scores.append(score)
                bounds = best["at_bound"]
                ends |= dict.fromkeys(f"{row}'s {key.partition('.')[2]}" for key in bounds)
    if not counts:
        return ""
    for row, other in searched["like"].items():
        others[other].append(row)
    parts = [f"{c} of {n} trials complete ({', '.join(of)})" for (c, n), of in counts.items()]
    parts = [
        f"Searched: {'; '.join(parts)}. Validation scores of what was chosen, in brackets the "
        f"standard error of the difference to the mean trial: {', '.join(scores)}."
    ]
    if ends:
        parts.append(f"At an end of what was searched: {', '.join(ends)}.")
    if others:
        taken = (f"those of `{other}`: {', '.join(rows)}" for other, rows in others.items())
        parts.append(f"Settings of others, but for what each row changes: {'; '.join(taken)}.")
    return " ".join(parts)
