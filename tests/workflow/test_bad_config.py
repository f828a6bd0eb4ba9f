"""A wrong configuration stops the run before any job, and says what to write instead."""

import pytest
from workspace import Workspace, jobs


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    return Workspace.of_repository(tmp_path_factory.mktemp("bad-config") / "repository")


WRONG = """\
models: {student: {training: {learning_rat: 0.1}}}
experiments: {odd: {method: tdd}}
"""
OPTIONS = ("sedes=3", "seeds=0", 'models={"student": {"training": {"steps": "fifty"}}}')


@pytest.mark.parametrize(
    ("options", "configs", "expected"),
    [
        (
            (),
            ["wrong.yaml"],
            [
                "the configuration has 2 problems",
                "models.student.training.learning_rat: unknown key, found with the value 0.1; "
                "allowed: one of steps, batch_size, clip, learning_rate, dropout, weight_decay",
                "nearest: learning_rate",
                "experiments.odd.method: found 'tdd' (text)",
                "allowed: one of born_again, dist, fd, fitnet, group, hybrid, ld, mutual, rkd, scr",
                "nearest: td",
            ],
        ),
        (
            ("--config", *OPTIONS),
            (),
            [
                "the configuration has 3 problems",
                "sedes: unknown key, found with the value 3",
                "teacher_seed",
                "nearest: seeds",
                "seeds: found 0 (an integer); allowed: an integer at least 1",
                "models.student.training.steps: found 'fifty' (text); allowed: an integer at least",
            ],
        ),
    ],
    ids=["in a file", "on the command line"],
)
def test_it_stops_before_any_job(untouched, options, configs, expected):
    (untouched.path / "wrong.yaml").write_text(WRONG)
    status, said = untouched.snakemake(*options, configs=configs)
    assert status != 0
    for text in expected:
        assert text in said
    assert "Traceback" not in said
    assert jobs(said) == []
    assert not (untouched.path / "results").exists()
    assert not (untouched.path / "data").exists()


IMAGES = """\
data: {digits: {kind: digits}}
models:
  vit: {name: vit_tiny_patch16_224, weights: random, image_size: 16, options: {patch_size: 4}}
experiments: {see: {method: td, student: vit-student, teachers: [vit]}}
"""


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("figures/roundz.png", "No rule to produce results/figures/roundz.png"),
        ("models/student.safetensors", "No rule to produce results/models/student.safetensors"),
        ("digits/given/cka/td.csv", "td on digits: it trains student, which is not for images"),
        ("ml-100k/latest/war/see/metrics.csv", "see on ml-100k: it trains vit-student, which is"),
    ],
)
def test_a_target_that_cannot_be_is_refused_in_a_sentence(untouched, target, expected):
    (untouched.path / "images.yaml").write_text(IMAGES)
    status, said = untouched.snakemake(f"results/{target}", "--dry-run", configs=["images.yaml"])
    assert status != 0
    assert expected in said
    assert "Traceback" not in said


def test_settings_of_a_job_that_contradict_each_other_stop_it_too(untouched):
    """A run that does not ask for the job goes on."""
    over = "experiments: {td: {settings: {student_steps: 5000}}}"
    (untouched.path / "wrong.yaml").write_text(over)
    status, said = untouched.snakemake("results/tables/table3.md", configs=["wrong.yaml"])
    assert status != 0
    assert "experiments.td, with models.student.training: student_steps 5000" in said
    assert "Traceback" not in said
    assert jobs(said) == []
    model = "results/ml-100k/latest/war/scratch/models.safetensors"
    status, said = untouched.snakemake(model, "--dry-run", configs=["wrong.yaml"])
    assert status == 0
