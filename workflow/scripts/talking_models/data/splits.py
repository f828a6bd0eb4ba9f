"""How rows are cut into fit, val and eval: one function, `cuts`, and the files that follow from it.

`latest` (the paper): all rows in time order, the last ones are eval, the last of the others val; so
by default fit 81%, val 9%, eval 10%. It is made once, over all rows; a task is the rows of each
slice that belong to it. `rolling`: several such cuts over the last half of the rows; each window's
eval rows are later than all that was read for it. `per_user`: the same for the rows of each user.
`given`: the parts that a set of images has. Tuning folds are cut by `folds`.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from talking_models.data import DATA, parquet
from talking_models.data.base import ALL, CATEGORY
from talking_models.data.canonical import ORDER, content_digest
from talking_models.data.images import Pictures
from talking_models.data.names import SLICES, known_name
from talking_models.data.windows import evaluated
from talking_models.errors import SourceError, named
from talking_models.io import write_yaml

log = logging.getLogger(__name__)

ADVICE = "correct the set, or take another"
LABELS, IMAGES = 2_000, 100
"""Examples of each slice that are looked at before anything is trained, from all over it."""


def first_part(rows: int, last: float) -> int:
    """How many of `rows` come before the last share of them.

    floor(rows * (1 - last)) in exact arithmetic on the share as written: 0.1 is 1/10, not the float
    beside it, which would move the cut by one row for some sizes.
    """
    return int(rows * (1 - Fraction(str(last))))


def cuts(rows: pd.DataFrame, protocol: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The places of fit, val and eval rows, rising; a row is in one slice at most. `ValueError`
    if a slice would be empty.

    Args:
        rows: ratings, ordered by (time, user, item).
        protocol: `kind`, `eval`, `val`; of `rolling` also `window` (from 0) and `windows`.
    """
    n, kind = len(rows), protocol["kind"]
    if kind == "per_user":
        found = _per_user(rows["user"], protocol)
    else:
        start, stop = (int(n * share) for share in evaluated(protocol))
        fit = first_part(start, protocol["val"])
        parts = np.split(np.arange(stop), [fit, start])
        found = dict(zip(SLICES, parts, strict=True))
    for name, part in found.items():
        if not len(part):
            raise ValueError(f"{n} ratings are too few: the {name} slice is empty")
    return found


