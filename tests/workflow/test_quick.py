"""The quick run gives the numbers that it gave when its fixture was made.

tests/fixtures/quick_cells.csv holds the cells of all tables, as printed, and the processor that
made them. A change of code that means to change no number changes none there; one that means to, as
when distances became relative, says so and makes the file anew. Another processor rounds otherwise,
which sixty steps carry as far as the fourth digit: at most 0.0009 on an Intel Xeon.
"""

import pandas as pd
import pytest
from workspace import QUICK, QUICK_RESULTS, ROOT, Workspace

from talking_models.machine import processor

FIXTURE = ROOT / "tests/fixtures/quick_cells.csv"
KEYS = ["table", "row", "data", "task"]


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    space = Workspace.of_repository(tmp_path_factory.mktemp("quick") / "repository", QUICK)
    tables = [f"{QUICK_RESULTS}/tables/table{n}.csv" for n in (3, 4, 5, 6, 7, 8, 9)]
    space.make(*tables)
    found = pd.concat([pd.read_csv(space.path / table) for table in tables])
    columns = found.groupby(["table", "data", "task"])["mean"]
    assert columns.count().min() > 0, "a column that was not run stands in a table"
    return found[found["mean"].notna()].set_index(KEYS).sort_index()


def test_every_cell_is_what_it_was_to_the_last_printed_digit(cells):
    expected = pd.read_csv(FIXTURE, comment="#").set_index(KEYS)["mean"]
    found = cells["mean"].reindex(expected.index)
    assert set(cells.index) == set(expected.index)
    assert (found - expected).abs().max() < 0.003
    if processor() == FIXTURE.read_text().splitlines()[0].removeprefix("# "):
        printed = found.map("{:.4f}".format).astype(float)
        assert printed.to_dict() == expected.to_dict()


def test_training_separately_trains_the_modules(cells):
    def rows(table, row):
        return list(cells.loc[(table, row)]["mean"])

    separately = rows("table8", "Train encoder/decoder separately")
    assert separately != rows("table3", "Train from Scratch")
    assert separately != rows("table3", "TD")
