"""Tables from metrics made by hand: the tidy numbers, and the Markdown."""

import json
import re
from tempfile import NamedTemporaryFile

import numpy as np
import pandas as pd
import pytest
from simulated import of_images, of_ratings, write_job

from talking_models.errors import SourceError
from talking_models.evidence.scores import score
from talking_models.evidence.shares import shares
from talking_models.report import significance, tables
from talking_models.report.paper import Paper, numbers
from talking_models.report.tables import COLUMNS, Page, headings, of_gradient, tidy

ROWS = {"Scratch": "scratch", "LD": "ld-2", "TD": "td"}


def metrics(scores, n_eval=10, data="ml"):
    """Metrics of `{(experiment, task): RMSE of each seed}`."""
    return pd.DataFrame(
        [
            (experiment, data, "latest", task, seed, "rmse", n_eval, value)
            for (experiment, task), values in scores.items()
            for seed, value in enumerate(values)
        ],
        columns=["experiment", "data", "split", "task", "seed", "metric", "n_eval", "value"],
    )


SCORES = {
    ("scratch", "Drama"): [1.0, 1.1, 1.2],
    ("scratch", "War"): [0.9, 0.9, 0.9],
    ("ld-2", "Drama"): [1.0, 1.0, 1.0],
    ("ld-2", "War"): [0.8, 0.9, 1.3],
    ("td", "Drama"): [0.9, 1.1, 1.15],
    ("td", "War"): [0.7, 0.8, 0.9],
}
PAPER = {
    ("TD", "Genre 1"): (0.9965, 0.0001),
    ("TD", "Genre 8"): (1.0485, 0.0013),
    ("LD", "Genre 8"): (1.0602, np.nan),
    ("Elsewhere", "Genre 1"): (5.0, 5.0),
}
GENRES = ["Drama", "Comedy", "Action", "Thriller", "Romance", "Adventure", "Sci-Fi", "War"]
PUBLISHED = pd.DataFrame(PAPER, index=["mean", "stderr"]).T
FACTS = Paper(columns={"ml": {genre: f"Genre {n}" for n, genre in enumerate(GENRES, 1)}})
LINES = {"Mean": {"Drama": 1.2, "War": 1.2}, "Bias": {"Drama": 1.05, "War": 0.85}}
ABOUT = {
    "teachers": {},
    "teacher_seed": {},
    "pooled": {},
    "columns": [["ml", "latest", "war"]],
    "id": "table3",
    "title": "A title",
    "metric": "rmse",
    "rows": ROWS,
    "references": {name: name for name in LINES},
    "lines": "without a network",
    "bold": ["LD", "TD"],
    "names": {"ml": "MovieLens"},
    "units": {"ml": "stars"},
    "untuned": [],
    "apart": False,
    "searched": {"rows": {}, "like": {}, "against": None, "choices": []},
}


def ordered(scores, tasks):
    """Metrics column by column, as the workflow gives them."""
    return metrics({key: v for task in tasks for key, v in scores.items() if key[1] == task})


def tidied(scores=SCORES, rows=ROWS, tasks=("Drama", "War"), paper=PUBLISHED):
    published = numbers(None) if paper is None else paper
    return tidy(ABOUT, rows, ordered(scores, tasks), FACTS, published)


def made(scores=SCORES, tasks=("Drama", "War"), paper=PUBLISHED, **about):
    cells = tidied(scores, tasks=tasks, paper=paper)
    lines = {(n, t): [LINES[n].get(t, 1.0)] for t in tasks for n in LINES}
    references = tidied(lines, ABOUT["references"], tasks, None)
    page = Page(ABOUT | about, cells, references)
    return "\n\n".join([*page.ours(), page.notes(), *page.beside_paper(cells, [])]) + "\n"


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


def test_tidy_has_exactly_the_promised_columns_and_one_line_per_row_and_column():
    cells = tidied(tasks=["War", "Drama"])
    assert ",".join(cells) == (
        "table,row,experiment,data,split,task,metric,mean,stderr,n_seeds,n_eval,"
        "paper_column,paper_mean,paper_stderr"
    )
    assert list(cells) == COLUMNS
    assert list(zip(cells["row"], cells["task"], strict=True)) == [
        (row, task) for row in ROWS for task in ("War", "Drama")
    ]
    assert list(dict.fromkeys(cells["experiment"])) == list(ROWS.values())


