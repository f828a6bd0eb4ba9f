"""The paper's claims, and which experiments they are about. Standard library only: for Snakefiles.

Ids are those of `config/experiments.yaml`, `teacher` aside. A claim whose experiments the
configuration lacks is not run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BASELINES = ("ld", "fd", "fitnet", "hybrid")

PUBLISHED = {
    "scratch": (3, "Train from Scratch"),
    "teacher": (3, "Teacher"),
    "ld": (3, "LD"),
    "fd": (3, "FD"),
    "fitnet": (3, "FitNet"),
    "hybrid": (3, "Hybrid"),
    "td": (3, "TD"),
    "td-rounds-0": (5, "No Interactions"),
    "td-rounds-1": (5, "1 iteration"),
    "td-rounds-2-3": (5, "2 to 3 iterations"),
    "td-no-lmc": (7, "No L_MC"),
    "td-no-lsc": (7, "No L_SC"),
}
"""Where the paper prints the numbers of an experiment: table and row."""


@dataclass(frozen=True)
class GenreClaim:
    """A claim that some experiments have a lower RMSE than others, counted over the genres.

    Attributes:
        id: its number in the project's list of claims.
        text: what is claimed.
        quote: the paper's words.
        better, worse: experiment ids; each of `better` is compared with each of `worse`.
        holds: a genre counts if `all` comparisons hold, or if `some` do; `each`: every comparison
            counts by itself.
        claimed: in how many genres it has to hold: as many as in the paper's own `table`, or
            `most`, more than half.
    """

    id: str
    text: str
    quote: str
    better: tuple[str, ...]
    worse: tuple[str, ...]
    holds: Literal["all", "some", "each"] = "all"
    claimed: Literal["table", "most"] = "table"

    @property
    def experiments(self) -> tuple[str, ...]:
        """All ids that it is about."""
        return (*self.better, *self.worse)


@dataclass(frozen=True)
class ImageClaim:
    """A claim about the image sets, which this workflow does not train yet.

    Attributes:
        id, text, quote: as for `GenreClaim`.
        table: the paper's table with its numbers.
        holds: an image set counts if the table's last row is the `best`, or if its rows are
            `rising`.
    """

    id: str
    text: str
    quote: str
    table: int
    holds: Literal["best", "rising"]


CLAIMS = (
    GenreClaim(
        "1",
        "TD beats all four distillation baselines",
        "our method outperforms baseline methods on 7 of the 8 genres",
        ("td",),
        BASELINES,
    ),
    GenreClaim(
        "2",
        "TD beats both the student from scratch and the teacher",
        "can out-perform both teacher and student on most genres",
        ("td",),
        ("scratch", "teacher"),
    ),
    GenreClaim(
        "3",
        "The distillation baselines are often worse than the student from scratch",
        "distillation from teacher to student could even hurt the student's performance for some "
        "genres",
        ("scratch",),
        BASELINES,
        holds="each",
    ),
    ImageClaim(
        "4",
        "TD is the best method on all image sets, with the largest gain on ImageNet",
        "our method outperforms baseline methods on all downstream tasks. Our improvement is most "
        "significant on ImageNet",
        4,
        "best",
    ),
    ImageClaim(
        "5",
        "More rounds of messages help on image sets",
        "by introducing interactive communication, we further improve the student model",
        6,
        "rising",
    ),
    GenreClaim(
        "6a",
        "TD without rounds of messages beats some baseline",
        "even without interactive communication, our method can outperform some baseline methods",
        ("td-rounds-0",),
        BASELINES,
        holds="some",
    ),
    GenreClaim(
        "6b",
        "Some number of rounds beats none",
        "by introducing interactive communication, we further improve the student model",
        ("td-rounds-1", "td-rounds-2-3"),
        ("td-rounds-0",),
        holds="some",
    ),
    GenreClaim(
        "7a",
        "The message consistency loss L_MC helps",
        "both message consistency loss L_MC and state consistency loss L_SC are useful for most "
        "genres",
        ("td",),
        ("td-no-lmc",),
        claimed="most",
    ),
    GenreClaim(
        "7b",
        "The state consistency loss L_SC helps",
        "both message consistency loss L_MC and state consistency loss L_SC are useful for most "
        "genres",
        ("td",),
        ("td-no-lsc",),
        claimed="most",
    ),
)

EXPERIMENTS = tuple(
    dict.fromkeys(id_ for c in CLAIMS if isinstance(c, GenreClaim) for id_ in c.experiments)
)
"""All ids that some claim is about."""
PAPER_TABLES = tuple(
    sorted(
        {c.table for c in CLAIMS if isinstance(c, ImageClaim)} | {t for t, _ in PUBLISHED.values()}
    )
)
"""Numbers of the paper's tables that claims are compared with."""
