"""The DAG proves that nothing that is trained has seen an eval row."""

import re
import subprocess
import sys

import pytest
from workspace import DATA, Job, Workspace, jobs

RATINGS = "ratings.parquet"
SPLIT = re.compile(r"split_.*")  # split_images, and split_<data set> of ratings
READS_EVAL = re.compile(r"(evaluate|fit_references|measure_cka)_.*")
TRAINS = re.compile(
    r"(train|tune|try|probe|keep_(trained_)?states|make_backbone|take_choice|choose_best).*"
)
SCORES = ("/predictions.parquet", "/metrics.csv")
TASKS = 8
OF_A_SHARE = "results/vision-cpu/cifar10/tenth/all"


def is_eval(path):
    return path.endswith(("/eval.parquet", "/eval.yaml"))


def is_whole(path):
    """Whether a file holds all rows: canonical ratings."""
    return path.endswith(RATINGS) and "/slices/" not in path


def is_training(job):
    return TRAINS.fullmatch(job.rule) is not None


def knows_eval(dag):
    """All files that eval rows went into, each with the file they came from.

    Splitting is the one job that sees all rows and hands on a part of them.
    """
    found = {path: path for job in dag for path in (*job.inputs, *job.outputs) if is_eval(path)}
    found |= {path: path for job in dag for path in job.outputs if is_whole(path)}
    grew = True
    while grew:
        grew = False
        for job in dag:
            origin = next((path for path in job.inputs if path in found), None)
            if origin is None or SPLIT.fullmatch(job.rule):
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
            scores = path.endswith(SCORES)
            if is_training(job) and (path in known or scores):
                found.append(f"{job.rule} trains with {path}, which knows {known.get(path)}")
            if is_eval(path) and not READS_EVAL.fullmatch(job.rule):
                found.append(f"{job.rule} reads {path}")
            if is_whole(path) and not SPLIT.fullmatch(job.rule):
                found.append(f"{job.rule} reads {path}")
    return found


def dry(space, *arguments):
    """All jobs behind some targets."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--forceall", *arguments]
    result = subprocess.run(command, cwd=space.path, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return [job for job in jobs(result.stdout + result.stderr) if job.outputs]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The repository with the paper's configuration, as it is shipped."""
    return Workspace.of_repository(tmp_path_factory.mktemp("dag") / "repository", {})


@pytest.fixture(scope="module", params=[(), ("--config", "tuning=search")], ids=["as is", "search"])
def dag(request, repository):
    """All jobs on ratings, as shipped, and with the search for its settings."""
    return dry(repository, *request.param)


@pytest.fixture(scope="module")
def images(repository):
    """All jobs on images."""
    return dry(repository, "images")


@pytest.fixture(scope="module")
def on_a_cpu(repository):
    """All jobs on images of another configuration, one of whose teachers is trained, with the
    search for an experiment's settings.
    """
    # without their file, which would have to be there
    (repository.path / "random.yaml").write_text(
        "models: {vit: {weights: random}, vit-tuned: {weights: random}}"
    )
    search = "results/vision-cpu/cifar10/minival/tuning/vit-td/choice.yaml"
    configs = ("config/vision-cpu.yaml", "random.yaml")
    evidence = f"{OF_A_SHARE}/vit-tuned/seed0/metrics.csv"
    return dry(repository, "images", search, evidence, "--configfile", *configs)


def test_the_dag_is_read_whole(dag, repository):
    names = [job.name for job in dag]
    assert len(names) == len(set(names))
    assert {
        "prepare_ratings", f"split_{DATA}", "train teacher all", f"fit_references_{DATA}",
        "make_table table3",
    } <= set(names)  # fmt: skip
    students = [job for job in dag if job.rule == "train" and job.wildcards["task"] != "all"]
    assert len(students) >= 6 * TASKS
    # but for the published numbers and what a search left, every input is some job's output
    made = {path for job in dag for path in job.outputs}
    given = {path for job in dag for path in job.inputs} - made
    assert all(path.startswith(("config/paper/", "config/tuned/")) for path in given), given
    assert not [path for path in made if "://" in path]
    assert not (repository.path / "data").exists(), "a dry run wrote"


def test_searches_are_walked_too(dag, request):
    searches = {"tune", "train_fold_teachers", "choose_best"}
    searched = "search" in request.node.callspec.id
    assert {job.rule for job in dag} & searches == (searches if searched else set())
    assert all(map(is_training, (job for job in dag if job.rule in searches)))


