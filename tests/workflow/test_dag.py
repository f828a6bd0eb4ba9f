"""The DAG proves that nothing that is trained has seen an eval row."""

import subprocess
import sys

import pytest
from workspace import ROOT, Job, Workspace, jobs

from talking_models.config import Config

WHOLE = "ratings.parquet"
READS_WHOLE, SPLIT = {"split_movielens"}, "split_movielens"
READS_EVAL = {"evaluate_students", "evaluate_teacher", "fit_references", "measure_cka"}


def is_eval(path):
    return path.endswith("/eval.parquet")


def is_training(job):
    return job.rule.startswith(("train", "tune"))


def knows_eval(dag):
    """All files that eval rows went into, each with the file they came from.

    Splitting is the one job that sees all rows and hands on a part of them.
    """
    found = {path: path for job in dag for path in (*job.inputs, *job.outputs) if is_eval(path)}
    found |= {path: path for job in dag for path in job.outputs if path.endswith(WHOLE)}
    grew = True
    while grew:
        grew = False
        for job in dag:
            origin = next((path for path in job.inputs if path in found), None)
            if origin is None or job.rule == SPLIT:
                continue
            for path in set(job.outputs) - set(found):
                found[path] = origin
                grew = True
    return found


def problems(dag):
    """Every job that breaks a rule of the protocol."""
    found = []
    known = knows_eval(dag)
    for job in dag:
        for path in job.inputs:
            scores = path.endswith(("/predictions.parquet", "/metrics.csv"))
            if is_training(job) and (path in known or scores):
                found.append(f"{job.rule} trains with {path}, which knows {known.get(path)}")
            if is_eval(path) and job.rule not in READS_EVAL:
                found.append(f"{job.rule} reads {path}")
            if path.endswith(WHOLE) and job.rule not in READS_WHOLE:
                found.append(f"{job.rule} reads {path}")
    return found


CONFIGS = ["shipped", *(["tuning=search"] if "tuning" in Config.model_fields else [])]


