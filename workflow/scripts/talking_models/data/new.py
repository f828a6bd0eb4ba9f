"""Look at a user's own files, say what was found, and write a configuration that is ready to run.

python -m talking_models.data.new RATINGS [ITEMS] [--name my] [--out config/my.yaml]
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd
import yaml

from talking_models.data.base import ALL, CATEGORY
from talking_models.data.names import slug
from talking_models.data.ratings import RatingsSettings
from talking_models.data.reading import look, read_table
from talking_models.data.splits import cuts, densest, members
from talking_models.errors import SourceError, named
from talking_models.io import write_text

DENSEST = 4
# The shipped configuration's passes over MovieLens-100K: 600 and 500 steps of 256 ratings, of
# 90,000 rows for the teacher and of some 17,000 of a task for a student.
PASSES = {"teacher": 600 * 256 / 90_000, "student": 500 * 256 / 17_000}
BATCH, LEAST = 256, 100
DISTILLED = {"LD": "ld", "FD": "fd", "FitNet": "fitnet", "Hybrid": "hybrid", "TD": "td"}
HEAD = """\
# Ratings of {ratings}, looked at by `make new`:
#
{found}
#
#   snakemake --cores 2 --configfile {out}
#
# makes results/{name}/tables/{name}.md, what its differences are worth, figures and pages.
# Steps pass as often over these rows as the shipped ones over MovieLens-100K. No settings were
# searched for this data: `tuning: search` does, in the same run, on the split's own training rows
# (`tuned_on: null`). A data set of null is left out, with what shows it.

"""


def describe(ratings: str, items: str | None, name: str, out: str) -> tuple[list[str], str]:
    """What was found in two files, in lines, and the configuration for them; raises as `look`."""
    given = {"kind": "ratings", "ratings": ratings, "items": items, "duplicates": "last"}
    settings = RatingsSettings(**given).model_dump(mode="json")
    rows, listed, taken = look(settings)
    again = len(read_table(ratings, settings)) - len(rows)
    with named(ratings):
        parts = cuts(rows, {"kind": "latest", "eval": 0.1, "val": 0.1})
    fit, val, late = (rows.iloc[places] for places in parts.values())
    train = rows.drop(index=late.index)
    of, *others = (members(CATEGORY, listed, part) for part in (train, fit, val, late))
    sizes = {k: int(own.sum()) for k, own in of.items() if all(other[k].any() for other in others)}
    ids: dict[str, str] = {}
    for task in densest(sizes):
        with suppress(ValueError):  # nothing of it can stand in a path
            ids.setdefault(slug(task), task)
    tasks = list(ids.values())[:DENSEST]
    listing = ", ".join(f"{name} ({sizes[name]:,})" for name in tasks)
    first, last = (pd.Timestamp(rows["time"].iloc[row], unit="s").date() for row in (0, -1))
    unseen = 1 - late["user"].isin(train["user"]).mean()
    taken = {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in taken.items()}
    found = [
        f"columns: {', '.join(f'{key} is {value}' for key, value in taken.items())}",
        f"{len(rows):,} ratings of {len(listed):,} items by {rows['user'].nunique():,} users",
        f"from {rows['rating'].min():g} to {rows['rating'].max():g}, "
        f"mean {rows['rating'].mean():.3f}; from {first} to {last}",
        f"densest categories: {listing}" if tasks else "no categories: one task of all rows",
        f"{unseen:.0%} of the latest tenth, the eval rows, are by users without an earlier rating",
    ]
    if again:
        found.append(f"{again:,} rows rate an item again: the last one of each user counts")
    seen = {"teacher": len(train), "student": len(train)}
    if tasks:
        seen["student"] = sum(sizes[task] for task in tasks) / len(tasks)
    steps = {model: max(LEAST, round(PASSES[model] * n / BATCH)) for model, n in seen.items()}
    entry = given | {
        "columns": {} if isinstance(taken["user"], int) else taken,  # usual places need no saying
        "duplicates": "last" if again else "error",
        "tasks": {"by": CATEGORY, "names": tasks} if tasks else {"by": ALL},
    }
    table = {"title": f"RMSE of each method on {name}", "data": [name], "against": "scratch"}
    table["rows"] = {"Train from Scratch": "scratch", "Teacher": "teacher", **DISTILLED}
    config = {
        "results": f"results/{name}",
        "data": {"ml-100k": None, name: entry},
        "splits": {"latest": {"tuned_on": None}},
        "models": {model: {"training": {"steps": n}} for model, n in steps.items()},
        "tables": {name: table | {"bold": [*DISTILLED]}},
    }
    comment = "\n".join(f"#   {line}" for line in found)
    text = HEAD.format(ratings=ratings, found=comment, out=out, name=name)
    return found, text + yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser("python -m talking_models.data.new", description=__doc__)
    parser.add_argument("ratings", help="a file of ratings: CSV, TSV, `::`, Parquet, gz, zip")
    parser.add_argument("items", nargs="?", help="a file of items, if there is one")
    parser.add_argument("--name", default="my", help="the data set's id, and its table's")
    parser.add_argument("--out", help="the file to write (config/NAME.yaml)")
    options = parser.parse_args(arguments)
    try:
        name = slug(options.name)
        out = options.out or f"config/{name}.yaml"
        if Path(out).exists():
            raise FileExistsError(f"{out} is there: remove it, or name another (--out)")
        found, text = describe(options.ratings, options.items, name, out)
    except (SourceError, ValueError, FileExistsError) as error:
        print(error, file=sys.stderr)
        return 1
    write_text(out, text)
    print("\n".join([*found, f"wrote {out}: its head says what to run"]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
