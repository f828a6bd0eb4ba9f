"""What a figure is: what it needs of a run, how it is drawn, and its caption, in one file.

Nothing here, nor at the top of a figure's file, imports matplotlib: the workflow asks what a figure
needs while Snakemake builds its DAG.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    import matplotlib.figure


class Need(NamedTuple):
    """What a figure is drawn from, by the name of the argument of `Figure.draw`."""

    inputs: dict[str, list[str]]  # files
    params: dict[str, Any]
    in_all: bool = True  # whether a run without a target draws it

    @classmethod
    def of_gains(cls, plan: Any, id: str) -> Need:
        """Of a figure of a curve along splits: its table."""
        about = plan.along(id)
        params = {key: about[key] for key in ("lines", "against", "metric", "names")}
        in_all = plan.config.curves[id].in_all
        return cls({"gains": [plan.path("tables", f"{id}.csv")]}, params, in_all)


class Figure:
    """Base of every figure; a subclass in a file of its own is one, under the file's name."""

    title: ClassVar[str]  # what it shows, in a report's list
    caption: ClassVar[str]  # what a reader must know, in reStructuredText

    @classmethod
    def needs(cls, plan: Any, id: str) -> Need | None:
        """What it is drawn from in the run that a `plan.Plan` is of; None where the configuration
        lacks it. A curve has its own id.
        """
        raise NotImplementedError

    @classmethod
    def draw(cls, **given: Any) -> matplotlib.figure.Figure:
        """The figure; `given` are the inputs and params of `needs`."""
        raise NotImplementedError
