"""Every number of the README's findings is one that a run made, and the test says which."""

import io
import re
import subprocess
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[2]
FOUND = re.search(r"^## What it found$(.*?)^## ", (ROOT / "README.md").read_text(), re.S | re.M)[1]


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


TABLES = [file for file in git("ls-files", "results").splitlines() if file.endswith(".csv")]


def committed(path, **options):
    """A table as git has it: a run on another type of machine writes other last digits into it."""
    return pd.read_csv(io.StringIO(git("show", f":{path}")), **options)


def tables():
    """The section's tables: heads, and rows of cells."""
    found = []
    for text in re.findall(r"(?:^\|.*\|$\n)+", FOUND, re.M):
        lines = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()
        ]
        found.append((lines[0], lines[2:]))
    return found


def table(head):
    """The rows of the table whose first head begins so."""
    (rows,) = [rows for heads, rows in tables() if heads[0].startswith(head)]
    return rows


def plain(cell):
    return cell.replace("**", "")


def test_what_pays_is_what_the_curves_say():
    curves = pd.concat(committed(file) for file in TABLES if file.endswith("tables/shares.csv"))
    curves = curves.set_index(["data", "line", "split"])
    rows = table("RMSE minus")
    assert len(rows) >= 6
    seen = set()
    for data, line, *cells in rows:
        for split, cell in zip(("5%", "10%", "25%", "100%"), cells, strict=True):
            own = curves.loc[data, line, split]
            assert plain(cell) == f"{own['gain']:+.4f}", (data, line, split)
            assert cell.startswith("**") == (own["high"] < 0), (data, line, split)
        seen.add(data)
    assert seen == set(curves.index.get_level_values("data"))


def test_means_are_those_of_the_tables():
    once, windows = (committed(f"results/tables/{name}.csv") for name in ("table3", "windows3"))
    rows = table("Mean RMSE")
    assert {row for row, *_ in rows} >= set(windows["row"])
    for row, *cells in rows:
        own, pooled = (each[each["row"] == row] for each in (once, windows))
        wanted = [own["mean"].mean(), pooled["mean"].mean() if len(pooled) else None]
        wanted.append(own["paper_mean"].mean())
        assert cells == ["" if pd.isna(x) else f"{x:.4f}" for x in wanted], row


def test_verdicts_are_those_of_the_claims():
    claims = committed("results/claims.csv", dtype=str)
    verdicts = claims.groupby(["claim", "on"], sort=False)["verdict"].first().unstack()
    texts = claims.groupby("claim")["text"].first()
    columns = ["the paper's protocol", *(on for on in verdicts if on.endswith("windows"))]
    rows = table("Claim")
    run = verdicts[verdicts.ne("not run").any(axis=1)]
    assert [row[0] for row in rows] == list(run.index)
    assert set(verdicts.index.difference(run.index).str[0]) == {"4", "5"}  # said below the table
    for claim, text, *cells in rows:
        assert text == texts[claim]
        assert [plain(cell) for cell in cells] == list(verdicts.loc[claim, columns].fillna(""))


def test_every_other_number_is_from_a_table():
    """Of the prose: what is not said here is not said there."""
    curves, again = (committed(f"results/tables/{name}.csv") for name in ("shares", "again"))
    claims = (
        committed("results/claims.csv")
        .set_index(["claim", "quantity", "on"])["estimate"]
        .sort_index()
    )
    means = again.groupby("row")["mean"].mean()
    page = git("show", ":results/tables/table3.md").partition("## Ours")[0]
    bias = re.search(r"^\| _User and item bias_ \|.* (\S+) \|\n\nRMSE", page, re.M)[1]
    methods = committed("results/tables/table3.csv").groupby("row")["mean"].mean()
    few = -curves.loc[curves["split"] == "5%", "gain"].dropna()
    gains = claims["2", "TD over Train from Scratch"]
    known = committed("results/tables/per-user3.csv").groupby("row")["mean"].mean()
    known = (known["Train from Scratch"] - known)[["LD", "FD", "FitNet", "Hybrid", "TD"]]
    assert (known.idxmax(), known.idxmin()) == ("Hybrid", "TD")
    more = "results/more/movietweetings/tables"
    apart = committed(f"{more}/significance.csv").query("task == 'mean'").set_index("row")
    assert apart["high"][["Teacher", "Hybrid"]].max() < 0 < apart["low"]["TD"]
    others = apart.loc[["LD", "FD", "FitNet", "TD"]]
    assert (others["high"] > 0).all()
    theirs = committed(f"{more}/windows3.csv").groupby("row")["mean"].mean()
    line = theirs["Train from Scratch"] + apart["difference"]["User and item bias"]
    assert line < theirs.min()
    wanted = [
        *(f"{gain:.3f}" for gain in (few[few != 0].min(), few.max())),
        *(f"{gain:.4f}" for gain in (known.max(), known.min())),
        *(f"{gains[on]:.4f}" for on in ("5 windows", "the paper's protocol")),
        *(f"{abs(apart['difference'][row]):.4f}" for row in ("Teacher", "Hybrid", "TD")),
        *(f"{each:.4f}" for each in (line, theirs["Train from Scratch"])),
        *(f"{means[f'{row}, searched again'] - means[row]:.4f}" for row in ("TD, no rounds", "LD")),
        bias,
        f"{float(bias) - methods.min():.4f}",
    ]
    prose = re.sub(r"^\|.*\|$", "", FOUND, flags=re.M)
    said = re.findall(r"(?<![\d.])\d\.\d+", prose)
    assert said == wanted
