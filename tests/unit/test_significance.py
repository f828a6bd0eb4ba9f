"""The statistics of tables: every row against TD, as CSV and as a page."""

import re

import numpy as np
import pandas as pd
import pytest
from simulated import of_rows, write_predictions
from talking_models.evidence.bootstrap import draw, drawn_rmse
from talking_models.evidence.statistics import difference, holm

from talking_models.report import significance
from talking_models.report.significance import COLUMNS, compare

GENRES = ["Drama", "Comedy", "War"]
USERS = np.repeat(np.arange(40), 4)
ROWS = {"From scratch": "scratch", "LD": "ld", "TD": "td"}
PAPER = pd.DataFrame(
    [
        (method, genre, mean)
        for method, means in {
            "LD": [1.0083, 1.1029, 1.0602],
            "TD": [0.9965, 1.0908, 1.0485],
            "Elsewhere": [5.0, 5.0, 5.0],
        }.items()
        for genre, mean in zip(("Genre 1", "Genre 2", "Genre 8"), means, strict=True)
    ],
    columns=["method", "genre_or_dataset", "mean"],
)


def made(worse=0.4, seed=0, **more):
    """Squared errors of three methods; `ld` is worse than `td` and `scratch` is not.

    Args:
        worse: by how much, in RMSE.
        seed: of the noise.
        more: errors of further experiments.
    """
    random = np.random.default_rng(seed)
    td = random.normal(size=(len(GENRES), 5, len(USERS)))
    small = random.normal(0, 0.01, td.shape)
    return {"scratch": td + small, "ld": td * (1 + worse), "td": td, **more}


@pytest.fixture
def errors():
    return of_rows(USERS, made(), GENRES)


@pytest.fixture
def drawn(errors):
    return drawn_rmse(errors, draw(errors, 500))


def test_one_row_per_method_and_genre_and_one_for_the_mean(errors, drawn):
    found = compare("3", ROWS, errors, drawn, "td")
    assert list(found) == COLUMNS
    assert list(found["method"]) == [name for name in ROWS for _ in range(4)]
    assert list(found["task"]) == [*GENRES, "mean"] * 3
    assert list(found["genre"])[:4] == ["Genre 1", "Genre 2", "Genre 8", "mean"]
    assert set(found["n_users"]) == {40}
    assert set(found["n_seeds"]) == {5}


def test_the_numbers_are_those_of_the_statistics(errors, drawn):
    found = compare("3", ROWS, errors, drawn, "td").set_index(["method", "task"])
    expected = difference(errors, drawn, "ld", "td")
    ld = found.loc["LD"]
    np.testing.assert_array_equal(ld["difference"], expected.estimate)
    np.testing.assert_array_equal(ld["low"], expected.interval[0])
    np.testing.assert_array_equal(ld["high"], expected.interval[1])
    np.testing.assert_array_equal(ld["p"], expected.p)
    np.testing.assert_array_equal(ld["p_holm"][:-1], holm(expected.p[:-1]))
    assert np.isnan(ld.loc["mean", "p_holm"])
    np.testing.assert_array_equal(ld["detectable"], expected.detectable())
    assert (ld["detectable_holm"][:-1] > ld["detectable"][:-1]).all()
    np.testing.assert_allclose(ld["rmse"][:-1], errors.rmse[errors.experiments.index("ld")])
    assert ld.loc["mean", "rmse"] == pytest.approx(ld["rmse"][:-1].mean())


def test_what_is_worse_is_tds_win_and_what_is_alike_is_a_tie(errors, drawn):
    found = compare("3", ROWS, errors, drawn, "td").set_index("method")
    assert (found.loc["LD", "difference"] > 0.3).all()
    assert set(found.loc["LD", "outcome"]) == {"win"}
    assert set(found.loc["From scratch", "outcome"]) == {"tie"}
    turned = compare("3", ROWS, errors, drawn, "ld").set_index("method")
    assert set(turned.loc["TD", "outcome"]) == {"loss"}


