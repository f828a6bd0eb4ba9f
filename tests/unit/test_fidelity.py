"""How near a student is to its teacher, by hand."""

import numpy as np
import pytest
from simulated import of_images, of_ratings, write_job

from talking_models.report.fidelity import block, likeness, of_classes

USERS = [1, 2, 3, 4]


def test_likeness_is_of_the_same_seed_and_row():
    teacher = of_ratings("teacher", "War", USERS, [[0, 1, 2, 3], [3, 2, 1, 0]])
    student = of_ratings("td", "War", USERS, [[0.5, 1.5, 2.5, 3.5], [3, 2, 1, 0]])
    near, ranks = likeness(student.sample(frac=1, random_state=0), teacher)
    assert near == pytest.approx((0.5 + 0) / 2)
    assert ranks == pytest.approx(1)
    _, turned = likeness(of_ratings("td", "War", USERS, [[3, 2, 1, 0], [0, 1, 2, 3]]), teacher)
    assert turned == pytest.approx(-1)


@pytest.mark.parametrize(
    ("teacher_seed", "near", "said"),
    [("paired", (1 + 5) / 2, "of its seed"), ("first", 1, "it had"), ("all", 2, "it had")],
)
def test_a_student_is_held_beside_the_models_that_taught_it(teacher_seed, near, said, tmp_path):
    ramp = np.arange(4)
    errors = {"teacher": [ramp, ramp + 6], "td": [ramp + 1, ramp + 1]}
    paths = [write_job(tmp_path, of_ratings(id, "War", USERS, own)) for id, own in errors.items()]
    about = {"rows": {"TD": "td"}, "teachers": {"td": ["teacher"]}}
    _, table, note = block(about | {"teacher_seed": {"td": teacher_seed}}, paths)
    assert table.splitlines()[2:] == [f"| TD | {near:.4f} | 1.000 |"]
    assert said in note


@pytest.mark.parametrize(("teacher_seed", "rows"), [("paired", 1), ("first", 0), ("all", 0)])
def test_on_draws_no_student_is_held_beside_a_model_that_did_not_teach_it(
    teacher_seed, rows, tmp_path
):
    """There a teacher is evaluated by the model of the draw's seed alone."""
    frames = [
        of_ratings(id, "War", USERS, own, split=f"few-{seed + 1}").assign(seed=seed)
        for seed in range(2)
        for id, own in (("teacher", [0, 1, 2, 3]), ("td", [1, 2, 3, 4]))
    ]
    paths = [write_job(tmp_path, frame) for frame in frames]
    about = {"rows": {"TD": "td"}, "teachers": {"td": ["teacher"]}}
    found = block(about | {"teacher_seed": {"td": teacher_seed}}, paths)
    assert len(found) == 3 * rows
    assert not rows or found[1].splitlines()[2:] == ["| TD | 1.0000 | 1.000 |"]


def test_of_images_classes_agree_or_do_not(tmp_path):
    student = of_images("td", [1, 0, 0, 0]).assign(teacher=[1, 1, 0, 0], kl=[0.5, 1.5, 0.0, 0.0])
    assert of_classes(student) == (0.75, 0.5)
    path = write_job(tmp_path, student, ["accuracy"])
    about = {"rows": {"TD": "td"}, "teachers": {"td": ["vit"]}, "teacher_seed": {"td": "paired"}}
    _, table, _ = block(about, [path])
    assert table.splitlines()[2:] == ["| TD | 75.0% | 0.500 |"]


def test_a_table_with_its_teacher_says_how_near_its_students_are(tmp_path):
    paths = [
        write_job(tmp_path, of_ratings(id, task, USERS, [errors]))
        for id, errors in (("teacher", [0, 1, 2, 3]), ("td", [1, 2, 3, 4]), ("scratch", [0] * 4))
        for task in ("War", "Drama")
    ]
    rows = {"Scratch": "scratch", "Teacher": "teacher", "TD": "td"}
    about = {"rows": rows, "teachers": {"td": ["teacher"], "scratch": [], "teacher": []}}
    about["teacher_seed"] = dict.fromkeys(rows.values(), "paired")
    heading, table, _ = block(about, paths)
    assert heading == "## How near the teacher"
    assert table.splitlines()[2:] == ["| TD | 1.0000 | 1.000 |"]
    assert block(about, paths[2:]) == []
