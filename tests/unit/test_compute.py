"""The compute table from benchmark files made by hand, and tables as pages."""

from pathlib import Path

import pandas as pd
import pytest

from talking_models import machine
from talking_models.machine import cores, processor
from talking_models.report import compute, pages
from talking_models.report.compute import COLUMNS, collect, duration, page
from talking_models.report.paper import Paper

FACTS = Path(__file__).parents[2] / "config/paper/facts.yaml"
HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def benchmark(path, wall, cpu, rss):
    """A file as Snakemake 9 writes it."""
    path.write_text(f"{HEADER}{wall}\t0:00:00\t{rss}\t1\t1\t1\t0\t0\t99\t{cpu}\n")
    return path


@pytest.fixture
def steps(tmp_path):
    return {
        "Split": [benchmark(tmp_path / "split", 2.5, 1.25, 170.5)],
        "Students: td": [
            benchmark(tmp_path / "a", 100.0, 90.0, 800.25),
            benchmark(tmp_path / "b", 50.0, 40.0, 900.75),
            tmp_path / "gone",
        ],
        "Tuning": [tmp_path / "never", tmp_path / "nor this"],
    }


def test_a_step_is_the_sum_of_its_jobs_and_the_total_that_of_all(steps):
    found = collect(steps)
    assert list(found) == COLUMNS
    assert found.to_numpy().tolist() == [
        ["Split", 1, 1, 1.25, 2.5, 170.5],
        ["Students: td", 3, 2, 130.0, 150.0, 900.75],
        ["Total", 4, 3, 131.25, 152.5, 900.75],
    ]


@pytest.mark.parametrize("nothing", ["NA", "-"])
def test_a_job_too_short_to_be_looked_at_has_its_wall_time(tmp_path, nothing):
    path = benchmark(tmp_path / "short", 0.3, nothing, nothing)
    found = collect({"Short": [path]}).iloc[0]
    assert (found["cpu_seconds"], found["wall_seconds"]) == (0, 0.3)
    assert pd.isna(found["peak_mb"])
    assert "not seen" in page(collect({"Short": [path]}), ["Short"], "", Paper())[2]


def test_a_benchmark_that_was_repeated_counts_whole(tmp_path):
    path = benchmark(tmp_path / "twice", 2, 1, 100)
    path.write_text(path.read_text() + "3\t0:00:00\t150\t1\t1\t1\t0\t0\t99\t2\n")
    found = collect({"Twice": [path]}).iloc[0]
    assert tuple(found[["cpu_seconds", "wall_seconds", "peak_mb"]]) == (3, 5, 150)


def test_without_any_benchmark_there_is_a_table_still(tmp_path):
    compute.run(
        {"Split": [tmp_path / "no"]}, FACTS, "Of this.", tmp_path / "c.csv", tmp_path / "c.md"
    )
    assert list(pd.read_csv(tmp_path / "c.csv")["step"]) == [compute.PAPER]
    assert "not measured: Split." in (tmp_path / "c.md").read_text()


def test_both_files(steps, tmp_path):
    compute.run(steps, FACTS, "Of this.", tmp_path / "c.csv", tmp_path / "c.md")
    found = pd.read_csv(tmp_path / "c.csv")
    assert list(found) == COLUMNS
    assert list(found["step"]) == ["Split", "Students: td", "Total", compute.PAPER]
    assert found["wall_seconds"].iloc[-1] == 12 * 3600
    text = (tmp_path / "c.md").read_text()
    assert "Of this." in text
    assert "| Students: td | 2 of 3 | 2 min 10 s | 2 min 30 s | 901 MB |" in text
    assert "| **Total** | **3 of 4** |" in text
    assert "less than 12 h" in text
    assert "not measured: Tuning." in text
    assert f"{processor()}, {cores()} cores" in text


def test_of_a_job_that_nobody_saw_nothing_is_said(tmp_path):
    """Snakemake looks every half second; before that it knows the wall time alone."""
    seen = {"Short": [benchmark(tmp_path / "short", 0.4, 0.0, 7.1)]}
    compute.run(seen, FACTS, "Of this.", tmp_path / "c.csv", tmp_path / "c.md")
    assert "| Short | 1 | not seen | 0.4 s | not seen |" in (tmp_path / "c.md").read_text()


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
