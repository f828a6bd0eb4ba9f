"""The rules as text, and the modules that their fingerprints cover in a run of them."""

import re
import textwrap
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from talking_models.config import load
from talking_models.config.merge import merge, merged_files
from talking_models.data import DATA
from talking_models.methods import METHODS
from talking_models.metrics import METRICS
from talking_models.models import MODELS
from talking_models.plan import Plan

__all__ = ["DATA", "METHODS", "METRICS", "MODELS", "modules", "plan", "script_of", "texts"]

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
LAYERS = [ROOT / "config" / f"{n}.yaml" for n in ("config", "experiments", "tables", "quick")]


def plan():
    """A run with ratings and images, tables, claims and figures, that searches its settings."""
    raw = merged_files(*LAYERS)
    files = {key: str(ROOT / raw[key]) for key in ("paper", "claims")}
    return Plan(load(merge(raw, {**files, "tuning": "search"})))


def texts():
    """Each rule with a script: its name, file, and text. One made by `use rule` has its base's."""
    found = {}
    for file in FILES:
        lines = file.read_text().splitlines()
        for place, line in enumerate(lines):
            head = re.match(r"( *)(?:rule(?: (\w+))?|use rule (\w+) as (\w+) with):$", line)
            if not head:
                continue
            indent = len(head[1]) + 1
            body = []
            for after in lines[place + 1 :]:
                if after.strip() and len(after) - len(after.lstrip()) < indent:
                    break
                body.append(after)
            text = textwrap.dedent("\n".join(body)) + "\n"
            name = head[2] or head[4] or re.search(r'name:\s+f?"(\w+?)_?(?:\{\w+\})?"', text)[1]
            found[name] = file, text, head[3]
    scripted = {}
    for name, (file, text, base) in found.items():
        whole = text + found[base][1] if base else text  # what it says itself comes first
        if "script:" in whole:
            scripted[name] = file, whole
    return scripted


def script_of(file, text):
    """The script of a rule."""
    return (file.parent / re.search(r'script:\s+"(.+)"', text)[1]).resolve()


def calls(text):
    """What stands between the brackets of the first `fingerprint(...)` of a rule."""
    for found in re.finditer(r"\bfingerprint\(", text):
        depth, end = 1, found.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        yield text[found.end() : end - 1]


@cache
def places(made):
    """The wildcards of all jobs of a run, with each of their models and each figure."""
    config = made.config
    return [
        SimpleNamespace(data=d, split=s, task=t, experiment=e, model=m, table=table, figure=figure)
        for table, shown in config.tables.items()
        for d, s, t, e in made.jobs(shown)
        for m in dict.fromkeys([config.experiment(e).student, *config.teachers_of(e)])
        for figure in made.figures
    ]


def modules(name, text, made):
    """The modules that a rule's fingerprint names, for each of its jobs in a run; none: no call."""
    config = made.config
    image = "image" in name or name in ("make_backbone", "probe_teacher")
    family = "images" if image else "ratings"
    seen = set()
    for call in list(calls(text))[:1]:
        used = set(re.findall(r"\bwildcards\.(\w+)", call))
        used |= {"data"} & set(re.findall(r"(?<![\w.])\w+", call))  # of a loop over data sets
        assert not re.search(r"\bwildcards\b(?!\.)", call), "which of them does it use?"
        # each combination of what the call uses, once
        distinct = {
            tuple(getattr(place, key) for key in sorted(used)): place
            for place in places(made)
            if not used & {"data", "experiment", "model"} or config.family(place.data) == family
        }
        for place in distinct.values():
            given = {"PLAN": made, "CONFIG": config, "wildcards": place, "data": place.data}
            seen.add(eval(f"(lambda *names: names)({call})", given))
    return sorted(seen)
