"""The compute table from records made by hand, and tables as pages."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from talking_models import machine
from talking_models.machine import cores, processor
from talking_models.report import compute, pages
from talking_models.report.compute import COLUMNS, collect, duration
from talking_models.running.provenance import KEYS, digest

ROOT = Path(__file__).parents[2]
FACTS = ROOT / "config/paper/facts.yaml"


def job(rule, cpu=1.0, wall=2.0, peak=100, **wildcards):
    """What a table needs of a record."""
    costs = {"cpu_seconds": cpu, "wall_seconds": wall, "peak_mb": peak}
    return {"rule": rule, "wildcards": wildcards, **costs}


JOBS = [
    job("make_table", table="t"),
    job("train", 90.0, 100.0, 800, experiment="td", task="war"),
    job("tm_train", 40.0, 50.0, 900, experiment="td", task="drama"),  # of a module
    job("train", experiment="teacher", task="all"),
    job("keep_states", peak=50, experiment="vit"),
    job("split_ml-100k", 1.25, 2.5, 170),
    job("their_own_rule"),
]


def test_a_step_is_the_sum_of_its_jobs_and_the_total_that_of_all():
    found = collect(JOBS, ["teacher"])
    assert list(found) == COLUMNS
    assert found.to_numpy().tolist() == [
        ["Data", 1, 1.25, 2.5, 170],
        ["Teachers", 2, 2.0, 4.0, 100],
        ["Students: td", 2, 130.0, 150.0, 900],
        ["Tables", 1, 1.0, 2.0, 100],
        ["Others", 1, 1.0, 2.0, 100],
        ["Total", 7, 135.25, 160.5, 900],
    ]


@pytest.mark.parametrize("module", ["", "talking_"])
def test_each_rule_belongs_to_one_step(module):
    """But for those that come after the table, or only name files."""
    text = "".join(path.read_text() for path in sorted(ROOT.glob("workflow/rules/*.smk")))
    rules = {*re.findall(r"^ *rule (\w+):", text, re.M), *re.findall(r" as (\w+) with:", text)}
    rules |= {name + "x-1" for name in re.findall(r'^ *f"(\w+_){\w+}"', text, re.M)}
    later = {"all", "figures", "images", "tuned", "tuned_images", "tuned_x-1"}
    later |= {"make_page", "make_compute_table", "collect_provenance", "collect_metrics"}
    assert {"train_images", "evaluate_x-1", "measure_cka_x-1", "choose_best"} < rules
    for rule in rules - later:
        steps = [
            s for s, of in compute.STEPS.items() if re.fullmatch(f"(.*_)?({of})", module + rule)
        ]
        assert len(steps) == 1, rule


def test_both_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made, read, other = (Path("results", name) for name in ("table.md", "models", "brought"))
    other.parent.mkdir()
    for file in (made, read, other):
        file.write_text(file.name)
    for (number, of), (file, inputs) in zip(
        enumerate(JOBS[:2]), {made: [read, other], read: []}.items(), strict=True
    ):
        record = dict.fromkeys(KEYS) | of | {"started": str(number)}
        record |= {"inputs": {str(path): "" for path in inputs}}
        record |= {"outputs": {str(file): digest(file)}}
        path = Path("results/provenance", f"{number}.json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record))
    compute.run([made], "results", [], FACTS, "Of this.", "c.csv", "c.md")
    found = pd.read_csv("c.csv")
    assert list(found) == COLUMNS
    assert list(found["step"]) == ["Students: td", "Tables", "Total", compute.PAPER]
    assert found["wall_seconds"].iloc[-1] == 12 * 3600
    text = Path("c.md").read_text()
    assert "Of this." in text
    assert "| Students: td | 1 | 90.0 s | 1 min 40 s | 800 MB |" in text
    assert "| **Total** | **2** | **91.0 s** | **1 min 42 s** | **800 MB** |" in text
    assert "less than 12 h" in text
    assert "What this took is not known: results/brought." in text
    assert f"{processor()}, {cores()} cores" in text


def test_without_any_record_there_is_a_table_still(tmp_path):
    made = tmp_path / "results/table.md"
    made.parent.mkdir()
    made.touch()
    csv, md = tmp_path / "c.csv", tmp_path / "c.md"
    compute.run([made], made.parent, [], FACTS, "Of this.", csv, md)
    assert list(pd.read_csv(csv)["step"]) == [compute.PAPER]
    assert "What this took is not known" in md.read_text()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (8.44, "8.4 s"),
        (99.9, "99.9 s"),
        (99.96, "1 min 40 s"),
        (125, "2 min 05 s"),
        (5999.6, "1 h 40 min"),
        (43200, "12 h 00 min"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


# --- pages


TEXT = """\
# Table 3: RMSE & more

Made of this.

| Method | Genre 1: Drama |
| :-- | --: |
| TD | **0.9876 ± 0.0012** |
| _Bias_ | 1.0000 † |

<script>alert(1)</script>
"""


def test_a_page_has_the_table_and_stands_alone(tmp_path):
    (tmp_path / "t.md").write_text(TEXT, encoding="utf-8")
    pages.run(tmp_path / "t.md", tmp_path / "t.html")
    made = (tmp_path / "t.html").read_text(encoding="utf-8")
    assert made.startswith("<!DOCTYPE html>")
    assert "<title>Table 3: RMSE &amp; more</title>" in made
    assert '<meta charset="utf-8">' in made
    assert '<td style="text-align:left">TD</td>' in made
    assert "<strong>0.9876 ± 0.0012</strong>" in made
    assert "<em>Bias</em>" in made
    assert made.count("<table>") == 1
    assert "src=" not in made
    assert "href=" not in made
    # HTML in the text is shown and not run
    assert "<script>" not in made
    assert "&lt;script&gt;" in made


def test_a_processor_is_named_where_the_system_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(machine.platform, "processor", lambda: "some board")
    assert processor() == "some board"
    machine.CPUINFO.write_text("processor\t: 0\nmodel name\t: A CPU\n")
    assert processor() == "A CPU"
