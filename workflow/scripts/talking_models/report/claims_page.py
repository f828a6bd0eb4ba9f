"""The verdicts as a page."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from talking_models.report.claim_list import CLAIMS, GenreClaim
from talking_models.report.markdown import grid

COUNT = "it holds in"
FOR, AGAINST = "significant for it after Holm", "significant against it after Holm"
P_SUPPORTED, P_CONTRADICTED = "at least as many as claimed", "fewer than claimed"
GAIN = "relative gain over the first row"
"""Quantities of the evidence; the others are differences of means over the genres."""


def page(
    found: pd.DataFrame, rule: str, experiments: Collection[str], draws: int, stamp: str
) -> str:
    """The page: all verdicts at a glance, the rule, then the evidence claim by claim.

    Args:
        found: from `talking_models.report.claims`.
        rule: how a verdict is reached.
        experiments: ids of those that were run.
        draws: how many there were.
        stamp: what the results were made from.
    """
    claims = {claim.id: claim for claim in CLAIMS}
    groups = [(claims[id_], rows) for id_, rows in found.groupby("claim", sort=False)]
    lines = [
        [f"{claim.id}. {claim.text}", f"**{rows['verdict'].iloc[0]}**", _ours(rows), _paper(rows)]
        for claim, rows in groups
    ]
    parts = [
        "# The paper's claims",
        stamp,
        grid(["Claim", "Verdict", "Ours: it holds in", "The paper"], lines, words=3),
        "## How a verdict is reached",
        rule.strip(),
        f'"Spread" is the middle 95% of {draws:,} draws of users and seeds. Differences below are '
        "in RMSE (stars), the mean over the genres with its 95% interval; positive where the claim "
        'holds. "Told apart" is the smallest true difference that would be found with a power of '
        "80%. ‡ the paper's difference is outside our interval.",
    ]
    for claim, rows in groups:
        parts += [
            f"## {claim.id}. {claim.text}",
            f"Verdict: **{rows['verdict'].iloc[0]}**. The paper: “{claim.quote}”.",
            *(_evidence(rows) or [_missing(claim, experiments)]),
        ]
    return "\n\n".join(parts) + "\n"


def _row(rows: pd.DataFrame, quantity: str) -> pd.Series:
    return rows[rows["quantity"] == quantity].iloc[0]


def _ours(rows: pd.DataFrame) -> str:
    count = _row(rows, COUNT)
    if pd.isna(count["estimate"]):
        return ""
    after = [_row(rows, quantity)["estimate"] for quantity in (FOR, AGAINST)]
    return (
        f"{count['estimate']:.0f} of {count['of']} (spread {count['low']:.0f} to "
        f"{count['high']:.0f}); after Holm {after[0]:.0f} for, {after[1]:.0f} against"
    )


def _paper(rows: pd.DataFrame) -> str:
    count = _row(rows, COUNT)
    return f"{count['paper']:.0f} of {count['of']}"


def _missing(claim: GenreClaim, experiments: Collection[str]) -> str:
    """Why a claim was not run."""
    missing = [f"`{id_}`" for id_ in claim.experiments if id_ not in experiments]
    if missing:
        return f"The configuration has no {', '.join(missing)}."
    return "The paper's table does not show it for any of these genres."


def _evidence(rows: pd.DataFrame) -> list[str]:
    gains = rows[rows["quantity"].str.startswith(GAIN)]
    if len(gains):
        listed = ", ".join(
            f"{row.paper:+.2%}{row.quantity.removeprefix(GAIN)}" for row in gains.itertuples()
        )
        return [f"The paper's {GAIN.replace('gain', 'gains')} of its table: {listed}."]
    count = _row(rows, COUNT)
    if pd.isna(count["estimate"]):
        return []
    tests = (
        f"Claimed for at least {count['claimed']} of {count['of']}. That at least as many hold has "
        f"p = {_row(rows, P_SUPPORTED)['p']:.4f}, that fewer do "
        f"p = {_row(rows, P_CONTRADICTED)['p']:.4f}."
    )
    means = rows[rows["quantity"].str.startswith("RMSE")]
    lines = [
        [
            row.quantity,
            f"{row.estimate:+.4f} [{row.low:+.4f}, {row.high:+.4f}]",
            f"{row.p:.4f}",
            "" if pd.isna(row.detectable) else f"{row.detectable:.4f}",
            f"{row.paper:+.4f}{'' if row.low <= row.paper <= row.high else ' ‡'}",
        ]
        for row in means.itertuples()
    ]
    return [tests, grid(["Mean over genres", "Ours", "p", "Told apart", "The paper"], lines)]