def test_nothing_that_trains_or_tunes_knows_an_eval_row(dag):
    assert problems(dag) == []


def test_training_reads_only_fit_and_val_rows_items_and_the_teacher(dag):
    for job in dag:
        if job.rule != "train":
            continue
        names = {path.rsplit("/", 1)[-1] for path in job.inputs}
        rows = {"fit.parquet", "val.parquet", "items.parquet"}
        assert rows <= names
        # chosen.yaml: what a search chose; that it knows no eval row either, the walk above shows
        assert names <= {*rows, "models.safetensors", "chosen.yaml"}
        place = f"/{job.wildcards['task']}/slices/"
        assert all(place in path for path in job.inputs if "/slices/" in path)


def test_only_splitting_reads_the_whole_ratings(dag):
    readers = {job.rule for job in dag if any(map(is_whole, job.inputs))}
    assert readers == {f"split_{DATA}"}


def test_only_what_measures_reads_eval_rows(dag):
    readers = {job.rule for job in dag if any(map(is_eval, job.inputs))}
    assert {re.sub(r"_\d+$", "", rule) for rule in readers} == {
        f"{name}_{DATA}" for name in ("evaluate", "fit_references", "measure_cka")
    }


def test_the_student_alone_has_no_teacher_and_the_others_have_that_of_their_split(dag):
    """Of a share of the rows, that of all of them, whose eval rows are the same."""
    alone = ("scratch", "scratch-long", "teacher", "teacher-random", "teacher-small")
    for job in dag:
        if job.rule == "train":
            split, experiment = job.wildcards["split"], job.wildcards["experiment"]
            split = "latest" if split.startswith("share-") else split
            name = experiment.partition("-")[2]
            name = f"teacher-{name}" if name in ("random", "small") else "teacher"
            teacher = f"results/{DATA}/{split}/all/{name}/models.safetensors"
            assert (teacher in job.inputs) != (experiment in alone), job.name


def test_nothing_that_trains_on_images_knows_an_eval_example(images):
    assert problems(images) == []
    rules = {job.rule for job in images}
    assert {"train_images", "probe_teacher", "make_backbone", "split_images"} <= rules
    readers = {job.rule for job in images if any(map(is_eval, job.inputs))}
    assert readers == {"evaluate_images", "evaluate_probes", "measure_cka_images"}
    students = [job for job in images if job.rule == "train_images"]
    assert len(students) == 3 * 10
    for job in students:
        names = {path.rsplit("/", 1)[-1] for path in job.inputs}
        teaches = job.wildcards["experiment"] != "vit-scratch"
        expected = {"fit.yaml", "val.yaml", "vit.safetensors"}
        assert names == expected | ({"probe.safetensors"} if teaches else set())


def test_nothing_that_searches_or_keeps_what_teachers_say_of_images_knows_one(on_a_cpu):
    assert problems(on_a_cpu) == []
    rules = {job.rule for job in on_a_cpu}
    reading = {"try_images", "tune_images", "keep_states", "keep_trained_states"}
    assert reading <= rules
    assert {job.rule for job in on_a_cpu if is_training(job)} == reading | {
        "train_images", "probe_teacher", "make_backbone",
    }  # fmt: skip
    for rule, own in (
        ("keep_states", {"vit.safetensors", "probe.safetensors"}),
        ("keep_trained_states", {"models.safetensors"}),
    ):
        for job in (job for job in on_a_cpu if job.rule == rule):
            assert {path.rsplit("/", 1)[-1] for path in job.inputs} == {"fit.yaml"} | own
    for job in (job for job in on_a_cpu if job.rule == "try_images"):
        slices = [path for path in job.inputs if "/slices/" in path]
        assert [path.rsplit("/", 1)[-1] for path in slices] == ["fit.yaml", "val.yaml"]
        assert all("/minival/" in path for path in slices)


def test_the_teacher_that_is_evaluated_beside_students_of_a_share_is_theirs(on_a_cpu):
    evidence = f"{OF_A_SHARE}/vit-tuned/seed0/metrics.csv"
    (evaluated,) = (job for job in on_a_cpu if evidence in job.outputs)
    teacher = f"{OF_A_SHARE}/vit-tuned/seed0/models.safetensors"
    assert teacher.replace("tenth", "given") in evaluated.inputs
    assert not [job for job in on_a_cpu if teacher in job.outputs]


# The walker finds what it is there for: each DAG has one fault.

