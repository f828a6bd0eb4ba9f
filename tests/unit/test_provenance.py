"""What made a result: the record of a job, and all records together."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from talking_models.report import provenance as report
from talking_models.running import provenance

SCRIPTS = str(Path(provenance.__file__).parents[2])


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(provenance, "REPOSITORY", tmp_path)  # no repository unless a test makes one
    return tmp_path


def job(rule, inputs, outputs, **wildcards):
    return SimpleNamespace(
        rule=rule,
        input=inputs,
        output=outputs,
        log=[f"results/logs/{rule}.log"],
        wildcards=wildcards,
        params={"code": "c0de"},
        threads=1,
    )


def run(made, texts):
    """A job of the test: its outputs get their texts, and it ends."""
    for path, text in texts.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    provenance.finish(made)
    _, path = provenance.places(made.log[0])
    return json.loads(path.read_text()) if path.is_file() else None


@pytest.fixture
def chain(here):
    """Raw data, a model of it, a table of that and of a published number."""
    (here / "config").mkdir()
    (here / "config/paper.csv").write_text("1.0")
    provenance.note_run("results", {"seeds": 2})
    return [
        run(job("download", [], ["data/raw"], variant="100k"), {"data/raw": "ratings"}),
        run(job("train", ["data/raw"], ["results/model"]), {"results/model": "weights"}),
        run(
            job("table", ["results/model", "config/paper.csv"], ["results/table"]),
            {"results/table": "1.1"},
        ),
    ]


def test_a_record_says_what_made_its_outputs(chain):
    download, train, table = chain
    assert (download["rule"], download["wildcards"]) == ("download", {"variant": "100k"})
    assert train["code"] == "c0de"
    assert table["outputs"] == {"results/table": hashlib.sha256(b"1.1").hexdigest()}
    assert set(table["inputs"]) == {"results/model", "config/paper.csv"}
    assert table["inputs"]["results/model"] == train["outputs"]["results/model"]
    assert download["data"] == train["data"] == table["data"] == download["outputs"]
    assert table["config"] == provenance.digest_of_value({"seeds": 2})
    assert table["library"] == provenance.library()
    assert table["packages"]["pandas"] == pd.__version__
    assert "sys" not in table["packages"]
    assert table["host"]
    assert table["cores"] >= table["threads"] == 1
    assert table["cpu_seconds"] > 0
    assert table["wall_seconds"] > 0


def test_the_same_configuration_has_the_same_digest_in_any_order():
    digest = provenance.digest_of_value
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1, "b": [1, 2]}) != digest({"a": 1, "b": [2, 1]})


def test_where_data_came_from_is_unknown_if_a_file_is_not_what_its_record_says(chain):
    made = run(job("other", ["results/model"], ["results/other"]), {"results/other": "x"})
    assert made["data"] == chain[0]["outputs"]
    Path("results/model").write_text("other weights")
    made = run(job("other", ["results/model"], ["results/other"]), {"results/other": "x"})
    assert made["data"] is None
    made = run(job("last", ["results/other"], ["results/last"]), {"results/last": "x"})
    assert made["data"] is None


def test_what_reads_no_file_comes_from_none_and_so_does_what_follows(here):
    """Images of a package, a backbone with random weights, and a student of the two."""
    made = [
        run(job("split", [], ["results/fit.yaml"]), {"results/fit.yaml": "0: 5"}),
        run(job("make_backbone", [], ["results/backbone"]), {"results/backbone": "noise"}),
        run(job("train", ["results/fit.yaml", "results/backbone"], ["results/model"]),
            {"results/model": "weights"}),
    ]  # fmt: skip
    assert [record["data"] for record in made] == [{}, {}, {}]
    assert report.summary(made, [])["Data"] == "none"
    assert list(report.table(made)["data"]) == ["none"] * 3


def test_what_reads_a_users_own_files_comes_from_them_and_not_from_the_configuration(here):
    Path("config").mkdir()
    Path("config/tuned.yaml").write_text("lr: 1")
    Path("pets/cats").mkdir(parents=True)
    Path("pets/cats/1.png").write_text("cat")
    made = run(job("split", ["pets"], ["results/fit.yaml"]), {"results/fit.yaml": "0: 1.png"})
    assert made["data"] == made["inputs"]
    read = ["results/fit.yaml", "config/tuned.yaml"]
    student = run(job("train", read, ["results/model"]), {"results/model": "weights"})
    assert student["data"] == made["inputs"]
    Path("pets/cats/1.png").write_text("dog")
    other = run(job("split", ["pets"], ["results/fit.yaml"]), {"results/fit.yaml": "0: 1.png"})
    assert other["data"] != made["data"]


def test_where_data_came_from_is_unknown_without_a_record(chain):
    Path("results/provenance/train.json").unlink()
    made = run(job("other", ["results/model"], ["results/other"]), {"results/other": "x"})
    assert made["data"] is None


def test_without_the_note_of_a_run_the_rest_is_recorded(here):
    made = run(job("download", [], ["data/raw"]), {"data/raw": "ratings"})
    assert made["commit"] is made["dirty"] is made["config"] is made["library"] is None
    assert made["code"] == "c0de"


def test_a_job_that_lacks_an_output_has_no_record(here):
    assert (
        run(job("train", [], ["results/model", "results/history"]), {"results/model": "x"}) is None
    )


def test_the_record_lies_where_the_log_does():
    results, path = provenance.places("out/logs/run/logs/movielens/train/td.log")
    assert results == Path("out/logs/run")
    assert path == Path("out/logs/run/provenance/movielens/train/td.json")


JOB = """\
import sys
sys.path.insert(0, {scripts!r})
from types import SimpleNamespace
from talking_models.running.job import start
snakemake = SimpleNamespace(
    rule="train", input=[], output=["results/model"], log=["results/logs/train.log"],
    wildcards={{}}, params={{}}, threads=1, config={{}},
)
start(snakemake)
open("results/model", "w").write("weights")
{then}
"""


@pytest.mark.parametrize(("then", "status"), [("", 0), ("sys.exit()", 0)])
def test_a_job_writes_its_record_at_its_end(here, then, status):
    code = JOB.format(scripts=SCRIPTS, then=then)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == status
    made = json.loads((here / "results/provenance/train.json").read_text())
    assert list(made["outputs"]) == ["results/model"]


def test_a_job_that_fails_leaves_no_record_and_not_that_of_an_earlier_run(here):
    record = here / "results/provenance/train.json"
    subprocess.run([sys.executable, "-c", JOB.format(scripts=SCRIPTS, then="")], check=True)
    assert record.is_file()
    # Snakemake deletes the outputs of a failed job only after it has ended
    code = JOB.format(scripts=SCRIPTS, then="raise ValueError('no')")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 1
    assert not record.exists()


def git(*arguments):
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_is_known_and_whether_files_differ_from_it(here):
    def state(results="results"):
        return provenance.git_state(results)

    assert state() == (None, None)
    git("init", "--quiet")
    assert state() == (None, None)
    Path("results/tables").mkdir(parents=True)
    for name in ("code.py", "results/tables/table3.md", "dvc.lock"):
        Path(name).write_text("1")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    head = git("rev-parse", "HEAD")
    assert state() == (head, False)
    for name in ("results/tables/table3.md", "dvc.lock", "results/new"):
        Path(name).write_text("2")  # a run itself makes these
        assert state() == (head, False)
    Path("code.py").write_text("2")
    assert state() == (head, True)
    git("checkout", "code.py")
    Path("method.py").write_text("new, and not yet in git")
    assert state() == (head, True)
    Path("method.py").unlink()
    Path("out").mkdir()
    Path("out/model").write_text("x")
    assert state("out") == (head, False)
    assert state(here / "out") == (head, False)


def test_the_commit_is_the_workflows_wherever_the_run_is(here, tmp_path_factory, monkeypatch):
    git("init", "--quiet")
    Path("code.py").write_text("1")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    head = git("rev-parse", "HEAD")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    (elsewhere / "mine.py").write_text("x")  # no part of the workflow
    provenance.note_run("results", {})
    noted = json.loads(Path("results/logs/run.json").read_text())
    assert (noted["commit"], noted["dirty"]) == (head, False)


def test_the_repository_is_that_of_this_workflow():
    assert Path(provenance.__file__).parents[4] == provenance.REPOSITORY
    assert (provenance.REPOSITORY / "workflow" / "Snakefile").is_file()


@pytest.mark.parametrize("damage", ["", "{", "[]", "null", '{"outputs": 3}', "\ufffd"])
def test_a_damaged_note_or_record_is_gone_past(chain, damage):
    Path("results/logs/run.json").write_text(damage)
    Path("results/provenance/train.json").write_text(damage)
    made = run(job("other", ["results/model"], ["results/other"]), {"results/other": "x"})
    assert made["commit"] is made["config"] is made["data"] is None
    records, unknown = report.trace(["results/table"], "results")
    assert [each["rule"] for each in records] == ["table"]
    assert unknown == ["results/model"]


def test_where_own_files_come_from_is_their_canonical_form(here):
    """A user's own ratings lie anywhere; what was read from them is known by its digest."""
    (here / "shop.csv").write_text("uid")
    made = run(job("prepare", ["shop.csv"], ["data/shop/ratings"]), {"data/shop/ratings": "x"})
    assert made["data"] == made["outputs"]


