"""Files that are either whole or absent: write beside the target, then rename."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    import pandas as pd


def digest_of_file(path: str | Path) -> str:
    """SHA-256 (hex) of what a file holds."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which takes its place when the block ends well.

    A process killed inside the block leaves `path` as it was; an exception also removes the
    temporary file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    os.umask(mask := os.umask(0))  # it can only be read by setting it
    try:
        yield temporary
        temporary.chmod(0o666 & ~mask)  # some writers leave files that only their owner reads
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def unlink(path: str | Path) -> None:
    """Put a copy in the place of a link, such as one into DVC's cache, before it is added to."""
    path = Path(path)
    if path.exists() and (path.is_symlink() or path.stat().st_nlink > 1):
        with atomic(path) as temporary:
            shutil.copyfile(path, temporary)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_yaml(path: str | Path, value: Any) -> None:
    """Write plain Python values as YAML, keys in the order given."""
    write_text(path, yaml.safe_dump(value, sort_keys=False, allow_unicode=True))


def write_csv(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV, every digit of its numbers and no index."""
    with atomic(path) as temporary:
        frame.to_csv(temporary, index=False)


def write_parquet(path: str | Path, frame: pd.DataFrame) -> None:
    """Write a table as Parquet without its index; the same content gives the same bytes."""
    with atomic(path) as temporary:
        frame.to_parquet(temporary, index=False, compression="zstd")
