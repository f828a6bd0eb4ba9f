"""The quick run gives the numbers that it gave when its fixtures were made.

tests/fixtures/quick_cells.csv holds the cells of tables, as printed, and the processor that made
them; quick_losses.csv the loss parts at the last step of the jobs that cells do not tell apart:
those on images, whose students know as good as nothing after thirty steps, and on ratings those
whose cells are the same. A change of code that means to change no number changes none there; one
that means to, as when distances became relative, says so and makes the files anew:

    PYTHONPATH=workflow/scripts .venv/bin/python tests/workflow/test_quick.py

Another processor rounds otherwise, which sixty steps carry as far as the fourth digit: at most
0.0009 of a cell on an Intel Xeon, and a few hundredths of TD's losses on ratings.
"""

import tempfile
from collections import defaultdict
from pathlib import Path

import pandas as pd
import pytest
from workspace import QUICK, QUICK_RESULTS, ROOT, Workspace

from talking_models.machine import processor

CELLS, LOSSES = (ROOT / f"tests/fixtures/quick_{name}.csv" for name in ("cells", "losses"))
KEYS = ["table", "row", "data", "task"]
PLACE = ["experiment", "task", "name"]
# Where nothing is tuned `td` and `td-talking` train as `td-rounds-1` (tests/unit/test_plan.py).
ON_TOP = """\
tables:
  table3: {against: td-rounds-1, rows: {TD: td-rounds-1, "TD, talking": td-rounds-1}}
  table5: {against: td-rounds-1}
  table7: {against: td-rounds-1, rows: {TD: td-rounds-1}}
"""
TABLES = [f"{QUICK_RESULTS}/tables/table{n}.csv" for n in (3, 5, 6, 7, 8)]
ALIKE = {"ml-100k/latest/drama": ["td-rounds-1", "td-no-lmc", "td-noise"]}
IMAGES = [
    "vit-scratch", "vit-ld", "vit-fd", "vit-fitnet", "vit-hybrid", "vit-td", "vit-td-rounds-0",
    "vit-td-rounds-1", "vit-td-no-lsc", "vit-td-noise",
]  # fmt: skip
HISTORIES = [f"{place}/{id}/history.csv" for place, ids in ALIKE.items() for id in ids]
HISTORIES += [f"digits/given-10/all/{id}/seed0/history.csv" for id in IMAGES]


def made(folder):
    """Cells, and loss parts at the last step, of a run."""
    space = Workspace.of_repository(folder, {**QUICK, "on-top.yaml": ON_TOP})
    histories = [f"{QUICK_RESULTS}/{path}" for path in HISTORIES]
    space.make(*TABLES, *histories, configs=["on-top.yaml"])
    cells = pd.concat([pd.read_csv(space.path / table) for table in TABLES])
    columns = cells.groupby(["table", "data", "task"])["mean"]
    assert columns.count().min() > 0, "a column that was not run stands in a table"
    losses = []
    for path in map(Path, histories):
        frame = pd.read_csv(space.path / path)
        last = frame[frame["step"] == frame["step"].max()].dropna()  # but for monitors
        losses.append(last.assign(task=path.parts[4], experiment=path.parts[5]))
    return cells[cells["mean"].notna()], pd.concat(losses)


def write(cells, losses):
    """Make the fixtures."""
    head = f"# {processor()}\n"
    CELLS.write_text(head + cells[[*KEYS, "mean"]].to_csv(index=False, float_format="%.4f"))
    LOSSES.write_text(head + losses[[*PLACE, "value"]].to_csv(index=False, float_format="%.5g"))


def fixture(file):
    """What one of them holds, and whether this processor made it."""
    frame = pd.read_csv(file, comment="#")
    made_by = file.read_text().splitlines()[0].removeprefix("# ")
    return frame.set_index(list(frame.columns[:-1])).iloc[:, 0], made_by == processor()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return made(tmp_path_factory.mktemp("quick") / "repository")


@pytest.fixture(scope="module")
def cells(run):
    return run[0].set_index(KEYS).sort_index()


@pytest.fixture(scope="module")
def losses(run):
    return run[1].set_index(PLACE).sort_index()


def test_every_cell_is_what_it_was_to_the_last_printed_digit(cells):
    expected, of_this_processor = fixture(CELLS)
    found = cells["mean"].reindex(expected.index)
    assert set(cells.index) == set(expected.index)
    assert (found - expected).abs().max() < 0.003
    if of_this_processor:
        printed = found.map("{:.4f}".format).astype(float)
        assert printed.to_dict() == expected.to_dict()


def test_every_loss_part_is_what_it_was(losses):
    expected, of_this_processor = fixture(LOSSES)
    found = losses["value"].reindex(expected.index)
    assert set(losses.index) == set(expected.index)
    assert (found / expected - 1).abs().max() < 0.1
    if of_this_processor:
        assert found.map("{:.5g}".format).astype(float).to_dict() == expected.to_dict()


def test_the_numbers_tell_all_experiments_apart(cells):
    """No two have the same cell of a task, unless their losses differ."""
    values, parts = fixture(CELLS)[0], fixture(LOSSES)[0].groupby(["experiment", "task"])
    told = {place: tuple(own) for place, own in parts}
    assert len(set(told.values())) == len(told)
    alike = defaultdict(set)
    for key, experiment in cells["experiment"].items():
        alike[key[-1].lower(), values[key]].add(experiment)
    assert {task for task, _ in alike} == {"drama", "war", "all"}
    for (task, value), ids in alike.items():
        untold = [id for id in ids if (id, task) not in told]
        assert len(ids) == 1 or not untold, f"{task}: {value} is of {ids}"


def test_training_separately_trains_the_modules(cells):
    def rows(table, row):
        return list(cells.loc[(table, row)]["mean"])

    separately = rows("table8", "Train encoder/decoder separately")
    assert separately != rows("table3", "Train from Scratch")
    assert separately != rows("table3", "TD")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        write(*made(Path(folder) / "repository"))
