"""The search for settings: folds, spaces, the journal, the choice."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from talking_models.tuning.folds import fold_bounds, fold_rows

from talking_models.config import Config
from talking_models.data.parquet import write_items, write_ratings
from talking_models.tuning.choose import choices, chosen_score, held_out_scores
from talking_models.tuning.jobs import configs_of_tasks, described, search
from talking_models.tuning.search import run_search
from talking_models.tuning.space import grid, settings_space, trials
from talking_models.tuning.tuned import collect, collect_trials, with_chosen

LOG = logging.getLogger("test")


# --- folds


def test_three_folds_of_the_papers_training_rows():
    assert fold_bounds(90_000, 3) == [(63_000, 72_000), (72_000, 81_000), (81_000, 90_000)]


def test_a_fold_validates_on_what_follows_its_fit_rows():
    train = pd.DataFrame({"time": np.arange(100)})
    for fold in range(3):
        fit, val = fold_rows(train, 3, fold)
        assert fit["time"].tolist() == list(range(70 + 10 * fold))
        assert val["time"].tolist() == list(range(70 + 10 * fold, 80 + 10 * fold))


@pytest.mark.parametrize(("n", "folds"), [(5, 3), (1000, 10)])
def test_too_many_folds_are_refused(n, folds):
    with pytest.raises(ValueError, match="too few"):
        fold_bounds(n, folds)


# --- spaces


def job(method):
    """An experiment's config before any search, as `space.trials` takes it."""
    return Config(experiments={"x": {"method": method}}).training_job("x")


@pytest.mark.parametrize("method", ["scratch", "ld", "fd", "fitnet", "hybrid", "td"])
def test_every_method_is_tried_as_often_and_within_its_space(method):
    found = trials(job(method), 12, with_id_dropout=False)
    assert len(found) == 12
    for trial in found:
        assert set(trial["training"]) == {"learning_rate", "dropout", "weight_decay"}
        assert set(trial["settings"]) == set(settings_space(method))
        for name, value in trial["settings"].items():
            space = settings_space(method)[name]
            if "choices" in space:
                assert value in space["choices"]
            else:
                inside = space["low"] <= value <= space["high"]
                assert inside or (space["zero"] and value == 0)


def test_trials_are_the_same_every_time_and_a_longer_list_starts_with_a_shorter_one():
    td = job("td")
    assert trials(td, 6, False) == trials(td, 6, False) == trials(td, 20, False)[:6]


def test_trials_cover_the_choices_and_the_zeros():
    found = [trial["settings"] for trial in trials(job("td"), 64, False)]
    assert {settings["rounds"] for settings in found} == {0, 1, 2, 3}
    zeros = np.mean([settings["w2"] == 0 for settings in found])
    assert 0.05 < zeros < 0.3
    assert all(settings["w1"] > 0 for settings in found)


def test_a_weight_without_effect_is_not_drawn():
    found = [trial["settings"] for trial in trials(job("td"), 40, False)]
    silent = [settings for settings in found if settings["rounds"] == 0]
    assert silent
    assert {settings["w1"] for settings in silent} == {10.0}
    assert len({settings["w1"] for settings in found}) > 20


def test_id_dropout_is_searched_where_it_is_asked_for():
    assert "id_dropout" in trials(job("scratch"), 1, True)[0]["training"]


def test_the_first_trial_is_what_stands_without_a_search():
    td = job("td")
    first = trials(td, 2, False)[0]
    assert first["training"].items() <= td["training"].items()
    assert first["settings"] == {name: td["settings"][name] for name in settings_space("td")}


def test_a_grid_has_every_combination():
    assert grid({"a": [1, 2], "b": [3]}) == [
        {"settings": {"a": 1, "b": 3}},
        {"settings": {"a": 2, "b": 3}},
    ]
    assert grid({}) == []


# --- the search


class Evaluate:
    """Scores `x` + fold / 100 for one task and `x` for another; may be killed at a call."""

    def __init__(self, killed_at=None):
        self.calls, self.killed_at = [], killed_at

    def __call__(self, settings, fold):
        if len(self.calls) == self.killed_at:
            raise KeyboardInterrupt
        self.calls.append((settings["settings"]["x"], fold))
        if settings["settings"]["x"] < 0:
            raise ArithmeticError("diverged")
        x = settings["settings"]["x"]
        return np.array([[x + 1, x + fold / 100], [x + 1, x]])


LIST = [{"settings": {"x": x}} for x in (5.0, 4.0, -1.0, 3.0, 9.0, 2.0, 8.0)]


def searched(folder, evaluate, log=LOG, identity="a"):
    return run_search(LIST, evaluate, ["t", "u"], 3, folder / "journal.log", identity, log, 2)


