"""Classification sets that TensorFlow Datasets prepared, read without TensorFlow.

`data/tfds_prepare.py` prepares them, in an environment of its own.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from talking_models.data.base import DataKind, DataSettings, Parts
from talking_models.data.images import Pictures
from talking_models.errors import SourceError, explained

IMAGENET = (
    "; first get ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar from image-net.org and put "
    "them into {folder}/downloads/manual"
)
EVAL = ("test", "validation")  # the first one that there is
Name = Annotated[str, Field(min_length=1)]


class TFDSSettings(DataSettings):
    """A set by its name in TFDS; it lies prepared in TFDS_DATA_DIR."""

    set: str = Field(
        pattern=r"^\w+(/[\w.-]+)?(:\d+\.\d+\.\d+)?$",
        description="`name`, `name/config`, `name:version` or `name/config:version`.",
    )
    train: Name = Field("train", description="The part that is trained on.")
    val: Name | None = Field(
        None, description="A part that selects; null: the end of `train` does."
    )
    eval: Name | None = Field(
        None, description="The part that tables are made from; null: `test`, else `validation`."
    )

    @model_validator(mode="after")
    def _parts_differ(self) -> TFDSSettings:
        named = [part for part in (self.train, self.val, self.eval) if part]
        if len(set(named)) < len(named):
            raise ValueError(f"train, val and eval are different parts, not {', '.join(named)}")
        return self


class Part(Pictures):
    """One part of a prepared set.

    The files are opened where they are first read, and again in each worker process: a reader does
    not survive a fork, nor does a process that is forked from one with an open reader.
    """

    def __init__(self, settings: dict[str, Any], part: str) -> None:
        self.name, self.part = f"{settings['set']}, part {part}", part
        self.folder = prepared(settings["set"])
        self._source: Any = None
        self._process: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_source": None, "_process": None}

    @property
    def source(self) -> Any:
        """The opened part: a length, and examples by `__getitems__`."""
        if self._process != os.getpid():
            self._process = Pictures.opened_in = os.getpid()
            import tensorflow_datasets as tfds  # not at the top: seconds of imports

            # encoded: TFDS itself would take palette places for grey, and other modes for nothing
            encoded = {"image": tfds.decode.SkipDecoding()}
            with reading(self.folder):
                builder = tfds.builder_from_directory(str(self.folder))
                known = dict(builder.info.features.items())
                if "image" not in known or not hasattr(known.get("label"), "names"):
                    what, wanted = f"{self.name} holds no images with classes", "image and label"
                    raise SourceError(what, wanted, ", ".join(sorted(known)), "choose another set")
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
        source = self.source
        with reading(self.folder):
            found = source.__getitems__(list(rows))
            return [(example["image"], int(example["label"])) for example in found]


class TFDS(DataKind):
    """A set with the features image and label, prepared as array_record."""

    family = "images"
    Settings = TFDSSettings
    open = Part

    @classmethod
    def parts(cls, settings: dict[str, Any]) -> Parts:
        """See `DataKind.parts`."""
        folder = prepared(settings["set"])
        with reading(folder):
            splits = _info(folder)["splits"]
            there = [part["name"] for part in splits if any(map(int, part["shardLengths"]))]
        train, val, eval = (settings[key] for key in Parts._fields)
        free = [part for part in EVAL if part in there and part not in (train, val)]
        wanted = Parts(train, val, eval or (*free, EVAL[0])[0])
        for key, part in wanted._asdict().items():
            if part not in (None, *there):
                what = f"{settings['set']} has no part {part!r}, which its `{key}` asks for"
                advice = f"set `{key}` of the data set to one of them"
                if len(there) < 2:
                    advice = "take another set: this one has no images to evaluate"
                expected = f"one of {', '.join(there)}" if there else "a part with images"
                raise SourceError(what, expected, part, advice)
        return wanted


def reading(folder: Path) -> AbstractContextManager[None]:
    """Errors of reading prepared files as `SourceError`s."""
    wanted = "a data set that TFDS prepared as array_record, whole"
    return explained(f"{folder} cannot be read", wanted, "delete that folder and prepare it again")


def data_dir() -> Path:
    """TFDS_DATA_DIR, else TFDS's own default."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def _info(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))


def lying(set: str) -> tuple[list[Path], str]:
    """The folders with a set prepared as array_record, the newest version last, and the formats of
    what else is there; for the set's name see `TFDSSettings`.
    """
    wanted, _, version = set.partition(":")
    name, _, config = wanted.partition("/")
    parent, found = data_dir() / name, {}
    for file in [*parent.glob("*/dataset_info.json"), *parent.glob("*/*/dataset_info.json")]:
        own = file.parent.parent.relative_to(parent).as_posix().lstrip(".")
        numbers = re.fullmatch(r"\d+\.\d+\.\d+", file.parent.name)  # leftovers have other names
        if numbers and version in ("", file.parent.name) and config in ("", own):
            try:
                found[file.parent] = str(_info(file.parent).get("fileFormat", "tfrecord"))
            except (OSError, ValueError, AttributeError):
                found[file.parent] = f"{file}, which is broken"
    good = [folder for folder, kind in found.items() if kind == "array_record"]
    good.sort(key=lambda folder: [int(n) for n in folder.name.split(".")])
    return good, ", ".join(sorted({*found.values()} - {"array_record"}))


def prepared(set: str) -> Path:
    """The folder with a data set prepared as array_record; the newest version if none is named.
    `SourceError` if there is none, or several configurations of which `set` names none.
    """
    good, others = lying(set)
    wanted, _, version = set.partition(":")
    folder, name = data_dir(), wanted.partition("/")[0]
    configs = sorted({place.parent.relative_to(folder / name).as_posix() for place in good})
    if len(configs) == 1:
        return good[-1]
    if configs:
        raise SourceError(
            f"the image data set {set} is prepared in several configurations",
            "one, or the one that is meant",
            ", ".join(configs).replace(".,", "one without a name,"),
            f"name it in the data set's `set`: {name}/{configs[-1]}",
        )
    advice = f"make tfds-images DATASET={wanted} TFDS_DATA_DIR={folder}"
    if name == "imagenet2012":
        advice += IMAGENET.format(folder=folder)
    near = ", ".join(place.relative_to(folder).as_posix() for place in lying(name)[0])
    raise SourceError(
        f"the image data set {set} is not prepared",
        f"{folder / wanted / (version or 'VERSION')} with array_record files",
        f"files of the format {others}" if others else near or "none",
        f"{advice}. TFDS_DATA_DIR must name that folder in this run, too",
    )
