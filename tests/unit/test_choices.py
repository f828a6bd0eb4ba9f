"""A committed choice serves what it is for, and yields to what a user says."""

import copy
import logging
from types import SimpleNamespace

import pytest
import yaml
from configs import at, table, whole
from plans import SEEN

from talking_models.config import ConfigError, load, read
from talking_models.config.choices import read_choice
from talking_models.config.merge import merge, merged_files
from talking_models.plan import Plan

CHOICE = {
    "about": {
        "data": {"kind": "movielens", "variant": "100k"},
        "split": {"kind": "latest", "eval": 0.1, "val": 0.1, "share": 1.0},
    },
    "from": {
        "training": {"steps": 500, "batch_size": 256, "dropout": 0.5},
        "settings": {"rounds": 1, "w1": 0.03},
    },
    "chosen": {
        "drama": {"training": {"steps": 250, "dropout": 0.3}, "settings": {"rounds": 2}},
        "war": {
            "training": {"steps": 325, "dropout": 0.4},
            "settings": {"rounds": 0, "w1": 4.0},
            "validation_rmse": 1.0,
        },
    },
}


@pytest.fixture
def tuned(tmp_path):
    """Write a choice for `talk`: `tuned(change)` gives the keys of a configuration that has it."""

    def write(choice=CHOICE, data="ml", experiment="talk"):
        path = tmp_path / data / f"{experiment}.yaml"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(choice if isinstance(choice, str) else yaml.safe_dump(choice))
        return {"tuned": str(tmp_path)}

    return write


def plan(*layers, given=True):
    """A plan; all that is laid on the small configuration is the user's own, if `given`."""
    over = {}
    for layer in layers:
        over = merge(over, layer)
    return Plan(load(whole(over)), over if given else {})


def job(made, experiment="talk", task="war", data="ml", split="latest"):
    place = SimpleNamespace(data=data, split=split, task=task, experiment=experiment)
    return made.training_config(place)


def test_a_choice_is_laid_on_the_jobs_of_its_data(tuned):
    made = plan(tuned())
    war, drama = job(made), job(made, task="drama")
    assert [war["training"][key] for key in ("steps", "dropout")] == [325, 0.4]
    assert [war["settings"][key] for key in ("rounds", "w1", "w2")] == [0, 4.0, 0.03]
    assert (drama["training"]["steps"], drama["settings"]["rounds"]) == (250, 2)
    assert (made.tuned("ml", "latest", "talk"), made.tuned("ml", "latest", "scratch")) == (
        True, False,
    )  # fmt: skip


def test_an_ablation_starts_from_it(tuned):
    more = at("experiments.more", {"method": "td", "like": "talk", "settings": {"w1": 1.0}})
    found = job(plan(tuned(), more), "more")
    assert (found["training"]["steps"], found["settings"]["w1"]) == (325, 1.0)


@pytest.mark.parametrize("tuning", ["none", "search"])
def test_without_committed_choices_none_is_read(tuned, tuning):
    made = plan(tuned("damaged: ["), {"tuning": tuning})
    assert job(made)["training"]["steps"] == 500


@pytest.mark.parametrize(("tuning", "rounds"), [("none", 3), ("committed", 3), ("search", 1)])
def test_where_nothing_is_chosen_the_first_of_the_values_serves(tuned, tuning, rounds):
    """Not before a search in this run, which has its say of them."""
    entry = {"method": "td", "like": "talk", "choose": {"rounds": [3, 2]}}
    made = plan(tuned(), at("experiments.apart", entry), {"tuning": tuning})
    found = job(made, "apart")
    assert found["settings"]["rounds"] == rounds
    assert found["training"]["steps"] == (325 if tuning == "committed" else 500)
    assert made.tuned("ml", "latest", "apart") == (tuning == "search")
    own = at("experiments.apart.settings.rounds", 0)
    made = plan(tuned(), at("experiments.apart", entry), own, {"tuning": tuning})
    assert job(made, "apart")["settings"]["rounds"] == 0


def test_a_choice_that_is_no_longer_asked_for_is_taken_and_said(tuned, caplog):
    over = at("experiments.apart", {"method": "td", "like": "talk", "choose": {"rounds": [1, 3]}})
    made = plan(tuned(experiment="apart"), over)
    with caplog.at_level(logging.WARNING):
        assert job(made, "apart")["settings"]["rounds"] == 0
    assert (
        "apart.yaml has rounds 0, and it is taken, though experiments.apart.choose" in caplog.text
    )
    caplog.clear()
    over["experiments"]["apart"]["choose"]["rounds"].append(0)
    assert job(plan(tuned(experiment="apart"), over), "apart")["settings"]["rounds"] == 0
    assert "is taken" not in caplog.text


