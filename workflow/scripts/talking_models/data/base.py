"""What a kind of data set is: settings of its entry, and a reader into the one canonical form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import AfterValidator, Field

from talking_models.data.names import ALL
from talking_models.strict import Identifier, Strict, unique

if TYPE_CHECKING:
    import pandas as pd

    from talking_models.data.images import Pictures

__all__ = ["ALL", "CATEGORY", "DataKind", "DataSettings", "Parts"]

CATEGORY = "category"  # what tasks are by where they are subsets of the items' categories


class Tasks(Strict):
    """The subsets of a data set that students are for."""

    by: str = Field(
        ALL,
        min_length=1,
        description="What tasks are subsets by: `category` (of the items: an item counts for each "
        "of its categories), a column of the ratings, or `all`: one task of all rows.",
    )
    names: Annotated[tuple[str, ...], AfterValidator(unique)] = Field(
        (), strict=False, description="The tasks, in the order of the tables."
    )
    densest: int | None = Field(
        None,
        ge=1,
        description="Instead of names: so many tasks, those with most training rows, dense to "
        "sparse. Their ids are `densest-1` and so on, their names stand in the results.",
    )


class DataSettings(Strict):
    """What every data set says of itself."""

    kind: str = Field(description="A file of `talking_models/data`, without `.py`.")
    name: str | None = Field(None, description="Its name on pages; null: its id.")
    unit: str | None = Field(None, description="What ratings count in, on pages: `stars`.")
    tasks: Tasks = Field(default_factory=Tasks, description="The tasks.")
    seeds: int | None = Field(
        None, ge=1, description="Runs of each of its cells; null: the top level's `seeds`."
    )
    split: Identifier | None = Field(
        None,
        description="The split of its tables, unless a table says otherwise; null: `latest` for "
        "ratings, `given` for images.",
    )
    tuned_as: Identifier | None = Field(
        None, description="The data set whose tuned settings serve this one; null: itself."
    )


class Parts(NamedTuple):
    """Which parts of its source a set of images is trained and evaluated on."""

    train: str
    val: str | None  # None: cut from train
    eval: str


class DataKind:
    """Base of every kind of data set; a subclass in a file of its own is one."""

    family: ClassVar[Literal["ratings", "images"]]  # with `read`, or with `parts` and `open`
    Settings: ClassVar[type[DataSettings]] = DataSettings
    categories: ClassVar[tuple[str, ...]] = ()  # of items; none where only the data tells

    @classmethod
    def files(cls, settings: dict[str, Any]) -> list[str]:
        """Files of the user's own that the data set is read from: changed, it is read again."""
        return []

    @classmethod
    def identity(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """What of the entry decides which rows there are; tuned settings are for these."""
        words = DataSettings.model_fields.keys() - {"kind"}
        return {key: value for key, value in settings.items() if key not in words}

    @classmethod
    def read(cls, settings: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Ratings and items in canonical form (`data/canonical.py`), rows in its order; a
        `SourceError` says what is wrong with the files of `settings`, the data set's entry.
        """
        raise NotImplementedError

    @classmethod
    def parts(cls, settings: dict[str, Any]) -> Parts:
        """The parts of a set of images, or a `SourceError` that lists those there are."""
        raise NotImplementedError

    @classmethod
    def open(cls, settings: dict[str, Any], part: str) -> Pictures:
        """One part of a set of images, read by position."""
        raise NotImplementedError
