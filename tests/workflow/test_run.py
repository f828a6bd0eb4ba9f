"""A run from nothing: what it makes, that it is complete, and that its table is the evidence's."""

import re
import time

import numpy as np
import pandas as pd
import pytest
import yaml
from workspace import DATA, JOBS, ROOT, SPLIT, is_leftover

from talking_models.config.check import REFERENCES
from talking_models.methods import METHODS

COLUMNS = (
    "table,row,experiment,data,split,task,metric,mean,stderr,n_seeds,n_eval,"
    "paper_column,paper_mean,paper_stderr"
)
PLACE = {"data": DATA, "split": SPLIT}
PREDICTIONS = [
    "experiment", "data", "split", "task", "seed", "user", "item", "time", "target", "prediction",
]  # fmt: skip
TASKS = {"sci-fi": "Sci-Fi", "war": "War"}
STUDENTS = ["scratch", "fd", "hybrid", "td"]
ROWS = {
    "Train from Scratch": "scratch",
    "Teacher": "teacher",
    "FD": "fd",
    "Hybrid": "hybrid",
    "TD": "td",
}
FIGURES = ["forest", "paper", "losses", "cka", "claims"]
SEEDS = 2


@pytest.fixture(scope="module")
def folder(finished):
    return finished.path / "results" / JOBS


@pytest.fixture(scope="module")
def table(finished):
    return pd.read_csv(finished.path / "results" / "tables" / "table3.csv")


def by_hand(predictions):
    """Mean, standard error, seeds and rows of a cell, from its predictions."""
    frame = pd.read_parquet(predictions)
    square = (frame["target"] - frame["prediction"]) ** 2
    scores = np.sqrt(square.groupby(frame["seed"]).mean())
    n_eval = frame.groupby("seed").size().unique()
    assert len(n_eval) == 1
    return scores.mean(), scores.std(ddof=1) / np.sqrt(len(scores)), len(scores), n_eval[0]


def test_a_second_run_has_nothing_to_do_and_says_so_soon(finished):
    began = time.monotonic()
    said = finished.make("results/tables/table3.md")
    assert time.monotonic() - began < 10
    assert "Nothing to be done" in said


def test_every_job_leaves_all_its_files_and_no_others(finished, folder):
    models = {"models.safetensors", "history.csv", "config.yaml"}
    scores = {"predictions.parquet", "metrics.csv"}
    expected = {f"all/teacher/{name}" for name in models}
    for task in TASKS:
        expected |= {f"{task}/{job}/{name}" for job in ("teacher", "references") for name in scores}
        for experiment in STUDENTS:
            expected |= {f"{task}/{experiment}/{name}" for name in models | scores}
    expected |= {f"cka/{experiment}.csv" for experiment in STUDENTS}
    for task in ("all", *TASKS):
        expected |= {f"{task}/slices/{name}.parquet" for name in ("fit", "val", "eval")}
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert found == expected
    results = finished.path / "results"
    tables = {"table3", "talk", "significance", "sizes", "compute"}
    found = {p.name for p in (results / "tables").iterdir()}
    assert found == {f"{name}.{form}" for name in tables for form in ("csv", "md")}
    assert {p.name for p in results.glob("claims.*")} == {"claims.csv", "claims.md", "claims.rst"}
    found = {p.name for p in (results / "figures").iterdir()}
    assert found == {f"{name}.{form}" for name in FIGURES for form in ("png", "svg")}
    assert {p.stem for p in (results / "pages").iterdir()} == tables | {"claims"}
    data = {p.name for p in (finished.path / "data" / DATA).iterdir()}
    assert data == {"ratings.parquet", "items.parquet"}
    assert not [path for path in results.rglob("*") if is_leftover(path)]
    made = {p.name for p in finished.path.iterdir()} - finished.given
    assert made == {"results", "data", ".snakemake"}


def test_predictions_have_exactly_the_promised_columns_and_rows(folder):
    for task, name in TASKS.items():
        rows = pd.read_parquet(folder / task / "slices/eval.parquet")
        jobs = {**{id: [id] for id in (*STUDENTS, "teacher")}, "references": [*REFERENCES.values()]}
        for job, ids in jobs.items():
            frame = pd.read_parquet(folder / task / job / "predictions.parquet")
            known = ["train_rows"] if job == "references" else []
            assert list(frame) == PREDICTIONS + known, job
            assert set(frame["experiment"]) == set(ids)
            for column, value in {**PLACE, "task": name}.items():
                assert set(frame[column]) == {value}
            seeds = [0] if job == "references" else list(range(SEEDS))
            assert len(frame) == len(ids) * len(seeds) * len(rows)
            for _, part in frame.groupby(["experiment", "seed"]):
                for column, theirs in {"target": "rating", "user": "user", "item": "item"}.items():
                    np.testing.assert_array_equal(part[column], rows[theirs])
                np.testing.assert_array_equal(part["time"], rows["time"])
            assert sorted(set(frame["seed"])) == seeds
            assert np.isfinite(frame["prediction"]).all()


