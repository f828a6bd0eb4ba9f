"""What searches chose, put where the repository keeps it."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from talking_models.io import write_csv, write_text


def keep(choices: Iterable[str | Path], into: str | Path = "config/tuned") -> None:
    """Copy choices of searches, `.../{data}/{split}/tuning/{experiment}/choice.yaml`, into the
    folder that a configuration names as `tuned`, and say so.

    Each becomes <data>/<experiment>.yaml there, of another split than `latest`
    <data>/<split>/<experiment>.yaml, and its trials take the place of those that the experiment had
    in trials.csv beside it.
    """
    for choice in map(Path, choices):
        data, split, _, experiment, _ = choice.parts[-5:]
        folder = Path(into, data, split if split != "latest" else "")
        write_text(folder / f"{experiment}.yaml", choice.read_text(encoding="utf-8"))
        kept, trials = folder / "trials.csv", choice.with_name("trials.csv")
        parts = [pd.read_csv(kept)] if kept.is_file() else []
        parts = [before[before["experiment"] != experiment] for before in parts]
        if trials.is_file():  # not of the best of some others
            new = pd.read_csv(trials)
            new.insert(0, "experiment", experiment)
            parts.append(new)
        if parts:
            write_csv(kept, pd.concat(parts, ignore_index=True))
        print(f"kept {folder / experiment}.yaml")
