"""The names of the container images, so that those that rules ask for are those that are built.

python -m talking_models.running.containers [PREFIX]

prints, for each Containerfile, the image's name and the file. A name ends with a digest of what the
image is made from: changed pins are another image, and a job in it another job.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
PREFIX = "localhost/talking-models"


def sources(step: str, root: Path = ROOT) -> list[Path]:
    """The files that the image of a step is made from: its Containerfile, and what that copies.

    Raises:
        FileNotFoundError: there is no Containerfile of this name.
    """
    file = root / "containers" / f"{step}.Containerfile"
    copied = [
        name
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.startswith("COPY ")
        for name in line.split()[1:-1]
    ]
    return [file, *(root / name for name in copied)]


def image(step: str, prefix: str = PREFIX, root: Path = ROOT) -> str:
    """The image of a step: 'localhost/talking-models/movielens:' and twelve hexadecimal digits.

    Raises:
        FileNotFoundError: there is no Containerfile of this name, or it copies what is not there.
    """
    digest = hashlib.sha256()
    for file in sources(step, root):
        digest.update(f"{file.name}\0".encode())
        digest.update(file.read_bytes())
        digest.update(b"\0")
    return f"{prefix}/{step}:{digest.hexdigest()[:12]}"


def main(prefix: str = PREFIX) -> None:
    """Print the name and the Containerfile of every image."""
    for file in sorted((ROOT / "containers").glob("*.Containerfile")):
        print(image(file.stem, prefix), file.relative_to(ROOT))


if __name__ == "__main__":
    main(*sys.argv[1:])
