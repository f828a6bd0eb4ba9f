"""A verdict on each of the paper's claims, computed from predictions; the page prints the rule.

What the paper claims stands in a file (`config/paper/claims.yaml`), which names rows of its
published tables. A comparison of two rows is judged by the mean over the columns that were run and
that the paper has, by the rule of `evidence.verdicts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml
from scipy import stats

from talking_models.evidence import verdicts
from talking_models.evidence.intervals import Difference, Evidence, collect, difference
from talking_models.evidence.verdicts import Estimate, Verdict
from talking_models.io import write_csv, write_text
from talking_models.report.markdown import grid
from talking_models.report.paper import Paper, numbers

COLUMNS = [
    "claim", "text", "verdict", "verdict_sqrt2", "quantity", "metric", "estimate", "low", "high",
    "p", "detectable", "paper", "holds_in", "paper_holds_in", "of",
]  # fmt: skip
RULE = verdicts.__doc__.split("\n\n", 1)[1]


@dataclass(frozen=True)
class Claim:
    """A claim that some rows of published tables are better than others.

    Attributes:
        id, text: its number and what is claimed.
        quote: the paper's words.
        better, worse: rows as TABLE/ROW; each of `better` is compared with each of `worse`.
        needs: whether it takes all comparisons or some.
    """

    id: str
    text: str
    quote: str
    better: Sequence[str]
    worse: Sequence[str]
    needs: Literal["all", "some"] = "all"

    @property
    def pairs(self) -> list[tuple[tuple[str, str], tuple[str, str]]]:
        """The comparisons, as (table, row) each."""
        return [
            tuple((table, row) for table, _, row in (ref.partition("/") for ref in pair))
            for pair in product(self.better, self.worse)
        ]


@dataclass
class Judged:
    """A claim with its verdict and what it rests on.

    Attributes:
        verdict, loose: by our standard errors, and by theirs times the square root of two, as if
            the paper's rows were another sample.
        why: why there is nothing to judge, or "".
        pairs: for each comparison its name, estimate, difference over columns, printed numbers.
    """

    claim: Claim
    verdict: Verdict
    loose: Verdict
    why: str = ""
    metric: str = ""
    pairs: list[tuple[str, Estimate, Difference, np.ndarray]] = field(default_factory=list)

    @classmethod
    def without(cls, claim: Claim, why: str, verdict: Verdict = Verdict.NOT_RUN) -> Judged:
        """One that there are no numbers for."""
        return cls(claim, verdict, verdict, why)


def read(path: str | Path) -> list[Claim]:
    """The claims of a file."""
    return [Claim(**each) for each in yaml.safe_load(Path(path).read_text(encoding="utf-8"))]


class Judge:
    """What claims are judged by.

    Args:
        tables: what is to be known of each table (`Plan.about`), by id.
        predictions: of all their experiments.
        paper: what is known of the paper.
    """

    def __init__(
        self,
        tables: Mapping[str, Mapping[str, Any]],
        predictions: Iterable[str | Path],
        paper: Paper,
    ) -> None:
        self.tables, self.files, self.paper = tables, list(predictions), paper
        self.published = {id: numbers(about["paper"]) for id, about in tables.items()}
        self.evidence: dict[Any, Evidence] = {}

    def on(self, about: Mapping[str, Any]) -> Evidence:
        """The evidence of all tables on the columns of one, by its metric."""
        key = about["metric"], str(about["columns"])
        if key not in self.evidence:
            alike = [t for t in self.tables.values() if t["columns"] == about["columns"]]
            ids = {id for t in alike for id in t["rows"].values()}
            columns = product((tuple(c) for c in about["columns"]), ids)
            places = [f"/{'/'.join((*column, id))}/" for column, id in columns]
            own = [file for file in self.files if any(place in str(file) for place in places)]
            self.evidence[key] = collect(own, about["metric"])
        return self.evidence[key]

    def missing(self, claim: Claim) -> str:
        """Why a claim cannot be judged at all, or ""."""
        refs = dict.fromkeys(ref for pair in claim.pairs for ref in pair)
        lost = [t for t in dict.fromkeys(t for t, _ in refs) if t not in self.tables]
        if lost:
            return f"The run has no {' or '.join(lost)}."
        rows = [f"{t}/{r}" for t, r in refs if r not in self.tables[t]["rows"]]
        if rows:
            return f"The configuration has no row {', '.join(rows)}."
        alike = {str(self.tables[t]["columns"]) for t, _ in refs}
        return "Its tables were not run on the same tasks." if len(alike) > 1 else ""

    def judge(self, claim: Claim) -> Judged:
        """The verdict on a claim."""
        why = self.missing(claim)
        if why:
            return Judged.without(claim, why)
        about = self.tables[claim.pairs[0][0][0]]
        evidence = self.on(about)
        columns = [c for c in evidence.columns if self.paper.column(*c)]
        if not columns:
            return Judged.without(claim, "The paper has none of the tasks that were run.")
        evidence, found = evidence.on(columns), []
        for one, other in claim.pairs:
            printed = self.printed(one, other, columns, evidence.sign)
            if not printed.mean() > 0:
                continue  # the paper's own numbers do not show it
            ids = [self.tables[table]["rows"][row] for table, row in (one, other)]
            change = difference(evidence, *ids)
            value = evidence.sign * change.estimate[-1]
            own = Estimate(value, change.error[-1], change.freedom[-1], printed.mean())
            found.append((f"{one[1]} over {other[1]}", own, change, printed))
        if not found:
            why = "The paper's own numbers do not show it, as a mean over the tasks that were run."
            return Judged.without(claim, why, Verdict.NOT_SHOWN)
        combine = verdicts.of_all if claim.needs == "all" else verdicts.of_some
        each = [own for _, own, _, _ in found]
        loose = [Estimate(e.value, e.error * 2**0.5, e.freedom, e.printed) for e in each]
        return Judged(claim, combine(each), combine(loose), "", about["metric"], found)

    def printed(
        self, one: tuple[str, str], other: tuple[str, str], columns: Sequence, sign: int
    ) -> np.ndarray:
        """How much better the paper's first row is than its second, by column."""
        theirs = [self.paper.column(*column) for column in columns]
        a, b = (
            np.array([self.published[t].get((row, c), (np.nan,))[0] for c in theirs], float)
            for t, row in (one, other)
        )
        return sign * (a - b)


