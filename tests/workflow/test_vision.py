"""The rules of vision: digits from nothing to a table; what trains sees no eval example."""

import subprocess
import sys

import pandas as pd
import pytest
import yaml
from workspace import ROOT, Workspace, jobs

from talking_models.evidence.predict_images import score

CONFIG = """\
vision:
  datasets: [digits]
  model:
    name: vit_tiny_patch16_224
    weights: random
    image_size: 8
    options: {patch_size: 4, embed_dim: 16, depth: 4, num_heads: 2}
    student_blocks: 3
    student_cut: [1, 3]
    teacher_cut: [2, 4]
  training: {steps: 6, batch_size: 16, warmup_steps: 1, evaluate_every: 3, checkpoint_every: 2}
  device: {accelerator: cpu, workers: 0}
  experiments:
    scratch: {method: scratch}
    td: {method: td, settings: {message: 8, hidden: 8}}
  tables:
    table4:
      title: Accuracy
      paper: config/paper/table4.csv
      rows: {No Distillation: scratch, TD: td}
      bold: [TD]
"""
STUDENTS = "results/vision/digits/students"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    space = Workspace.of_repository(tmp_path_factory.mktemp("vision") / "repository")
    (space.path / "vision.yaml").write_text(CONFIG)
    space.make("vision", configs=["vision.yaml"])
    return space


def test_a_run_leaves_the_files_of_every_job(made):
    models = {"models.safetensors", "history.csv", "throughput.csv", "config.yaml"}
    found = {str(p.relative_to(made.path / STUDENTS)) for p in made.path.rglob(f"{STUDENTS}/*/*/*")}
    assert found == {
        f"{experiment}/seed0/{name}"
        for experiment in ("scratch", "td")
        for name in models | {"predictions.parquet", "metrics.csv"}
    }
    config = yaml.safe_load((made.path / STUDENTS / "td/seed0/config.yaml").read_text())
    assert (config["method"], config["settings"]["message"]) == ("td", 8)


def test_the_table_is_the_evidences(made):
    table = pd.read_csv(made.path / "results/tables/table4.csv")
    assert list(table) == [
        "table", "method", "dataset", "mean", "stderr", "n_seeds", "n_eval", "paper_mean",
        "paper_stderr",
    ]  # fmt: skip
    assert list(table["dataset"].unique()) == ["CIFAR10", "CIFAR100", "ImageNet", "digits"]
    run = table["dataset"] == "digits"
    assert table.loc[~run, "mean"].isna().all()
    assert table.loc[~run, "paper_mean"].notna().all()
    for row, experiment in zip(table[run].to_dict("records"), ("scratch", "td"), strict=True):
        frame = pd.read_parquet(made.path / STUDENTS / experiment / "seed0/predictions.parquet")
        assert row["mean"] == score(frame)["accuracy"].item()
        assert row["n_eval"] == 360
    text = (made.path / "results/tables/table4.md").read_text()
    assert "| TD | not run | not run | not run | **" in text
    assert "random weights, which is a trial and no result" in text
    assert "digits: 1,293 training images, 360 evaluation images." in text


def test_a_run_logs_for_tensorboard_and_makes_a_page(made):
    assert [*made.path.glob("results/logs/vision/digits/train_vision_student/td/seed0/events.*")]
    assert "TD" in (made.path / "results/pages/table4.html").read_text()


def test_a_second_run_has_nothing_to_do(made):
    said = made.make("vision", configs=["vision.yaml"])
    assert "Nothing to be done" in said


def test_a_killed_training_job_goes_on_with_the_same_bytes(made, tmp_path):
    space = made.copy(tmp_path / "repository")
    folder = space.path / STUDENTS / "td/seed0"
    model = f"{STUDENTS}/td/seed0/models.safetensors"
    expected = (space.path / model).read_bytes()
    for path in folder.iterdir():
        path.unlink()
    run = space.start(model, configs=["vision.yaml"], pause_at=model)
    run.wait_until_paused()
    run.kill()
    assert (folder / "checkpoint.safetensors").exists()
    space.make(model, configs=["vision.yaml"])
    log = space.path / "results/logs/vision/digits/train_vision_student/td/seed0.log"
    assert "going on from step 4" in log.read_text()
    assert (space.path / model).read_bytes() == expected
    assert not (folder / "checkpoint.safetensors").exists()


# The paper's configuration, by dry runs


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    space = Workspace.of_repository(tmp_path_factory.mktemp("shipped") / "repository")
    for name in ("experiments.yaml", "tables.yaml"):
        (space.path / "config" / name).write_bytes((ROOT / "config" / name).read_bytes())
    return space


def dag(space, *arguments):
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--forceall", *arguments]
    result = subprocess.run(command, cwd=space.path, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return jobs(result.stdout + result.stderr)


def test_a_run_without_a_target_leaves_vision_out(shipped):
    names = {job.rule for job in dag(shipped)}
    assert "make_table" in names
    assert not {name for name in names if "vision" in name or name == "download_weights"}


def test_nothing_that_trains_reads_the_eval_slice(shipped):
    found = dag(shipped, "vision")
    students = [job for job in found if job.rule == "train_vision_student"]
    assert len(students) == 3 * 10
    assert not [job for job in found if job.rule == "finetune_teacher"]
    for job in found:
        if job.rule.startswith(("train", "probe", "make_backbone")):
            named = {path.rsplit("/", 1)[-1] for path in job.inputs}
            assert "eval.yaml" not in named
            assert not named & {"predictions.parquet", "metrics.csv"}
    for job in students:
        named = {path.rsplit("/", 1)[-1] for path in job.inputs}
        has_teacher = job.wildcards["experiment"] != "scratch"
        expected = {"fit.yaml", "minival.yaml", "backbone.safetensors"}
        assert named == expected | ({"probe.safetensors"} if has_teacher else set())


def test_a_fine_tuned_teacher_is_made_for_experiments_that_want_it(shipped):
    (shipped.path / "tuned.yaml").write_text(
        "vision: {datasets: [cifar10], experiments: {ld: {method: ld, teacher: finetuned}}}"
    )
    found = dag(shipped, "vision", "--configfile", "tuned.yaml")
    (teacher,) = [job for job in found if job.rule == "finetune_teacher"]
    (model,) = [path for path in teacher.outputs if path.endswith("models.safetensors")]
    students = [job for job in found if job.rule == "train_vision_student"]
    readers = [job.wildcards["experiment"] for job in students if model in job.inputs]
    assert readers == ["ld"]
    (ld,) = [job for job in students if job.wildcards["experiment"] == "ld"]
    assert not [path for path in ld.inputs if path.endswith("probe.safetensors")]


def test_a_job_asks_for_the_device_that_the_configuration_names(shipped):
    target = f"{STUDENTS}/scratch/seed0/models.safetensors".replace("digits", "cifar10")
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--dry-run",
        target,
        "--configfile",
        "device.yaml",
    ]
    for accelerator, resource in (("cuda", "gpu=2"), ("tpu", "tpu=2"), ("cpu", None)):
        device = {"accelerator": accelerator, "devices": 2}
        (shipped.path / "device.yaml").write_text(yaml.safe_dump({"vision": {"device": device}}))
        result = subprocess.run(
            command, cwd=shipped.path, capture_output=True, text=True, timeout=300
        )
        said = result.stdout + result.stderr
        assert result.returncode == 0, said
        block = said[said.index("rule train_vision_student") :]
        assert (resource or "mem_mb") in block
        assert ("gpu=" in block or "tpu=" in block) == (resource is not None)
