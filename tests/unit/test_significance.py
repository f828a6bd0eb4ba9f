"""The statistics of tables: every row against what its table names, as CSV and as a page."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from simulated import of_images, of_ratings, write_job

from talking_models.report import significance
from talking_models.report.significance import COLUMNS

TASKS = ["Drama", "Comedy", "War"]
USERS = np.repeat(np.arange(40), 4)
ROWS = {"From scratch": "scratch", "LD": "ld", "TD": "td"}
PAPER = {"LD": [1.0083, 1.1029, 1.0602], "TD": [0.9965, 1.0908, 1.0485], "Other": [5.0, 5.0, 5.0]}


def made(worse=0.4):
    """Errors of four experiments: `ld` is worse than `td`, `scratch` not, `twin` is td."""
    random = np.random.default_rng(0)
    td = random.normal(size=(len(TASKS), 5, len(USERS)))
    small = random.normal(0, 0.01, td.shape)
    bias = 2 * random.normal(size=(len(TASKS), 1, len(USERS)))
    return {"scratch": td + small, "ld": td * (1 + worse), "td": td, "twin": td, "bias": bias}


def about(id, rows, tasks=TASKS, **changed):
    columns = [["shop", "latest", task.lower()] for task in tasks]
    common = {"title": f"Table {id}", "metric": "rmse", "against": "td", "columns": columns}
    return {id: {"id": id, **common, "rows": rows, "references": {}, "paper": None, **changed}}


@pytest.fixture
def write(tmp_path):
    """What `run` makes of tables: the CSV, and the page."""

    def run(*tables, experiments=None, facts=None):
        given = made() if experiments is None else experiments
        files = [
            write_job(tmp_path, of_ratings(id, task, USERS, part))
            for id, errors in given.items()
            for task, part in zip(TASKS, errors, strict=False)
        ]
        lines = [file for file in files if file.parent.name == "bias"]
        for file in lines:  # where the workflow has the reference lines
            place = file.parent.with_name("references")
            place.mkdir(exist_ok=True)
            files[files.index(file)] = file.replace(place / file.name)
        csv, md = tmp_path / "out.csv", tmp_path / "out.md"
        named = {id: entry for table in tables for id, entry in table.items()}
        significance.run(named, files, [], facts, "Made of this.", csv, md)
        return pd.read_csv(csv), md.read_text()

    return run


def test_one_row_for_each_column_and_one_for_the_mean(write):
    found, _ = write(about("three", ROWS))
    assert list(found) == COLUMNS
    assert list(found["row"]) == [row for row in ROWS for _ in range(4)]
    assert list(found["task"]) == [*TASKS, "mean"] * 3
    assert set(found["n_units"]) == {40}
    assert set(found["n_seeds"]) == {5}


def test_values_and_differences_by_hand(write):
    found, _ = write(about("three", ROWS))
    errors = made()
    rmse = {id: np.sqrt((e**2).mean(-1)).mean(-1) for id, e in errors.items()}
    ld = found[found["row"] == "LD"]
    expected = [*rmse["ld"], rmse["ld"].mean()]
    assert ld["value"].tolist() == pytest.approx(expected, abs=1e-6)
    away = rmse["ld"] - rmse["td"]
    assert ld["difference"].tolist() == pytest.approx([*away, away.mean()], abs=1e-6)
    half = stats.t.isf(0.025, ld["df"]) * ld["stderr"]
    assert (ld["high"] - ld["difference"]).tolist() == pytest.approx(half.tolist())
    assert (ld["difference"] - ld["low"]).tolist() == pytest.approx(half.tolist())


def test_what_is_worse_is_a_win_of_the_other_and_what_is_alike_a_tie(write):
    found, _ = write(about("three", ROWS))
    outcome = found.groupby("row")["outcome"].agg(set)
    assert outcome["LD"] == {"win"}
    assert outcome["From scratch"] == {"tie"}
    better, _ = write(about("three", ROWS), experiments=made(worse=-0.4))
    assert set(better[better["row"] == "LD"]["outcome"]) == {"loss"}


def test_the_row_that_others_are_compared_with_has_a_rank_alone(write):
    found, _ = write(about("three", ROWS))
    td = found[found["row"] == "TD"]
    assert td[["difference", "low", "high", "p", "outcome"]].isna().all(axis=None)
    assert td["rank"].notna().all()
    ranks = found.pivot(index="row", columns="task", values="rank")
    assert ranks[TASKS].sum().tolist() == [6.0] * 3
    assert ranks["mean"].tolist() == pytest.approx(ranks[TASKS].mean(axis=1).tolist())
    assert ranks.loc["LD", TASKS].tolist() == [3.0] * 3


def test_holms_correction_is_over_the_columns_and_the_mean_is_one_test(write):
    found, _ = write(about("three", ROWS))
    cells = found[(found["row"] == "From scratch") & (found["task"] != "mean")].sort_values("p")
    factors = np.maximum.accumulate(cells["p"].to_numpy() * [3, 2, 1]).clip(max=1)
    assert cells["p_holm"].tolist() == pytest.approx(factors.tolist())
    assert found[found["task"] == "mean"]["p_holm"].isna().all()


def test_the_same_predictions_are_said_to_be_the_same(write):
    found, page = write(about("three", {"TD": "td", "No L_MC": "twin"}))
    twin = found[found["row"] == "No L_MC"]
    assert twin["difference"].tolist() == [0.0] * 4
    assert page.count("*same*") >= 4


def test_the_papers_differences_are_within_its_own_table(write, tmp_path):
    lines = [
        f"{row},Genre {n},{mean},0.01"
        for row, means in PAPER.items()
        for n, mean in enumerate(means, 1)
    ]
    paper = tmp_path / "paper.csv"
    paper.write_text("\n".join(["method,genre_or_dataset,mean,stderr", *lines]) + "\n")
    facts = tmp_path / "facts.yaml"
    facts.write_text("columns: {shop: {Drama: Genre 1, Comedy: Genre 2, War: Genre 3}}\n")
    found, page = write(about("three", ROWS, paper=str(paper)), facts=facts)
    ld = found[found["row"] == "LD"]["paper_difference"]
    assert ld.tolist() == pytest.approx([0.0118, 0.0121, 0.0117, 0.0356 / 3])
    assert found[found["row"] == "From scratch"]["paper_difference"].isna().all()
    assert "Of the 3 differences that the paper prints for these cells" in page


def test_all_tables_and_their_reference_lines_are_there_once(write):
    line = {"Bias model": "bias"}
    tables = about("three", ROWS, references=line), about("five", {"One": "td"}, references=line)
    found, page = write(*tables)
    assert list(dict.fromkeys(found["table"])) == ["three", "five"]
    lines = found[found["row"] == "Bias model"]
    assert lines["rank"].isna().all()
    assert set(lines["outcome"]) == {"win"}
    assert re.findall("^## (.*)$", page, re.MULTILINE) == ["Table three", "Table five"]
    assert sum(line.startswith("| Bias model |") for line in page.splitlines()) == 2  # + by column


def test_the_page_says_what_the_csv_says(write):
    found, page = write(about("three", ROWS))
    assert page.startswith("# Differences with their uncertainty\n\nMade of this.\n")
    for row in found[found["p_holm"].notna()].itertuples():
        star = r" \*" if row.p_holm < 0.05 else " |"
        assert f"{row.difference:+.4f} [{row.low:+.4f}, {row.high:+.4f}]{star}" in page
    summary = next(line for line in page.splitlines() if line.startswith("| LD |"))
    ld = found[(found["row"] == "LD") & (found["task"] == "mean")].iloc[0]
    assert f"| {ld['rank']:.2f} | {ld['difference']:+.4f} [" in summary
    assert "| 3 / 0 / 0 | 3 / 0 / 0 |" in summary
    assert "**positive where TD is better**" in page


def test_a_table_of_one_row_has_nothing_to_compare(write):
    _, page = write(about("alone", {"TD": "td"}))
    assert "No row differs from what it is compared with." in page


def test_images_are_units_and_higher_is_better(tmp_path):
    right = np.arange(200) % 4 > 0
    files = [
        write_job(tmp_path, of_images("td", right), ["accuracy"]),
        write_job(tmp_path, of_images("ld", right & (np.arange(200) % 5 > 0)), ["accuracy"]),
    ]
    columns = [["pets", "given", "all"]]
    table = about("pets", {"LD": "ld", "TD": "td"}, columns=columns, metric="accuracy")
    significance.run(table, files, [], None, "Stamp.", tmp_path / "o.csv", tmp_path / "o.md")
    found = pd.read_csv(tmp_path / "o.csv")
    ld = found[found["row"] == "LD"].iloc[0]
    assert ld["difference"] == pytest.approx(-0.15)  # 30 of 200 images
    assert ld["outcome"] == "win"
    assert ld["n_units"] == 200
    page = (tmp_path / "o.md").read_text()
    assert "**negative where TD is better**" in page
    assert "1 seed: of others nothing is known." in page


def test_the_same_predictions_give_the_same_bytes(write):
    assert write(about("three", ROWS))[1] == write(about("three", ROWS))[1]