@pytest.fixture(scope="module", params=CONFIGS)
def dag(request, tmp_path_factory):
    """All jobs of the paper's configuration, as shipped, and with the search for its settings."""
    space = Workspace.of_repository(tmp_path_factory.mktemp("dag") / "repository")
    for name in ("experiments.yaml", "tables.yaml"):
        (space.path / "config" / name).write_bytes((ROOT / "config" / name).read_bytes())
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--forceall"]
    if request.param != "shipped":
        command += ["--config", request.param]
    result = subprocess.run(command, cwd=space.path, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return jobs(result.stdout + result.stderr)


def test_the_dag_is_read_whole(dag):
    names = [job.name for job in dag]
    assert len(names) == len(set(names))
    assert {"download_movielens", "split_movielens", "train_teacher", "fit_references"} <= set(
        names
    )
    students = [job for job in dag if job.rule == "train_student"]
    assert len(students) % 8 == 0
    assert len(students) >= 6 * 8
    assert all(job.outputs for job in dag)
    # but for the published numbers and what a search left, every input is some job's output
    made = {path for job in dag for path in job.outputs}
    given = {path for job in dag for path in job.inputs} - made
    assert all(path.startswith(("config/paper/", "config/tuned/")) for path in given), given


def test_nothing_that_trains_knows_an_eval_row(dag):
    assert problems(dag) == []


def test_training_reads_only_fit_and_val_rows_movies_and_the_teacher(dag):
    for job in dag:
        if job.rule not in ("train_teacher", "train_student"):
            continue
        names = {path.rsplit("/", 1)[-1] for path in job.inputs}
        assert {"fit.parquet", "val.parquet", "movies.parquet"} <= names
        # chosen.yaml: what a search chose; that it knows no eval row either, the walk above shows
        more = {"models.safetensors", "chosen.yaml"}
        assert names <= {"fit.parquet", "val.parquet", "movies.parquet", *more}
        task = job.wildcards.get("task", "all")
        assert all(f"/tasks/{task}/" in path for path in job.inputs if "/tasks/" in path)


def test_only_splitting_reads_the_whole_ratings(dag):
    readers = {job.rule for job in dag if any(path.endswith(WHOLE) for path in job.inputs)}
    assert readers == {"split_movielens"}


def test_only_what_measures_reads_eval_rows(dag):
    assert {job.rule for job in dag if any(map(is_eval, job.inputs))} == READS_EVAL


def test_the_student_alone_has_no_teacher_and_the_others_have(dag):
    teacher = "results/movielens/100k/teacher/models.safetensors"
    for job in dag:
        if job.rule == "train_student":
            assert (teacher in job.inputs) == (job.wildcards["experiment"] != "scratch")
    assert teacher not in next(job for job in dag if job.rule == "train_teacher").inputs


# The walker finds what it is there for: each DAG has one fault.

GOOD = [
    Job("download_movielens", (), ("d/ratings.parquet", "d/movies.parquet")),
    Job(
        "split_movielens",
        ("d/ratings.parquet", "d/movies.parquet"),
        ("t/fit.parquet", "t/val.parquet", "t/eval.parquet"),
    ),
    Job("train_teacher", ("t/fit.parquet",), ("teacher/m",)),
    Job("train_student", ("t/fit.parquet", "teacher/m", "d/movies.parquet"), ("student/m",)),
    Job(
        "evaluate_students",
        ("student/m", "t/eval.parquet"),
        ("student/predictions.parquet", "student/metrics.csv"),
    ),
]


def with_input(rule, *paths, more=()):
    dag = [
        Job(job.rule, (*job.inputs, *paths), job.outputs) if job.rule == rule else job
        for job in GOOD
    ]
    return [*dag, *more]


def test_the_walker_passes_a_good_dag():
    assert problems(GOOD) == []
    assert "t/fit.parquet" not in knows_eval(GOOD)
    assert "student/m" not in knows_eval(GOOD)


@pytest.mark.parametrize(
    ("bad", "culprit"),
    [
        (with_input("train_student", "t/eval.parquet"), "train_student"),
        (with_input("train_teacher", "t/eval.parquet"), "train_teacher"),
        (with_input("train_teacher", "d/ratings.parquet"), "train_teacher"),
        (with_input("train_student", "elsewhere/metrics.csv"), "train_student"),
        (
            with_input(
                "train_student",
                "chosen.yaml",
                more=[Job("choose", ("student/metrics.csv",), ("chosen.yaml",))],
            ),
            "train_student",
        ),
        (  # two steps away: what the settings were chosen from was itself computed from eval rows
            with_input(
                "train_student",
                "chosen.yaml",
                more=[
                    Job("choose", ("summary.csv",), ("chosen.yaml",)),
                    Job("summarise", ("t/fit.parquet", "t/eval.parquet"), ("summary.csv",)),
                ],
            ),
            "train_student",
        ),
        (  # a student is clean itself, but its teacher is not
            with_input(
                "train_student",
                "teacher2/m",
                more=[Job("make_teacher", ("t/eval.parquet",), ("teacher2/m",))],
            ),
            "train_student",
        ),
        ([*GOOD, Job("tune_student", ("student/predictions.parquet",), ("x",))], "tune_student"),
        ([*GOOD, Job("count", ("d/ratings.parquet",), ("n.txt",))], "count"),
    ],
)
def test_the_walker_finds_a_bad_job(bad, culprit):
    found = problems(bad)
    assert found
    assert any(line.startswith(culprit) for line in found)


def test_jobs_are_read_as_snakemake_prints_them():
    text = """\
[Tue Nov 24 04:50:05 2026]
rule train_student:
    input: a/fit.parquet, a/val.parquet
    output: b/models.safetensors, b/history.csv
    log: c.log
    jobid: 3
    reason: Forced execution
    wildcards: variant=100k, experiment=td, task=sci-fi
    resources: tmpdir=/tmp
[Tue Nov 24 04:50:05 2026]
localrule all:
    input: b/models.safetensors
    jobid: 0
"""
    (job,) = jobs(text)
    assert job == Job(
        "train_student",
        ("a/fit.parquet", "a/val.parquet"),
        ("b/models.safetensors", "b/history.csv"),
    )
    assert job.name == "train_student td sci-fi"