def test_committed_trials_are_those_beside_the_choice_that_is_taken(tuned, tmp_path):
    over = tuned(data="ml/latest") | table(rows={"Scratch": "scratch", "Talk": "talk"})
    assert plan(over).trials == {}  # they were not kept
    for place in ("ml", "ml/latest"):
        (tmp_path / place / "trials.csv").write_text("")
    file = str(tmp_path / "ml/latest/trials.csv")
    assert plan(over).trials == {"Talk": (file, "talk")}


GIVEN = {"kind": "given", "eval": 0.1, "val": 0.1, "share": 1.0}
IMAGES = {
    "about": {"data": {"kind": "digits"}, "split": GIVEN},
    "from": {"training": {}, "settings": {"w1": 0.03}},
    "chosen": {"all": {"training": {}, "settings": {"w1": 2.0}}},
}


@pytest.mark.parametrize("tuning", ["committed", "search"])
def test_of_images_a_committed_choice_is_taken_beside_a_search_of_ratings(tuned, tuning):
    over = tuned(IMAGES, "digits", "see") | {"tables": {"seen": SEEN}, "tuning": tuning}
    made = plan(over)
    place = SimpleNamespace(data="digits", split="given", task="all", experiment="see", seed="0")
    assert made.training_config(place)["settings"]["w1"] == 2.0
    assert "by a search that is committed" in made.stamp("seen")


def test_a_folder_of_choices_that_is_not_there_is_said(tmp_path, caplog):
    over = {"tuned": str(tmp_path / "none")}
    assert job(plan(over))["settings"]["rounds"] == 1
    assert "none, so that nothing is tuned" in caplog.text
    caplog.clear()
    plan(over, {"tuning": "none"})
    assert not caplog.text


@pytest.mark.parametrize(
    ("over", "said"),
    [
        (at("data.ml.variant", "1m"), "for the data {'kind': 'movielens', 'variant': '100k'}"),
        (at("splits.latest.eval", 0.2), "for the split {"),
        (at("splits.latest.share", 0.1), "for the split {"),
        (at("splits.latest", {"kind": "per_user"}), "for the split {"),
    ],
)
def test_another_variant_or_split_is_not_touched_and_that_is_said(tuned, caplog, over, said):
    with caplog.at_level(logging.WARNING):
        made = plan(tuned(), over)
        assert job(made)["training"]["steps"] == 500
        job(made, task="drama")
    assert not made.tuned("ml", "latest", "talk")
    assert caplog.text.count("talk.yaml is not used for ml cut by latest") == 1
    assert said in caplog.text


def test_a_window_trains_for_as_many_steps_as_were_chosen_on_it(tuned, tmp_path, caplog):
    windows = at("splits.rolling", {"kind": "rolling", "windows": 3})
    protocol = {**CHOICE["about"]["split"], "kind": "rolling", "windows": 3}
    for window, steps in ((0, 250), (1, 400)):
        found = copy.deepcopy(CHOICE)
        found["about"]["split"] = protocol | {"window": window}
        found["chosen"]["war"]["training"]["steps"] = steps
        over = tuned(found, f"ml/rolling-{window + 1}")
    made = plan(over, windows)
    with caplog.at_level(logging.WARNING):
        jobs = [job(made, split=f"rolling-{n}") for n in (1, 2, 3)]
    assert [made["training"]["steps"] for made in jobs] == [250, 400, 250]
    assert (
        caplog.text.count("some train as was chosen on rolling-1: how, and for how many steps") == 1
    )
    first, second = (f"{tmp_path}/ml/rolling-{n}/talk.yaml" for n in (1, 2))
    assert made.choice_files("ml", "rolling-2", "talk") == {first: second}
    assert made.choice_files("ml", "rolling-3", "talk") == {first: first}
    place = {"data": "ml", "experiment": "talk"}
    takes = [made.takes(SimpleNamespace(split=f"rolling-{n}", **place))[0] for n in (1, 2, 3)]
    assert takes == [first, second, f"{tmp_path}/nothing"]
    (tmp_path / "ml/rolling-1/talk.yaml").unlink()
    alone = plan(over, windows).choice_files("ml", "rolling-2", "talk")
    assert alone == {second: second}, "no file is named that is not there"


