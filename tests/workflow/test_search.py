"""`tuning: search`: settings are searched in the run, and a killed search goes on to the same."""

import pytest
import yaml

SEARCH = """\
tuning: search
search: {trials: 3, folds: 2, seeds: 1, steps: 4, teacher_steps: 4, every: 2}
experiments:
  td-rounds: {method: td, like: td, choose: {rounds: [0, 2]}}
"""
BASE = "results/movielens/100k"
TARGETS = [
    f"{BASE}/tuned.yaml",
    *(f"{BASE}/students/{id}/war/models.safetensors" for id in ("td", "td-rounds")),
]
OPTIONS = {"configs": ("search.yaml",)}


def read(space, path):
    return yaml.safe_load((space.path / BASE / path).read_text())


def journal(space, experiment):
    path = space.path / BASE / "tuning" / experiment / "journal.log"
    return path.read_text().replace(" ", "") if path.exists() else ""


@pytest.fixture(scope="module")
def searched(finished, tmp_path_factory):
    """An undisturbed run, from the downloaded data on."""
    space = finished.copy(tmp_path_factory.mktemp("searched") / "repository", results=False)
    (space.path / "search.yaml").write_text(SEARCH)
    space.make(*TARGETS, **OPTIONS)
    return space


def test_students_are_trained_with_what_the_search_chose(searched):
    chosen = read(searched, "tuning/td/chosen.yaml")["war"]
    td = read(searched, "students/td/war/config.yaml")
    assert chosen["training"].items() <= td["training"].items()
    assert chosen["settings"].items() <= td["settings"].items()
    scratch = read(searched, "tuning/scratch/chosen.yaml")["war"]
    assert td["training"]["id_dropout"] == scratch["training"]["id_dropout"]

    ablation = read(searched, "students/td-rounds/war/config.yaml")
    rounds = read(searched, "tuning/td-rounds/chosen.yaml")["war"]["settings"]["rounds"]
    assert rounds in (0, 2)
    assert ablation == {**td, "settings": td["settings"] | {"rounds": rounds}}

    collected = read(searched, "tuned.yaml")
    assert collected["about"]["search"]["trials"] == 3
    assert collected["chosen"]["td"]["war"] == chosen


def test_the_committed_choice_trains_the_same_students(searched, tmp_path):
    space = searched.copy(tmp_path / "repository")
    (space.path / "kept.yaml").write_bytes((space.path / BASE / "tuned.yaml").read_bytes())
    text = SEARCH.replace("tuning: search", "tuning: committed\ntuned: kept.yaml")
    (space.path / "search.yaml").write_text(text)
    models = [target for target in TARGETS if target.endswith("safetensors")]
    before = [(space.path / model).read_bytes() for model in models]
    for model in models:
        (space.path / model).unlink()
    said = space.make(*models, **OPTIONS)
    assert "rule tune" not in said
    assert [(space.path / model).read_bytes() for model in models] == before

    (space.path / "search.yaml").write_text(text + "movielens: {genres: [War, Drama]}\n")
    status, said = space.snakemake(models[0].replace("war", "drama"), **OPTIONS)
    assert status != 0
    assert "kept.yaml has no choice for td on 'drama', only on sci-fi, war" in said


def test_a_killed_search_goes_on_to_the_same_choice(searched, tmp_path):
    space = searched.copy(tmp_path / "repository", results=False)
    for experiment, moment in (("teacher", '"index":1'), ("td", '"fold0"'), ("td", '"index":2')):
        run = space.start(*TARGETS, **OPTIONS)
        run.wait_until(
            lambda experiment=experiment, moment=moment: moment in journal(space, experiment),
            f"the search of {experiment} did not come to {moment}",
        )
        run.kill()
        assert not (space.path / BASE / "tuning" / experiment / "chosen.yaml").exists()
    space.make(*TARGETS, **OPTIONS)
    assert space.results() == searched.results()
    # trials that were finished at a kill: the teacher's first, TD's second
    for experiment, finished in (("teacher", '"index":0'), ("td", '"index":1')):
        assert journal(space, experiment).count(finished) == 1, "scored again"
    assert "Nothing to be done" in space.make(*TARGETS, "--dry-run", **OPTIONS)
