"""Twenty kills at random moments of a run with ratings, images and a search in it, and state files
cut at random places: it ends with the bytes of an undisturbed run.

    make test-kills

Too long for each change: about a quarter of an hour.
"""

import random
import re
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))
from workspace import SMALL, Workspace

KILLS = 20
CONFIG = """\
tuning: search
search: {trials: 2, training_trials: 2, folds: 2, seeds: 1, steps: 4, teacher_steps: 4, every: 2,
         image_steps: 4}
data:
  digits: {kind: digits, seeds: 1}
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
      steps: 12
      batch_size: 16
      warmup_steps: 1
      evaluate_every: 3
      checkpoint_every: 1
      smallest_area: 1.0
      optimiser: adamw
      learning_rate: 0.01
device: {accelerator: cpu, precision: float32, workers: 0}
experiments:
  vit-td: {method: td, student: vit-student, teachers: [vit], settings: {message: 8, hidden: 8}}
tables:
  seen: {title: Seen, data: [digits], rows: {TD: vit-td}}
"""
OPTIONS = {"configs": ("more.yaml",)}
TARGETS = ("results/tables/table3.md", "results/tables/seen.md")
SEARCH = "results/digits/given/tuning/vit-td/choice.yaml"


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """The repository, with its data and nothing else."""
    space = Workspace.of_repository(tmp_path_factory.mktemp("kills") / "repository", SMALL)
    (space.path / "more.yaml").write_text(CONFIG)
    space.make("data/ml-100k/ratings.parquet", **OPTIONS)
    return space


@pytest.fixture(scope="module")
def whole(begun, tmp_path_factory):
    """An undisturbed run, and how long it took."""
    space, start = begun.copy(tmp_path_factory.mktemp("whole") / "repository"), time.monotonic()
    space.make(*TARGETS, SEARCH, **OPTIONS)
    return results(space), time.monotonic() - start


def results(space):
    """Result files but for measured pace, and for what is kept for a while."""
    left = re.compile(r"/states|throughput|/trial\d+/")
    return {n: x for n, x in space.results().items() if not left.search(n)}


def differing(space, expected):
    """Result files that are not what the undisturbed run made; what a job goes on from is none."""
    found = {n: x for n, x in results(space).items() if not n.endswith("/checkpoint.safetensors")}
    return {name for name, content in found.items() if content != expected.get(name)}


def test_killed_twenty_times_it_ends_with_the_same_bytes(begun, whole, tmp_path):
    expected, seconds = whole
    space, draw, unfinished = begun.copy(tmp_path / "repository"), random.Random(0), 0
    for kill in range(KILLS):
        run = space.start(*TARGETS, SEARCH, **OPTIONS)
        time.sleep(draw.uniform(1, seconds / 5))
        run.kill()
        assert differing(space, expected) == set(), f"after kill {kill + 1}"
        unfinished += results(space) != expected
    assert unfinished >= KILLS // 2, "most kills came after the run's end"
    space.make(*TARGETS, SEARCH, **OPTIONS)
    assert results(space) == expected


STATES = (
    "results/**/journal.log",
    "results/**/checkpoint.safetensors",
    "results/logs/run.json",
    "results/provenance/**/*.json",
    "results/.run.lock",
)


@pytest.mark.parametrize("seed", range(4))
def test_state_files_that_are_cut_are_gone_past(begun, whole, tmp_path, seed):
    (expected, _), draw = whole, random.Random(seed)
    space = begun.copy(tmp_path / "repository")
    checkpoint = "vit-td/seed0/models.safetensors"
    run = space.start(*TARGETS, SEARCH, pause_at=checkpoint, **OPTIONS)
    run.wait_until_paused()
    run.kill()  # at the end of a training job, whose last checkpoint is there
    found = [path for pattern in STATES for path in sorted(space.path.glob(pattern))]
    assert {path.name for path in found} >= {
        "journal.log",
        "checkpoint.safetensors",
        "run.json",
    }
    for path in found:
        content = path.read_bytes()
        path.write_bytes(content[: draw.randrange(len(content) + 1)])
    space.make(*TARGETS, SEARCH, **OPTIONS)
    assert results(space) == expected
