"""Results that DVC brings, taken over by Snakemake: `make pull` and `make checkout`.

    python workflow/scripts/bring_results.py pull [--remote NAME ...]
    python workflow/scripts/bring_results.py checkout

DVC writes files in any order and knows nothing of Snakemake's metadata, so that Snakemake would
make all of them again. Once DVC has found that they were made from the data, code and configuration
that are here, Snakemake takes them for its own: it touches them in the order of its DAG and records
what it would have made them from, for every job (`--forceall`), so that it notices later changes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

DVC = [sys.executable, "-m", "dvc"]
COMMANDS = ("pull", "checkout")
LAST = "results"  # the stage whose command makes everything
OTHERS = """\
These results were made from other data, code or configuration than is here, so Snakemake was not
told that they are up to date. `dvc repro` makes what differs. To keep what Snakemake would keep,
go to the commit that recorded them (git log -1 --format=%h -- dvc.lock), bring them there, and
come back: it then sees what changed since.
"""


def command_of(stage: str) -> str:
    """The command that a stage was recorded with.

    Raises:
        SystemExit: nothing is recorded.
    """
    lock = Path("dvc.lock")
    recorded = yaml.safe_load(lock.read_text(encoding="utf-8")) if lock.is_file() else {}
    try:
        return recorded["stages"][stage]["cmd"]
    except KeyError:
        raise SystemExit(
            f"no results are recorded: {lock} has no stage {stage!r}; `dvc repro` makes them"
        ) from None


def main(arguments: list[str]) -> int:
    """Bring, check, take over; the exit status."""
    if not arguments or arguments[0] not in COMMANDS:
        print(f"found {' '.join(arguments) or 'nothing'}; allowed: {' or '.join(COMMANDS)}")
        return 2
    touch = f"{command_of(LAST)} --touch --forceall --quiet all"
    if subprocess.run([*DVC, *arguments]).returncode:
        return 1
    if subprocess.run([*DVC, "status", "--quiet"]).returncode:
        subprocess.run([*DVC, "status"])
        print(f"\n{OTHERS}", file=sys.stderr)
        return 1
    # Snakemake of the same environment, activated or not
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(touch, shell=True, env={**os.environ, "PATH": path}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
