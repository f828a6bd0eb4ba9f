"""Tables of accuracies: intervals, paired tests, columns that were not run."""

import numpy as np
import pandas as pd
import pytest
import yaml
from statsmodels.stats.contingency_tables import mcnemar
from talking_models.evidence.accuracy import compare, interval
from talking_models.report.accuracy import COLUMNS, paired, run, tidy

from talking_models.evidence.predict_images import score

ROWS = {"No Distillation": "scratch", "LD": "ld", "TD": "td"}
PAPER = pd.DataFrame(
    [
        ("No Distillation", "CIFAR10", 0.93678, None),
        ("TD", "CIFAR10", 0.94100, None),
        ("TD", "ImageNet", 0.49930, None),
    ],
    columns=["method", "genre_or_dataset", "mean", "stderr"],
)
N = 10_000


def predictions(experiment, share, dataset="cifar10", seed=0, n=N):
    right = np.random.default_rng([seed, round(1000 * share)]).random(n) < share
    return pd.DataFrame(
        {
            "experiment": experiment,
            "dataset": dataset,
            "seed": seed,
            "example": range(n),
            "label": 1,
            "predicted": right.astype(int),
        }
    )


def test_the_interval_is_wilsons():
    n, p, z = 10_000, 0.9368, 1.959963984540054
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert interval(9_368, n) == pytest.approx((centre - reach, centre + reach))
    assert interval(0, 10)[0] == 0


def test_two_models_are_compared_on_the_same_examples():
    draw = np.random.default_rng(0)
    a, b = draw.random(2000) < 0.9, draw.random(2000) < 0.88
    found = compare(a, b)
    table = [[(a & b).sum(), (a & ~b).sum()], [(~a & b).sum(), (~a & ~b).sum()]]
    assert found.p == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert found.difference == pytest.approx(a.mean() - b.mean())
    paired_error = (a.astype(float) - b).std() / np.sqrt(2000)
    assert found.high - found.low == pytest.approx(2 * 1.959964 * paired_error)
    assert (found.only_a, found.only_b) == (table[0][1], table[1][0])
    same = compare(a, a)
    assert (same.p, same.difference, same.low, same.high) == (1, 0, 0, 0)
    with pytest.raises(ValueError, match="cannot be paired"):
        compare(a, b[:5])


def test_a_column_that_was_not_run_has_no_number_of_ours():
    scores = pd.concat(score(predictions(id, 0.9 + i / 100)) for i, id in enumerate(ROWS.values()))
    cells = tidy("4", ROWS, scores, PAPER)
    assert list(cells) == COLUMNS
    assert list(cells["dataset"]) == ["CIFAR10", "ImageNet"] * 3
    absent = cells[cells["dataset"] == "ImageNet"]
    assert absent[["mean", "stderr", "n_eval"]].isna().all(axis=None)
    assert (absent["n_seeds"] == 0).all()
    td = cells[(cells["method"] == "TD") & (cells["dataset"] == "CIFAR10")].iloc[0]
    assert (td["n_seeds"], td["n_eval"], td["paper_mean"]) == (1, N, 0.941)
    assert td["mean"] == pytest.approx(0.92, abs=0.01)


def test_seeds_are_averaged():
    scores = pd.concat(score(predictions("td", 0.9, seed=seed)) for seed in range(3))
    (cell,) = tidy("x", {"TD": "td"}, scores, None).to_dict("records")
    assert cell["mean"] == pytest.approx(scores["accuracy"].mean())
    assert cell["stderr"] == pytest.approx(scores["accuracy"].std(ddof=1) / np.sqrt(3))
    assert cell["n_seeds"] == 3
    assert pd.isna(cell["paper_mean"])


def test_pairs_are_of_one_data_set_and_corrected_for_their_number():
    frames = [predictions(id, 0.9 + i / 100) for i, id in enumerate(ROWS.values())]
    frames += [predictions("scratch", 0.5, "digits", n=50), predictions("td", 0.5, "digits", n=50)]
    found = paired(ROWS, "td", pd.concat(frames))
    assert set(found) == {
        ("No Distillation", "CIFAR10"), ("LD", "CIFAR10"), ("No Distillation", "digits"),
    }  # fmt: skip
    a, b, td = (f["predicted"].to_numpy() == 1 for f in frames[:3])
    p = sorted((compare(a, td).p, compare(b, td).p))
    assert f"p = {2 * p[0]:.2g}" in found["No Distillation", "CIFAR10"]
    assert found["LD", "CIFAR10"].startswith(f"{compare(b, td).difference:+.4f} [")


def test_a_table_from_files(tmp_path):
    files = {"metrics": [], "predictions": []}
    for i, id in enumerate(ROWS.values()):
        frame = predictions(id, 0.9 + i / 50)
        files["predictions"].append(tmp_path / f"{id}.parquet")
        files["metrics"].append(tmp_path / f"{id}.csv")
        frame.to_parquet(files["predictions"][-1])
        score(frame).to_csv(files["metrics"][-1], index=False)
    slices = []
    for name, stop in (("fit", 24_500), ("eval", N)):
        slices.append(tmp_path / f"{name}.yaml")
        about = {"dataset": "cifar10", "slice": name, "start": 0, "stop": stop}
        slices[-1].write_text(yaml.safe_dump(about))
    PAPER.to_csv(tmp_path / "paper.csv", index=False)
    run(
        table="4",
        spec={"title": "Accuracy", "rows": ROWS, "bold": ["LD", "TD"]},
        slices=slices,
        paper=tmp_path / "paper.csv",
        against="td",
        stamp="Made with a toy.",
        csv=tmp_path / "t.csv",
        md=tmp_path / "t.md",
        **files,
    )
    header = (tmp_path / "t.csv").read_text().splitlines()[0]
    assert header == ",".join(COLUMNS)
    text = (tmp_path / "t.md").read_text()
    assert "Made with a toy. CIFAR10: 24,500 training images, 10,000 evaluation images." in text
    lines = {line.split(" | ")[0]: line for line in reversed(text.splitlines())}
    td = next(line for line in text.splitlines() if line.startswith("| TD | **0.9"))
    assert td.endswith("| not run |")
    assert "** |" not in lines["| LD"]
    assert "not run / 0.49930" in text
    first = score(predictions("td", 0.94))["accuracy_first"].iloc[0]
    assert f"{first:.5f} / 0.94100" in text
    assert "## Against TD" in text
    assert "p = " in lines["| LD"] or "p = " in text
