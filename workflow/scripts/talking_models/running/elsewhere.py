"""What lets the workflow run away from its own folder: as another's `module:`, with `--directory`,
from a path with a space.

Results and data lie where Snakemake works. What is the repository's own is taken from there, unless
the folder has its own.
"""

import atexit
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from talking_models.config import Config
from talking_models.config.merge import merge, merged_files
from talking_models.registry import ROOT

LAYERS = ("config/config.yaml", "config/experiments.yaml", "config/tables.yaml")  # as shipped
FILES = ("tuned", "paper", "claims", "plugins")  # keys that name the repository's own
TUNED = Config.model_fields["tuned"].default


def whole(config: dict, said: dict, home: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The configuration of a run, and what of it is the user's own.

    `config` is as Snakemake merged it, or as another workflow hands it to its module (all, or only
    what differs), `said` what the command line says, `home` the repository's folder.
    """
    shipped = merged_files(*(home / layer for layer in LAYERS))
    own = _difference(config, shipped)
    if merge(config, said) == config:
        own = merge(own, said)
    return _at_home({"tuned": TUNED} | merge(shipped, config), home), own


def _difference(config: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of `config` that `base` has not, or with another value."""
    found = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and isinstance(base.get(key), Mapping):
            if inner := _difference(value, base[key]):
                found[key] = inner
        elif key not in base or value != base[key]:
            found[key] = value
    return found


def _at_home(raw: Any, home: Path, key: str = "") -> Any:
    """The same, with whole paths of files that are in the repository and not here."""
    if isinstance(raw, Mapping):
        return {name: _at_home(value, home, name) for name, value in raw.items()}
    if isinstance(raw, list):
        return [_at_home(value, home, key) for value in raw]
    is_path = key in FILES and isinstance(raw, str)
    return str(home / raw) if is_path and not Path(raw).exists() and (home / raw).exists() else raw


def prefer_own_library() -> None:
    """Let jobs take this library and no other of its name: Snakemake puts the scripts' folder
    behind what is installed, such as an older copy of it, and behind what PYTHONPATH names.
    """
    scripts = ROOT.parent
    others = [place for place in sys.path if Path(place).resolve() != scripts]
    if PathFinder.find_spec(ROOT.name, others):
        before = filter(None, [os.environ.get("PYTHONPATH")])
        os.environ["PYTHONPATH"] = os.pathsep.join([str(scripts), *before])


def quote_python() -> None:
    """Let Snakemake, which puts it into a shell command as it is, start a Python whose path has a
    space or the like: by a script with a plain path. `RuntimeError` if the folder for temporary
    files has such a path, too.
    """
    python = shlex.quote(sys.executable)
    if python == sys.executable:
        return
    folder = Path(tempfile.mkdtemp(prefix="talking-models-python-"))
    if shlex.quote(str(folder)) != str(folder):
        raise RuntimeError(
            f"Snakemake cannot start jobs with {sys.executable}, nor by way of {folder}: both have "
            "spaces or the like; set TMPDIR to a folder without, or install the environment in one"
        )
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec {python} "$@"\n')
    script.chmod(0o755)
    sys.executable = str(script)
