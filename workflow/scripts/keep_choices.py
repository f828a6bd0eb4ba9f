"""What searches chose, put where the repository keeps it; `make tuned` calls this.

    python workflow/scripts/keep_choices.py results/ml-100k/latest/tuning/td/choice.yaml ...

Each choice becomes config/tuned/<data>/<experiment>.yaml, and its trials take the place of those
that the experiment had in config/tuned/<data>/trials.csv.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from talking_models.io import write_csv, write_text

TUNED = Path("config/tuned")


def main(choices: Sequence[str]) -> int:
    """Copy them; the exit status."""
    for choice in map(Path, choices):
        experiment, data = choice.parts[-2], choice.parts[-5]
        folder = TUNED / data
        write_text(folder / f"{experiment}.yaml", choice.read_text(encoding="utf-8"))
        new = pd.read_csv(choice.with_name("trials.csv"))
        new.insert(0, "experiment", experiment)
        kept = folder / "trials.csv"
        parts = [new]
        if kept.is_file():
            before = pd.read_csv(kept)
            parts = [before[before["experiment"] != experiment], new]
        write_csv(kept, pd.concat(parts, ignore_index=True))
        print(f"kept {folder / experiment}.yaml")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
