"""docs/own-ratings.md, word for word, on a small shop: from a file to differences and intervals."""

import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from workspace import ROOT, Workspace

PAGE = (ROOT / "docs/own-ratings.md").read_text()
COMMANDS = re.search(r"```sh\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()
ENTRY = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1]
# On top of either: small networks and few steps.
SMALL = """\
seeds: 2
tuning: none
models:
  teacher:
    hidden: [16, 8]
    features: {user: 8, item: 8, title: 4, categories: 4}
    training: {steps: 20, batch_size: 32, learning_rate: 0.02}
  student:
    hidden: [8, 4]
    features: {user: 8, item: 8, title: 4, categories: 4}
    training: {steps: 20, batch_size: 32, learning_rate: 0.02}
"""

# On top of what `make new` wrote: less to wait for.
FEWER = """\
data: {my-shop: {tasks: {names: [Tools, Books]}}}
tables: {my-shop: {rows: {LD: ~, FD: ~, FitNet: ~, Hybrid: ~}}}
"""
LD_ALONE = "results: results/by-hand\ntables: {my-shop: {rows: {TD: ~}}}\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The repository with the files of the page beside it."""
    files = {"small.yaml": SMALL, "fewer.yaml": FEWER, "ld.yaml": LD_ALONE}
    space = Workspace.of_repository(tmp_path_factory.mktemp("shop") / "repository", files)
    random = np.random.default_rng(0)
    items = pd.DataFrame(
        {
            "sku": [f"A-{n:03}" for n in range(50)],
            "title": [f"Thing {n}" for n in range(50)],
            "categories": random.choice(["Garden|Tools", "Tools", "Books"], 50),
        }
    )
    rows = 2_500
    user = random.integers(0, 60, rows)
    rated = pd.DataFrame(
        {
            "uid": [f"customer {n}" for n in user],
            "sku": random.choice(items["sku"], rows),
            "stars": random.integers(1, 6, rows),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(rows), "h"),
        }
    ).drop_duplicates(["uid", "sku"])
    (space.path / "shop").mkdir()
    items.to_csv(space.path / "shop/items.csv", index=False)
    rated.to_csv(space.path / "shop/ratings.csv", index=False)
    return space


def has_intervals(folder):
    """Whether every other row has a difference from training from scratch, with its interval."""
    found = pd.read_csv(folder / "tables/significance.csv")
    others = found[found["experiment"] != "scratch"]
    assert len(others)
    assert set(found["against"]) == {"scratch"}
    return others[["difference", "low", "high"]].notna().all(axis=None)


def test_two_commands_give_the_page_s_files(shop):
    first, _, second = (shlex.split(line) for line in COMMANDS)
    named = dict(word.split("=") for word in first if "=" in word)
    assert first[:2] == ["make", "new"]
    assert second[0] == "snakemake"
    said = subprocess.run(
        [
            sys.executable,
            "-m",
            "talking_models.data.new",
            named["RATINGS"],
            named["ITEMS"],
            "--name",
            named["NAME"],
        ],
        cwd=shop.path,
        env=os.environ | {"PYTHONPATH": "workflow/scripts"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "60 users" in said
    assert "50 items" in said
    assert "Tools" in said
    files = [second[second.index("--configfile") + 1], "small.yaml", "fewer.yaml"]
    shop.make(configs=files)

    folder = shop.path / "results/my-shop"
    for page in ("my-shop.md", "my-shop.csv", "significance.md", "sizes.md"):
        assert (folder / "tables" / page).stat().st_size
    table = pd.read_csv(folder / "tables/my-shop.csv")
    assert table["mean"].notna().all()
    assert set(table["task"]) == {"Tools", "Books"}
    assert has_intervals(folder)
    models = folder / "my-shop/latest/tools/td"
    assert {"models.safetensors", "predictions.parquet", "metrics.csv", "history.csv"} <= {
        path.name for path in models.iterdir()
    }
    assert shop.make(configs=files).count("Nothing to be done")


def test_the_entry_written_by_hand(shop):
    (shop.path / "entry.yaml").write_text(ENTRY)
    assert yaml.safe_load(ENTRY)["results"] == "results/my-shop"
    tables = (f"results/by-hand/tables/{name}.csv" for name in ("my-shop", "significance"))
    shop.make(*tables, configs=["entry.yaml", "ld.yaml"])
    folder = shop.path / "results/by-hand"
    table = pd.read_csv(folder / "tables/my-shop.csv")
    rows = list(yaml.safe_load(ENTRY)["tables"]["my-shop"]["rows"])
    assert [*dict.fromkeys(table["row"]), "TD"] == rows
    assert table["mean"].notna().all()
    assert has_intervals(folder)


def test_a_wrong_value_is_named_before_anything_is_trained(shop):
    path = shop.path / "shop/ratings.csv"
    good = path.read_text()
    try:
        path.write_text(good.replace("\n", "\ncustomer 1,A-001,good,2024-01-01\n", 1))
        status, said = shop.snakemake("results/my-shop/tables/my-shop.md", configs=["entry.yaml"])
    finally:
        path.write_text(good)
    assert status == 1
    assert "shop/ratings.csv" in said
    assert "row 2" in said
    assert "'good'" in said
    assert not re.search(r"^rule train:", said, re.MULTILINE)