def test_metrics_are_those_of_the_predictions(folder):
    checked = 0
    for metrics in folder.rglob("metrics.csv"):
        found = pd.read_csv(metrics)
        assert list(found) == [
            "experiment", "data", "split", "task", "seed", "metric", "n_eval", "value",
        ]  # fmt: skip
        frame = pd.read_parquet(metrics.with_name("predictions.parquet"))
        for row in found.itertuples():
            part = frame[(frame["experiment"] == row.experiment) & (frame["seed"] == row.seed)]
            assert (row.metric, row.n_eval) == ("rmse", len(part))
            assert row.value == pytest.approx(
                np.sqrt(np.mean((part["target"] - part["prediction"]) ** 2)), rel=1e-12
            )
            checked += 1
    assert checked == len(TASKS) * (SEEDS * (len(STUDENTS) + 1) + len(REFERENCES))


def test_the_table_has_one_row_per_method_and_task_in_order(finished, table):
    text = (finished.path / "results" / "tables" / "table3.csv").read_text()
    assert text.splitlines()[0] == COLUMNS
    cells = [
        (row, id, task, theirs)
        for row, id in ROWS.items()
        for task, theirs in (("Sci-Fi", "Genre 7"), ("War", "Genre 8"))
    ]
    columns = ["row", "experiment", "task", "paper_column"]
    assert list(table[columns].itertuples(index=False, name=None)) == cells
    for column, value in {**PLACE, "table": "table3", "metric": "rmse"}.items():
        assert set(table[column]) == {value}


def test_every_cell_of_the_table_follows_from_the_predictions(folder, table):
    for row in table.itertuples():
        place = folder / next(id for id, name in TASKS.items() if name == row.task)
        frame = place / row.experiment / "predictions.parquet"
        mean, stderr, seeds, n_eval = by_hand(frame)
        assert row.mean == pytest.approx(mean, rel=1e-12)
        assert row.stderr == pytest.approx(stderr, rel=1e-9)
        assert (row.n_seeds, row.n_eval) == (seeds, n_eval) == (SEEDS, n_eval)
    assert table["mean"].nunique() == len(table), "the methods do not differ: nothing is tested"


def test_rows_and_the_papers_numbers_are_the_published_ones(finished, table):
    paper = pd.read_csv(finished.path / "config" / "paper" / "table3.csv")
    published = paper.set_index(["method", "genre_or_dataset"])
    for row in table.itertuples():
        theirs = published.loc[(row.row, row.paper_column)]
        assert (row.paper_mean, row.paper_stderr) == (theirs["mean"], theirs["stderr"])
    td = table[(table["row"] == "TD") & (table["task"] == "War")].iloc[0]
    assert (td["paper_mean"], td["paper_stderr"]) == (1.0485, 0.0013)


def test_the_markdown_shows_the_cells_of_the_csv(finished, table):
    text = (finished.path / "results" / "tables" / "table3.md").read_text()
    for row in table.itertuples():
        line = next(line for line in text.splitlines() if line.startswith(f"| {row.row} |"))
        assert f"{row.mean:.4f} ± {row.stderr:.4f}" in line
        assert f"{row.mean:.4f} / {row.paper_mean:.4f}" in text
    assert "Task mean" in text
    assert "User and item bias" in text
    assert "2 tasks, 2 seeds" in text


def test_a_table_without_a_file_of_the_paper_has_no_numbers_of_the_paper(finished):
    talk = pd.read_csv(finished.path / "results" / "tables" / "talk.csv")
    assert list(talk["row"]) == ["TD", "TD"]
    assert talk[["paper_mean", "paper_stderr"]].isna().all(axis=None)
    assert ",".join(talk) == COLUMNS
    assert "the paper's" not in (finished.path / "results" / "tables" / "talk.md").read_text()


def test_the_effective_config_of_a_job_is_complete(folder):
    config = yaml.safe_load((folder / "war/td/config.yaml").read_text())
    assert config["method"] == "td"
    assert config["seeds"] == SEEDS
    assert config["student"]["hidden"] == [8, 4]
    assert config["teachers"]["teacher"]["hidden"] == [16, 8]
    assert config["training"]["steps"] == 4
    shipped = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    dropout = shipped["models"]["student"]["training"]["dropout"]
    assert config["training"]["dropout"] == dropout
    assert config["settings"] == {**METHODS.get("td").Settings().model_dump(), "rounds": 1}
    teacher = yaml.safe_load((folder / "all/teacher/config.yaml").read_text())
    assert teacher["student"]["hidden"] == [16, 8]


def test_a_job_that_diverges_says_where_and_stops_no_other(space):
    (space.path / "diverging.yaml").write_text(
        "experiments:\n"
        "  bad: {method: fd, settings: {weight: 1.0e+38}, training: {learning_rate: 1.0}}\n"
        "  good: {method: scratch, training: {steps: 3}}\n"
    )
    place = f"results/{JOBS}/war"
    bad, good = (f"{place}/{name}/models.safetensors" for name in ("bad", "good"))
    # one core and the bad one first, so that the good one begins after it failed
    status, said = space.snakemake(
        good, bad, "--prioritize", bad, configs=["diverging.yaml"], cores=1
    )
    assert status != 0
    log = (space.path / f"results/logs/{JOBS}/train/bad/war.log").read_text()
    for text in (said, log):
        assert re.search(r"loss part '\w+' is (nan|inf) at step \d+, seed [01], with {", text)
        assert "'learning_rate': 1.0" in text
    assert "Traceback" in log
    assert not list((space.path / bad).parent.glob("*")), "a failed job left files"
    assert "rule train:" in said[said.index("TrainingDiverged") :]
    assert (space.path / good).is_file()
