"""Beside each result lies what made it, and the results know nothing of that."""

import hashlib
import json

import pandas as pd
from workspace import DATA, JOBS


def records(space):
    folder = space.path / "results/provenance"
    return {
        str(path.relative_to(folder).with_suffix("")): json.loads(path.read_text())
        for path in folder.rglob("*.json")
    }


def test_every_job_has_a_record(finished):
    folder = finished.path / "results/logs"
    assert set(records(finished)) == {
        str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.log")
    }


def test_every_result_is_as_its_record_says(finished):
    made = {path: r for r in records(finished).values() for path in r["outputs"]}
    results = finished.results()
    assert results
    for name, content in results.items():
        record = made[f"results/{name}"]
        digest = hashlib.sha256(content).hexdigest()
        assert record["outputs"][f"results/{name}"] == digest, name


def test_a_record_says_where_its_result_comes_from(finished):
    found = records(finished)
    raw = found[f"{DATA}/prepare_ratings"]["outputs"]
    assert all(record["data"] == raw for record in found.values())
    assert len({record["config"] for record in found.values()}) == 1
    assert len({record["library"] for record in found.values()}) == 1
    student = found[f"{JOBS}/train/td/war"]
    teacher = found[f"{JOBS}/train/teacher/all"]
    weights = f"results/{JOBS}/all/teacher/models.safetensors"
    assert student["inputs"][weights] == teacher["outputs"][weights]
    assert student["code"] != teacher["code"]
    assert "torch" in student["packages"]
    assert "torch" not in found["make_table/talk"]["packages"]
    assert student["cpu_seconds"] > 0
    assert student["wall_seconds"] < 300


def test_the_table_of_all_jobs_has_each_but_those_behind_it(finished):
    table = pd.read_csv(finished.path / "results/provenance.csv")
    assert len(table) == len(records(finished)) - 1  # itself
    assert table["data"].notna().all()
    text = (finished.path / "results/provenance.rst").read_text()
    assert "No record" not in text