def lines(judged: Judged) -> list[dict[str, Any]]:
    """A claim's rows of `claims.csv`."""
    claim = judged.claim
    common = {
        "claim": claim.id,
        "text": claim.text,
        "verdict": str(judged.verdict),
        "verdict_sqrt2": str(judged.loose),
        "metric": judged.metric,
    }
    found = []
    for name, own, change, printed in judged.pairs:
        low, high = own.ends()
        signed = change.sign * change.estimate[:-1]
        found.append(
            common
            | {
                "quantity": name,
                "estimate": own.value,
                "low": low,
                "high": high,
                "p": change.p[-1],
                "detectable": change.detectable()[-1],
                "paper": own.printed,
                "holds_in": int((signed > 0).sum()),
                "paper_holds_in": int((printed > 0).sum()),
                "of": len(signed),
            }
        )
    return found or [common]


def expected_wins(error: np.ndarray, printed: np.ndarray) -> tuple[float, float]:
    """In how many columns a comparison holds by the sign, on average: by chance, and if the
    paper's differences were exactly true.
    """
    sure = printed / np.maximum(error, np.finfo(float).tiny)
    return len(printed) / 2, float(stats.norm.cdf(sure).sum())


def page(found: Sequence[Judged], trial: bool, stamp: str) -> str:
    """The page: all verdicts at a glance, the rule, then the evidence claim by claim."""

    def said(verdict: Verdict) -> str:
        if verdict in (Verdict.NOT_RUN, Verdict.NOT_SHOWN):
            return str(verdict)
        return f"{verdict} (a trial run, no result)" if trial else f"**{verdict}**"

    table = [
        [
            f"{j.claim.id}. {j.claim.text}",
            f"{said(j.verdict)}: {j.why[0].lower()}{j.why[1:]}" if j.why else said(j.verdict),
            "" if j.why else str(j.loose),
        ]
        for j in found
    ]
    parts = [
        "# The paper's claims",
        stamp,
        grid(["Claim", "Verdict", "If the paper's rows were another sample"], table, words=3),
        "Under this protocol and these settings. The last column takes our standard errors times "
        "the square root of 2.",
        "## How a verdict is reached",
        RULE.strip(),
        "A claim about several comparisons that needs all of them is reproduced if each is; that "
        "one is opposite or smaller is said after Holm's correction. One that needs some takes the "
        "best of them, after the same correction. Differences are means over the columns, positive "
        "where the claim holds. Counts of columns are descriptive: beside ours stand what chance "
        "would give and what the paper's differences would give if they were exactly true.",
    ]
    for judged in found:
        claim = judged.claim
        parts += [
            f"## {claim.id}. {claim.text}",
            f"Verdict: {said(judged.verdict)}. The paper: “{claim.quote}”.",
            judged.why or evidence_of(judged),
        ]
        if judged.verdict is Verdict.UNDECIDED and any(e.error for _, e, _, _ in judged.pairs):
            size = np.nanmax([change.detectable()[-1] for _, _, change, _ in judged.pairs])
            parts.append(f"A true difference of {size:.4f} would have been told from none.")
    powers = power_table(found)
    if powers:
        parts += ["## What this rule can say", *powers]
    return "\n\n".join(parts) + "\n"


