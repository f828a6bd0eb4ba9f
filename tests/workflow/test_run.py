"""A run from nothing: what it makes, that it is complete, and that its table is the evidence's."""

import re
import time

import numpy as np
import pandas as pd
import pytest
import yaml
from workspace import ROOT, is_leftover

from talking_models.methods import settings_class

COLUMNS = "table,method,genre,task,mean,stderr,n_seeds,n_eval,paper_mean,paper_stderr"
PREDICTIONS = [
    "experiment", "genre", "seed", "user", "movie", "timestamp", "rating", "prediction",
]  # fmt: skip
GENRES = {"sci-fi": "Sci-Fi", "war": "War"}
EXPERIMENTS = ["scratch", "fd", "hybrid", "td"]
ROWS = {
    "Train from Scratch": "students/scratch",
    "Teacher": "teacher",
    "FD": "students/fd",
    "Hybrid": "students/hybrid",
    "TD": "students/td",
}
FIGURES = ["forest", "paper", "losses", "cka"]
SEEDS = 2


@pytest.fixture(scope="module")
def movielens(finished):
    return finished.path / "results" / "movielens" / "100k"


@pytest.fixture(scope="module")
def table(finished):
    return pd.read_csv(finished.path / "results" / "tables" / "table3.csv")


def by_hand(predictions):
    """Mean, standard error, seeds and rows of a cell, from its predictions."""
    frame = pd.read_parquet(predictions)
    square = (frame["rating"] - frame["prediction"]) ** 2
    scores = np.sqrt(square.groupby(frame["seed"]).mean())
    n_eval = frame.groupby("seed").size().unique()
    assert len(n_eval) == 1
    return scores.mean(), scores.std(ddof=1) / np.sqrt(len(scores)), len(scores), n_eval[0]


def test_a_second_run_has_nothing_to_do_and_says_so_soon(finished):
    began = time.monotonic()
    said = finished.make("results/tables/table3.md")
    assert time.monotonic() - began < 10
    assert "Nothing to be done" in said


def test_every_job_leaves_all_its_files_and_no_others(finished, movielens):
    models = {"models.safetensors", "history.csv", "config.yaml"}
    scores = {"predictions.parquet", "metrics.csv"}
    expected = {f"teacher/{name}" for name in models}
    for task in GENRES:
        expected |= {f"{job}/{task}/{name}" for job in ("teacher", "references") for name in scores}
        for experiment in EXPERIMENTS:
            expected |= {f"students/{experiment}/{task}/{name}" for name in models | scores}
    expected |= {f"cka/{experiment}.csv" for experiment in EXPERIMENTS}
    for task in ("all", *GENRES):
        expected |= {f"tasks/{task}/{name}.parquet" for name in ("fit", "val", "eval")}
    found = {str(p.relative_to(movielens)) for p in movielens.rglob("*") if p.is_file()}
    assert found == expected
    results = finished.path / "results"
    tables = {"table3", "talk", "significance", "compute"}
    found = {p.name for p in (results / "tables").iterdir()}
    assert found == {f"{name}.{form}" for name in tables for form in ("csv", "md")}
    assert {p.name for p in results.glob("claims.*")} == {"claims.csv", "claims.md"}
    found = {p.stem for p in (results / "pages").iterdir()}
    assert found == tables | {"claims"}
    found = {p.name for p in (results / "figures").iterdir()}
    assert found == {f"{name}.{form}" for name in FIGURES for form in ("png", "svg")} | {
        "forest.csv"
    }
    assert not [p for p in finished.path.rglob("*") if is_leftover(p)]


def test_every_job_has_a_log_and_a_benchmark(finished):
    folder = finished.path / "results"
    logs = {p.relative_to(folder / "logs").with_suffix("") for p in folder.rglob("*.log")}
    times = {p.relative_to(folder / "benchmarks").with_suffix("") for p in folder.rglob("*.tsv")}
    assert logs == times
    data, teacher, students = 3, 2, (2 + 1 + 1) * len(EXPERIMENTS)  # trained, evaluated, compared
    tables, pages, claims, collected = 4, 5, 1, 2
    made = data + teacher + students + tables + pages + claims + collected
    assert len(logs) == made + len(FIGURES)
    trained = (folder / "logs/movielens/100k/train_student/td/war.log").read_text()
    assert "step 4/4" in trained
    assert "interact" in trained


def test_nothing_is_written_outside_results_and_data(finished):
    made = {path.name for path in finished.path.iterdir()} - finished.given
    assert made == {"results", "data", ".snakemake"}


def test_predictions_have_exactly_the_promised_columns_and_rows(finished, movielens):
    for task, genre in GENRES.items():
        rows = pd.read_parquet(movielens / "tasks" / task / "eval.parquet")
        jobs = {**{f"students/{e}": [e] for e in EXPERIMENTS}, "teacher": ["teacher"]}
        jobs["references"] = ["genre-mean", "user-movie-bias"]
        for job, ids in jobs.items():
            frame = pd.read_parquet(movielens / job / task / "predictions.parquet")
            assert list(frame) == PREDICTIONS, job
            assert set(frame["experiment"]) == set(ids)
            assert set(frame["genre"]) == {genre}
            seeds = [0] if job == "references" else list(range(SEEDS))
            assert len(frame) == len(ids) * len(seeds) * len(rows)
            for _, part in frame.groupby(["experiment", "seed"]):
                for column in ("user", "movie", "timestamp", "rating"):
                    np.testing.assert_array_equal(part[column], rows[column])
            assert sorted(set(frame["seed"])) == seeds
            assert np.isfinite(frame["prediction"]).all()


