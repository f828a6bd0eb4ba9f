"""Ratings of the user's own: a file of them, and perhaps one of items, in whatever form they are.

`docs/own-ratings.md` says which forms are understood.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from talking_models.data.base import DataKind, DataSettings
from talking_models.strict import Strict

Column = Annotated[str, Field(min_length=1)] | Annotated[int, Field(ge=0)]


class Columns(Strict):
    """Names of columns, or their places from 0; null: found by the names that people use."""

    user: Column | None = Field(None, description="Of the ratings: who rated.")
    item: Column | None = Field(None, description="What was rated, in both files.")
    rating: Column | None = Field(None, description="Of the ratings: the number.")
    time: Column | None = Field(None, description="Of the ratings: when.")
    title: Column | None = Field(None, description="Of the items: words about each.")
    categories: Column | list[Column] | None = Field(
        None, description="Of the items: a list of names, or a column of 0 and 1 for each category."
    )


class RatingsSettings(DataSettings):
    """Ratings from files."""

    ratings: str = Field(
        min_length=1, description="CSV, TSV, `::`, `;`, `|` or Parquet, perhaps in gzip or zip."
    )
    items: str | None = Field(
        None, min_length=1, description="The items, likewise; null: there is nothing about them."
    )
    columns: Columns = Field(default_factory=Columns, description="Which column holds what.")
    separator: str | None = Field(
        None, min_length=1, description="What stands between fields; null: found out."
    )
    header: bool | None = Field(
        None, description="Whether the first line holds names; null: found out."
    )
    encoding: str | None = Field(None, description="Of text; null: UTF-8, else Latin-1.")
    time_unit: Literal["s", "ms", "iso"] | None = Field(
        None, description="Seconds or milliseconds since 1970, or dates; null: found out."
    )
    duplicates: Literal["error", "last", "mean"] = Field(
        "error", description="What several ratings of an item by one user become."
    )


class Ratings(DataKind):
    """Ratings of the user's own."""

    family = "ratings"
    Settings = RatingsSettings

    @classmethod
    def files(cls, settings: dict[str, Any]) -> list[str]:
        """The ratings, and the items if there are any."""
        return [path for path in (settings["ratings"], settings["items"]) if path]

    @classmethod
    def read(cls, settings: dict[str, Any]):
        """See `DataKind.read`."""
        from talking_models.data.reading import look

        return look(settings)[:2]
