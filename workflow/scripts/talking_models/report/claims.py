"""A verdict on each of the paper's claims, computed from predictions; the page prints the rule.

What the paper claims names rows of its published tables, see `report.paper`. A comparison of two
rows is judged by the mean over the columns that were run and that the paper has, by the rule of
`evidence.verdicts`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from talking_models.evidence import verdicts
from talking_models.evidence.intervals import Difference, correlation, difference
from talking_models.evidence.shares import LEAST, shares
from talking_models.evidence.verdicts import FAILED, GOOD, Estimate, Verdict
from talking_models.io import write_csv
from talking_models.metrics import METRICS
from talking_models.report.markdown import grid, interval, list_table, write
from talking_models.report.paper import Claim, Paper, means, numbers, read_claims
from talking_models.report.significance import evidence_of

COLUMNS = [
    "claim", "text", "on", "verdict", "verdict_sqrt2", "quantity", "metric", "estimate", "low",
    "high", "weighted", "weighted_low", "weighted_high", "p", "detectable", "paper", "paper_stderr",
    "holds_in", "paper_holds_in", "of",
]  # fmt: skip
COMBINE = {"all": verdicts.of_all, "some": verdicts.of_some}  # by what a claim needs
RULE = verdicts.__doc__.split("\n\n", 1)[1]


@dataclass
class Judged:
    """A claim with its verdict and what it rests on."""

    claim: Claim
    verdict: Verdict
    loose: Verdict  # had the paper's rows been another sample: errors times the root of two
    why: str = ""  # why there is nothing to judge, or ""
    metric: str = ""
    on: str = ""  # which rows of the data
    pairs: list[dict[str, Any]] = field(default_factory=list)  # see `compared`
    remarks: list[str] = field(default_factory=list)
    correlation: np.ndarray | None = None  # of the pairs, see `intervals.correlation`

    def rows(self) -> list[dict[str, Any]]:
        """Of `claims.csv`."""
        own = {
            "claim": self.claim.id,
            "text": self.claim.text,
            "metric": self.metric,
            "on": self.on,
        }
        own |= {"verdict": str(self.verdict), "verdict_sqrt2": str(self.loose)}
        return [own | pair for pair in self.pairs or [{}]]


def judge(
    claim: Claim,
    on: str,
    tables: Mapping,
    predictions: Sequence,
    histories: Sequence,
    paper: Paper,
) -> Judged:
    """The verdict on a claim; see `run`."""

    def without(why: str, verdict: Verdict = Verdict.NOT_RUN) -> Judged:
        return Judged(claim, verdict, verdict, why, on=on)

    refs = dict.fromkeys(ref for pair in claim.pairs for ref in pair)
    lost = dict.fromkeys(table for table, _ in refs if table not in tables)
    if lost:
        return without(f"The run has no {' or '.join(lost)}.")
    rows = [f"{table}/{row}" for table, row in refs if row not in tables[table]["rows"]]
    if rows:
        return without(f"The configuration has no row {', '.join(rows)}.")
    if len({str(tables[table]["columns"]) for table, _ in refs}) > 1:
        return without("Its tables were not run on the same tasks.")
    about = tables[claim.pairs[0][0][0]]
    ids = {(table, row): tables[table]["rows"][row] for table, row in refs}
    evidence = evidence_of(about, set(ids.values()), predictions)
    columns = [column for column in evidence.columns if paper.column(*column)]
    if not columns:
        return without("The paper has none of the tasks that were run.")
    if claim.column:
        columns = [column for column in columns if paper.column(*column) == claim.column]
        if not columns:
            return without(f"The run has no {claim.column}.")
    evidence, theirs = evidence.on(columns), [paper.column(*column) for column in columns]
    printed = {
        (table, row): evidence.sign * means(numbers(tables[table]["paper"]), row, theirs)
        for table, row in refs
    }
    pairs, remarks = [], []
    for one, other in claim.pairs:
        gap = (printed[one] - printed[other]).mean()
        if gap > 0:
            pairs.append((one, other))
            continue
        why = "lacks a number of it" if np.isnan(gap) else "does not show it"
        remarks.append(f"{one[1]} over {other[1]} is left out: the paper {why}.")
    if not pairs:
        why = "The paper's own numbers do not show it, as a mean over the tasks that were run."
        return without(why, Verdict.NOT_SHOWN)
    if claim.part:
        with_it = [ids[one] for one, _ in pairs]
        sets = {data for data, _ in columns}
        jobs = [column for column in about["columns"] if column[0] in sets]
        of_part = shares(histories, jobs, with_it).reindex(columns=[claim.part])
        of_part = of_part[claim.part].reindex(with_it)
        heard = (of_part >= LEAST).tolist()
        if not any(heard):
            most = of_part.max()
            said = "no" if np.isnan(most) else f"{most:.1%} of the label's"
            why = f"The part that is left out has {said} gradient over the student."
            return without(why, Verdict.NOT_TESTED)
        off = [one[1] for (one, _), loud in zip(pairs, heard, strict=True) if not loud]
        remarks += [f"{row} is left out: the part hardly moves its student." for row in off]
        pairs = [pair for pair, loud in zip(pairs, heard, strict=True) if loud]
    if evidence.seeds == 1:
        remarks.append("Of one training each: what another one would give is in no interval.")
    tests = len(pairs) if claim.needs == "some" else 1
    found = [
        {"quantity": f"{one[1]} over {other[1]}"}
        | compared(difference(evidence, ids[one], ids[other]), printed[one] - printed[other], tests)
        | by_worth(difference(evidence, ids[one], ids[other], evidence.worth))
        for one, other in pairs
    ]
    together = correlation(evidence, [(ids[one], ids[other]) for one, other in pairs])
    each, combine = [pair["own"] for pair in found], COMBINE[claim.needs]
    loose = [Estimate(e.value, e.error * 2**0.5, e.freedom, e.printed) for e in each]
    verdict, metric = combine(each), about["metric"]
    return Judged(claim, verdict, combine(loose), "", metric, on, found, remarks, together)


def compared(change: Difference, printed: np.ndarray, tests: int = 1) -> dict[str, Any]:
    """What `COLUMNS` say of a comparison, one of so many `tests` of which one is enough; its
    `Estimate` as `own`, and as `expected` in how many columns it would hold by the sign if the
    paper's differences were exactly true.
    """
    better = change.sign * change.estimate
    own = Estimate(better[-1], change.error[-1], change.freedom[-1], printed.mean())
    sure = printed / np.maximum(change.error[:-1], np.finfo(float).tiny)
    return {
        "own": own,
        "estimate": own.value,
        **dict(zip(("low", "high"), own.ends(), strict=True)),
        "p": change.p[-1],
        "detectable": change.detectable(tests)[-1],
        "paper": own.printed,
        "paper_stderr": stats.sem(printed) if len(printed) > 1 else np.nan,
        "holds_in": (better[:-1] > 0).sum(),
        "paper_holds_in": (printed > 0).sum(),
        "of": len(printed),
        "expected": stats.norm.cdf(sure).sum(),
    }


def by_worth(change: Difference) -> dict[str, float]:
    """The mean over columns with weights by how many users each is worth, and its interval."""
    found = Estimate(change.sign * change.estimate[-1], change.error[-1], change.freedom[-1], 0.0)
    low, high = found.ends()
    return {"weighted": found.value, "weighted_low": low, "weighted_high": high}


def said(verdict: Verdict, trial: bool) -> str:
    """A verdict in words: bold, if there is one and the run is no trial."""
    if verdict in (Verdict.NOT_RUN, Verdict.NOT_SHOWN, Verdict.NOT_TESTED):
        return str(verdict)
    return f"{verdict} (a trial run, no result)" if trial else f"**{verdict}**"


def glance(found: Sequence[Judged], trial: bool) -> tuple[list[str], list[list[str]]]:
    """All verdicts in a table, its heading first."""
    table, columns = [], list(dict.fromkeys(judged.on for judged in found))
    for claim, own in groupby(found, key=lambda judged: judged.claim):
        line = [f"{claim.id}. {claim.text}"]
        for j in own:
            why = f": {j.why[0].lower()}{j.why[1:]}" if j.why else ""
            line.append(said(j.verdict, trial) + why)
            if j.on == columns[0]:
                line.append("" if j.why else str(j.loose))
        table.append(line)
    heads = ["Claim", "Verdict", "If the paper's rows were another sample"]
    return heads + [f"On {on}" for on in columns[1:]], table


def page(found: Sequence[Judged], trial: bool, stamp: str) -> list[str]:
    """The page: all verdicts at a glance, the rule, then the evidence claim by claim."""
    columns = list(dict.fromkeys(judged.on for judged in found))
    heads, table = glance(found, trial)
    parts = [
        "# The paper's claims",
        stamp,
        grid(heads, table, words=len(heads)),
        "Under this protocol. Intervals are over users (or images) and seeds: training rows, the "
        "places in time where the data are cut, items, and the settings that a search chose are "
        "taken as given, and other ones move a row, too. "
        "The third column takes our standard errors times the square root of 2."
        + " Columns share rows of the data, and are no independent evidence."
        * (len(columns) > 1),
        "## How a verdict is reached",
        RULE.strip(),
        "A claim about several comparisons that needs all of them is reproduced if each is; where "
        "they do not all say the same, that one is opposite or smaller is said after Holm's "
        "correction, if it is not reproduced alone. One that needs some takes the "
        "best of them, after the same correction. Differences are means over the columns, positive "
        "where the claim holds; beside them the mean with weights by how many users (or images) of "
        "equal size each column's are worth, which no prediction moves, and beside the paper's the "
        "standard error of its own columns. Counts of columns are "
        "descriptive: beside ours stand what chance "
        "would give and what the paper's differences would give if they were exactly true.",
    ]
    head = ["Mean over columns", "Ours", "Weighted", "The paper", "Alone"]
    head.append("Holds in (chance; the paper's)")
    for judged in found:
        lines, n = [], METRICS.get(judged.metric).digits if judged.metric else 0
        for pair in judged.pairs:
            ours = interval(pair["estimate"], pair["low"], pair["high"], n)
            weighted = interval(*(pair[f"weighted{end}"] for end in ("", "_low", "_high")), n)
            theirs, alone = f"{pair['paper']:+.{n}f}", str(pair["own"].verdict)
            if not np.isnan(pair["paper_stderr"]):
                theirs += f" ± {pair['paper_stderr']:.{n}f}"
            holds = f"{pair['holds_in']} of {pair['of']}"
            holds += f" ({pair['of'] / 2:.1f}; {pair['expected']:.1f})"
            lines.append([pair["quantity"], ours, weighted, theirs, alone, holds])
        if judged.on == columns[0]:
            quote = f"The paper: “{judged.claim.quote}”."
            parts += [f"## {judged.claim.id}. {judged.claim.text}", quote]
        on = f" on {judged.on}" if len(columns) > 1 else ""
        parts += [f"Verdict{on}: {said(judged.verdict, trial)}.", judged.why or grid(head, lines)]
        parts += [" ".join(judged.remarks)] if judged.remarks else []
        size = max((p["detectable"] for p in judged.pairs if p["own"].error), default=None)
        if judged.verdict is Verdict.UNDECIDED and size:
            alone = ", each comparison by itself" if len(judged.pairs) > 1 else ""
            told = (
                f"A true difference of {size:.{n}f} would have been told from none in 80% of cases"
            )
            parts.append(f"{told}{alone}.")
    return parts + power_table(found)


def power_table(found: Sequence[Judged]) -> list[str]:
    """How often each claim would get each verdict, if the truth of its comparisons were known."""
    rows, several = [], len({judged.on for judged in found}) > 1
    for judged in found:
        each = [pair["own"] for pair in judged.pairs]
        if not each or not all(own.error for own in each):
            continue
        line = [judged.claim.id + f", on {judged.on}" * several]
        for share in (0.0, 0.5, 1.0, -1.0):
            often = verdicts.power(each, judged.correlation, COMBINE[judged.claim.needs], share)
            of = [sum(often.get(verdict, 0) for verdict in kind) for kind in (GOOD, FAILED)]
            line.append(" / ".join(f"{part:.0%}" for part in [*of, 1 - sum(of)]))
        rows.append(line)
    truths = ["nothing", "half", "the paper's", "its opposite"]
    table = grid(["Reproduced / not / undecided, if the truth were", *truths], rows)
    how = (
        "By simulation with the standard errors above, of all comparisons of a claim together: "
        "each true difference nothing, half the paper's, the paper's, its opposite. Reproduced "
        "holds what is smaller than claimed, too; not reproduced all other findings."
    )
    return ["## What this rule can say", table, how] if rows else []


def run(
    predictions: Sequence[str | Path],
    histories: Sequence[str | Path],
    tables: Mapping[str, Mapping[str, Mapping[str, Any]]],
    claims: str | Path,
    facts: str | Path | None,
    trial: bool,
    stamp: str,
    csv: str | Path,
    md: str | Path,
    rst: str | Path,
) -> None:
    """All verdicts, from files to files; `tables` are what the plan says of them, by which rows of
    the data they are of, and by id.
    """
    paper = Paper.read(facts)
    found = [
        judge(claim, on, own, predictions, histories, paper)
        for claim in read_claims(claims)
        for on, own in tables.items()
    ]
    rows = [row for judged in found for row in judged.rows()]
    write_csv(csv, pd.DataFrame(rows).reindex(columns=COLUMNS))
    write(md, page(found, trial, stamp))
    heads, table = glance(found, trial)
    list_table(rst, [heads, *table], heading=True)
