"""`tuning: search`: settings are searched in the run, and a killed search goes on to the same."""

import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from workspace import DATA, JOBS, jobs

from talking_models.config.merge import merged_files

SEARCH = """\
tuning: search
search: {trials: 3, training_trials: 3, folds: 2, seeds: 1, steps: 4, teacher_steps: 4, every: 2}
splits: {latest: {tuned_on: ~}}
experiments:
  talk: {method: td, settings: {rounds: 1}}
  silent: {method: td, settings: {rounds: 0}}
  either: {method: td, best_of: [talk, silent]}
  noisy: {method: td, like: talk, choose: {noise: [0.0, 0.1]}}
"""
BASE = f"results/{JOBS}"
EXPERIMENTS = ("teacher", "scratch", "talk", "silent", "either", "noisy")
MODELS = [f"{BASE}/war/{id}/models.safetensors" for id in ("talk", "noisy", "either")]
RATE = 0.3  # throws a model far off: the first trial, which is what the configuration says, loses
OPTIONS = {"configs": ("search.yaml",)}


def read(space, path):
    return yaml.safe_load((space.path / BASE / path).read_text())


def journal(space, experiment):
    """What a search has scored so far: settings and fold of each line."""
    path = space.path / BASE / "tuning" / experiment / "journal.log"
    whole = path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []
    return [(line["settings"], line["fold"]) for line in map(json.loads, whole)]


@pytest.fixture(scope="module")
def searched(finished, tmp_path_factory):
    """An undisturbed run, from the downloaded data on."""
    space = finished.copy(tmp_path_factory.mktemp("searched") / "repository", results=False)
    (space.path / "search.yaml").write_text(SEARCH)
    small = space.path / "small.yaml"
    small.write_text(small.read_text().replace("learning_rate: 0.02", f"learning_rate: {RATE}"))
    space.make(*MODELS, **OPTIONS)
    return space


def trials(space, experiment):
    return pd.read_csv(space.path / BASE / "tuning" / experiment / "trials.csv")


def test_students_are_trained_with_what_the_search_chose(searched):
    chosen = read(searched, "tuning/talk/chosen.yaml")["war"]
    td = read(searched, "war/talk/config.yaml")
    assert chosen["training"].items() <= td["training"].items()
    assert chosen["settings"].items() <= td["settings"].items()
    for id in ("teacher", "scratch"):  # of the latter all students take how they train
        scores = trials(searched, id)["score"]
        assert scores.idxmin() > 0, f"{id}: the first trial did not lose: {list(scores)}"
        begun = read(searched, f"tuning/{id}/choice.yaml")["from"]
        assert begun["training"]["learning_rate"] == RATE
    for config in (td, read(searched, "all/teacher/config.yaml")):
        assert config["training"]["learning_rate"] < RATE / 10
    scratch = read(searched, "tuning/scratch/chosen.yaml")["war"]
    shared = {key: value for key, value in scratch["training"].items() if key != "steps"}
    assert len(shared) == 4
    assert shared.items() <= td["training"].items()

    ablation = read(searched, "war/noisy/config.yaml")
    own = read(searched, "tuning/noisy/chosen.yaml")["war"]
    assert own["settings"]["noise"] in (0.0, 0.1)
    training = td["training"] | {"steps": own["training"]["steps"]}
    assert ablation == {**td, "settings": td["settings"] | own["settings"], "training": training}

    best = read(searched, "tuning/either/choice.yaml")["about"]["search"]["best"]
    taken = read(searched, f"tuning/{best}/chosen.yaml")["war"]
    rounds = {"rounds": {"talk": 1, "silent": 0}[best]}
    assert read(searched, "war/either/config.yaml") == td | {
        "settings": td["settings"] | taken["settings"] | rounds,
        "training": td["training"] | taken["training"],
    }

    choice = read(searched, "tuning/talk/choice.yaml")
    assert choice["about"]["search"]["trials"] == 3
    assert choice["about"]["split"]["kind"] == "latest"
    assert choice["chosen"]["war"] == chosen


def keep(space, experiments=EXPERIMENTS):
    """What `make tuned` does after the search."""
    files = [f"{BASE}/tuning/{id}/choice.yaml" for id in experiments]
    script = "workflow/scripts/keep_choices.py"
    subprocess.run([sys.executable, script, *files], cwd=space.path, check=True)