# All records together


def test_all_jobs_that_a_table_comes_from_are_found(chain):
    run(job("unused", ["data/raw"], ["results/unused"]), {"results/unused": "x"})
    records, unknown = report.trace(["results/table"], "results")
    assert {made["rule"] for made in records} == {"download", "train", "table"}
    assert unknown == []


def test_a_file_that_is_gone_is_known_by_its_record(chain):
    Path("results/model").unlink()
    records, unknown = report.trace(["results/table"], "results")
    assert {made["rule"] for made in records} == {"download", "train", "table"}
    assert unknown == []


def test_files_that_have_no_record_or_changed_since_are_named(chain):
    Path("results/model").write_text("other weights")
    records, unknown = report.trace(["results/table", "results/nothing"], "results")
    assert [made["rule"] for made in records] == ["table"]
    assert unknown == ["results/model", "results/nothing"]
    text = report.summary(records, unknown)["No record"]
    assert text == "results/model, 1 more"


def test_the_summary_says_what_differs_between_jobs(chain):
    records, _ = report.trace(["results/table"], "results")
    same = report.summary(records, [])
    assert same["Configuration"] == records[0]["config"][:12]
    assert same["Commit"] == "unknown"
    assert "No record" not in same
    assert f"pandas {pd.__version__}" in same["Packages"]
    assert same["Jobs"].startswith("3, begun from ")
    data = report.summary([{**records[0], "data": data} for data in ({}, None, None)], [])
    assert data["Data"] == "unknown (2 jobs); none (1 job)"
    for made, commit in zip(records, ("a" * 40, "a" * 40, "b" * 40), strict=True):
        made["commit"], made["dirty"] = commit, commit[0] == "b"
    records[0]["packages"]["numpy"] = "1.0"
    several = report.summary(records, [])
    assert several["Commit"] == "aaaaaaaaaaaa (2 jobs); bbbbbbbbbbbb, with changes (1 job)"
    assert "numpy 1.0 / " in several["Packages"]


def test_there_is_a_row_for_each_job_and_a_page(chain):
    report.run(["results/table"], "results", "provenance.csv", "provenance.rst")
    rows = pd.read_csv("provenance.csv")
    assert list(rows) == provenance.COLUMNS
    assert set(rows["rule"]) == {"download", "train", "table"}
    assert set(rows["wildcards"].dropna()) == {"variant=100k"}
    text = Path("provenance.rst").read_text()
    assert text.startswith(".. list-table::")
    assert "   * - Data\n     - " in text


def test_without_any_record_the_page_says_so(here):
    report.run(["results/table"], "results", "provenance.csv", "provenance.rst")
    assert "none has a record" in Path("provenance.rst").read_text()
    assert "     - results/table\n" in Path("provenance.rst").read_text()
