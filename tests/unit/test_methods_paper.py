"""The published numbers beside the experiments: all 175 cells (spec section 10, check 9)."""

import csv
import re
from pathlib import Path

import pytest

PAPER = Path(__file__).parents[2] / "config" / "paper"
CELLS = {3: 56, 4: 18, 5: 24, 6: 9, 7: 24, 8: 32, 9: 12}


def rows(table):
    with (PAPER / f"table{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_there_are_175_cells():
    assert sum(CELLS.values()) == 175
    assert {p.name for p in PAPER.glob("*.csv")} == {f"table{t}.csv" for t in CELLS}
    assert {t: len(rows(t)) for t in CELLS} == CELLS


@pytest.mark.parametrize("table", CELLS)
def test_each_table_is_whole(table):
    """Every method meets every genre or data set once, with numbers as printed."""
    found = rows(table)
    columns = {r["genre_or_dataset"] for r in found}
    wanted = {f"Genre {k}" for k in range(1, 9)}
    if table in (4, 6, 9):
        wanted = {"CIFAR10", "CIFAR100", "ImageNet"}
    assert columns == wanted
    pairs = {(r["method"], r["genre_or_dataset"]) for r in found}
    assert len(pairs) == len(found) == len({r["method"] for r in found}) * len(columns)
    for r in found:
        assert r["table"] == str(table)
        if table in (4, 6, 9):  # accuracies, without a standard error
            assert re.fullmatch(r"0\.\d{5}", r["mean"])
            assert r["stderr"] == ""
        else:  # RMSEs
            assert re.fullmatch(r"[01]\.\d{4}", r["mean"])
            assert re.fullmatch(r"0\.\d{4}", r["stderr"])


def test_the_cifar_accuracies_are_whole_images_of_9728():
    """What spec section 4 found out about the paper's evaluation; a typing error would break it."""
    for table in (4, 6, 9):
        for r in rows(table):
            size = {"CIFAR10": 9728, "CIFAR100": 9728, "ImageNet": 49664}[r["genre_or_dataset"]]
            images = round(float(r["mean"]) * size)
            assert f"{images / size:.5f}" == r["mean"], r


def test_td_beats_the_baselines_on_seven_of_eight_genres():
    """Claim 1 of spec section 7, which is true of the printed means (all but Genre 4)."""
    mean = {(r["method"], r["genre_or_dataset"]): float(r["mean"]) for r in rows(3)}
    assert mean["Train from Scratch", "Genre 1"] == 1.0102
    methods = {m for m, _ in mean}
    genres = [f"Genre {k}" for k in range(1, 9)]
    baselines = methods - {"TD", "Teacher", "Train from Scratch"}
    assert len(baselines) == 4
    won = [g for g in genres if all(mean["TD", g] < mean[b, g] for b in baselines)]
    assert won == [g for g in genres if g != "Genre 4"]
