"""A verdict on each of the paper's claims, computed from predictions; the page prints this rule.

A claim about genres says that a comparison holds in at least k of n genres: k is the number in the
paper's own table, or more than half where it says "most". A comparison of two experiments in a
genre has two one-sided p-values, for and against, from the t-test of `significance.md`. Where a
genre counts only if *all* of several comparisons hold, its p-value for is the largest of theirs,
and its p-value against the smallest, times their number; where *some* one is enough, the other way
round. "At least k of n" is then tested as a partial conjunction (Benjamini and Heller, 2008), which
is valid although the genres share users and movies. The verdict is

- **supported**: at least k of n hold, by a one-sided test at 2.5%;
- **contradicted**: at least n - k + 1 of n fail, so that fewer than k hold, by the same test;
- **cannot tell at this sample size**: neither;
- **not run**: no results of one of its experiments, or the paper claims it for none of the genres.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from talking_models.evaluation.bootstrap import Errors, collect, draw, drawn_rmse
from talking_models.evaluation.statistics import ALPHA, Difference, at_least, difference, holm
from talking_models.io import write_csv, write_text
from talking_models.report.claim_list import CLAIMS, PUBLISHED, GenreClaim, ImageClaim
from talking_models.report.claims_page import (
    AGAINST,
    COUNT,
    FOR,
    GAIN,
    P_CONTRADICTED,
    P_SUPPORTED,
    page,
)
from talking_models.report.tables import PAPER_GENRES, label

RULE = __doc__.split("\n\n", 1)[1]
SUPPORTED, CONTRADICTED = "supported", "contradicted"
CANNOT_TELL, NOT_RUN = "cannot tell at this sample size", "not run"
COLUMNS = [
    "claim",
    "text",
    "verdict",
    "quantity",
    "estimate",
    "low",
    "high",
    "p",
    "detectable",
    "of",
    "claimed",
    "paper",
]
NOTHING = Errors((), (), np.zeros((0, 0, 1, 1)), np.zeros((0, 1)))


def combined(pairs: np.ndarray, holds: str, *, against: bool) -> np.ndarray:
    """p-values of the units that a claim counts.

    Args:
        pairs: (P, G) one-sided p-values of P comparisons in G genres.
        holds: as in `GenreClaim`.
        against: whether they are of failing, not of holding.

    Returns:
        (G,), or (P x G,) where each comparison counts.
    """
    if holds == "each":
        return pairs.ravel()
    every = (holds == "all") != against  # failing to hold for all is failing once
    return pairs.max(axis=0) if every else np.minimum(1, len(pairs) * pairs.min(axis=0))


def held(differences: np.ndarray, holds: str) -> np.ndarray:
    """How many units hold by the sign of the differences alone.

    Args:
        differences: (..., P, G), positive where a comparison holds.
        holds: as in `GenreClaim`.
    """
    positive = differences > 0
    if holds == "each":
        return positive.sum(axis=(-1, -2))
    return (positive.all(axis=-2) if holds == "all" else positive.any(axis=-2)).sum(axis=-1)


def verdict(p_supported: float, p_contradicted: float) -> str:
    """The verdict of two p-values: that the claim holds, and that it fails."""
    if p_supported <= ALPHA / 2:
        return SUPPORTED
    return CONTRADICTED if p_contradicted <= ALPHA / 2 else CANNOT_TELL


def judge(claim: GenreClaim, errors: Errors, drawn: np.ndarray, paper: pd.DataFrame) -> list[dict]:
    """Verdict and evidence on one claim.

    Args:
        claim: the claim.
        errors: of the experiments that were run.
        drawn: (B, E, G) RMSE of its draws.
        paper: published RMSE, experiment ids by the genres' names.

    Returns:
        Rows of the columns `COLUMNS`, the count first; a single row if it was not run.
    """
    pairs = list(product(claim.better, claim.worse))
    printed = np.stack([paper.loc[worse] - paper.loc[better] for better, worse in pairs])
    in_paper = held(printed, claim.holds)
    units = len(errors.genres) * (len(pairs) if claim.holds == "each" else 1)
    least = units // 2 + 1 if claim.claimed == "most" else in_paper
    common = {"claim": claim.id, "text": claim.text, "of": units, "claimed": least}
    count = {"quantity": COUNT, "paper": in_paper}
    if not set(claim.experiments) <= set(errors.experiments) or least == 0:
        return [common | count | {"verdict": NOT_RUN}]

    place = errors.experiments.index
    found = [difference(errors, drawn, worse, better) for better, worse in pairs]
    draws = np.stack([drawn[:, place(w)] - drawn[:, place(b)] for b, w in pairs], axis=1)
    ends = [ALPHA / 2, 1 - ALPHA / 2]
    low, high = np.quantile(held(draws, claim.holds), ends, method="inverted_cdf")
    count["estimate"] = held(np.stack([d.estimate[:-1] for d in found]), claim.holds)
    p_for = combined(np.stack([d.p_positive[:-1] for d in found]), claim.holds, against=False)
    p_against = combined(np.stack([d.p_negative[:-1] for d in found]), claim.holds, against=True)
    p_supported, p_contradicted = at_least(p_for, least), at_least(p_against, units - least + 1)
    common["verdict"] = verdict(p_supported, p_contradicted)
    rows = [
        count | {"low": low, "high": high},
        {"quantity": FOR, "estimate": (holm(p_for) <= ALPHA / 2).sum()},
        {"quantity": AGAINST, "estimate": (holm(p_against) <= ALPHA / 2).sum()},
        {"quantity": P_SUPPORTED, "p": p_supported},
        {"quantity": P_CONTRADICTED, "p": p_contradicted},
        *(_mean(*pair, d, row.mean()) for pair, d, row in zip(pairs, found, printed, strict=True)),
    ]
    return [common | row for row in rows]


def _mean(better: str, worse: str, found: Difference, printed: float) -> dict:
    """The row of one comparison's mean over the genres."""
    low, high = found.interval
    return {
        "quantity": f"RMSE of {worse} minus {better}",
        "estimate": found.estimate[-1],
        "low": low[-1],
        "high": high[-1],
        "p": found.p[-1],
        "detectable": found.detectable()[-1],
        "paper": printed,
    }


