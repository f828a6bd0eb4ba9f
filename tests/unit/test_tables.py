"""Tables from metrics made by hand: the tidy numbers, and the Markdown."""

import io
import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from talking_models.report import tables
from talking_models.report.tables import COLUMNS, PAPER_GENRES, label, markdown, tidy

ROWS = {"Scratch": "scratch", "LD": "ld-2", "TD": "td"}


def metrics(scores, n_eval=10):
    """Metrics of `{(experiment, genre): RMSE of each seed}`."""
    return pd.DataFrame(
        [
            (experiment, genre, seed, n_eval, value)
            for (experiment, genre), values in scores.items()
            for seed, value in enumerate(values)
        ],
        columns=["experiment", "task", "seed", "n_eval", "rmse"],
    )


SCORES = {
    ("scratch", "Drama"): [1.0, 1.1, 1.2],
    ("scratch", "War"): [0.9, 0.9, 0.9],
    ("ld-2", "Drama"): [1.0, 1.0, 1.0],
    ("ld-2", "War"): [0.8, 0.9, 1.3],
    ("td", "Drama"): [0.9, 1.1, 1.15],
    ("td", "War"): [0.7, 0.8, 0.9],
}
PAPER = pd.DataFrame(
    [
        ("TD", "Genre 1", 0.9965, 0.0001),
        ("TD", "Genre 8", 1.0485, 0.0013),
        ("LD", "Genre 8", 1.0602, np.nan),
        ("Elsewhere", "Genre 1", 5.0, 5.0),
    ],
    columns=["method", "genre_or_dataset", "mean", "stderr"],
)


def reference_cells(values, tasks):
    """Reference lines `{name: {task: RMSE}}` as `tidy` gives them."""
    rows = {name: name for name in values}
    scores = {(name, task): [values[name][task]] for name in values for task in tasks}
    return tidy("3", rows, metrics(scores), tasks, None)


LINES = {"Mean": {"Drama": 1.2, "War": 1.2}, "Bias": {"Drama": 1.05, "War": 0.85}}


def made(scores=SCORES, rows=ROWS, tasks=("Drama", "War"), paper=PAPER, bold=("LD", "TD")):
    cells = tidy("3", rows, metrics(scores), list(tasks), paper)
    lines = {name: {t: LINES[name].get(t, 1.0) for t in tasks} for name in LINES}
    return markdown("A title", cells, reference_cells(lines, list(tasks)), bold, "Made of this.")