def _per_user(users: pd.Series, protocol: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The latest rows of each user; one with too few rows for a share has none in that slice."""
    rank = users.groupby(users).cumcount()
    train = users.value_counts().map(lambda n: first_part(n, protocol["eval"]))
    fit = train.map(lambda n: first_part(n, protocol["val"]))
    slice = (rank >= users.map(fit)).astype(int) + (rank >= users.map(train))
    return {name: np.flatnonzero(slice == i) for i, name in enumerate(SLICES)}


def drawn(n: int, share: float, draw: int = 0) -> np.ndarray:
    """Which of n training rows a share of them holds: a larger share holds a smaller one of the
    same draw.
    """
    return np.random.default_rng(draw).random(n) < share


def folds(n: int, count: int) -> list[tuple[int, int]]:
    """Rolling-origin folds of n training rows: where each one's fit rows end, and its val rows.

    The last fold validates on the last tenth of the rows, the one before it on the tenth before;
    with 3 folds of 90,000 rows the fit rows end at 63,000, 72,000 and 81,000.
    """
    found = list(pairwise(n * (10 - count + k) // 10 for k in range(count + 1)))
    if any(not 0 < fit < stop for fit, stop in found):
        raise ValueError(f"{n} training rows are too few for {count} folds")
    return found


# Tasks


def members(by: str, items: pd.DataFrame, rows: pd.DataFrame) -> dict[str, pd.Series]:
    """Which rows belong to each task that there is, bool by row; by name, in order.

    Tasks are by `category` of the items, or by the ratings' column `task`; any other name has none.
    """
    if by == CATEGORY:
        listed = items.explode("categories").groupby("categories")["item"]
        found = {name: rows["item"].isin(of) for name, of in listed}
    else:
        found = {name: rows["task"] == name for name in sorted(rows["task"].unique())}
    return defaultdict(lambda: pd.Series(False, rows.index), found)


def densest(sizes: Mapping[str, int]) -> list[str]:
    """Tasks by their training rows, the one with most first."""
    return sorted(sizes, key=lambda name: (-sizes[name], name))


def task_names(
    tasks: Mapping[str, str | None], sizes: Mapping[str, int], what: str
) -> dict[str, str]:
    """The names of tasks by their ids, the densest ones where `tasks` has None. `ValueError` if
    there is no such task of `what`, whose `sizes` are given, or there are too few.
    """
    first, counted = densest(sizes), [id for id, name in tasks.items() if name is None]
    if len(counted) > len(first):
        raise ValueError(f"{what} has {len(first)} tasks, not {len(counted)}: {first}")
    found = {ALL: ALL, **dict(zip(counted, first, strict=False))}
    with named(what):
        return {id: found.get(id) or known_name(name, sizes) for id, name in tasks.items()}


def split_ratings(
    ratings_path: str | Path,
    items_path: str | Path,
    protocol: Mapping[str, Any],
    by: str,
    tasks: Mapping[str, str | None],
    outputs: Iterable[str | Path],
) -> None:
    """Write the slices of every task of canonical tables, .../{task}/slices/{slice}.parquet, by a
    `protocol` (see `cuts`; and `share`); `by` and `tasks`, `all` among them, are those of `members`
    and `task_names`. `ValueError` if there is no such task, or one without rows in a slice.
    """
    items, ratings = parquet.read_items(items_path), parquet.read_ratings(ratings_path)
    ratings = ratings.sort_values(ORDER, kind="stable", ignore_index=True)
    about = {"digest": content_digest(ratings, items)}
    with named(ratings_path):
        places = cuts(ratings, protocol)
    slices = {name: ratings.iloc[of] for name, of in places.items()}
    eval, train = slices["eval"], pd.concat([slices["fit"], slices["val"]])
    log.info("Train ends at time %d, eval begins at %d", train["time"].max(), eval["time"].min())
    cold = eval["user"][~eval["user"].isin(train["user"])]
    if len(cold):
        log.warning(
            "%d of %d users in eval have no training row, all their rows are later: the first is "
            "%s; %d of %d eval rows are theirs",
            cold.nunique(), eval["user"].nunique(), cold.iloc[0], len(cold), len(eval),
        )  # fmt: skip
    of = members(by, items, ratings) if set(tasks) != {ALL} else {}
    sizes = {name: int(rows[train.index].sum()) for name, rows in of.items()}
    parts = {(Path(path).parent.parent.name, Path(path).stem): path for path in outputs}
    for id, name in task_names(tasks, sizes, str(ratings_path)).items():
        counts = []
        for slice, rows in slices.items():
            part = rows if id == ALL else rows[of[name][rows.index]]
            if slice != "eval" and (id != ALL or len(tasks) == 1):
                part = part[drawn(len(part), protocol["share"], protocol.get("draw", 0))]
            if part.empty:
                what = f"{ratings_path}: the task {name!r} has no rows in the {slice} slice"
                raise ValueError(f"{what}: leave it out")
            parquet.write(part, parts[id, slice], about | {"slice": slice, "task": name})
            counts.append(f"{slice} {len(part)}")
        log.info("%s: %s", name, ", ".join(counts))


def split_images(
    settings: dict[str, Any], protocol: Mapping[str, Any], outputs: Sequence[str | Path]
) -> None:
    """Write which examples fit, val and eval of a set of images have; some of each are looked at.
    `SourceError` if the data set is not there, or broken, or there is nothing to tell apart.
    `ValueError` if a slice would be empty.
    """
    kind = DATA.get(settings["kind"])
    train, val, eval = kind.parts(settings)
    opened = {part: kind.open(settings, part) for part in (train, val, eval) if part}
    n, classes = len(opened[train]), opened[train].classes
    cut = n if val else n - max(1, round(protocol["val"] * n))
    ranges = {
        "fit": (train, range(cut)),
        "val": (val, range(len(opened[val]))) if val else (train, range(cut, n)),
        "eval": (eval, range(len(opened[eval]))),
    }
    seen: dict[str, set[int]] = {}
    for (name, (part, rows)), path in zip(ranges.items(), outputs, strict=True):
        found = {"data": settings, "task": ALL, "slice": name, "part": part, "classes": classes}
        found |= {"rows": [rows.start, rows.stop], "digest": opened[part].digest}
        if name == "fit" and protocol["share"] < 1:
            places = np.flatnonzero(drawn(len(rows), protocol["share"]))
            found |= {"rows": places.tolist(), "listed": True}
        if not rows or not found["rows"]:
            raise ValueError(f"the slice {name} of {opened[part].name} has no example")
        seen[name] = _look(opened[part], name, rows)
        if name == "eval" and cut <= LABELS and (strange := seen[name] - seen["fit"] - seen["val"]):
            what = f"{opened[eval].name} has classes of which {opened[train].name} has no image"
            names = ", ".join(classes[label] for label in sorted(strange))
            raise SourceError(what, "images of each class to learn from", names, ADVICE)
        write_yaml(path, found)


def _look(pictures: Pictures, slice: str, rows: range) -> set[int]:
    """Read images and labels from all over a slice: these. Those of fit must be of two classes."""
    some, more = (
        np.linspace(rows.start, rows.stop - 1, min(n, len(rows))).astype(int)
        for n in (IMAGES, LABELS)
    )
    pictures.read(some)
    labels = {label for _, label in pictures.checked(more)}
    if slice == "fit" and len(labels) < 2:
        what = f"{pictures.name}: rows {rows.start} to {rows.stop - 1} are all of one class"
        wanted = "two classes at least to tell apart"
        raise SourceError(what, wanted, pictures.classes[labels.pop()], ADVICE)
    return labels