def test_the_row_that_others_are_compared_with_has_a_rank_alone(errors, drawn):
    td = compare("3", ROWS, errors, drawn, "td").set_index("method").loc["TD"]
    assert td[["rmse", "rank"]].notna().all(axis=None)
    statistics = ["difference", "low", "high", "stderr", "p", "p_holm", "outcome", "detectable"]
    assert td[statistics].isna().all(axis=None)


def test_ranks_are_within_the_table_and_averaged_over_genres():
    scores = {
        "a": [1.0, 2.0, 1.0],
        "b": [1.0, 1.0, 3.0],
        "td": [0.5, 3.0, 2.0],
        "elsewhere": [0.1, 0.1, 0.1],
    }
    flat = {name: np.ones((3, 2, 8)) * np.array(s)[:, None, None] for name, s in scores.items()}
    errors = of_rows(range(8), flat, GENRES)
    drawn = drawn_rmse(errors, draw(errors, 20))
    rows = {name: name for name in ("a", "b", "td")}
    found = compare("3", rows, errors, drawn, "td").set_index(["method", "task"])["rank"]
    assert found["a"].tolist() == pytest.approx([2.5, 2, 1, 5.5 / 3])
    assert found["b"].tolist() == pytest.approx([2.5, 1, 3, 6.5 / 3])
    assert found["td"].tolist() == pytest.approx([1, 3, 2, 2])


def test_a_table_without_the_row_is_compared_with_it_all_the_same(errors, drawn):
    found = compare("5", {"One round": "ld"}, errors, drawn, "td", PAPER)
    assert set(found["method"]) == {"One round"}
    assert found["difference"].notna().all()
    assert found["paper_difference"].isna().all()  # other tables of the paper are other runs


def test_the_papers_differences_are_within_its_own_table(errors, drawn):
    found = compare("3", ROWS, errors, drawn, "td", PAPER).set_index(["method", "task"])
    ld = found.loc["LD", "paper_difference"]
    assert ld["War"] == pytest.approx(1.0602 - 1.0485)
    assert ld["mean"] == pytest.approx((0.0118 + 0.0121 + 0.0117) / 3)
    assert found.loc["From scratch", "paper_difference"].isna().all()  # the paper lacks it
    other = of_rows(USERS, {k: v[[0]] for k, v in made().items()}, ["Western"])
    found = compare("3", ROWS, other, drawn_rmse(other, draw(other, 20)), "td", PAPER)
    assert found["paper_difference"].isna().all()


# From files to files


TABLES = {
    "table3": {"title": "Methods", "rows": ROWS, "paper": "paper.csv"},
    "table5": {"title": "Rounds", "rows": {"None": "td-0", "One": "td"}, "paper": None},
}
REFERENCES = {"Genre mean": "genre-mean"}


def write(folder, tables=TABLES, **experiments):
    """Predictions of all experiments, and what `run` makes of them: the CSV, and the page."""
    files = [
        write_predictions(folder / f"{name}-{genre}.parquet", name, genre, USERS, part)
        for name, errors in experiments.items()
        for genre, part in zip(GENRES, errors, strict=True)
    ]
    paper = folder / "paper.csv"
    PAPER.to_csv(paper, index=False)
    named = {k: t | {"paper": t["paper"] and str(paper)} for k, t in tables.items()}
    shown = [id for table in tables.values() for id in table["rows"].values()]
    significance.run(
        tables=named,
        references=REFERENCES,
        settings=[id for id in shown if id.startswith("td")],
        against="td",
        genres=GENRES,
        predictions=files,
        papers=[str(paper)],
        stamp="Made of this.",
        csv=folder / "out.csv",
        md=folder / "out.md",
    )
    return pd.read_csv(folder / "out.csv"), (folder / "out.md").read_text()


