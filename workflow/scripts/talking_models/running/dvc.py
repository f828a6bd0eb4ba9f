"""Results that DVC brings, taken over by Snakemake.

DVC writes files in any order and knows nothing of Snakemake's metadata, so that Snakemake would
make all of them again. Once DVC has found that they were made from the data, code and configuration
that are here, Snakemake takes them for its own: it touches them in the order of its DAG and records
what it would have made them from, for every job (`--forceall`), so that it notices later changes.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

DVC = [sys.executable, "-m", "dvc"]
STAGE = "all"
LOCK = Path("dvc.lock")
OTHERS = """\
These results were made from other data, code or configuration than is here, so Snakemake was not
told that they are up to date. `dvc repro` makes what differs. To keep what Snakemake would keep,
go to the commit that recorded them (git log -1 --format=%h -- dvc.lock), bring them there, and
come back: it then sees what changed since.
"""


def recorded_command() -> str:
    """The command that the results were recorded with.

    Raises:
        SystemExit: nothing is recorded, or not in a form that can be read.
    """
    text = LOCK.read_text(encoding="utf-8", errors="replace") if LOCK.is_file() else "stages: {}"
    if re.search(r"^(<{7}|={7}|>{7})", text, re.MULTILINE):
        raise SystemExit(
            f"{LOCK} has a merge conflict: take one side (git checkout --ours {LOCK}, or --theirs) "
            "and call again, or let `dvc repro` make and record the results of the merged code"
        )
    try:
        command = yaml.safe_load(text)["stages"][STAGE]["cmd"]
        if not isinstance(command, str):
            raise TypeError
        return command
    except KeyError:
        raise SystemExit(
            f"no results are recorded: {LOCK} has no stage {STAGE!r}; `dvc repro` makes them"
        ) from None
    except (yaml.YAMLError, TypeError) as error:
        found = "empty" if not text.strip() else f"not what DVC writes ({type(error).__name__})"
        raise SystemExit(
            f"{LOCK} is {found}: restore it (git checkout HEAD {LOCK}), or `dvc repro` makes it"
        ) from None


def bring(arguments: Sequence[str]) -> int:
    """Bring results by a DVC command, check them, take them over; the exit status."""
    touch = f"{recorded_command()} --touch --forceall --quiet all"
    if subprocess.run([*DVC, *arguments]).returncode:
        return 1
    if subprocess.run([*DVC, "status", "--quiet"]).returncode:
        subprocess.run([*DVC, "status"])
        print(f"\n{OTHERS}", file=sys.stderr)
        return 1
    # Snakemake of the same environment, activated or not
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(touch, shell=True, env={**os.environ, "PATH": path}).returncode