def evidence_of(judged: Judged) -> str:
    """The comparisons of a claim as a table."""
    rows = []
    for name, own, change, printed in judged.pairs:
        low, high = own.ends()
        holds = int((change.sign * change.estimate[:-1] > 0).sum())
        chance, theirs = expected_wins(change.error[:-1], printed)
        rows.append(
            [
                name,
                f"{own.value:+.4f} [{low:+.4f}, {high:+.4f}]",
                f"{own.printed:+.4f}",
                str(own.verdict),
                f"{holds} of {len(printed)} ({chance:.1f}; {theirs:.1f})",
            ]
        )
    head = ["Mean over columns", "Ours", "The paper", "Alone", "Holds in (chance; the paper's)"]
    return grid(head, rows)


def power_table(found: Sequence[Judged]) -> list[str]:
    """How often each claim's first comparison would get each verdict, if the truth were known."""
    rows = []
    for judged in found:
        first = next(((name, e) for name, e, _, _ in judged.pairs if e.error), None)
        if first is None:
            continue
        name, own = first
        cells = []
        for truth in (0.0, own.printed / 2, own.printed, -own.printed):
            each = verdicts.power(own.error, own.freedom, own.printed, truth)
            best = max(each, key=each.__getitem__)
            cells.append(f"{best} {each[best]:.0%}")
        rows.append([f"{judged.claim.id}: {name}", *cells])
    if not rows:
        return []
    head = [
        "The most frequent verdict, if the truth were",
        "nothing",
        "half",
        "the paper's",
        "its opposite",
    ]
    return [grid(head, rows, words=5), "By simulation with the standard errors above."]


def run(
    predictions: Iterable[str | Path],
    tables: Mapping[str, Mapping[str, Any]],
    claims: str | Path,
    facts: str | Path | None,
    trial: bool,
    stamp: str,
    csv: str | Path,
    md: str | Path,
) -> None:
    """All verdicts, from files to files.

    Args:
        predictions: of the experiments of `tables`.
        tables: what is to be known of each table (`Plan.about`), by id.
        claims: the file of claims.
        facts: see `report.paper.Paper`.
        trial: whether the run is no result.
        stamp: what the results were made from.
        csv, md: files to write.
    """
    judge = Judge(tables, predictions, Paper.read(facts))
    found = [judge.judge(claim) for claim in read(claims)]
    rows = [line for judged in found for line in lines(judged)]
    write_csv(csv, pd.DataFrame(rows).reindex(columns=COLUMNS))
    write_text(md, page(found, trial, stamp))
