"""Image data sets: prepared by TensorFlow Datasets and read without TensorFlow, or digits.

`tfds_images.py` prepares in an environment of its own, this module reads. The train split is cut
in two by position, which TFDS has shuffled once and for all: first `fit`, then `minival`. The
`eval` slice is another split.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import yaml

from talking_models.data.errors import SourceError
from talking_models.data.vision_sets import DIGITS, SLICES, facts
from talking_models.io import write_yaml

TRAIN = "train"
DIGITS_EVAL = 360  # the last ones of 1,797, a fifth
PREPARE = "make tfds-images DATASET={dataset} TFDS_DATA_DIR={folder}"
IMAGENET = (
    "; first get ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from image-net.org and put "
    "them into {folder}/downloads/manual"
)


@dataclass(frozen=True)
class Examples:
    """A slice of a data set, as a range of a split.

    Attributes:
        dataset: TFDS name, or `digits`.
        slice: fit, minival or eval.
        split: of the data set.
        start, stop: the range in the split.
        classes: their names, in the order of the labels.
    """

    dataset: str
    slice: str
    split: str
    start: int
    stop: int
    classes: list[str]

    def __len__(self) -> int:
        return self.stop - self.start

    @classmethod
    def read(cls, path: str | Path, *allowed: str) -> Examples:
        """Read what `split` wrote.

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


class Images:
    """One split of a data set, read by position.

    The files are opened where they are first read, and again in each worker process: a reader
    does not survive a fork, nor does a process that is forked from one with an open reader.
    """

    opened_in: ClassVar[int | None] = None
    """The process that has opened a reader."""

    def __init__(self, dataset: str, split: str, data_dir: str | Path | None = None) -> None:
        self.dataset, self.split = dataset, split
        self.folder = None if dataset == DIGITS else prepared(dataset, data_dir)
        self._source: Any = None
        self._process: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_source": None, "_process": None}

    @property
    def source(self) -> Any:
        """The opened split: a length, and examples by `__getitems__`."""
        if self._process != os.getpid():
            self._source, self._process = self._open(), os.getpid()
        return self._source

    def _open(self) -> Any:
        if self.folder is None:
            return Digits(self.split)
        # Not at the top: seconds of imports.
        import tensorflow_datasets as tfds

        Images.opened_in = os.getpid()
        with reading(self.folder):
            builder = tfds.builder_from_directory(str(self.folder))
            if self.split not in builder.info.splits:
                raise ValueError(f"there are the splits {', '.join(builder.info.splits)}")
            return builder.as_data_source(split=self.split)

    def __len__(self) -> int:
        return len(self.source)

    @property
    def classes(self) -> list[str]:
        """The names of the classes."""
        if self.folder is None:
            return [str(digit) for digit in range(10)]
        return list(self.source.dataset_info.features["label"].names)

    def read(self, rows: Sequence[int]) -> list[tuple[np.ndarray, int]]:
        """Images (height, width, 3) uint8 and their labels.

        Raises:
            SourceError: a file is cut or altered.
        """
        if self.folder is None:
            return self.source.__getitems__(rows)
        source = self.source
        with reading(self.folder):
            examples = source.__getitems__([int(row) for row in rows])
        return [(_rgb(example["image"]), int(example["label"])) for example in examples]


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Errors of reading prepared files as `SourceError`s."""
    try:
        yield
    except Exception as error:  # array_record, protobuf and TFDS each raise kinds of their own
        raise SourceError(
            f"{folder} cannot be read",
            expected="an image data set that TFDS prepared as array_record, whole",
            found=f"{type(error).__name__}: {error}",
            advice="delete that folder and prepare it again",
        ) from error


def _rgb(image: np.ndarray) -> np.ndarray:
    return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image


class Digits:
    """scikit-learn's digits as a split; grey levels 0 to 16 become 0 to 240."""

    def __init__(self, split: str) -> None:
        from sklearn.datasets import load_digits

        images, labels = load_digits(return_X_y=True)
        rows = {TRAIN: slice(-DIGITS_EVAL), "test": slice(-DIGITS_EVAL, None)}[split]
        self.images = (15 * images[rows]).astype(np.uint8).reshape(-1, 8, 8, 1)
        self.labels = labels[rows]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, rows: Sequence[int]) -> list[tuple[np.ndarray, int]]:
        return [(_rgb(self.images[row]), int(self.labels[row])) for row in rows]


def data_dir_of(data_dir: str | Path | None = None) -> Path:
    """`data_dir`, else TFDS_DATA_DIR, else TFDS's own default."""
    return Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def prepared(dataset: str, data_dir: str | Path | None = None) -> Path:
    """The newest folder with a data set prepared as array_record.

    Raises:
        SourceError: there is none; it says which command prepares it.
    """
    parent = data_dir_of(data_dir) / dataset
    kinds = {}
    for info in parent.glob("**/dataset_info.json"):
        text = info.read_text(encoding="utf-8", errors="replace")
        kinds[info.parent] = yaml.safe_load(text).get("fileFormat", "tfrecord")
    good = [folder for folder, kind in kinds.items() if kind == "array_record"]
    if good:
        return max(good, key=lambda folder: [int(n) for n in folder.name.split(".")])
    names = {"dataset": dataset, "folder": data_dir_of(data_dir)}
    manual = IMAGENET if dataset == "imagenet2012" else ""
    raise SourceError(
        f"the image data set {dataset} is not prepared",
        expected=f"{parent}/VERSION with array_record files",
        found=f"files of the format {', '.join(sorted(set(kinds.values())))}" if kinds else "none",
        advice=f"{PREPARE.format(**names)}{manual.format(**names)}. TFDS_DATA_DIR must name that "
        "folder in this run, too",
    )


def split(dataset: str, minival: float, outputs: dict[str, str | Path]) -> None:
    """Say which examples each slice of a data set has.

    Args:
        dataset: TFDS name, or `digits`.
        minival: share of the train split.
        outputs: the files to write, by slice.

    Raises:
        SourceError: the data set is not prepared, or broken.
        ValueError: a slice would be empty.
    """
    known = facts(dataset)
    train, test = Images(dataset, TRAIN), Images(dataset, known.eval_split)
    cut = len(train) - round(minival * len(train))
    ranges = ((TRAIN, 0, cut), (TRAIN, cut, len(train)), (known.eval_split, 0, len(test)))
    for name, (part, start, stop) in zip(SLICES, ranges, strict=True):
        if stop <= start:
            raise ValueError(f"the slice {name} of {dataset} has no example")
        examples = Examples(dataset, name, part, start, stop, train.classes)
        write_yaml(outputs[name], asdict(examples))
