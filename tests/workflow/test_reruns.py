"""What an edit makes Snakemake run again: what it touches, and nothing else."""

import shutil

import pytest
from workspace import DATA, JOBS

LIBRARY = "workflow/scripts/talking_models"
METHODS = f"{LIBRARY}/methods"
TABLES = {"make_table table3", "make_table talk"}
ALL = ("teacher", "scratch", "fd", "hybrid", "td")
# What comes behind all tables is looked at on its own, at the end of this file.
BEHIND = ("draw", "measure_", "make_page", "make_compute", "test_", "judge_", "collect_")
EDIT = "\n_EDITED = True\n"
SPLIT, REFERENCES = f"split_{DATA}", f"fit_references_{DATA}"


def due(space):
    """The jobs that a call would run, up to the tables."""
    return {name for name in space.due() if not name.startswith(BEHIND)}


def training(*ids):
    """The jobs that train and evaluate these experiments."""
    found = {f"evaluate_{DATA} {name}" for name in ids}
    for name in ids:
        tasks = ("all",) if name == "teacher" else ("sci-fi", "war")
        found |= {f"train {name} {task}" for task in tasks}
    return found


EVALUATION = {name for name in training(*ALL) if name.startswith("evaluate")}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (f"{METHODS}/td.py", training("td") | TABLES),
        (f"{METHODS}/fd.py", training("fd", "hybrid") | {"make_table table3"}),
        (f"{METHODS}/ld.py", training("hybrid") | {"make_table table3"}),
        (f"{METHODS}/base.py", training(*ALL) | TABLES),
        (f"{LIBRARY}/training/loop.py", training(*ALL) | TABLES),
        (f"{LIBRARY}/report/tables.py", TABLES),
        (f"{LIBRARY}/evidence/predict.py", EVALUATION | TABLES),
        (
            f"{LIBRARY}/data/splits.py",
            {SPLIT, REFERENCES} | training(*ALL) | TABLES,
        ),
        (
            f"{LIBRARY}/evidence/references.py",
            {REFERENCES} | TABLES,
        ),
    ],
)
def test_editing_code_runs_what_uses_it(space, file, expected):
    space.append(file, EDIT)
    assert due(space) == expected


def test_what_changes_no_result_runs_nothing(space):
    # code that no job uses
    space.append(f"{METHODS}/fitnet.py", EDIT)
    (space.path / METHODS / "mine.py").write_text((space.path / METHODS / "ld.py").read_text())
    # comments, and another layout of the code
    for path in (space.path / LIBRARY).rglob("*.py"):
        path.write_text("# a remark\n\n" + path.read_text())
    # comments, spelling and order in the configuration
    for name in ("config/config.yaml", "config/tables.yaml", "small.yaml"):
        space.append(name, "\n# a remark\n")
    space.replace("config/experiments.yaml", "  scratch: {method: scratch}\n", "")
    space.append("config/experiments.yaml", '  "scratch":\n    method: "scratch"\n')
    # what jobs took, and the records of what made each
    for path in (space.path / "results" / "benchmarks").rglob("*.tsv"):
        path.unlink()
    shutil.rmtree(space.path / "results/provenance")
    assert space.due() == set()


def test_changing_a_setting_of_an_experiment_runs_that_experiment(space):
    space.replace("config/experiments.yaml", "rounds: 1", "rounds: 2")
    assert due(space) == training("td") | TABLES


def test_changing_the_training_of_an_experiment_runs_that_experiment(space):
    space.replace(
        "config/experiments.yaml", "{method: fd}", "{method: fd, training: {weight_decay: 0.2}}"
    )
    assert due(space) == training("fd") | {"make_table table3"}


def test_changing_the_students_training_runs_the_students(space):
    text = (space.path / "small.yaml").read_text()
    student = text.index("  student:")
    changed = text[:student] + text[student:].replace("batch_size: 32", "batch_size: 31")
    (space.path / "small.yaml").write_text(changed)
    assert due(space) == training("scratch", "fd", "hybrid", "td") | TABLES


def test_more_seeds_run_everything_that_trains(space):
    space.replace("small.yaml", "seeds: 2", "seeds: 3")
    assert due(space) == training(*ALL) | TABLES


def test_another_split_runs_everything_but_the_download(space):
    space.append("small.yaml", "splits: {latest: {val: 0.2}}\n")
    assert due(space) == training(*ALL) | TABLES | {SPLIT, REFERENCES}


def test_editing_the_published_numbers_runs_the_tables_that_show_them(space):
    space.replace("config/paper/table3.csv", "3,TD,Genre 8,1.0485,", "3,TD,Genre 8,1.0486,")
    assert due(space) == {"make_table table3"}


def test_a_result_that_was_deleted_is_made_again_when_it_is_needed(space):
    results = space.path / "results"
    (results / f"{JOBS}/war/td/metrics.csv").unlink()
    (results / "tables/talk.md").unlink()
    assert due(space) == {f"evaluate_{DATA} td"} | TABLES


@pytest.mark.parametrize("name", ["talk.md", "talk.csv"])
def test_a_table_that_was_deleted_is_made_again(space, name):
    (space.path / "results/tables" / name).unlink()
    assert due(space) == {"make_table talk"}


# Behind the tables


def pages(*names):
    return {f"make_page {name}" for name in names}


LAST = {"make_compute_table", "collect_provenance"} | pages("compute")  # they look at all jobs


def test_editing_the_look_of_figures_draws_them_again_and_nothing_else(space):
    space.append(f"{LIBRARY}/report/figures/style.py", EDIT)
    figures = {f"draw {name}" for name in ("claims", "forest", "paper", "losses", "cka")}
    assert space.due() == figures | LAST


def test_editing_the_similarity_of_states_measures_it_again(space):
    space.append(f"{LIBRARY}/evidence/cka.py", EDIT)
    measured = {f"measure_cka_{DATA} {name}" for name in ("scratch", "fd", "hybrid", "td")}
    assert space.due() == measured | {"draw cka"} | LAST


def test_another_training_reaches_all_that_shows_it(space):
    space.append(f"{METHODS}/hybrid.py", EDIT)
    behind = {"draw claims", "draw forest", "draw paper", "draw cka", "collect_metrics"}
    behind |= {f"measure_cka_{DATA} hybrid"}
    behind |= {"test_significance", "judge_claims"}
    behind |= pages("table3", "significance", "claims") | LAST
    assert space.due() == training("hybrid") | {"make_table table3"} | behind


def test_the_compute_table_made_again_has_the_jobs_of_the_run(finished, space):
    (space.path / "results/tables/compute.csv").unlink()
    assert space.due() == LAST
    space.make("results/tables/compute.csv")
    made = (path / "results/tables/compute.csv" for path in (space.path, finished.path))
    again, before = (path.read_text() for path in made)
    assert again == before
    assert "Students: td,2," in again