def test_mean_and_standard_error_are_over_seeds():
    cells = tidy(ABOUT, ROWS, metrics(SCORES, n_eval=77), FACTS, numbers(None)).set_index(
        ["row", "task"]
    )
    drama = cells.loc[("Scratch", "Drama")]
    assert drama["mean"] == pytest.approx(1.1)
    assert drama["stderr"] == pytest.approx(0.1 / 3**0.5)
    assert (drama["n_seeds"], drama["n_eval"]) == (3, 77)
    assert cells.loc[("Scratch", "War"), "stderr"] == 0


def test_one_seed_has_no_standard_error():
    cells = tidied({("td", "War"): [1.0]}, {"TD": "td"}, ["War"])
    assert cells.loc[0, "mean"] == 1.0
    assert np.isnan(cells.loc[0, "stderr"])
    assert cells.loc[0, "n_seeds"] == 1


def test_the_papers_numbers_go_by_the_tasks_name_and_not_its_place():
    cells = tidied(tasks=["War", "Drama"]).set_index(["row", "task"])
    assert cells.loc[("TD", "War"), "paper_column"] == "Genre 8"
    assert cells.loc[("TD", "War"), "paper_mean"] == 1.0485
    assert cells.loc[("TD", "War"), "paper_stderr"] == 0.0013
    assert cells.loc[("TD", "Drama"), "paper_mean"] == 0.9965
    assert np.isnan(cells.loc[("LD", "War"), "paper_stderr"])
    assert cells.loc["Scratch", ["paper_mean", "paper_stderr"]].isna().all(axis=None)


def test_without_published_numbers_the_columns_are_there_and_empty():
    assert tidied(paper=None)[["paper_mean", "paper_stderr"]].isna().all(axis=None)


def test_columns_have_the_papers_name_first_and_others_keep_theirs():
    scores = {("td", task): [1.0] for task in ("War", "Western")}
    cells = tidied(scores, {"TD": "td"}, ["War", "Western"])
    assert list(headings(cells, {"ml": "M"}).values()) == ["Genre 8: War", "Western"]


def test_a_cell_without_metrics_is_an_error():
    with pytest.raises(KeyError):
        tidied(rows={"TD": "td", "FD": "fd"})


# Markdown


def test_means_and_standard_errors_are_printed_with_four_digits():
    (_, rows), *_ = grids(made())
    assert rows["Scratch"][0] == "1.1000 ± 0.0577 †"


def test_bold_is_the_lowest_mean_among_the_named_methods_in_each_genre():
    (_, rows), *_ = grids(made())
    # Drama: LD 1.0 < TD 1.05 < Scratch 1.1; War: TD 0.8 < Scratch 0.9 < LD 1.0
    bold = {(name, i) for name in ROWS for i in (0, 1) if rows[name][i].startswith("**")}
    assert bold == {("LD", 0), ("TD", 1)}
    assert rows["LD"][0] == "**1.0000 ± 0.0000**"


def test_of_equal_means_all_are_bold():
    (_, rows), *_ = grids(made(SCORES | {("td", "Drama"): SCORES["ld-2", "Drama"]}))
    assert rows["LD"][0].startswith("**")
    assert rows["TD"][0].startswith("**")


def test_the_best_of_all_is_not_bold_if_it_is_not_among_the_named():
    (_, rows), *_ = grids(made(bold=["LD"]))
    assert rows["LD"][1].startswith("**")  # the worst of the three, and the only candidate
    assert "**" not in rows["TD"][1]


def test_no_bold_without_named_methods():
    text = made(bold=[])
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
    tasks = [*GENRES, "Western"]
    scores = {(id_, task): [1.0, 1.2] for id_ in ROWS.values() for task in tasks}
    ours = grids(made(scores, tasks=tasks))[:3]
    headers = [header for header, _ in ours]
    numbered = [f"Genre {k}: {genre}" for k, genre in enumerate(GENRES, 1)]
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
    for paper in (None, PUBLISHED.iloc[3:]):
        text = made(paper=paper)
        assert len(grids(text)) == 1
        assert "the paper's" not in text