@pytest.fixture
def inputs():
    noise = np.random.default_rng(1).normal(size=(len(GENRES), 1, len(USERS)))
    base = made()
    return {**base, "td-0": base["td"] * [[[0.95]], [[1.05]], [[1.0]]], "genre-mean": 2 * noise}


def test_all_tables_the_reference_lines_and_the_selection_are_in_the_csv(tmp_path, inputs):
    found, _ = write(tmp_path, **inputs)
    assert list(found) == COLUMNS
    assert list(dict.fromkeys(found["table"])) == ["3", "5", "references", "selection"]
    lines = found[found["table"] == "references"]
    assert lines["rank"].isna().all()
    assert set(lines["outcome"]) == {"win"}
    best = found[found["table"] == "selection"]
    assert list(best["experiment"][:-1]) == ["td-0", "td", "td"]
    assert list(best["difference"] < 0) == [True, False, False, True]
    assert best[["p", "low", "high", "outcome"]].isna().all(axis=None)


def test_the_page_says_what_the_csv_says(tmp_path, inputs):
    found, text = write(tmp_path, **inputs)
    assert text.startswith("# Differences from TD, with their uncertainty\n\nMade of this.\n")
    assert re.findall("^## (.*)$", text, re.MULTILINE) == [
        "What can be told apart", "Table 3: Methods", "Table 5: Rounds", "Reference lines",
    ]  # fmt: skip
    for row in found[found["p_holm"].notna()].itertuples():
        star = r" \*" if row.p_holm < 0.05 else " |"
        cell = f"{row.difference:+.4f} [{row.low:+.4f}, {row.high:+.4f}]"
        assert f"{'*same*' if row.stderr == 0 else cell}{star}" in text
    summary = next(line for line in text.splitlines() if line.startswith("| LD |"))
    ld = found[(found["method"] == "LD") & (found["task"] == "mean")].iloc[0]
    assert f"| {ld['rank']:.2f} | {ld['difference']:+.4f} [" in summary
    assert "| 3 / 0 / 0 | 3 / 0 / 0 | 3 / 0 / 0 |" in summary
    assert f"{ld['detectable']:.4f} |" in summary
    assert "Of the 3 differences that the paper prints for these rows and genres" in text
    assert "users gave all evaluation rows" in text


def test_the_line_on_selection_names_the_settings_and_the_gain(tmp_path, inputs):
    found, text = write(tmp_path, **inputs)
    (line,) = (line for line in text.splitlines() if line.startswith("Selection on eval"))
    mean = found[(found["table"] == "selection") & (found["task"] == "mean")].iloc[0]
    assert "of 2 settings (`td`, `td-0`)" in line
    assert "as the paper's own numbers seem to be made and none of ours is" in line
    assert f"to {mean['rmse']:.4f}, by {-mean['difference']:.4f}" in line


def test_with_one_setting_there_is_nothing_to_select(tmp_path, inputs):
    tables = {"table3": TABLES["table3"]}
    found, text = write(tmp_path, tables, **{k: v for k, v in inputs.items() if k != "td-0"})
    assert "selection" not in set(found["table"])
    assert "Selection on eval: not shown, the tables have only one setting of TD." in text


def test_a_table_of_td_alone_has_nothing_to_compare(tmp_path, inputs):
    tables = {"talk": {"title": "Alone", "rows": {"TD": "td"}, "paper": None}}
    found, text = write(tmp_path, tables, td=inputs["td"], **{"genre-mean": inputs["genre-mean"]})
    assert list(dict.fromkeys(found["table"])) == ["talk", "references"]
    assert "## Table talk: Alone" in text
    assert "The tables have no row to compare with." in text


def test_the_same_predictions_give_the_same_bytes(tmp_path, inputs):
    pages = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, **inputs)
        pages.append([(tmp_path / name / f"out.{kind}").read_bytes() for kind in ("csv", "md")])
    assert pages[0] == pages[1]
