"""What training takes: operations counted by hand."""

import pandas as pd
import pytest
from toys import LOG, TEACHER, TRAINING, fit_config, movielens

from talking_models.data.parquet import write
from talking_models.evidence.cost import COLUMNS, cost, run
from talking_models.training.ratings import begin, fit
from talking_models.training.teacher import CACHE_BYTES

# of one example: each weight is met thrice, forwards, for its gradient and for its input's; those
# of the categories' five words twice, as nothing is before them; a product and a sum each
WEIGHTS, WORDS = 12 * 10 + 10 * 8 + 8, 5 * 2
STEP = TRAINING["batch_size"] * 2 * (3 * WEIGHTS + 2 * WORDS)


def taken(config, teachers):
    rows, _, items = movielens()
    return cost(begin(rows, items, config, teachers), config["training"])


@pytest.fixture(scope="module")
def teacher():
    rows, _, items = movielens()
    return fit(rows, items, fit_config("scratch", seeds=1, hidden=TEACHER), {}, LOG)[0]


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_student_takes_what_is_counted_by_hand_however_many_learn_together(seeds):
    found = taken(fit_config("scratch", seeds=seeds, steps=30), {})
    assert found["flops"] == 30 * STEP
    assert (found["parameters"], found["in_tables"], found["steps"]) == (337, 100, 30)


def test_what_a_teacher_answers_is_not_counted(teacher, monkeypatch):
    """LD adds no forward of the teacher, also where there is no room for what it answers on all
    rows.
    """
    for room in (CACHE_BYTES, 0):
        monkeypatch.setattr("talking_models.training.teacher.CACHE_BYTES", room)
        found = taken(fit_config("ld"), {"teacher": teacher})
        assert found["flops"] == TRAINING["steps"] * STEP


def test_steps_of_the_student_alone_cost_less(teacher):
    all_along, later = (
        taken(
            fit_config("td", {"rounds": 1, "student_steps": alone}, steps=40), {"teacher": teacher}
        )
        for alone in (0, 20)
    )
    of_both = 20 * STEP + all_along["flops"] / 2
    assert later["flops"] == pytest.approx(of_both)


def test_the_file_of_a_job(tmp_path, teacher):
    rows, _, items = movielens()
    write(rows, tmp_path / "fit.parquet", {"slice": "fit"})
    write(items, tmp_path / "items.parquet")
    teacher.save(tmp_path / "teacher")
    given = [tmp_path / "fit.parquet"], tmp_path / "items.parquet", fit_config("ld")
    run(*given, {"teacher": tmp_path / "teacher"}, tmp_path / "cost.csv")
    found = pd.read_csv(tmp_path / "cost.csv")
    assert list(found) == COLUMNS
    assert found.to_dict("records") == [taken(fit_config("ld"), {"teacher": teacher})]