def test_a_row_that_was_not_tuned_beside_tuned_ones_is_marked():
    text = made(untuned=["TD"])
    assert "| TD ‡ |" in text
    assert "‡ its settings are the configuration's" in text
    assert "‡" not in made()


def files(folder, scores):
    """A file of metrics for each cell, in the workflow's order."""
    paths = []
    for task in ("Drama", "War"):
        for (experiment, of), values in scores.items():
            if of == task:
                paths.append(folder / f"{experiment}-{task}.csv")
                metrics({(experiment, task): values}).to_csv(paths[-1], index=False)
    return paths


def run(folder, paths, lines=(), first=None, histories=(), **about):
    facts = {"columns": {"ml": {"Drama": "Genre 1", "War": "Genre 8"}}, "first": first or {}}
    (folder / "facts.yaml").write_text(json.dumps(facts), encoding="utf-8")
    text = [f"{r},{c},{mean},{'' if err != err else err}" for (r, c), (mean, err) in PAPER.items()]
    head = "method,genre_or_dataset,mean,stderr"
    (folder / "paper.csv").write_text("\n".join([head, *text]) + "\n")
    csv, md = folder / "out/t.csv", folder / "out/t.md"
    tables.run(
        ABOUT | about | {"paper": folder / "paper.csv"},
        paths,
        lines,
        [],
        histories,
        [],
        [],
        folder / "facts.yaml",
        "Made of this.",
        csv,
        md,
    )
    return pd.read_csv(csv), md.read_text()


def test_what_moves_the_student_is_said_per_row(tmp_path):
    paths = files(tmp_path, {("td", "War"): [0.7, 0.8, 0.9], ("ld", "War"): [0.7, 0.8, 0.9]})
    parts = {"td": {"interact": (0.5, 0.1), "label": (2.0, 4.0)}, "ld": {"label": (2.0, 4.0)}}
    histories = []
    for id, of in parts.items():
        histories.append(tmp_path / "ml/latest/war" / id / "history.csv")
        histories[-1].parent.mkdir(parents=True, exist_ok=True)
        lines = [
            f"{k},{part},1,{norm}" for part, of_step in of.items() for k, norm in enumerate(of_step)
        ]
        lines.append("0,message_std,0.1,")  # a monitor
        histories[-1].write_text("\n".join(["step,name,value,gradient_norm", *lines]) + "\n")
    about = {"columns": [["ml", "latest", "war"]], "rows": {"TD": "td", "LD": "ld"}}
    _, text = run(tmp_path, paths, histories=histories, references={}, bold=[], **about)
    _, _, shown = text.partition("## What moves the student")
    assert "| Method | interact |" in shown
    assert "| TD | 10% |" in shown
    assert "| LD |  |" in shown


def test_a_part_that_is_off_at_times_counts_as_nothing_then(tmp_path):
    path = tmp_path / "ml/latest/war/td/history.csv"
    path.parent.mkdir(parents=True)
    norms = ["0,label,1,2.0", "1,label,1,4.0", "1,part,1,0.3", "2,label,0,0.0", "2,part,1,9.0"]
    path.write_text("\n".join(["step,name,value,gradient_norm", *norms]) + "\n")
    found = shares([path], [["ml", "latest", "war"]], ["td"])
    assert found.loc["td", "part"] == pytest.approx(0.15 / 3)


def test_a_job_too_short_for_a_look_at_its_gradients_has_no_shares(tmp_path):
    path = tmp_path / "ml/latest/war/td/history.csv"
    path.parent.mkdir(parents=True)
    path.write_text("step,name,value,gradient_norm\n2,label,1,\n2,part,1,\n")
    assert shares([path], [["ml", "latest", "war"]], ["td"]).empty