def test_another_data_set_is_not_touched(tuned, caplog):
    shop = {"kind": "movielens", "variant": "1m", "tasks": {"by": "category", "names": ["War"]}}
    made = plan(tuned(), at("data.shop", shop))
    assert job(made, data="shop")["training"]["steps"] == 500
    assert job(made)["training"]["steps"] == 325
    assert caplog.text == ""


@pytest.mark.parametrize(
    "words",
    [{"name": "Films", "unit": "stars"}, {"seeds": 2}, {"source": "wheel"}, {"archive": "a.zip"}],
)
def test_words_for_pages_and_where_rows_come_from_make_no_other_data(tuned, words):
    assert job(plan(tuned(), at("data.ml", words)))["training"]["steps"] == 325


def test_what_a_user_sets_wins_and_is_said_once(tuned, caplog):
    with caplog.at_level(logging.WARNING):
        made = plan(tuned(), at("models.student.training.steps", 50))
        for task in ("drama", "war"):
            assert job(made, task=task)["training"]["steps"] == 50
            assert job(made, task=task)["training"]["dropout"] != 0.5
    (record,) = caplog.records
    assert "what your configuration says of training.steps wins" in record.getMessage()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("models.student.training.steps", 500),
        ("experiments.talk.training.steps", 500),
        ("experiments.talk.settings.rounds", 1),
    ],
)
def test_it_wins_also_where_it_is_the_default(tuned, path, value):
    found = job(plan(tuned(), at(path, value)))
    part, key = path.split(".")[-2:]
    assert found[part][key] == value


def test_a_shipped_value_that_was_changed_since_wins_too(tuned, caplog):
    """The file `from` says what it was when the search began."""
    over = merge(tuned(), at("models.student.training", {"steps": 60, "batch_size": 256}))
    with caplog.at_level(logging.WARNING):
        found = job(plan(over, given=False))
    assert (found["training"]["steps"], found["training"]["dropout"]) == (60, 0.4)
    assert "training.steps wins" in caplog.text


def test_what_others_say_of_another_model_or_experiment_is_not_of_this_one(tuned):
    over = merge(
        at("models.teacher.training.steps", 9), at("experiments.scratch.training.steps", 8)
    )
    assert job(plan(tuned(), over))["training"]["steps"] == 325


def test_a_task_without_a_choice_names_those_there_are(tuned):
    made = plan(tuned(), at("data.ml.tasks.names", ["Drama", "War", "Horror"]))
    with pytest.raises(ConfigError) as caught:
        job(made, task="horror")
    said = str(caught.value)
    assert "ml/talk.yaml has no choice for the task 'horror', only for drama, war" in said
    assert "`tuning: search`" in said
    assert "`tuning: none`" in said


def without(*path):
    choice = copy.deepcopy(CHOICE)
    node = choice
    for key in path[:-1]:
        node = node[key]
    del node[path[-1]]
    return choice


@pytest.mark.parametrize(
    "text",
    [
        "chosen: [", "", "[]", "3", "\x00", without("about"), without("from"), without("chosen"),
        CHOICE | {"chosen": {}}, CHOICE | {"chosen": {"war": 3}}, CHOICE | {"about": 1},
        CHOICE | {"chosen": {"war": {"training": [1]}}},
    ],
    ids=str,
)  # fmt: skip
def test_a_damaged_choice_is_named(tuned, text):
    made = plan(tuned(text))
    with pytest.raises(ConfigError, match=r"tuned: .*ml/talk\.yaml is not the choice of a search"):
        job(made)


def test_a_choice_in_another_encoding_is_named(tmp_path):
    path = tmp_path / "talk.yaml"
    path.write_bytes(b"about: \xff")
    with pytest.raises(ConfigError, match=r"talk\.yaml is not the choice"):
        read_choice(path)
    assert read_choice(tmp_path / "nothing.yaml") is None


@pytest.mark.parametrize(
    ("part", "change", "said"),
    [
        ("settings", {"w9": 1}, r"talk, as it was tuned: settings\.w9"),
        ("settings", {"rounds": 9}, r"talk, as it was tuned: settings\.rounds: found 9"),
        ("training", {"steps": -1}, r"talk, as it was tuned: training\.steps: found -1"),
    ],
)
def test_a_choice_of_what_there_is_not_is_named(tuned, part, change, said):
    choice = copy.deepcopy(CHOICE)
    choice["chosen"]["war"][part] = change
    with pytest.raises(ConfigError, match=said):
        job(plan(tuned(choice)))


