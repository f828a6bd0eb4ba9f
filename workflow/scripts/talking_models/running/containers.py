"""The names of the container images, so that those that rules ask for are those that are built.

python -m talking_models.running.containers [PREFIX]   # each image's name and Containerfile
"""

import hashlib
import sys
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


if __name__ == "__main__":
    for found in sorted((ROOT / "containers").glob("*.Containerfile")):
        print(image(found.stem, *sys.argv[1:]), found.relative_to(ROOT))