def grids(text):
    """The Markdown tables in `text`: each a header, and the cells of its rows by their name."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        lines = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in block.strip().splitlines()
        ]
        header, rule, *rows = lines
        assert rule == [":--", *["--:"] * (len(header) - 1)]
        assert all(len(row) == len(header) for row in rows)
        found.append((header, {row[0]: row[1:] for row in rows}))
    return found


# Tidy numbers


def test_tidy_has_exactly_the_promised_columns_and_one_row_per_method_and_genre():
    cells = tidy("3", ROWS, metrics(SCORES), ["War", "Drama"], PAPER)
    assert ",".join(cells) == (
        "table,method,genre,task,mean,stderr,n_seeds,n_eval,paper_mean,paper_stderr"
    )
    assert list(cells) == COLUMNS
    assert list(zip(cells["method"], cells["task"], strict=True)) == [
        (method, task) for method in ROWS for task in ("War", "Drama")
    ]


def test_mean_and_standard_error_are_over_seeds():
    cells = tidy("3", ROWS, metrics(SCORES, n_eval=77), ["Drama", "War"], None)
    cells = cells.set_index(["method", "task"])
    drama = cells.loc[("Scratch", "Drama")]
    assert drama["mean"] == pytest.approx(1.1)
    assert drama["stderr"] == pytest.approx(0.1 / 3**0.5)
    assert (drama["n_seeds"], drama["n_eval"]) == (3, 77)
    assert cells.loc[("Scratch", "War"), "stderr"] == 0


def test_one_seed_has_no_standard_error():
    cells = tidy("3", {"TD": "td"}, metrics({("td", "War"): [1.0]}), ["War"], None)
    assert cells.loc[0, "mean"] == 1.0
    assert np.isnan(cells.loc[0, "stderr"])
    assert cells.loc[0, "n_seeds"] == 1


def test_the_papers_numbers_go_by_the_genres_name_and_not_its_place():
    cells = tidy("3", ROWS, metrics(SCORES), ["War", "Drama"], PAPER)
    cells = cells.set_index(["method", "task"])
    assert cells.loc[("TD", "War"), "genre"] == "Genre 8"
    assert cells.loc[("TD", "War"), "paper_mean"] == 1.0485
    assert cells.loc[("TD", "War"), "paper_stderr"] == 0.0013
    assert cells.loc[("TD", "Drama"), "paper_mean"] == 0.9965
    assert np.isnan(cells.loc[("LD", "War"), "paper_stderr"])
    assert cells.loc["Scratch", ["paper_mean", "paper_stderr"]].isna().all(axis=None)


def test_without_published_numbers_the_columns_are_there_and_empty():
    cells = tidy("3", ROWS, metrics(SCORES), ["Drama"], None)
    assert cells[["paper_mean", "paper_stderr"]].isna().all(axis=None)


def test_the_papers_genres_are_numbered_and_others_keep_their_name():
    assert [label(genre) for genre in PAPER_GENRES] == [f"Genre {k}" for k in range(1, 9)]
    assert label("Western") == "Western"


def test_a_cell_without_metrics_is_an_error():
    with pytest.raises(KeyError):
        tidy("3", {"TD": "td", "FD": "fd"}, metrics(SCORES), ["War"], None)


# Markdown


def test_the_table_opens_with_its_title_and_what_it_was_made_from():
    assert made().startswith("# Table 3: A title\n\nMade of this.\n\n| Method | Genre 1: Drama |")


def test_means_and_standard_errors_are_printed_with_four_digits():
    (_, rows), *_ = grids(made())
    assert rows["Scratch"][0] == "1.1000 ± 0.0577 †"


def test_bold_is_the_lowest_mean_among_the_named_methods_in_each_genre():
    (_, rows), *_ = grids(made())
    # Drama: LD 1.0 < TD 1.05 < Scratch 1.1; War: TD 0.8 < Scratch 0.9 < LD 1.0
    bold = {(name, i) for name in ROWS for i in (0, 1) if rows[name][i].startswith("**")}
    assert bold == {("LD", 0), ("TD", 1)}
    assert rows["LD"][0] == "**1.0000 ± 0.0000**"


def test_the_best_of_all_is_not_bold_if_it_is_not_among_the_named():
    (_, rows), *_ = grids(made(bold=("LD",)))
    assert rows["LD"][1].startswith("**")  # the worst of the three, and the only candidate
    assert "**" not in rows["TD"][1]


def test_no_bold_without_named_methods():
    text = made(bold=())
    assert "**" not in text
    assert "Bold" not in text


def test_the_dagger_marks_what_is_worse_than_the_last_reference_line():
    text = made()
    (_, rows), *_ = grids(text)
    # the bias line: Drama 1.05, War 0.85; TD in Drama ties with it and is not worse
    marked = {(name, i) for name in ROWS for i in (0, 1) if rows[name][i].endswith("†")}
    assert marked == {("Scratch", 0), ("Scratch", 1), ("LD", 1)}
    assert "† worse than _Bias_, which holds for 3 of 6 cells" in text


def test_the_reference_lines_stand_below_the_methods():
    (_, rows), *_ = grids(made())
    assert list(rows) == [*ROWS, "_Mean_", "_Bias_"]
    assert rows["_Bias_"] == ["1.0500", "0.8500", "0.9500"]


def test_the_mean_over_all_genres_is_in_the_last_column():
    (header, rows), *_ = grids(made())
    assert header == ["Method", "Genre 1: Drama", "Genre 8: War", "Mean of all"]
    assert rows["Scratch"][-1] == "1.0000"
    assert rows["TD"][-1] == "0.9250"


def test_genres_stand_in_blocks_of_four():
    tasks = [*PAPER_GENRES, "Western"]
    scores = {(id_, task): [1.0, 1.2] for id_ in ROWS.values() for task in tasks}
    ours = grids(made(scores, tasks=tasks))[:3]
    headers = [header for header, _ in ours]
    numbered = [f"Genre {k}: {genre}" for k, genre in enumerate(PAPER_GENRES, 1)]
    assert headers == [
        ["Method", *numbered[:4]],
        ["Method", *numbered[4:]],
        ["Method", "Western", "Mean of all"],
    ]
    assert all(list(rows)[:3] == list(ROWS) for _, rows in ours)


def test_one_seed_is_printed_without_a_standard_error():
    scores = {key: values[:1] for key, values in SCORES.items()}
    first, *_ = grids(made(scores))
    assert first[1]["Scratch"][0] == "1.0000"
    assert "±" not in "".join(cell for row in first[1].values() for cell in row)


def test_the_papers_numbers_stand_beside_ours_in_a_second_block():
    text = made()
    assert text.count("## Ours / the paper's") == 1
    _, (header, rows) = grids(text)
    assert header == ["Method", "Genre 1: Drama", "Genre 8: War", "Mean of all"]
    assert rows["TD"] == ["1.0500 / 0.9965", "0.8000 / 1.0485", "0.9250 / 1.0225"]
    assert rows["LD"][:2] == ["1.0000 / not given", "1.0000 / 1.0602"]
    assert list(rows) == list(ROWS)


def test_there_is_no_second_block_without_published_numbers():
    for paper in (None, PAPER.iloc[3:]):
        text = made(paper=paper)
        assert len(grids(text)) == 1
        assert "the paper's" not in text


def test_two_rows_may_show_the_same_experiment(tmp_path):
    """Such as an ablation's table that repeats the full method under another name."""
    path, line = tmp_path / "metrics.csv", tmp_path / "line.csv"
    metrics({("td", "War"): [0.7, 0.8, 0.9]}).to_csv(path, index=False)
    metrics({("bias", "War"): [0.85]}).to_csv(line, index=False)
    tables.run(
        table="7",
        title="A title",
        rows={"TD": "td", "All losses": "td"},
        bold=[],
        tasks=["War"],
        metrics=[path, path],  # the workflow gives a file for each row
        reference_rows={"Bias": "bias"},
        reference_metrics=[line],
        paper=None,
        stamp="Made of this.",
        csv=tmp_path / "table7.csv",
        md=tmp_path / "table7.md",
    )
    cells = pd.read_csv(tmp_path / "table7.csv")
    assert list(cells["method"]) == ["TD", "All losses"]
    assert list(cells["n_seeds"]) == [3, 3]
    assert cells["stderr"].to_numpy() == pytest.approx(0.1 / 3**0.5)


