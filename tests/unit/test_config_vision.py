"""The section `vision`: what a job gets, and what is refused."""

import pytest

from talking_models.config import ConfigError, load

TD = {"method": "td", "settings": {"rounds": 2}}
TABLE = {"title": "Accuracy", "rows": {"TD": "td"}}


def vision(**section):
    return load({"vision": section}).vision


def test_what_is_laid_on_top_of_what_in_a_job():
    found = vision(
        training={"steps": 9, "learning_rate": 0.5},
        experiments={
            "td": TD | {"training": {"steps": 8}},
            "more": {"method": "td", "like": "td", "settings": {"noise": 0.1}},
        },
    )
    job = found.job("more", 4)
    assert (job["seed"], job["method"]) == (4, "td")
    assert (job["training"]["steps"], job["training"]["learning_rate"]) == (8, 0.5)
    assert (job["settings"]["rounds"], job["settings"]["noise"]) == (2, 0.1)
    assert found.job("td", 0)["settings"]["noise"] == 0.0


def test_the_settings_of_movielens_are_not_those_of_vision():
    raw = {"experiments": {"td": {"method": "td", "settings": {"rounds": 3}}}}
    found = load(raw | {"vision": {"experiments": {"td": {"method": "td"}}}})
    assert found.vision.job("td", 0)["settings"]["rounds"] != 3


def test_an_ablation_has_the_teacher_of_what_it_is_like():
    found = vision(
        experiments={
            "ld": {"method": "ld"},
            "tuned": {"method": "ld", "teacher": "finetuned"},
            "soft": {"method": "ld", "like": "tuned", "settings": {"temperature": 2.0}},
            "back": {"method": "ld", "like": "tuned", "teacher": "probe"},
        }
    )
    teachers = [found.teacher_of(id) for id in found.experiments]
    assert teachers == ["probe", "finetuned", "finetuned", "probe"]
    assert found.job("soft", 0)["teacher"] == "finetuned"


def test_the_teachers_own_job_trains_all_of_it_by_itself():
    job = vision(training={"steps": 9}, model={"teacher_cut": [1, 3]}).teacher_job()
    assert (job["method"], job["blocks"], job["student_cut"]) == ("scratch", None, [1, 3])
    assert job["training"]["steps"] == 9


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"training": {"step": 9}}, r"vision\.training\.step.*steps"),
        ({"experiments": {"a": {"method": "tdd"}}}, r"vision\.experiments\.a\.method.*td"),
        (
            {"experiments": {"a": {"method": "td", "settings": {"round": 1}}}},
            r"vision\.experiments\.a\.settings\.round.*rounds",
        ),
        (
            {"experiments": {"td": TD, "a": {"method": "ld", "like": "td"}}},
            r"vision\.experiments\.a\.like",
        ),
        (
            {"experiments": {"td": TD}, "tables": {"t": TABLE | {"rows": {"TD": "tdd"}}}},
            r"vision\.tables\.t\.rows\.TD.*td",
        ),
        ({"model": {"student_cut": [2, 5]}}, r"vision\.model\.student_cut"),
        ({"datasets": []}, r"vision\.datasets"),
        ({"device": {"accelerator": "gpu"}}, r"vision\.device\.accelerator"),
    ],
)
def test_what_is_refused_is_named_with_its_path(section, said):
    with pytest.raises(ConfigError, match=f"(?s){said}"):
        vision(**section)


def test_a_table_id_means_one_table():
    raw = {"experiments": {"td": {"method": "td"}}, "tables": {"t": TABLE}}
    raw["vision"] = {"experiments": {"td": TD}, "tables": {"t": TABLE}}
    with pytest.raises(ConfigError, match=r"vision\.tables\.t"):
        load(raw)
