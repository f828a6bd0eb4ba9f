"""Images as all of the library sees them: parts of a source that are read by position, and slices.

A kind of images (`data/tfds.py`, `data/folder.py`, `data/digits.py`) opens one part of its source as
`Pictures`. A slice (fit, val, eval) is a range of a part, kept in a small YAML file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml

from talking_models.data import DATA
from talking_models.errors import SourceError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image


class Pictures:
    """One part of a set of images, read by position; a subclass reads.

    Attributes:
        name: what messages call it: "cifar10, part test".
        classes: their names, in the order of the labels.
    """

    opened_in: ClassVar[int | None] = None
    """The process that has opened a reader that does not survive a fork."""

    name: str
    classes: list[str]

    def __len__(self) -> int:
        raise NotImplementedError

    def load(self, rows: Sequence[int]) -> list[tuple[Image.Image, int]]:
        """Images as PIL opens them, and their labels."""
        raise NotImplementedError

    def read(self, rows: Sequence[int]) -> list[tuple[np.ndarray, int]]:
        """Images (height, width, 3) uint8 and their labels.

        Raises:
            SourceError: an image is cut, or of a mode that is none of RGB; a label is no class.
        """
        found = []
        rows = [int(row) for row in rows]
        for row, (image, label) in zip(rows, self.load(rows), strict=True):
            if not 0 <= label < len(self.classes):
                raise SourceError(
                    f"{self.name}: row {row} has a label that is no class",
                    expected=f"labels from 0 to {len(self.classes) - 1}",
                    found=str(label),
                    advice="the labels of this part are not public, or the set is broken: take "
                    "another part or set",
                )
            try:
                found.append((rgb(image), label))
            except (OSError, ValueError) as error:  # PIL's words for a cut or strange file
                raise SourceError(
                    f"{self.name}: the image of row {row} cannot be read",
                    expected="a whole image that converts to RGB",
                    found=f"{type(error).__name__}: {error}",
                    advice="replace it, or leave it out",
                ) from error
        return found


def rgb(image: Image.Image) -> np.ndarray:
    """(height, width, 3) uint8, as PIL converts to RGB; of 16 bits the upper 8.

    Raises:
        ValueError: the image holds fractions, or numbers beyond 16 bits.
    """
    import numpy as np  # not at the top: the configuration imports the kinds of images
    from PIL import Image

    if image.mode.startswith("I"):
        levels = np.asarray(image)
        if levels.min() < 0 or levels.max() > 0xFFFF:
            raise ValueError(f"grey levels from {levels.min()} to {levels.max()}, not of 16 bits")
        image = Image.fromarray((levels.astype(np.uint16) >> 8).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("grey levels that are fractions")
    return np.asarray(image.convert("RGB"))


@dataclass(frozen=True)
class Examples:
    """A slice of a set of images: a range of one of its parts.

    Attributes:
        data: settings of the set, as its kind takes them.
        task: the name of the task.
        slice: fit, val or eval.
        part: of the source.
        rows: the places in the part, either `[start, stop]` or a list of them.
        classes: their names, in the order of the labels.
    """

    data: dict[str, Any]
    task: str
    slice: str
    part: str
    rows: list[int]
    classes: list[str]
    listed: bool = False

    def __len__(self) -> int:
        return len(self.rows) if self.listed else self.rows[1] - self.rows[0]

    def place(self, row: int) -> int:
        """The place in the part of an example of the slice."""
        return self.rows[row] if self.listed else self.rows[0] + row

    def open(self) -> Pictures:
        """The part that it is a range of."""
        return DATA.get(self.data["kind"]).open(self.data, self.part)

    @classmethod
    def read(cls, path: str | Path, *allowed: str) -> Examples:
        """Read a slice's file.

        Raises:
            ValueError: the file holds another slice than those allowed: evaluation examples choose
                nothing and train nothing.
        """
        found = cls(**yaml.safe_load(Path(path).read_text(encoding="utf-8")))
        if found.slice not in allowed:
            raise ValueError(
                f"{path} holds the slice {found.slice!r}; only {' and '.join(allowed)} is read here"
            )
        return found
