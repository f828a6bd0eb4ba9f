"""The search for an experiment's settings, from files to files. It sees training rows only."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import root_mean_squared_error

from talking_models.changes import changed, read_chosen
from talking_models.data.parquet import read_items
from talking_models.io import digest_of_file
from talking_models.models.checkpoint import Checkpoint
from talking_models.training.bias import bias_line, choose_penalty
from talking_models.training.loop import with_precision
from talking_models.training.ratings import read_rows
from talking_models.training.setup import one_thread
from talking_models.tuning.choose import conclude
from talking_models.tuning.folds import FoldScores
from talking_models.tuning.search import run_search
from talking_models.tuning.space import but_for_steps, of_training, stacks


def configs_of_tasks(
    config: dict[str, Any],
    tasks: Sequence[str],
    chosen: Sequence[str | Path],
    own: Mapping[str, Any] | None = None,
) -> dict[str, dict[str, Any]]:
    """What each task's trials start from: an experiment's config, and what was chosen before.

    That is by training from scratch, of which all methods take how they train but for the steps;
    or by the experiment that it is like, and what it says itself (`own`) wins over that.
    """
    configs = dict.fromkeys(tasks, config)
    for path in chosen:
        found = read_chosen(path)
        for task in configs.keys() & found:
            change = {"training": but_for_steps(found[task]["training"])}
            if own is not None:
                change = changed(found[task], own)
            configs[task] = changed(configs[task], change)
    return configs


def search(
    rows: Sequence[str | Path],
    items: str | Path,
    tasks: Mapping[str, str | None],
    by: str,
    configs: Mapping[str, dict[str, Any]],
    trials: Sequence[dict[str, Any]],
    spaces: Mapping[str, Mapping[str, Any]],
    search: Mapping[str, Any],
    teachers: Mapping[str, Sequence[str | Path]],
    journal: str | Path,
    code: str,
    about: Mapping[str, Any],
    begun: Mapping[str, Any],
    outputs: Mapping[str, str | Path],
    log: logging.Logger,
) -> None:
    """Search the settings of one experiment, from files to files, on one thread.

    Args:
        rows, items: the training slices of the task of all rows, and the items' table.
        tasks, by: what the choice is for, a teacher's is `all`; see `splits.task_names`, `members`.
        configs: the config of each task that is trained on, which each trial changes.
        trials, spaces: changes to try, see `space.trials`, and what they were drawn from.
        search: `folds`, `seeds`, `precision`, `steps` (the most that a choice can have), `every`.
            With `steps` and `every` None, steps are not chosen: those of the configs stay. Of a
            `share` of the rows, also that, and its `draw`. `per_user`: see `fold_rows`. `warm`:
            whether users count alone who have rows to train on, as of a teacher, which cannot tell
            a student of others more than it sees itself.
        teachers: checkpoints by the teacher's id, one per fold.
        journal: see `run_search`; scores do not depend on the number of trials.
        code, about: a digest of it, and what the choice is for.
        begun: the config without any choice, also without those that `configs` have from others.
        outputs: files `curves`, `trials`, `chosen` and `choice`.
    """
    one_thread()
    search = with_precision(search)
    loaded = {id: [Checkpoint.load(path) for path in paths] for id, paths in teachers.items()}
    score = FoldScores(read_rows(rows), read_items(items), configs, tasks, by, search, loaded)
    files = [*rows, items, *(path for paths in teachers.values() for path in paths)]
    more = {}
    if search["warm"]:
        lines = [
            root_mean_squared_error(
                val["rating"], bias_line(train, val, choose_penalty(train, val))
            )
            for train, val in score.rows.values()
        ]
        more["bias_line"] = round(float(np.mean(lines)), 6)
    kept = {key: value for key, value in search.items() if key != "trials"}
    identity = [configs, kept, code, [digest_of_file(path) for path in files]]
    first = next(iter(configs.values()))
    together = stacks(trials, first["method"])
    folds = search["folds"]
    curves = run_search(trials, together, score, list(configs), folds, journal, identity, log)
    shared = {name: first["training"][name] for name in of_training(first)}
    conclude(
        curves, trials, list(tasks), shared, spaces, search, about, begun, outputs, log, more
    )  # fmt: skip