def test_metrics_are_those_of_the_predictions(movielens):
    checked = 0
    for metrics in movielens.rglob("metrics.csv"):
        found = pd.read_csv(metrics)
        assert list(found) == ["experiment", "genre", "seed", "n_eval", "rmse"]
        frame = pd.read_parquet(metrics.with_name("predictions.parquet"))
        for row in found.itertuples():
            part = frame[(frame["experiment"] == row.experiment) & (frame["seed"] == row.seed)]
            assert row.n_eval == len(part)
            assert row.rmse == pytest.approx(
                np.sqrt(np.mean((part["rating"] - part["prediction"]) ** 2)), rel=1e-12
            )
            checked += 1
    assert checked == len(GENRES) * (SEEDS * (len(EXPERIMENTS) + 1) + 2)


def test_the_table_has_one_row_per_method_and_genre_in_order(finished, table):
    text = (finished.path / "results" / "tables" / "table3.csv").read_text()
    assert text.splitlines()[0] == COLUMNS
    cells = [(m, g, t) for m in ROWS for g, t in (("Genre 7", "Sci-Fi"), ("Genre 8", "War"))]
    assert list(table[["method", "genre", "task"]].itertuples(index=False, name=None)) == cells
    assert set(table["table"]) == {3}


def test_every_cell_of_the_table_follows_from_the_predictions(movielens, table):
    for row in table.itertuples():
        folder = movielens / ROWS[row.method]
        task = next(task for task, genre in GENRES.items() if genre == row.task)
        mean, stderr, seeds, n_eval = by_hand(folder / task / "predictions.parquet")
        assert row.mean == pytest.approx(mean, rel=1e-12)
        assert row.stderr == pytest.approx(stderr, rel=1e-9)
        assert (row.n_seeds, row.n_eval) == (seeds, n_eval) == (SEEDS, n_eval)
    assert table["mean"].nunique() == len(table), "the methods do not differ: nothing is tested"


def test_methods_and_the_papers_numbers_are_the_published_ones(finished, table):
    paper = pd.read_csv(finished.path / "config" / "paper" / "table3.csv")
    published = paper.set_index(["method", "genre_or_dataset"])
    for row in table.itertuples():  # Genre 7 and 8 by name, though they are the first two here
        theirs = published.loc[(row.method, row.genre)]
        assert (row.paper_mean, row.paper_stderr) == (theirs["mean"], theirs["stderr"])
    td = table[(table["method"] == "TD") & (table["task"] == "War")].iloc[0]
    assert (td["paper_mean"], td["paper_stderr"]) == (1.0485, 0.0013)


def test_the_markdown_shows_the_cells_of_the_csv(finished, table):
    text = (finished.path / "results" / "tables" / "table3.md").read_text()
    for row in table.itertuples():
        line = next(line for line in text.splitlines() if line.startswith(f"| {row.method} |"))
        assert f"{row.mean:.4f} ± {row.stderr:.4f}" in line
        assert f"{row.mean:.4f} / {row.paper_mean:.4f}" in text
    assert "_Genre mean_" in text
    assert "_User and movie bias_" in text
    assert "2 genres, 2 seeds" in text


def test_a_table_without_a_file_of_the_paper_has_no_numbers_of_the_paper(finished):
    talk = pd.read_csv(finished.path / "results" / "tables" / "talk.csv")
    assert list(talk["method"]) == ["TD", "TD"]
    assert talk[["paper_mean", "paper_stderr"]].isna().all(axis=None)
    assert ",".join(talk) == COLUMNS
    assert "the paper's" not in (finished.path / "results" / "tables" / "talk.md").read_text()


def test_the_effective_config_of_a_job_is_complete(movielens):
    config = yaml.safe_load((movielens / "students/td/war/config.yaml").read_text())
    assert config["method"] == "td"
    assert config["seeds"] == SEEDS
    assert config["hidden"] == [8, 4]
    assert config["training"]["steps"] == 4
    shipped = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    assert config["training"]["dropout"] == shipped["student"]["training"]["dropout"]
    assert config["settings"] == {**settings_class("td")().model_dump(), "rounds": 1}
    teacher = yaml.safe_load((movielens / "teacher/config.yaml").read_text())
    assert teacher["hidden"] == [16, 8]


def test_one_core_gives_the_bytes_of_two(finished, empty):
    empty.make("results/tables/talk.csv", cores=1)
    expected, found = finished.results(), empty.results()
    assert any(name.endswith("td/war/models.safetensors") for name in found)
    assert {name for name in found if found[name] != expected[name]} == set()


def test_a_job_that_diverges_says_where_and_stops_no_other(space):
    (space.path / "diverging.yaml").write_text(
        "experiments:\n"
        "  bad: {method: fd, settings: {weight: 1.0e+38}, training: {learning_rate: 1.0}}\n"
        "  good: {method: scratch, training: {steps: 3}}\n"
    )
    students = "results/movielens/100k/students"
    bad, good = (f"{students}/{name}/war/models.safetensors" for name in ("bad", "good"))
    # one core and the bad one first, so that the good one begins after it failed
    status, said = space.snakemake(
        good, bad, "--prioritize", bad, configs=["diverging.yaml"], cores=1
    )
    assert status != 0
    log = (space.path / "results/logs/movielens/100k/train_student/bad/war.log").read_text()
    for text in (said, log):
        assert re.search(r"loss part '\w+' is (nan|inf) at step \d+, seed [01], with {", text)
        assert "'learning_rate': 1.0" in text
    assert "Traceback" in log
    assert not list((space.path / bad).parent.glob("*")), "a failed job left files"
    assert "rule train_student" in said[said.index("TrainingDiverged") :]
    assert (space.path / good).is_file()