def on_images(claim: ImageClaim, paper: pd.DataFrame) -> list[dict]:
    """The rows of a claim about image sets: the paper's numbers alone.

    Args:
        claim: the claim.
        paper: published accuracy of its table, row names by image sets, in its order.
    """
    last = paper.iloc[-1]
    found = last > paper.iloc[:-1].max() if claim.holds == "best" else paper.diff()[1:].gt(0).all()
    gains = (last / paper.iloc[0] - 1).items()
    rows = [
        {"quantity": COUNT, "paper": found.sum()},
        *({"quantity": f"{GAIN} on {name}", "paper": gain} for name, gain in gains),
    ]
    common = {"claim": claim.id, "text": claim.text, "verdict": NOT_RUN}
    return [common | {"of": len(found), "claimed": found.sum()} | row for row in rows]


def run(
    predictions: Iterable[str | Path],
    papers: Iterable[str | Path],
    genres: Sequence[str],
    stamp: str,
    csv: str | Path,
    md: str | Path,
) -> None:
    """All verdicts, from files to files.

    Args:
        predictions: of the experiments in `PUBLISHED` that the configuration has.
        papers: the published tables.
        genres: names; those that the paper's tables lack are left out.
        stamp: what the results were made from.
        csv, md: files to write.
    """
    printed = pd.concat([pd.read_csv(path) for path in papers], ignore_index=True)
    known = [genre for genre in genres if genre in PAPER_GENRES]
    errors = collect(predictions, known) if known else NOTHING
    drawn = drawn_rmse(errors, draw(errors))
    by_row = printed.pivot(index=["table", "method"], columns="genre_or_dataset", values="mean")
    ours = by_row.loc[list(PUBLISHED.values()), [label(genre) for genre in errors.genres]]
    ours.index = list(PUBLISHED)
    rows = []
    for claim in CLAIMS:
        if isinstance(claim, GenreClaim):
            rows += judge(claim, errors, drawn, ours)
        else:
            table = printed[printed["table"] == claim.table]
            order = {key: list(dict.fromkeys(table[key])) for key in ("method", "genre_or_dataset")}
            cells = table.pivot(index="method", columns="genre_or_dataset", values="mean")
            rows += on_images(claim, cells.loc[order["method"], order["genre_or_dataset"]])
    found = pd.DataFrame(rows).reindex(columns=COLUMNS)
    write_csv(csv, found)
    write_text(md, page(found, RULE, errors.experiments, len(drawn), stamp))
