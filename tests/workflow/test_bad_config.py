"""A wrong configuration stops the run before any job, and says what to write instead."""

import pytest
from workspace import Workspace, jobs


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    return Workspace.of_repository(tmp_path_factory.mktemp("bad-config") / "repository")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        (
            "--config",
            "sedes=3",
            ["sedes: unknown key, found with the value 3", "teacher_seed", "nearest: seeds"],
        ),
        ("--config", "seeds=0", ["seeds: found 0 (an integer)", "allowed: an integer at least 1"]),
        (
            "--configfile",
            "models: {student: {training: {learning_rat: 0.1}}}",
            [
                "models.student.training.learning_rat: unknown key, found with the value 0.1",
                "allowed: one of steps, batch_size, learning_rate, weight_decay, dropout",
                "nearest: learning_rate",
            ],
        ),
        (
            "--configfile",
            "experiments: {odd: {method: tdd}}",
            [
                "experiments.odd.method: found 'tdd' (text)",
                "allowed: one of fd, fitnet, hybrid, ld, scratch, td",
                "nearest: td",
            ],
        ),
        (
            "--configfile",
            "tables: {table3: {rows: {Hybrid: hybird}}}",
            [
                "tables.table3.rows.Hybrid: found 'hybird' (text)",
                "allowed: one of teacher, teacher-random, teacher-small, scratch, fd, hybrid, td",
                "nearest: hybrid",
            ],
        ),
    ],
)
def test_it_stops_before_any_job(untouched, option, value, expected):
    if option == "--configfile":
        (untouched.path / "wrong.yaml").write_text(value)
        status, said = untouched.snakemake(configs=["wrong.yaml"])
    else:
        status, said = untouched.snakemake(option, value)
    assert status != 0
    for text in expected:
        assert text in said
    assert "the configuration has 1 problem" in said
    assert "Traceback" not in said
    assert jobs(said) == []
    assert not (untouched.path / "results").exists()
    assert not (untouched.path / "data").exists()