def test_a_table_that_is_made_by_its_name_has_its_differences(tmp_path):
    """Those of the others have a page of their own."""
    random, jobs = np.random.default_rng(0), []
    for id, worse in (("td", 1.0), ("ld", 1.5)):
        for task in ("Drama", "War"):
            errors = random.normal(0, worse, (3, 40))
            jobs.append(write_job(tmp_path, of_ratings(id, task, list(range(40)), errors)))
    about = {"rows": {"TD": "td", "LD": "ld"}, "references": {}, "against": "td", "paper": None}
    columns = [["shop", "latest", task] for task in ("drama", "war")]
    about = ABOUT | about | {"columns": columns, "apart": True}
    title, what, ranks, columns, _, how = significance.block(about, jobs, Paper())
    assert title == "## Differences"
    assert "minus that of TD" in what
    low, high = map(float, re.search(r"\| LD \| 2.00 \| \S+ \[(\S+), (\S+)\]", ranks).groups())
    assert 0 < low < high
    assert columns.startswith("| Row | Drama | War |")
    assert how == significance.METHOD
    assert significance.block(about | {"apart": False}, jobs, Paper()) == []


@pytest.mark.parametrize(("share", "off"), [(0.049, True), (0.051, False)])
def test_a_row_that_leaves_out_what_hardly_moved_the_student_tests_nothing(share, off):
    found = pd.DataFrame({"interact": [1.0, 0.9], "part_x": [share, np.nan]}, ["td", "no-x"])
    searched = {"rows": {"TD": "best", "No X": "no-x"}, "like": {"No X": "best"}}
    about = {"rows": {"TD": "td", "No X": "no-x"}, "searched": searched}
    *_, note = of_gradient(about, found)
    assert ("*Not tested*: No X (part x of TD)." in note) == off
    assert of_gradient({**about, "rows": {"No X": "no-x"}}, found)  # without the other row


def test_two_rows_may_show_the_same_experiment(tmp_path):
    """Such as an ablation's table that repeats the full method under another name."""
    paths = files(tmp_path, {("td", "War"): [0.7, 0.8, 0.9]})
    rows = {"TD": "td", "All losses": "td"}
    cells, _ = run(tmp_path, paths * 2, rows=rows, bold=[], references={})
    assert list(cells["row"]) == ["TD", "All losses"]
    assert list(cells["n_seeds"]) == [3, 3]
    assert cells["stderr"].to_numpy() == pytest.approx(0.1 / 3**0.5)


def test_the_files_are_what_tidy_and_the_page_give(tmp_path):
    lines = files(tmp_path, {(n, t): [LINES[n][t]] for n in LINES for t in LINES[n]})
    cells, text = run(tmp_path, files(tmp_path, SCORES), lines)
    pd.testing.assert_frame_equal(cells, tidied(), check_dtype=False)
    assert text.startswith("# A title\n\nMade of this.\n\n| Method | Genre 1: Drama |")
    assert grids(text) == grids(made())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"t.csv", "t.md"}


@pytest.mark.parametrize("left", [0, 20, 60, -1, -12])
def test_metrics_that_were_cut_are_named(tmp_path, left):
    paths = files(tmp_path, SCORES)
    text = paths[1].read_text()
    paths[1].write_text(text[:left])
    with pytest.raises(SourceError, match=rf"{paths[1].name} holds no metrics of a job") as caught:
        run(tmp_path, paths)
    assert "remove it and run again" in str(caught.value)


def test_the_papers_accuracy_is_on_the_first_examples():
    """Where the paper counts the first examples alone, so do the numbers beside its."""
    right = np.array([1, 1, 0, 0])
    frame = of_images("td", right, data="cifar10")
    paper = Paper(columns={"cifar10": {"all": "CIFAR10"}}, first={"cifar10": 2})
    scores = score(frame, ["accuracy"])
    assert scores["value"].tolist() == [0.5]
    with NamedTemporaryFile(suffix=".parquet") as file:
        frame.to_parquet(file.name)
        counted = tables.on_first(scores, [file.name], paper, "accuracy")
    assert counted["value"].tolist() == [1.0]
    assert counted["n_eval"].tolist() == [2]


def test_a_page_says_which_examples_the_papers_numbers_count(tmp_path):
    _, text = run(tmp_path, files(tmp_path, SCORES), references={}, first={"other": 9728})
    assert "count" not in text
    _, text = run(tmp_path, files(tmp_path, SCORES), references={}, first={"ml": 2000, "x": 1})
    assert text.endswith(" Both count the first evaluation examples alone: 2,000 of MovieLens.\n")