def test_the_files_are_what_tidy_and_markdown_give(tmp_path):
    paths = []
    for (experiment, task), values in SCORES.items():
        paths.append(tmp_path / f"{experiment}-{task}.csv")
        metrics({(experiment, task): values}).to_csv(paths[-1], index=False)
    lines = []
    for task in ("Drama", "War"):
        lines.append(tmp_path / f"line-{task}.csv")
        metrics({(n, task): [LINES[n][task]] for n in LINES}).to_csv(lines[-1], index=False)
    PAPER.assign(table=3).to_csv(tmp_path / "paper.csv", index=False)
    csv, md = tmp_path / "out" / "table3.csv", tmp_path / "out" / "table3.md"
    tables.run(
        "3", "A title", ROWS, ["LD", "TD"], ["Drama", "War"], paths,
        {name: name for name in LINES}, lines, tmp_path / "paper.csv", "Made of this.", csv, md,
    )  # fmt: skip
    expected = tidy("3", ROWS, metrics(SCORES), ["Drama", "War"], PAPER)
    found = pd.read_csv(csv)
    pd.testing.assert_frame_equal(found, expected.assign(table=3), check_dtype=False)
    assert md.read_text() == made()
    assert {path.name for path in csv.parent.iterdir()} == {"table3.csv", "table3.md"}


ROOT = Path(__file__).resolve().parents[2]


def committed(path):
    """A table as git has it: a run on another type of machine writes other last digits into it."""
    show = ["git", "show", f":{path}"]
    shown = subprocess.run(show, cwd=ROOT, check=True, capture_output=True, text=True)
    return pd.read_csv(io.StringIO(shown.stdout))


def test_the_readme_says_what_the_committed_table_says():
    table = committed("results/tables/table3.csv")
    means = table.groupby("method")[["mean", "paper_mean"]].mean()
    readme = (ROOT / "README.md").read_text()
    for method, row in means.iterrows():
        assert f"| {method} | {row['mean']:.4f} | {row['paper_mean']:.4f} |" in readme


def test_the_readme_shows_the_committed_verdicts():
    claims = committed("results/claims.csv").drop_duplicates("claim")
    readme = (ROOT / "README.md").read_text()
    rows = [f"| {c.claim} | {c.text} | **{c.verdict}** |" for c in claims.itertuples()]
    assert rows
    assert [row for row in rows if row not in readme] == []
