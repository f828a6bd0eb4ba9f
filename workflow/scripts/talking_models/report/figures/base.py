"""What a figure is: what it needs of a run, how it is drawn, and its caption, in one file.

Nothing here, nor at the top of a figure's file, imports matplotlib: the workflow asks what a figure
needs while Snakemake builds its DAG.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from talking_models.plan import Plan


class Need(NamedTuple):
    """What a figure is drawn from.

    Attributes:
        inputs: files by the name of the argument of `Figure.run`.
        params: its other arguments.
    """

    inputs: dict[str, list[str]]
    params: dict[str, Any]


class Figure:
    """Base of every figure; a subclass in a file of its own is one, under the file's name.

    Attributes:
        title: what it shows, in a report's list.
        caption: what a reader must know, in reStructuredText.
    """

    title: ClassVar[str]
    caption: ClassVar[str]

    @classmethod
    def needs(cls, plan: Plan, id: str) -> Need | None:
        """What it is drawn from; None where the configuration lacks it.

        Args:
            plan: of the run.
            id: its name; that of a curve, where it draws one.
        """
        raise NotImplementedError

    @classmethod
    def run(cls, *, png: str, svg: str, **given: Any) -> None:
        """Draw it, from files to both files; `given` are the inputs and params of `needs`."""
        raise NotImplementedError
