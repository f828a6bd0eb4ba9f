"""The quick run gives the numbers that it gave when its fixture was made.

tests/fixtures/quick_cells.csv holds the cells of all tables, as printed. A change of code that
means to change no number changes none here; one that means to, as when distances became relative,
says so and makes the file anew.
"""

import pandas as pd
import pytest
from workspace import QUICK, QUICK_RESULTS, ROOT, Workspace

KEYS = ["table", "row", "data", "task"]


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    space = Workspace.of_repository(tmp_path_factory.mktemp("quick") / "repository", QUICK)
    tables = [f"{QUICK_RESULTS}/tables/table{n}.csv" for n in (3, 4, 5, 6, 7, 8, 9)]
    space.make(*tables)
    found = pd.concat([pd.read_csv(space.path / table) for table in tables])
    columns = found.groupby(["table", "data", "task"])["mean"]
    assert columns.count().min() > 0, "a column that was not run stands in a table"
    return found[found["mean"].notna()].set_index(KEYS)


def test_every_cell_is_what_it_was_to_the_last_printed_digit(cells):
    expected = pd.read_csv(ROOT / "tests/fixtures/quick_cells.csv", dtype=str).set_index(KEYS)
    found = cells["mean"].map("{:.4f}".format)
    assert found.reindex(expected.index).to_dict() == expected["mean"].to_dict()
    assert found.index.difference(expected.index).empty


def test_training_separately_trains_the_modules(cells):
    def rows(table, row):
        return list(cells.loc[(table, row)]["mean"])

    separately = rows("table8", "Train encoder/decoder separately")
    assert separately != rows("table3", "Train from Scratch")
    assert separately != rows("table3", "TD")