GOOD = [
    Job("prepare_ratings", (), ("d/ratings.parquet", "d/items.parquet")),
    Job(
        "split_d",
        ("d/ratings.parquet", "d/items.parquet"),
        ("t/fit.parquet", "t/val.parquet", "t/eval.parquet"),
    ),
    Job("train_fold_teachers", ("t/fit.parquet",), ("teacher/m",)),
    Job("train", ("t/fit.parquet", "teacher/m", "d/items.parquet"), ("student/m",)),
    Job(
        "evaluate_d",
        ("student/m", "t/eval.parquet"),
        ("student/predictions.parquet", "student/metrics.csv"),
    ),
]


def images_with(*paths):
    return Job("train_images", ("t/fit.yaml", *paths), ("s/m",))


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
        (with_input("train", "t/eval.parquet"), "train"),
        (with_input("train_fold_teachers", "t/eval.parquet"), "train_fold_teachers"),
        (with_input("train_fold_teachers", "d/ratings.parquet"), "train_fold_teachers"),
        (with_input("train", "elsewhere/metrics.csv"), "train"),
        (
            with_input(
                "train",
                "chosen.yaml",
                more=[Job("choose", ("student/metrics.csv",), ("chosen.yaml",))],
            ),
            "train",
        ),
        (  # two steps away: what the settings were chosen from was itself computed from eval rows
            with_input(
                "train",
                "chosen.yaml",
                more=[
                    Job("choose", ("summary.csv",), ("chosen.yaml",)),
                    Job("summarise", ("t/fit.parquet", "t/eval.parquet"), ("summary.csv",)),
                ],
            ),
            "train",
        ),
        (  # a student is clean itself, but its teacher is not
            with_input(
                "train",
                "teacher2/m",
                more=[Job("make_teacher", ("t/eval.parquet",), ("teacher2/m",))],
            ),
            "train",
        ),
        ([*GOOD, Job("tune", ("student/predictions.parquet",), ("x",))], "tune"),
        ([*GOOD, Job("count", ("d/ratings.parquet",), ("n.txt",))], "count"),
        (
            with_input("train_images", "t/fit.yaml", more=[images_with("t/eval.yaml")]),
            "train_images",
        ),
        (with_input("x", more=[images_with("student/metrics.csv")]), "train_images"),
        (with_input("x", more=[Job("probe_teacher", ("t/eval.yaml",), ("p",))]), "probe_teacher"),
        (with_input("x", more=[Job("make_page", ("t/eval.yaml",), ("p",))]), "make_page"),
        # searches, and what teachers say, kept
        ([*GOOD, Job("try_images", ("student/metrics.csv",), ("trial0.csv",))], "try_images"),
        ([*GOOD, Job("tune_images", ("student/metrics.csv",), ("choice.yaml",))], "tune_images"),
        ([*GOOD, Job("choose_best", ("student/metrics.csv",), ("chosen.yaml",))], "choose_best"),
        ([*GOOD, Job("keep_states", ("student/predictions.parquet",), ("l",))], "keep_states"),
        (  # the teacher's answers are to clean images, but it is not clean itself
            [
                *GOOD,
                images_with("t/eval.yaml"),
                Job("keep_trained_states", ("s/m", "t/fit.yaml"), ("low.npy",)),
            ],
            "keep_trained_states",
        ),
        (  # two steps away: a trial's score
            [
                *GOOD,
                Job("try_images", ("t/eval.yaml",), ("trial0.csv",)),
                Job("tune_images", ("trial0.csv",), ("choice.yaml",)),
            ],
            "tune_images",
        ),
    ],
)
def test_the_walker_finds_a_bad_job(bad, culprit):
    found = problems(bad)
    assert found
    assert any(line.startswith(culprit) for line in found)


def test_jobs_are_read_as_snakemake_prints_them():
    text = """\
[Tue Nov 24 04:50:05 2026]
rule train:
    input: a/fit.parquet, a/val.parquet
    output: b/models.safetensors, b/history.csv
    log: c.log
    jobid: 3
    reason: Forced execution
    wildcards: data=ml-100k, split=latest, task=sci-fi, experiment=td
    resources: tmpdir=/tmp
[Tue Nov 24 04:50:05 2026]
localrule all:
    input: b/models.safetensors
    jobid: 0
"""
    (job,) = jobs(text)
    assert job == Job(
        "train",
        ("a/fit.parquet", "a/val.parquet"),
        ("b/models.safetensors", "b/history.csv"),
    )
    assert job.name == "train td sci-fi"