def test_a_choice_too_short_for_separate_training_is_said(tuned, caplog):
    """It was made, and its numbers stand: no error."""
    apart = {"method": "td", "like": "talk", "settings": {"student_steps": 300, "module_steps": 50}}
    with caplog.at_level(logging.WARNING):
        found = job(plan(tuned(), at("experiments.apart", apart)), "apart")
    assert found["training"]["steps"] == 325
    assert caplog.text.count("apart trains for as many steps as talk") == 1
    assert (
        "apart on war of ml, as it was tuned: student_steps 300 and module_steps 50" in caplog.text
    )


# What this repository is shipped with

SHIPPED = [f"config/{name}.yaml" for name in ("config", "experiments", "tables")]


def shipped(over):
    """As rules make it: the shipped files, and on top of them a user's."""
    return Plan(load(merge(merged_files(*SHIPPED), over)), over)


@pytest.fixture
def at_home(request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)


def test_the_shipped_choices_serve_the_shipped_tables(at_home):
    made = Plan(read(*SHIPPED))
    for shown in ("table3", "table5", "table7", "table8"):
        assert made.about(shown)["untuned"] == []
        for data, split, task, id in made.jobs(made.config.tables[shown]):
            job(made, id, "all" if made.config.is_teacher(id) else task, data, split)


def test_ones_own_few_steps_are_the_jobs_steps(at_home):
    over = {
        "results": "results/mine",
        "seeds": 1,
        "data": {"ml-100k": {"tasks": {"names": ["War"]}}},
        "models": {
            "teacher": {"training": {"steps": 60}}, "student": {"training": {"steps": 50}},
        },
    }  # fmt: skip
    made = shipped(over)
    for id in made.config.tables["table3"].rows.values():
        teacher = made.config.is_teacher(id)
        found = job(made, id, "all" if teacher else "war", "ml-100k")
        assert found["training"]["steps"] == (60 if teacher else 50), id
        assert found["seeds"] == 1
    with pytest.raises(
        ConfigError, match=r"td-separate, with models\.student\.training: .*steps 50"
    ):
        job(made, "td-separate", "war", "ml-100k")


def test_the_steps_of_the_page_on_movielens_1m_are_the_jobs_steps(at_home, caplog):
    ml_1m = {
        "kind": "movielens",
        "variant": "1m",
        "tasks": {"by": "category", "names": ["Comedy", "Drama"]},
    }
    over = {
        "data": {"ml-1m": ml_1m},
        "models": {
            "teacher": {"training": {"steps": 15000}}, "student": {"training": {"steps": 6000}},
        },
        "tables": {"table3": {"data": ["ml-1m"]}},
    }  # fmt: skip
    made = shipped(over)
    for id in made.config.tables["table3"].rows.values():
        teacher = made.config.is_teacher(id)
        found = job(made, id, "all" if teacher else "comedy", "ml-1m")["training"]
        default = made.config.models["teacher" if teacher else "student"].training.model_dump()
        assert found == default | {"steps": 15000 if teacher else 6000}
    assert made.about("table3")["untuned"] == []  # a mark beside tuned rows alone
    assert not made.tuned("ml-1m", "latest", "td")
    assert caplog.text == ""


def test_a_table_takes_the_experiment_that_is_the_best_of_some(tuned):
    best = copy.deepcopy(CHOICE)
    best["about"]["search"] = {"best": "talk", "scores": {"talk": 1.0}}
    either = at("experiments.either", {"method": "td", "best_of": ["talk"]})
    shown = {"title": "T", "data": ["ml"], "against": "either", "rows": {"Best": "either"}}
    layers = [either, {"tables": {"t": shown}}]
    assert plan(*layers).about("t")["rows"] == {"Best": "either"}, "nothing was chosen"
    made = plan(*layers, tuned(best, experiment="either"))
    assert made.about("t")["rows"] == {"Best": "talk"}
    assert made.about("t")["against"] == "talk"
    assert {job[-1] for job in made.jobs(made.config.tables["t"])} == {"talk"}
    own = at("experiments.either.settings", {"w1": 5.0})
    assert plan(*layers, own, tuned(best, experiment="either")).about("t")["rows"] == {
        "Best": "either"
    }, "it says something itself"
