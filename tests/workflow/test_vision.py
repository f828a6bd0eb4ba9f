"""The rules of images: digits from nothing to a table; a killed job goes on; devices are asked for.

That nothing which trains knows an eval example, test_dag.py shows.
"""

import os
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from workspace import SMALL, Workspace, jobs

CONFIG = """\
seeds: 1
data:
  digits: {kind: digits}
models:
  vit:
    name: vit_tiny_patch16_224
    weights: random
    image_size: 8
    options: {patch_size: 4, embed_dim: 16, depth: 4, num_heads: 2}
    cut: [2, 4]
  vit-student:
    blocks: 3
    cut: [1, 3]
    training:
      steps: 6
      batch_size: 16
      warmup_steps: 1
      evaluate_every: 3
      checkpoint_every: 2
      # whole images: the teacher is asked once
      smallest_area: 1.0
      optimiser: adamw
      learning_rate: 0.01
device: {accelerator: cpu, workers: 0}
experiments:
  vit-scratch: {method: scratch, student: vit-student}
  vit-td: {method: td, student: vit-student, teachers: [vit], settings: {message: 8, hidden: 8}}
search: {trials: 3, image_steps: 4}
tables:
  table4:
    title: Accuracy
    data: [digits]
    in_all: false
    paper: config/paper/table4.csv
    rows: {No Distillation: vit-scratch, TD: vit-td}
    bold: [TD]
"""
PLACE = "digits/given/all"
OPTIONS = {"configs": ("vision.yaml",)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    space = Workspace.of_repository(tmp_path_factory.mktemp("vision") / "repository", SMALL)
    (space.path / "vision.yaml").write_text(CONFIG)
    space.make("images", **OPTIONS)
    return space


@pytest.fixture(scope="module")
def folder(made):
    return made.path / "results" / PLACE


def test_a_run_leaves_the_files_of_every_job(folder):
    models = {"models.safetensors", "history.csv", "throughput.csv", "config.yaml"}
    expected = {
        f"{experiment}/seed0/{name}"
        for experiment in ("vit-scratch", "vit-td")
        for name in models | {"predictions.parquet", "metrics.csv"}
    }
    expected |= {f"slices/{name}.yaml" for name in ("fit", "val", "eval")}
    for model in ("vit", "vit-student"):
        expected |= {f"{model}/probe.safetensors", f"{model}/accuracy.csv"}
    expected |= {f"references/{name}" for name in ("predictions.parquet", "metrics.csv")}
    expected |= {f"vit/states1/{part}.npy" for part in ("low", "high", "output")}
    found = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert found == expected
    assert (folder.parents[2] / "benchmarks/digits/given/keep_states1/all/vit.tsv").exists()
    config = yaml.safe_load((folder / "vit-td/seed0/config.yaml").read_text())
    assert (config["method"], config["settings"]["message"], config["seed"]) == ("td", 8, 0)
    assert config["teachers"]["vit"]["kind"] == "vit"


def test_the_table_is_the_evidences(made, folder):
    table = pd.read_csv(made.path / "results/tables/table4.csv")
    assert list(table["row"]) == ["No Distillation", "TD"]
    for column, value in {"data": "digits", "split": "given", "metric": "accuracy"}.items():
        assert set(table[column]) == {value}
    for row in table.itertuples():
        frame = pd.read_parquet(folder / row.experiment / "seed0/predictions.parquet")
        place = ["experiment", "data", "split", "task", "seed", "example", "target", "prediction"]
        taught = ["teacher", "kl"] if row.experiment == "vit-td" else []
        assert list(frame) == place + taught
        assert row.mean == (frame["target"] == frame["prediction"]).mean()
        assert row.n_eval == len(frame) == 360
        metrics = pd.read_csv(folder / row.experiment / "seed0/metrics.csv")
        assert list(metrics["value"]) == [row.mean]
    text = (made.path / "results/tables/table4.md").read_text()
    assert "random weights" in text
    assert "| Method | The teacher's class | KL from its probabilities |" in text
    assert "_Linear probe of vit-student, untouched_" in text
    lines = pd.read_parquet(folder / "references/predictions.parquet")
    assert set(lines["experiment"]) == {"probe-vit", "probe-vit-student"}
    assert "digits" in text


def test_a_run_logs_for_tensorboard_and_makes_a_page(made):
    logs = made.path / "results/logs/digits/given/train_images/vit-td/all/seed0"
    assert [*logs.glob("events.*")]
    assert "TD" in (made.path / "results/pages/table4.html").read_text()
    alike = pd.read_csv(made.path / "results/digits/given/cka/vit-td.csv")
    assert set(alike["n_rows"]) == {360}
    assert alike["cka"].between(0, 1).all()
    assert (made.path / "results/figures/ckaimages.svg").exists()


def test_a_second_run_has_nothing_to_do(made):
    assert "Nothing to be done" in made.make("images", **OPTIONS)


def test_a_killed_training_job_goes_on_with_the_same_bytes(made, tmp_path):
    space = made.copy(tmp_path / "repository")
    model = f"results/{PLACE}/vit-td/seed0/models.safetensors"
    folder = (space.path / model).parent
    expected = (space.path / model).read_bytes()
    for path in folder.iterdir():
        path.unlink()
    run = space.start(model, **OPTIONS, pause_at=model)
    run.wait_until_paused()
    run.kill()
    assert (folder / "checkpoint.safetensors").exists()
    space.make(model, **OPTIONS)
    log = space.path / "results/logs/digits/given/train_images/vit-td/all/seed0.log"
    assert "going on from step 4" in log.read_text()
    assert (space.path / model).read_bytes() == expected
    assert not (folder / "checkpoint.safetensors").exists()


# By dry runs


def said_of(space, target, **config):
    (space.path / "more.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "snakemake", "--dry-run", target, "--configfile", "small.yaml"]
    result = subprocess.run(
        [*command, "vision.yaml", "more.yaml"],
        cwd=space.path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    said = result.stdout + result.stderr
    assert result.returncode == 0, said
    return said


def test_a_run_without_a_target_leaves_images_out(made):
    said = said_of(made, "all")
    assert "rule make_table:" in said
    assert "images" not in said
    assert "rule download_weights" not in said


@pytest.mark.parametrize(
    ("accelerator", "resource"), [("cuda", "gpu=2"), ("tpu", "tpu=2"), ("cpu", None)]
)
def test_a_job_asks_for_the_device_that_the_configuration_names(made, accelerator, resource):
    target = f"results/{PLACE}/vit-scratch/seed1/models.safetensors"
    said = said_of(made, target, device={"accelerator": accelerator, "devices": 2})
    block = said[said.index("rule train_images") :]
    assert (resource or "mem_mb") in block
    assert ("gpu=" in block or "tpu=" in block) == (resource is not None)


def test_loaders_are_processes_that_need_no_fork(made, tmp_path, monkeypatch):
    """As on macOS, and from Python 3.14 on; they change nothing but the time."""
    spawn = "import multiprocessing\nmultiprocessing.set_start_method('spawn')\n"
    (tmp_path / "sitecustomize.py").write_text(spawn)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    space = made.copy(tmp_path / "repository", results=False)
    (space.path / "loaders.yaml").write_text("device: {workers: 1}\n")
    place = f"results/{PLACE}/vit-td/seed0"
    space.make(f"{place}/metrics.csv", configs=("vision.yaml", "loaders.yaml"))
    for name in ("models.safetensors", "predictions.parquet"):
        there, before = (each.path / place / name for each in (space, made))
        assert there.read_bytes() == before.read_bytes(), name
    said = space.make(f"{place}/metrics.csv", "--dry-run", **OPTIONS)
    assert "Nothing to be done" in said  # with another number of them nothing runs again


def test_a_new_experiment_trains_itself_alone(made, tmp_path):
    space = made.copy(tmp_path / "repository")
    new = "  vit-ld: {method: ld, student: vit-student, teachers: [vit]}\n"
    space.replace("vision.yaml", "search: {trials", f"{new}search: {{trials")
    said = space.make(f"results/{PLACE}/vit-ld/seed0/metrics.csv", "--dry-run", **OPTIONS)
    assert sorted(job.rule for job in jobs(said)) == ["evaluate_images", "train_images"]
    space.replace("vision.yaml", "rows: {No", "rows: {LD: vit-ld, No")
    said = space.make("results/tables/table4.md", "--dry-run", **OPTIONS)
    trained = [job.wildcards["experiment"] for job in jobs(said) if job.rule == "train_images"]
    assert trained == ["vit-ld"]


def test_a_search_on_val_images_is_kept_and_taken(made, tmp_path):
    space = made.copy(tmp_path / "repository")
    place = f"results/{PLACE.removesuffix('/all')}/tuning/vit-td"
    space.make(f"{place}/choice.yaml", **OPTIONS)
    trials = pd.read_csv(space.path / place / "trials.csv")
    assert list(trials["state"]) == ["complete"] * 3
    choice = yaml.safe_load((space.path / place / "choice.yaml").read_text())
    best = trials.loc[trials["score"].idxmin()]
    chosen = choice["chosen"]["all"]
    assert chosen["settings"]["w2"] == best["w2"]
    assert chosen["training"] == {}  # how long a student is trained is not searched
    assert choice["about"]["search"]["image_steps"] == 4
    space.replace("vision.yaml", "trials: 3", "trials: 4")
    more = jobs(space.make(f"{place}/choice.yaml", "--dry-run", **OPTIONS))
    tried = [job.wildcards["trial"] for job in more if job.rule == "try_images"]
    assert tried == ["3"], "a longer list tries what is new"
    keep = [sys.executable, "workflow/scripts/keep_choices.py", f"{place}/choice.yaml"]
    environment = os.environ | {"PYTHONPATH": "workflow/scripts"}
    subprocess.run(keep, cwd=space.path, env=environment, check=True)
    assert (space.path / "config/tuned/digits/given/vit-td.yaml").exists()
    target = f"results/{PLACE}/vit-td/seed0/config.yaml"
    space.make(target, "--config", "tuning=committed", **OPTIONS)
    trained = yaml.safe_load((space.path / target).read_text())
    assert chosen["settings"].items() <= trained["settings"].items()
