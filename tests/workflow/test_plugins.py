"""docs/extending.md and docs/own-images.md, word for word: a user's folders become a table."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from workspace import ROOT, Workspace

EXTENDING = (ROOT / "docs/extending.md").read_text()
IMAGES = (ROOT / "docs/own-images.md").read_text()
# On top: small networks, few steps.
SMALL = """\
seeds: 2
tuning: none
models:
  student:
    hidden: [8, 4]
    features: {user: 8, item: 8, title: 4, categories: 4}
    training: {steps: 20, batch_size: 32, learning_rate: 0.02}
  vit:
    name: vit_tiny_patch16_224
    weights: random
    image_size: 8
    options: {patch_size: 4, embed_dim: 16, depth: 4, num_heads: 2}
    cut: [2, 4]
  vit-student:
    blocks: 3
    cut: [1, 3]
    training: {steps: 6, batch_size: 16, warmup_steps: 1, evaluate_every: 3, checkpoint_every: 2}
device: {accelerator: cpu, workers: 0}
"""
# On top of the page's entry: less to wait for.
FEWER = "tables: {my-images: {rows: {LD: ~}}}\n"
TEACHERS = """\
models:
  wise: {training: {steps: 20, batch_size: 32}}
  factors: {training: {steps: 20, batch_size: 32}}
"""


@pytest.fixture
def space(tmp_path):
    return Workspace.of_repository(tmp_path / "repository", {"small.yaml": SMALL})


def entry(page):
    """The page's first configuration."""
    return re.search(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)[1]


def test_a_method_metric_kind_of_data_and_kind_of_model_in_a_folder(space):
    files = re.findall(
        r"`my_methods/(\w+)\.py`[^\n]*:\n\n```python\n(.*?)^```$", EXTENDING, re.DOTALL | re.M
    )
    (space.path / "my_methods").mkdir()
    for name, text in files:
        (space.path / f"my_methods/{name}.py").write_text(text)
    (space.path / "my.yaml").write_text(entry(EXTENDING))
    (space.path / "teachers.yaml").write_text(TEACHERS)
    random = np.random.default_rng(0)
    pairs = random.permutation(600)[:400]
    stars = random.integers(1, 6, 400).tolist()
    reviews = [
        {"who": f"user {p % 20}", "what": f"A-{p // 20}", "stars": s, "at": 10**9 + n}
        for n, (p, s) in enumerate(zip(pairs, stars, strict=True))
    ]
    (space.path / "reviews.json").write_text(json.dumps(reviews))

    target, files = "results/tables/reviews.md", ["my.yaml", "teachers.yaml"]
    space.make(target, configs=files)
    table = pd.read_csv(space.path / "results/tables/reviews.csv")
    assert list(table["row"]) == ["Train from Scratch", "Teacher", "Cosine", "LD of factors"]
    assert set(table["metric"]) == {"close"}
    assert table["mean"].between(0, 1).all()
    assert "Nothing to be done" in space.make(target, configs=files)

    space.append("my_methods/close.py", "\nAGAIN = 1\n")
    again = space.make(target, "--dry-run", configs=files)
    assert "rule make_table" in again
    assert "rule train:" not in again


def test_pictures_in_folders(space):
    random = np.random.default_rng(0)
    for label, shade in (("cat", 60), ("dog", 190)):
        (space.path / "pictures" / label).mkdir(parents=True)
        for n in range(60):
            pixels = random.normal(shade, 40, (12, 12, 3)).clip(0, 255).astype("uint8")
            Image.fromarray(pixels).save(space.path / f"pictures/{label}/{n}.png")
    (space.path / "my-images.yaml").write_text(entry(IMAGES))
    assert re.search(r"^snakemake --cores 2 --configfile my-images.yaml$", IMAGES, re.M)
    (space.path / "fewer.yaml").write_text(FEWER)
    space.make(configs=["my-images.yaml", "fewer.yaml"])
    tables = space.path / "results/my-images/tables"
    table = pd.read_csv(tables / "my-images.csv")
    assert list(table["row"]) == ["Train from Scratch", "TD"]
    assert set(table["n_seeds"]) == {2}
    assert table["n_eval"].between(12, 36).all()  # about a fifth of 120
    # each label is that of its own pictures, which are dark or light: another's would be a coin
    assert (table["mean"] > 0.9).all(), table["mean"]
    found = pd.read_csv(tables / "significance.csv")
    found = found[found["experiment"] == "vit-td"]
    assert len(found)
    assert found[["difference", "low", "high"]].notna().all(axis=None)