def test_the_search_keeps_every_curve(tmp_path):
    found = searched(tmp_path, Evaluate())
    cell = found.set_index(["trial", "fold", "task", "look"])["rmse"]
    assert cell[0, 2, "t", 1] == pytest.approx(5.02)
    assert cell[0, 2, "u", 0] == 6
    states = found.groupby("trial")["state"].first().to_dict()
    assert states == {
        0: "complete",
        1: "complete",
        3: "complete",
        4: "pruned",
        5: "complete",
        6: "pruned",
    }
    assert 2 not in set(found["trial"])  # it diverged


def test_a_pruned_trial_costs_one_fold(tmp_path):
    evaluate = Evaluate()
    searched(tmp_path, evaluate)
    assert [fold for x, fold in evaluate.calls if x == 9] == [0]


@pytest.mark.parametrize("killed_at", range(0, 15, 2))
def test_a_killed_search_goes_on_to_the_same_result(tmp_path, killed_at):
    whole = searched(tmp_path / "whole", Evaluate())
    first = Evaluate(killed_at)
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path / "cut", first)
    second = Evaluate()
    pd.testing.assert_frame_equal(searched(tmp_path / "cut", second), whole)
    done = {x for x, _ in first.calls[: max(len(first.calls) - 3, 0)]}
    assert not done & {x for x, _ in second.calls}  # finished trials are not scored again


