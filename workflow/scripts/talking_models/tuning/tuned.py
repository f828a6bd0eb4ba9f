"""Chosen settings in files: of one search, and collected for the repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from talking_models.changes import changed
from talking_models.io import write_csv, write_text


def read_chosen(path: str | Path) -> dict[str, Any]:
    """What one search chose: a change of `training` and `settings` for each task."""
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def with_chosen(
    config: dict[str, Any],
    chosen: Sequence[str | Path],
    task: str,
    own: Mapping[str, Any],
) -> dict[str, Any]:
    """A training job's config with what searches in this run chose for it.

    Args:
        config: the config without it; returned as it is if nothing was searched.
        chosen: files of the searches, later ones win.
        task: the job's task.
        own: what the experiment itself says, which wins over a search.
    """
    if not chosen:
        return config
    return changed(config, *(read_chosen(path)[task] for path in chosen), own)


def collect_trials(trials: Mapping[str, str | Path], path: str | Path) -> None:
    """Put the trials of all searches into one table; a setting that a search lacks is empty.

    Args:
        trials: experiment ids with the files of their trials (`jobs.summary`).
        path: the file; its first column is `experiment`.
    """
    found = {id: pd.read_csv(file) for id, file in trials.items()}
    write_csv(path, pd.concat(found, names=["experiment"]).reset_index("experiment"))


def collect(chosen: Mapping[str, str | Path], about: Mapping[str, Any], path: str | Path) -> None:
    """Collect what all searches chose in the file that the repository keeps.

    Args:
        chosen: experiment ids with their files.
        about: what the search was: data, budget, version.
        path: the file.
    """
    content = {"about": dict(about), "chosen": {id: read_chosen(f) for id, f in chosen.items()}}
    head = "# Made by `make tuned`; not to be edited. How: docs/deviations.md, section Settings.\n"
    write_text(path, head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
