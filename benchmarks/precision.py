"""What matrix products in bfloat16 do to Table 3; writes RESULTS-precision.md.

    make bench

Each cell of Table 3, the mean RMSE over seeds, with products in bfloat16 less the one in float32;
in brackets the difference in standard errors of two such means. Seeds alone move a cell as far as
two standard errors in one case of twenty. In bfloat16 the teacher is trained in it, too.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pandas as pd
from machine import HERE, write_results
from scipy.stats import ttest_ind_from_stats

from talking_models.evidence.intervals import holm
from talking_models.report.markdown import grid

ROOT = HERE.parent
RESULTS = {"float32": "results", "bfloat16": "results/bfloat16"}


def table3(precision: str) -> pd.DataFrame:
    """The cells that are means over seeds, made in this working tree where they are not there."""
    results = RESULTS[precision]
    snakemake = Path(sys.executable).with_name("snakemake")
    words = ["--cores", "all", f"{results}/tables/table3.csv"]
    words += ["--config", f"precision={precision}", f"results={results}"]
    subprocess.run([snakemake, *words], cwd=ROOT, check=True)
    cells = pd.read_csv(ROOT / words[2])
    return cells[cells["stderr"].notna()].set_index(["row", "task"])


def compared(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Per cell of `a` and `b`: `change`, in standard errors (`z`), and Welch's `p` by Holm."""
    b = b.loc[a.index]
    found = pd.DataFrame({"change": b["mean"] - a["mean"]})
    found["z"] = found["change"] / (a["stderr"] ** 2 + b["stderr"] ** 2) ** 0.5
    mean_a, error_a, n_a = a[["mean", "stderr", "n_seeds"]].to_numpy().T
    mean_b, error_b, n_b = b[["mean", "stderr", "n_seeds"]].to_numpy().T
    test = ttest_ind_from_stats(
        mean_a, error_a * n_a**0.5, n_a, mean_b, error_b * n_b**0.5, n_b, equal_var=False
    )
    found["p"] = holm(test.pvalue)
    return found


def page(found: pd.DataFrame) -> str:
    """The changes by row and task, and how many of them are beyond seed noise."""
    text = found.apply(lambda cell: f"{cell['change']:+.4f} ({cell['z']:+.1f})", axis=1).unstack()
    text = text.reindex(found.index.unique("row"))[found.index.unique("task")]
    lines = [[method, *row] for method, row in zip(text.index, text.to_numpy(), strict=True)]
    said = (
        f"Of {len(found)} cells, {(found['z'].abs() > 2).sum()} change by more than two standard "
        f"errors and {(found['p'] < 0.05).sum()} by more than seeds explain (Welch's t-test, p < "
        f"0.05 after Holm's correction; the smallest p is {found['p'].min():.2f})."
    )
    return f"{said}\n\n{grid(['method', *text.columns], lines)}"


def main() -> None:
    """Compare and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS-precision.md")
    options = parser.parse_args()
    found = compared(table3("float32"), table3("bfloat16"))
    parts = {"bfloat16 less float32": page(found)}
    write_results(options.out, "Table 3 in bfloat16", __doc__.split("\n\n")[2], parts)


if __name__ == "__main__":
    main()