@pytest.fixture
def kept(searched, tmp_path):
    """The searched run, its choices committed."""
    space = searched.copy(tmp_path / "repository")
    shutil.rmtree(space.path / "config/tuned")
    keep(space)
    # how models train as a shipped value, as what a user says wins over a choice
    shipped, own = space.path / "config/config.yaml", space.path / "small.yaml"
    whole, small = merged_files(shipped, own), merged_files(own)
    whole = merged_files(shipped) | {"models": whole["models"]}
    shipped.write_text(yaml.safe_dump(whole))
    own.write_text(yaml.safe_dump({key: small[key] for key in small if key != "models"}))
    (space.path / "search.yaml").write_text(SEARCH.replace("tuning: search", "tuning: committed"))
    return space


def test_the_committed_choice_trains_the_same_students(kept):
    before = [(kept.path / model).read_bytes() for model in MODELS]
    for model in MODELS:
        (kept.path / model).unlink()
    said = kept.make(*MODELS, **OPTIONS)
    assert "rule tune" not in said
    assert [(kept.path / model).read_bytes() for model in MODELS] == before

    more = "data: {ml-100k: {tasks: {names: [War, Drama]}}}\n"
    kept.append("search.yaml", more)
    status, said = kept.snakemake(MODELS[0].replace("war", "drama"), **OPTIONS)
    assert status != 0
    assert f"config/tuned/{DATA}/talk.yaml has no choice for the task 'drama', only for" in said
    assert "sci-fi, war" in said
    assert "Traceback" not in said


def test_trials_are_kept_by_experiment(kept):
    first = pd.read_csv(kept.path / f"config/tuned/{DATA}/trials.csv")
    columns = ["experiment", "trial", "state", "score", "stderr", "steps", "model_steps"]
    assert list(first)[: len(columns)] == columns
    assert list(first["experiment"].unique()) == [id for id in EXPERIMENTS if id != "either"]
    keep(kept, ["silent"])
    again = pd.read_csv(kept.path / f"config/tuned/{DATA}/trials.csv")
    assert len(again) == len(first)
    assert list(again["experiment"].unique())[-1] == "silent"


def test_one_experiment_is_searched_on_top_of_committed_choices(kept):
    tuning = kept.path / BASE / "tuning"
    expected = (tuning / "talk/choice.yaml").read_bytes()
    shutil.rmtree(tuning)
    target = f"{BASE}/tuning/talk/choice.yaml"
    said = kept.make(target, **OPTIONS)
    assert {job.name for job in jobs(said)} == {
        "take_choice teacher", "take_choice scratch", "train_fold_teachers teacher", "tune talk",
    }  # fmt: skip
    assert (tuning / "talk/choice.yaml").read_bytes() == expected

    scored = journal(kept, "talk")
    kept.replace("search.yaml", "{trials: 3, ", "{trials: 4, ")
    said = kept.make(target, **OPTIONS)
    assert [job.name for job in jobs(said)] == ["tune talk"]
    assert journal(kept, "talk")[: len(scored)] == scored
    assert len(journal(kept, "talk")) == len(scored) * 4 // 3, "scored again"


def test_a_killed_search_goes_on_to_the_same_choice(searched, tmp_path):
    space = searched.copy(tmp_path / "repository")
    target = MODELS[0]  # and the search behind it
    for id in ("talk", "noisy", "either"):
        for folder in ("tuning", "war"):
            shutil.rmtree(space.path / BASE / folder / id)
    for lines in (1, 4):  # in the middle of the first trial, and of the third
        run = space.start(target, **OPTIONS)
        run.wait_until(
            lambda lines=lines: len(journal(space, "talk")) >= lines,
            f"the search did not come to line {lines} of its journal",
        )
        run.kill()
        assert not (space.path / BASE / "tuning/talk/chosen.yaml").exists()
    space.make(target, **OPTIONS)
    found = space.results()
    assert found.items() <= searched.results().items()
    assert {f"{JOBS}/tuning/talk/choice.yaml", target.removeprefix("results/")} <= found.keys()
    scored = journal(space, "talk")
    assert len(scored) == len(set(scored)), "scored again"
    assert sorted(scored) == sorted(journal(searched, "talk"))
    assert "Nothing to be done" in space.make(target, "--dry-run", **OPTIONS)
