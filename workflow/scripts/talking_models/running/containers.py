"""The names of the container images, so that those that rules ask for are those that are built.

python -m talking_models.running.containers [PREFIX]   # each image's name and Containerfile
"""

import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


def image(step: str, prefix: str = "localhost/talking-models") -> str:
    """The image of a step: 'localhost/talking-models/movielens:' and twelve hexadecimal digits.

    They digest its Containerfile and what that copies, so that changed pins are another image, and
    a job in it another job.
    """
    file = ROOT / "containers" / f"{step}.Containerfile"
    sources = [file]
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY "):
            sources += [ROOT / name for name in line.split()[1:-1]]
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source.name}\0".encode() + source.read_bytes() + b"\0")
    return f"{prefix}/{step}:{digest.hexdigest()[:12]}"


def show(paths: Iterable[str | Path]) -> None:
    """Let jobs in containers see some files: APPTAINER_BIND then names the folders of those that
    are not below the one that Snakemake works in, behind what it says already.
    """
    given = os.environ.get("APPTAINER_BIND", "").split(",")
    here, found = Path.cwd().resolve(), dict.fromkeys(filter(None, given))
    for path in paths:
        for place in (Path(path).absolute(), Path(path).resolve()):  # a link, and where it leads
            folder = place if place.is_dir() else place.parent
            if folder.is_dir() and not any(map(folder.is_relative_to, (here, *found))):
                found[str(folder)] = None
    os.environ["APPTAINER_BIND"] = ",".join(found)


if __name__ == "__main__":
    for found in sorted((ROOT / "containers").glob("*.Containerfile")):
        print(image(found.stem, *sys.argv[1:]), found.relative_to(ROOT))
