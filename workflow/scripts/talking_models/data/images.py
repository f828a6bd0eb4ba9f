"""Images as all of the library sees them: parts of a source, read by position, and slices.

A kind of images opens a part of its source as `Pictures`. A slice (fit, val, eval) is a range of a
part, kept in a small YAML file.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from talking_models.data import DATA
from talking_models.errors import SourceError, explained

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image


class Pictures:
    """One part of a set of images, opened by the set's settings and the name of the part."""

    opened_in: ClassVar[int | None] = None
    """The process that has opened a reader that does not survive a fork."""

    name: str  # what messages call it: "cifar10, part test"
    classes: list[str]  # in the order of the labels
    examples: Sequence[tuple[Any, int]]  # files (paths or bytes) or arrays, and their labels
    digest: str | None = None  # of its files, where settings do not say which they are

    def __len__(self) -> int:
        return len(self.examples)

    def load(self, rows: Sequence[int]) -> list[tuple[Any, int]]:
        """Some of the examples."""
        return [self.examples[row] for row in rows]

    def checked(self, rows: Sequence[int]) -> list[tuple[Any, int]]:
        """What `load` gives; raises a `SourceError` if a label is no class."""
        found = self.load([int(row) for row in rows])
        for row, (_, label) in zip(rows, found, strict=True):
            if not 0 <= label < len(self.classes):
                raise SourceError(
                    f"{self.name}: row {row} has a label that is no class",
                    f"labels from 0 to {len(self.classes) - 1}",
                    str(label),
                    "the labels of this part are not public, or the set is broken: take another",
                )
        return found

    def read(self, rows: Sequence[int]) -> list[tuple[np.ndarray, int]]:
        """Images (height, width, 3) uint8 and their labels, or a `SourceError`."""
        found = []
        wanted, advice = "a whole image that converts to RGB", "replace it, or leave it out"
        for row, (image, label) in zip(rows, self.checked(rows), strict=True):
            name = f" ({image})" if isinstance(image, Path) else ""
            what = f"{self.name}: the image of row {row}{name} cannot be read"
            with explained(what, wanted, advice):
                found.append((_decoded(image), label))
        return found


def _decoded(image: Path | bytes | np.ndarray) -> np.ndarray:
    from PIL import Image

    if not isinstance(image, bytes | Path):
        return rgb(Image.fromarray(image))
    with Image.open(io.BytesIO(image) if isinstance(image, bytes) else image) as opened:
        return rgb(opened)


def rgb(image: Image) -> np.ndarray:
    """(height, width, 3) uint8 as PIL's RGB, of 16 bits the upper 8; or a ValueError."""
    import numpy as np  # not at the top: the configuration imports the kinds of images
    from PIL.Image import fromarray

    if image.mode.startswith("I"):
        levels = np.asarray(image)
        if levels.min() < 0 or levels.max() > 0xFFFF:
            raise ValueError(f"grey levels from {levels.min()} to {levels.max()}, not of 16 bits")
        image = fromarray((levels.astype(np.uint16) >> 8).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("grey levels that are fractions")
    return np.asarray(image.convert("RGB"))


@dataclass(frozen=True)
class Examples:
    """A slice of a set of images: a range of one of its parts."""

    data: dict[str, Any]  # settings of the set, as its kind takes them
    task: str
    slice: str  # fit, val or eval
    part: str  # of the source
    rows: list[int]  # the places in the part, either `[start, stop]` or a list of them
    classes: list[str]
    listed: bool = False
    digest: str | None = None  # of the part's files: with others a slice is another

    def __len__(self) -> int:
        return len(self.places)

    @property
    def places(self) -> Sequence[int]:
        """The place in the part of each example of the slice."""
        return self.rows if self.listed else range(*self.rows)

    def open(self) -> Pictures:
        """The part that it is a range of."""
        return DATA.get(self.data["kind"]).open(self.data, self.part)

    @classmethod
    def read(cls, path: str | Path, *allowed: str) -> Examples:
        """Read a slice's file; a `ValueError` if it holds another slice than those allowed:
        evaluation examples choose nothing and train nothing.
        """
        found = cls(**yaml.safe_load(Path(path).read_text(encoding="utf-8")))
        if found.slice not in allowed:
            raise ValueError(
                f"{path} holds the slice {found.slice!r}; only {' and '.join(allowed)} is read here"
            )
        return found
