"""Classification sets that TensorFlow Datasets prepared, read without TensorFlow.

`data/tfds_images.py` prepares them, in an environment of its own.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field

from talking_models.data.base import DataKind, DataSettings, Parts
from talking_models.data.images import Pictures
from talking_models.errors import SourceError

PREPARE = "make tfds-images DATASET={name} TFDS_DATA_DIR={folder}"
IMAGENET = (
    "; first get ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from image-net.org and put "
    "them into {folder}/downloads/manual"
)
EVAL = ("test", "validation")
"""Parts that tables are made from, the first one that there is."""


class TFDSSettings(DataSettings):
    """A set by its name in TFDS; it lies prepared in TFDS_DATA_DIR."""

    set: str = Field(
        pattern=r"^\w+(/[\w.-]+)?(:\d+\.\d+\.\d+)?$",
        description="`name`, `name/config`, `name:version` or `name/config:version`.",
    )
    train: str = Field("train", min_length=1, description="The part that is trained on.")
    val: str | None = Field(
        None, min_length=1, description="A part that selects; null: the end of `train` does."
    )
    eval: str | None = Field(
        None,
        min_length=1,
        description="The part that tables are made from; null: `test`, else `validation`.",
    )


class TFDS(DataKind):
    """A set with the features image and label, prepared as array_record."""

    family = "images"
    Settings = TFDSSettings

    @classmethod
    def parts(cls, settings: dict[str, Any]) -> Parts:
        """See `DataKind.parts`."""
        folder = prepared(settings["set"])
        with reading(folder):
            there = [split["name"] for split in _info(folder)["splits"]]
        default = next((part for part in EVAL if part in there), EVAL[0])
        wanted = Parts(settings["train"], settings["val"], settings["eval"] or default)
        for key, part in zip(Parts._fields, wanted, strict=True):
            if part is not None and part not in there:
                raise SourceError(
                    f"{settings['set']} has no part {part!r}, which its `{key}` asks for",
                    expected=f"one of {', '.join(there)}",
                    found=part,
                    advice=f"set `{key}` of the data set to one of them"
                    + (
                        ", or take another set: it has no images to evaluate"
                        if len(there) < 2
                        else ""
                    ),
                )
        return wanted

    @classmethod
    def open(cls, settings: dict[str, Any], part: str) -> Pictures:
        """See `DataKind.open`."""
        return Part(settings["set"], part)


class Part(Pictures):
    """One part of a prepared set.

    The files are opened where they are first read, and again in each worker process: a reader does
    not survive a fork, nor does a process that is forked from one with an open reader.
    """

    def __init__(self, set: str, part: str) -> None:
        self.name, self.part, self.folder = f"{set}, part {part}", part, prepared(set)
        self._source: Any = None
        self._process: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_source": None, "_process": None}

    @property
    def source(self) -> Any:
        """The opened part: a length, and examples by `__getitems__`."""
        if self._process != os.getpid():
            self._process = Pictures.opened_in = os.getpid()
            # Not at the top: seconds of imports.
            import tensorflow_datasets as tfds

            # encoded: TFDS itself would take palette places for grey, and other modes for nothing
            encoded = {"image": tfds.decode.SkipDecoding()}
            with reading(self.folder):
                builder = tfds.builder_from_directory(str(self.folder))
                self._source = builder.as_data_source(split=self.part, decoders=encoded)
        return self._source

    def __len__(self) -> int:
        return len(self.source)

    @property
    def classes(self) -> list[str]:
        """See `Pictures`."""
        return list(self.source.dataset_info.features["label"].names)

    def load(self, rows: Sequence[int]) -> list[tuple[Any, int]]:
        """See `Pictures.load`."""
        from PIL import Image

        source = self.source
        with reading(self.folder):
            examples = source.__getitems__(list(rows))
        return [(Image.open(io.BytesIO(e["image"])), int(e["label"])) for e in examples]


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


def data_dir_of(data_dir: str | Path | None = None) -> Path:
    """`data_dir`, else TFDS_DATA_DIR, else TFDS's own default."""
    return Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def _info(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))


def prepared(set: str, data_dir: str | Path | None = None) -> Path:
    """The folder with a data set prepared as array_record; the newest version if none is named.

    Raises:
        SourceError: there is none, or several configurations of which `set` names none.
    """
    wanted, _, version = set.partition(":")
    name, _, config = wanted.partition("/")
    parent = data_dir_of(data_dir) / name
    found: dict[Path, str] = {}
    for file in parent.glob("**/dataset_info.json"):
        place = file.parent.relative_to(parent).parts
        if place[-1][:1].isdigit() and (not version or place[-1] == version):
            if not config or place[:-1] == (config,):
                try:
                    found[file.parent] = _info(file.parent).get("fileFormat", "tfrecord")
                except ValueError:
                    found[file.parent] = f"an unreadable {file.name}"
    good = [folder for folder, kind in found.items() if kind == "array_record"]
    configs = sorted({folder.parent.name for folder in good if folder.parent != parent})
    if len(configs) + (not all(folder.parent != parent for folder in good)) > 1:
        raise SourceError(
            f"the image data set {set} is prepared in several configurations",
            expected="one, or the one that is meant",
            found=", ".join(configs),
            advice=f"name it in the data set's `set`: {name}/{configs[0]}",
        )
    if good:
        return max(good, key=lambda folder: [int(n) for n in folder.name.split(".")])
    words = {"name": wanted, "folder": data_dir_of(data_dir)}
    manual = IMAGENET if name == "imagenet2012" else ""
    formats = ", ".join(sorted({*found.values()}))
    raise SourceError(
        f"the image data set {set} is not prepared",
        expected=f"{parent}/{config + '/' if config else ''}{version or 'VERSION'} with "
        "array_record files",
        found=f"files of the format {formats}" if found else "none",
        advice=f"{PREPARE.format(**words)}{manual.format(**words)}. TFDS_DATA_DIR must name that "
        "folder in this run, too",
    )
