"""Images of the user's own: a folder for each class.

pets/cat/1.jpg, pets/dog/7.png          cut by the files' names
pets/train/cat/1.jpg, pets/test/...     as the folders say; `val` if it is there
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import Field

from talking_models.data.base import DataKind, DataSettings, Parts
from talking_models.data.images import Pictures
from talking_models.errors import SourceError

ENDINGS = (".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff")
SEEN = 6  # files that are no pictures, in a message
TRAIN, VALS, TESTS = "train", ("val", "validation", "valid"), ("test", "eval")


class FolderSettings(DataSettings):
    """Class folders, in `train` and `test` (and `val`) folders, or right in the path."""

    path: str = Field(min_length=1, description="The folder.")
    eval: float = Field(
        0.2,
        gt=0,
        lt=1,
        description="Share of the images for the tables where there is no folder `test`; which "
        "ones, a digest of each file's name says.",
    )


class Part(Pictures):
    """The images of one part, ordered by a digest of their names: classes are mixed in it."""

    def __init__(self, settings: dict[str, Any], part: str) -> None:
        root = Path(settings["path"])
        self.name, divided = f"{root}, part {part}", _divided(root)
        train, place = (root / TRAIN, root / part) if divided else (root, root)
        self.classes = _folders(train)
        if len(self.classes) < 2:
            found = ", ".join(self.classes) or "no folder"
            wanted = "a folder for each of two classes at least"
            raise _error(f"{train} has no classes to tell apart", wanted, found)
        if strange := set(_folders(place)) - set(self.classes):
            what, wanted = f"{place} has classes that {train} lacks", ", ".join(self.classes)
            raise _error(what, wanted, ", ".join(sorted(strange)))
        cut, found, elsewhere = int(settings["eval"] * 2**64), [], set()
        for label, name in enumerate(self.classes):
            for file in pictures(place / name):
                digest = sha256(f"{name}/{file.name}".encode()).digest()
                drawn = int.from_bytes(digest[:8], "big")
                if divided or (drawn < cut) == (part != TRAIN):
                    found.append((drawn, file, label))
                else:
                    elsewhere.add(label)
            if divided and part != TRAIN and any(pictures(train / name)):
                elsewhere.add(label)
        self.examples = [(file, label) for _, file, label in sorted(found)]
        self.root = root
        if not found and (divided or not elsewhere):
            there = sorted(str(p.relative_to(place)) for p in place.rglob("*") if p.is_file())
            wanted = f"files in class folders that end in {', '.join(ENDINGS)}"
            seen = ", ".join(there[:SEEN]) or "no file"
            raise _error(f"{self.name} has no picture in a class folder", wanted, seen)
        if part != TRAIN and (lacking := {label for _, label in self.examples} - elsewhere):
            what = f"{self.name} has classes of which {TRAIN} has no picture"
            names = ", ".join(self.classes[label] for label in sorted(lacking))
            raise _error(what, "pictures of each class to learn from", names)

    @property
    def digest(self) -> str:
        """Of the files' names, labels and sizes, in their order."""
        lines = (
            f"{file.relative_to(self.root)} {label} {file.stat().st_size}\n"
            for file, label in self.examples
        )
        return sha256("".join(lines).encode()).hexdigest()


class Folder(DataKind):
    """PNG, JPEG, WebP, BMP, GIF and TIFF files below class folders."""

    family = "images"
    Settings = FolderSettings
    open = Part

    @classmethod
    def files(cls, settings: dict[str, Any]) -> list[str]:
        """It and the folders below: an image added to one or taken away is a change of it."""
        root = Path(settings["path"])
        return [str(root), *(str(path) for path in sorted(root.rglob("*")) if path.is_dir())]

    @classmethod
    def parts(cls, settings: dict[str, Any]) -> Parts:
        """See `DataKind.parts`."""
        root = Path(settings["path"])
        if not root.is_dir():
            found = "a file" if root.exists() else "nothing"
            raise _error(f"there is no folder {root}", "a folder of class folders", found)
        if not _divided(root):
            for name in _folders(root):
                if name.lower() in ("train", "training") and _folders(root / name):
                    what = f"{root}/{name} has folders, as a part has, and no class"
                    raise _error(what, f"{TRAIN} and {TESTS[0]}, so written", name)
            return Parts(TRAIN, None, TESTS[0])
        there = _folders(root)
        held_out = [name for name in (*TESTS, *VALS) if name in there]
        if not held_out:
            wanted = f"one of {', '.join((*TESTS, *VALS))} beside it, or class folders right there"
            what = f"{root} has a folder train and no folder to evaluate on"
            raise _error(what, wanted, ", ".join(there))
        vals = [name for name in held_out[1:] if name in VALS]
        return Parts(TRAIN, vals[0] if vals else None, held_out[0])


def pictures(place: Path) -> Iterator[Path]:
    """The pictures below a place; a link to a folder, which Python does not follow, is an error."""
    for file in place.rglob("*"):
        if file.suffix.lower() in ENDINGS:
            if file.name[0] != ".":
                yield file
        elif file.is_symlink() and file.is_dir():
            raise _error(
                f"{file} is a link to a folder", "links to pictures or classes alone", "it"
            )


def _folders(place: Path) -> list[str]:
    """The names of the folders in a place, without what computers leave there."""
    junk = (".", "__MACOSX")
    return sorted(p.name for p in place.iterdir() if p.is_dir() and not p.name.startswith(junk))


def _divided(root: Path) -> bool:
    """Whether `train` holds class folders; else it is one itself."""
    return (root / TRAIN).is_dir() and bool(_folders(root / TRAIN))


def _error(what: str, expected: str, found: str) -> SourceError:
    return SourceError(what, expected, found, "correct the folder, or the `path` of the data set")
