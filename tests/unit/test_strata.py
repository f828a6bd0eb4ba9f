"""The metric apart for cold and warm users, by hand."""

import numpy as np
import pandas as pd
import pytest
from simulated import of_ratings, write_job

from talking_models.report.strata import NAMES, block, by_stratum

USERS = ["cold", "few", "few", "many"]
KNOWN = {"cold": 0, "few": 19, "many": 20}
ABOUT = {"metric": "rmse", "rows": {"TD": "td"}, "references": {"User and item bias": "bias"}}


@pytest.fixture
def files(tmp_path):
    """Predictions of td, two seeds, and of a line on two tasks, one without cold rows."""
    jobs, lines = [], []
    for task, users in {"Drama": USERS, "War": USERS[1:]}.items():
        errors = {"cold": 3.0, "few": 1.0, "many": 2.0 if task == "War" else 0.5}
        own = np.array([errors[user] for user in users])
        jobs.append(write_job(tmp_path, of_ratings("td", task, users, [own, 2 * own])))
        line = of_ratings("bias", task, users, [own])
        line["train_rows"] = line["user"].map(KNOWN)
        lines.append(write_job(tmp_path, line))
    return jobs, lines


def test_each_stratum_has_its_metric_and_its_share_of_rows(files):
    table, shares = by_stratum(*files, "rmse")
    assert table.loc["td"].tolist() == pytest.approx([4.5, 1.5, (0.75 + 3.0) / 2])
    assert table.loc["bias"].tolist() == pytest.approx([3.0, 1.0, 1.25])
    assert shares.tolist() == pytest.approx([1 / 8, (1 / 2 + 2 / 3) / 2, (1 / 4 + 1 / 3) / 2])


def test_a_gain_counts_from_the_lowest_rating_of_the_task_not_of_the_stratum(tmp_path):
    """Only the cold user has given a 1: the warm one's gains are 3 and 4, in the wrong order."""
    frame = of_ratings("bias", "War", ["cold", "cold", "many", "many"], [np.zeros(4)])
    frame = frame.assign(target=[1.0, 2.0, 4.0, 5.0], prediction=[1.0, 2.0, 2.0, 1.0])
    line = write_job(tmp_path, frame.assign(train_rows=frame["user"].map(KNOWN)))
    table, _ = by_stratum([], [line], "ndcg")
    second = 1 / np.log2(3)
    assert table.loc["bias", NAMES[2]] == pytest.approx((3 + 4 * second) / (4 + 3 * second))


def test_the_page_has_a_row_for_each_of_the_tables_and_says_how_many_rows_there_are(files):
    heading, table, _ = block(ABOUT, *files)
    assert heading == "## By the user's training rows"
    head, _, ours, line = table.splitlines()
    shares = zip(NAMES, (12, 58, 29), strict=True)
    assert head == f"| Method | {' | '.join(f'{name} ({n}% of rows)' for name, n in shares)} |"
    assert ours == "| TD | 4.5000 | 1.5000 | 1.8750 |"
    assert line.startswith("| _User and item bias_ | 3.0000 |")
    assert block(ABOUT, files[0], []) == []


def test_a_stratum_that_nobody_is_in_says_so(tmp_path):
    frame = of_ratings("bias", "War", ["few"], [[1.0]])
    line = write_job(tmp_path, frame.assign(train_rows=3))
    rows = pd.DataFrame({"name": block(ABOUT | {"rows": {}}, [], [line])})["name"].iloc[1]
    assert rows.splitlines()[-1] == "| _User and item bias_ |  | 1.0000 |  |"