def test_a_lock_that_a_killed_search_left_stops_nobody(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a relative path, as Snakemake's
    searched(Path("tuning"), Evaluate())
    Path("tuning/journal.log.lock").symlink_to("tuning/journal.log")
    evaluate = Evaluate()
    searched(Path("tuning"), evaluate)
    assert not evaluate.calls


def test_another_search_starts_anew_in_the_same_journal(tmp_path):
    searched(tmp_path, Evaluate())
    evaluate = Evaluate()
    searched(tmp_path, evaluate, identity="b")
    assert evaluate.calls


# --- the choice


def curves(table):
    """Rows of {(trial, fold, task): [rmse at each look]}, all complete."""
    return pd.DataFrame(
        [
            (trial, "complete", fold, task, look, rmse)
            for (trial, fold, task), values in table.items()
            for look, rmse in enumerate(values)
        ],
        columns=["trial", "state", "fold", "task", "look", "rmse"],
    )


TABLE = curves(
    {
        (0, 0, "t"): [1.0, 0.9],
        (0, 1, "t"): [1.0, 0.9],
        (0, 0, "u"): [0.8, 0.9],
        (0, 1, "u"): [0.8, 1.1],
        (1, 0, "t"): [0.7, 1.0],
        (1, 1, "t"): [0.9, 1.0],
        (1, 0, "u"): [1.3, 1.3],
        (1, 1, "u"): [1.2, 1.3],
    }
)


def test_shared_chooses_trial_and_steps_once_and_genre_for_each():
    assert choices(TABLE, "shared") == {"t": (0, 0), "u": (0, 0)}
    assert choices(TABLE, "genre") == {"t": (1, 0), "u": (0, 0)}
    assert chosen_score(TABLE, choices(TABLE, "genre")).to_dict() == {
        "t": pytest.approx(0.8),
        "u": pytest.approx(0.8),
    }


def test_rules_are_compared_on_the_last_fold_by_what_the_others_choose():
    found = held_out_scores(TABLE)
    assert found["shared"] == pytest.approx((1.0 + 0.8) / 2)
    assert found["genre"] == pytest.approx((0.9 + 0.8) / 2)


def test_pruned_trials_cannot_be_chosen():
    table = TABLE.assign(state=np.where(TABLE["trial"] == 1, "pruned", "complete"))
    assert choices(table, "genre")["t"] == (0, 1)
    with pytest.raises(ValueError, match="no trial"):
        choices(table.assign(state="failed"), "shared")


# --- what a search starts from, and what it leaves


BASE = {"training": {"id_dropout": 0.2, "steps": 9}, "settings": {"w": 1.0}, "method": "td"}


def test_methods_take_id_dropout_alone_from_training_from_scratch(tmp_path):
    path = tmp_path / "chosen.yaml"
    path.write_text(yaml.safe_dump({"war": {"training": {"id_dropout": 0.4, "steps": 1}}}))
    assert configs_of_tasks(BASE, ["War"], [path], ablation=False)["war"] == {
        **BASE,
        "training": {"id_dropout": 0.4, "steps": 9},
    }
    assert configs_of_tasks(BASE, ["War"], [path], ablation=True)["war"]["training"]["steps"] == 1


def test_what_an_experiment_says_itself_wins_over_what_was_chosen(tmp_path):
    path = tmp_path / "chosen.yaml"
    path.write_text(
        yaml.safe_dump({"war": {"training": {"steps": 1}, "settings": {"w": 2.0, "v": 3.0}}})
    )
    own = {"training": {}, "settings": {"w": 0.0}}
    found = with_chosen(BASE, [path], "war", own)
    assert found["settings"] == {"w": 0.0, "v": 3.0}
    assert found["training"] == {"id_dropout": 0.2, "steps": 1}
    assert with_chosen(BASE, [], "war", own) == BASE


@pytest.mark.parametrize("scope", ["shared", "genre"])
def test_id_dropout_is_one_choice_whatever_the_scope(scope):
    found = [
        {"training": {"learning_rate": rate, "id_dropout": share}}
        for rate, share in ((1e-3, 0.1), (2e-3, 0.3))
    ]
    search = {"scope": scope, "steps": 50, "every": 25}
    chosen = described(TABLE, found, dict.fromkeys("tu", BASE), search, LOG)
    rates = {task: change["training"]["learning_rate"] for task, change in chosen.items()}
    assert rates == {"t": 2e-3 if scope == "genre" else 1e-3, "u": 1e-3}
    assert {c["training"]["id_dropout"] for c in chosen.values()} == {0.1}


def test_the_collected_trials_keep_every_column_of_every_search(tmp_path):
    pd.DataFrame({"trial": [0, 1], "score": [1.0, 1.1], "w1": [1, 2]}).to_csv(tmp_path / "td")
    pd.DataFrame({"trial": [0], "score": [1.2]}).to_csv(tmp_path / "scratch")
    collect_trials({id: tmp_path / id for id in ("scratch", "td")}, tmp_path / "all.csv")
    found = pd.read_csv(tmp_path / "all.csv")
    assert next(iter(found.columns)) == "experiment"
    assert found["experiment"].tolist() == ["scratch", "td", "td"]
    assert found["score"].tolist() == [1.2, 1.0, 1.1]
    assert np.isnan(found["w1"][0])
    assert found["w1"].tolist()[1:] == [1, 2]


def test_the_collected_file_can_be_read_back(tmp_path):
    path = tmp_path / "chosen.yaml"
    path.write_text(yaml.safe_dump({"all": {"training": {"steps": 1}}}))
    collect({"teacher": path}, {"data": "x"}, tmp_path / "tuned.yaml")
    from talking_models.config import read_tuned

    assert read_tuned(tmp_path / "tuned.yaml") == {"teacher": {"all": {"training": {"steps": 1}}}}


def test_a_search_does_not_go_on_from_the_journal_of_another_start(tmp_path, monkeypatch):
    # what was chosen before it, or its teachers, may have changed although its own key did not
    rows = pd.DataFrame({"user": [1], "item": [1], "rating": [3.0], "time": [1]})
    write_ratings(rows, tmp_path / "rows.parquet", slice="fit")
    items = pd.DataFrame({"item": [1], "title": ["A (1990)"], "categories": [["War"]]})
    write_items(items, tmp_path / "items.parquet")
    identities = []

    def stop(*arguments):
        identities.append(arguments[5])
        raise KeyboardInterrupt

    monkeypatch.setattr("talking_models.tuning.jobs.run_search", stop)
    monkeypatch.setattr("talking_models.tuning.jobs.Checkpoint.load", lambda path: None)
    monkeypatch.setattr("talking_models.tuning.score.fold_rows", lambda train, n, k: (train, train))
    settings = {"folds": 1, "seeds": 1, "steps": 1, "every": 1}
    other = {**BASE, "training": {"id_dropout": 0.5, "steps": 9}}
    for config, weights, scope in (
        (BASE, b"a", "shared"),
        (BASE, b"a", "shared"),
        (other, b"a", "shared"),
        (BASE, b"b", "shared"),
        (BASE, b"a", "genre"),
    ):
        (tmp_path / "teacher").write_bytes(weights)
        with pytest.raises(KeyboardInterrupt):
            search(
                [tmp_path / "rows.parquet"],
                tmp_path / "items.parquet",
                ["War"],
                {"war": config},
                LIST,
                settings | {"scope": scope},
                [tmp_path / "teacher"],
                tmp_path / "journal.log",
                "a",
                {},
                LOG,
            )
    assert identities[0] == identities[1]
    assert identities[0] != identities[2]
    assert identities[0] != identities[3]
    assert identities[0] == identities[4], "another scope chooses anew among the same scores"


@pytest.mark.parametrize("slice", ["eval", None])
def test_a_search_that_is_given_eval_rows_fails(tmp_path, slice):
    rows = pd.DataFrame({"user": [1], "item": [1], "rating": [3.0], "time": [1]})
    write_ratings(rows, tmp_path / "rows.parquet", slice=slice)
    items = pd.DataFrame({"item": [1], "title": ["A (1990)"], "categories": [["War"]]})
    write_items(items, tmp_path / "items.parquet")
    with pytest.raises(ValueError, match="training and tuning read only fit and val"):
        search(
            [tmp_path / "rows.parquet"],
            tmp_path / "items.parquet",
            ["War"],
            {"war": BASE},
            LIST,
            {"folds": 1, "seeds": 1, "steps": 1, "every": 1, "scope": "shared"},
            [],
            tmp_path / "journal.log",
            "a",
            {},
            LOG,
        )
