"""The search for settings: folds, spaces, the journal, the choice."""

import json
import logging
import os

import numpy as np
import pandas as pd
import pytest
import yaml
from toys import SEARCH, TEACHER, fit_config, movielens

from talking_models.changes import read_chosen, with_chosen
from talking_models.config.choices import read_choice
from talking_models.data.names import SLICES, TRAIN_SLICES
from talking_models.data.parquet import write
from talking_models.data.splits import folds, split_ratings
from talking_models.methods import METHODS
from talking_models.models import MODELS
from talking_models.models.checkpoint import Checkpoint
from talking_models.training.ratings import read_rows
from talking_models.tuning.choose import (
    at_bound,
    best,
    best_of,
    cells,
    described,
    summary,
    take_best,
    write_choice,
)
from talking_models.tuning.folds import FoldScores, fold_rows, train_fold_teachers
from talking_models.tuning.jobs import configs_of_tasks, search
from talking_models.tuning.keep import keep
from talking_models.tuning.search import Journal, run_search
from talking_models.tuning.space import beside, grid, of_training, settings_alone, spaces, trials

LOG = logging.getLogger("test")


# --- folds


def test_three_folds_of_the_papers_training_rows():
    assert folds(90_000, 3) == [(63_000, 72_000), (72_000, 81_000), (81_000, 90_000)]


def test_a_fold_validates_on_what_follows_its_fit_rows():
    # a cut by user: val rows are among those of fit, in time
    train = pd.DataFrame({"time": [*range(0, 100, 3), *range(1, 100, 3), *range(2, 100, 3)]})
    for fold in range(3):
        fit, val = fold_rows(train, 3, fold, per_user=False)
        assert fit["time"].tolist() == list(range(70 + 10 * fold))
        assert val["time"].tolist() == list(range(70 + 10 * fold, 80 + 10 * fold))


def test_folds_of_a_cut_by_user_are_cut_by_user():
    # one user comes when the other has gone
    train = pd.DataFrame({"user": [1] * 20 + [2] * 10, "time": [*range(20), *range(50, 60)]})
    for fold in range(3):
        fit, val = fold_rows(train.sample(frac=1, random_state=0), 3, fold, per_user=True)
        assert sorted(fit["time"]) == [*range(14 + 2 * fold), *range(50, 57 + fold)]
        assert sorted(val["time"]) == [14 + 2 * fold, 15 + 2 * fold, 57 + fold]


@pytest.mark.parametrize(("n", "count"), [(5, 3), (1000, 10)])
def test_too_many_folds_are_refused(n, count):
    with pytest.raises(ValueError, match="too few"):
        folds(n, count)


# --- spaces


def job(method, kind="mlp"):
    """An experiment's config before any search, as `space.trials` takes it."""
    return {
        "method": method,
        "student": {"kind": kind},
        "teachers": {"teacher": {}},
        "training": MODELS.get(kind).Settings(kind=kind).training.model_dump(),
        "settings": METHODS.get(method).Settings().model_dump(),
    }


OWN = {"training": {}, "settings": {}}


TRAINING = of_training(job("scratch"))


def tried(method, n, training=False, kind="mlp", **settings):
    """The trials of an experiment that says some settings itself."""
    config, own = job(method, kind), {"training": {}, "settings": settings}
    config["settings"] |= settings
    return trials(config, n, spaces(config, own, training))


@pytest.mark.parametrize("method", ["ld", "fd", "fitnet", "hybrid", "td"])
def test_every_method_is_tried_as_often_and_within_its_space(method):
    searched = spaces(job(method), OWN, training=False)
    found = trials(job(method), 12, searched)
    assert len(found) == 12
    assert searched["settings"]
    for trial in found:
        assert trial["training"] == {}, "how a student trains is searched from scratch alone"
        assert set(trial["settings"]) == set(searched["settings"])
        for name, value in trial["settings"].items():
            space = searched["settings"][name]
            assert space["low"] <= value <= space["high"]


def test_trials_are_the_same_every_time_and_a_longer_list_starts_with_a_shorter_one():
    assert tried("td", 6) == tried("td", 6) == tried("td", 20)[:6]


W1 = {"low": 0.1, "high": 10.0, "log": True}
LINEAR = W1 | {"log": False}


@pytest.mark.parametrize(("space", "below"), [(W1, 32), (LINEAR, 6)])
def test_trials_cover_a_space_evenly_on_its_scale(space, below):
    found = trials(job("td"), 65, {"training": {}, "settings": {"w1": space}})
    found = [trial["settings"]["w1"] for trial in found[1:]]
    assert all(0.1 <= value <= 10 for value in found)
    assert len({*found}) > 50
    assert abs(sum(value < 1 for value in found) - below) < 3


def test_what_an_experiment_says_itself_is_not_searched():
    found = [trial["settings"] for trial in tried("td", 10, w2=0.5)]
    assert not any("w2" in settings for settings in found)


def test_a_weight_without_effect_is_not_drawn():
    found = [trial["settings"] for trial in tried("td", 20, rounds=0)]
    assert {settings["w1"] for settings in found} == {0.03}
    assert len({settings["w2"] for settings in found}) == 20


@pytest.mark.parametrize(("part", "classes"), [({}, False), ({"device": {}}, True)])
def test_what_is_of_classes_is_not_drawn_for_ratings(part, classes):
    found = trials(job("dist") | part, 12, spaces(job("dist"), OWN, training=False))
    assert (len({trial["settings"]["inter"] for trial in found}) > 1) == classes
    assert len({trial["settings"]["intra"] for trial in found}) == 12


def test_how_a_student_trains_is_searched_where_it_is_asked_for():
    found = tried("scratch", 16, training=True)
    assert all(set(trial["training"]) == set(TRAINING) for trial in found)
    for name, space in TRAINING.items():
        values = [trial["training"][name] for trial in found]
        assert min(values) >= space["low"]
        assert max(values) <= space["high"]
        assert len(set(values)) > 12
    assert tried("scratch", 16) == [{"training": {}, "settings": {}}], "there is nothing to search"


def test_the_same_point_is_of_the_same_setting():
    """Another order of the fields would be other trials, and an old search's are not the new's."""
    found = [list(trial["training"].items()) for trial in tried("scratch", 3, training=True)]
    names = ("learning_rate", "dropout", "weight_decay", "id_dropout")
    second, third = (0.00171, 0.636, 0.193, 0.336), (0.00557, 0.799, 0.0368, 0.231)
    assert found[1:] == [[*zip(names, values, strict=True)] for values in (second, third)]
    assert tried("td", 2)[1]["settings"] == {"w1": 0.133, "w2": 0.419, "w3": 0.193}


def test_a_kind_of_model_says_what_of_its_training_is_searched():
    """A factorisation has no dropout unless asked for, and every MLP has some."""
    assert set(TRAINING) == {"learning_rate", "dropout", "weight_decay", "id_dropout"}
    trial = tried("scratch", 2, training=True, kind="mf")[1]["training"]
    assert list(trial) == ["learning_rate", "weight_decay", "id_dropout"]


def test_the_first_trial_is_what_stands_without_a_search():
    td, searched = job("td"), spaces(job("td"), OWN, training=True)
    first = trials(td, 2, searched)[0]
    for part in ("training", "settings"):
        assert first[part] == {name: td[part][name] for name in searched[part]}


def test_a_grid_has_every_combination():
    assert grid({"a": [1, 2], "b": [3]}) == [
        {"settings": {"a": 1, "b": 3}},
        {"settings": {"a": 2, "b": 3}},
    ]
    assert grid({}) == [{"settings": {}}]


# --- the search


class Evaluate:
    """Scores `x` + fold / 100 for one task and `x` for another; may be killed at a call."""

    def __init__(self, killed_at=None):
        self.calls, self.seeds, self.killed_at = [], [], killed_at

    def __call__(self, settings, fold, seed):
        if len(self.calls) == self.killed_at:
            raise KeyboardInterrupt
        self.calls.append((settings["settings"]["x"], fold))
        self.seeds.append(seed)
        if settings["settings"]["x"] < 0:
            raise ArithmeticError("diverged")
        x = settings["settings"]["x"]
        return np.array([[x + 1, x + fold / 100], [x + 1, x]])


LIST = [{"settings": {"x": x}} for x in (5.0, 4.0, -1.0, 3.0, 9.0, 2.0, 8.0)]


def one_by_one(evaluate):
    """As `run_search` asks, with a score for each trial by itself."""

    def scores(trials, fold, seeds):
        found = []
        for settings, seed in zip(trials, seeds, strict=True):
            try:
                found.append(evaluate(settings, fold, seed))
            except ArithmeticError as error:
                found.append(str(error))
        return found

    return scores


def searched(folder, evaluate, trials=LIST, identity="a", stack=1):
    stacks = [[*range(len(trials))][at : at + stack] for at in range(0, len(trials), stack)]
    told = ["t", "u"], 3, folder / "journal.log", identity, LOG
    return run_search(trials, stacks, one_by_one(evaluate), *told)


def test_the_search_keeps_every_curve(tmp_path):
    found = searched(tmp_path, Evaluate())
    cell = found.set_index(["trial", "fold", "task", "look"])["rmse"]
    assert cell[0, 2, "t", 1] == pytest.approx(5.02)
    assert cell[0, 2, "u", 0] == 6
    assert found.groupby("trial")["state"].first().eq("complete").all()
    assert set(found["trial"]) == {0, 1, 3, 4, 5, 6}  # 2 diverged
    assert found.groupby("trial")["fold"].nunique().eq(3).all(), "all have all folds"


def test_every_trial_and_fold_has_random_numbers_of_its_own(tmp_path):
    first, again = Evaluate(), Evaluate()
    searched(tmp_path / "a", first)
    searched(tmp_path / "b", again, LIST[::-1])
    assert len(set(first.seeds)) == len(first.seeds)
    seeds = dict(zip(first.calls, first.seeds, strict=True))
    assert seeds == dict(zip(again.calls, again.seeds, strict=True)), "wherever it stands"


@pytest.mark.parametrize("killed_at", range(0, 18, 3))
def test_a_killed_search_goes_on_to_the_same_result(tmp_path, killed_at):
    whole = searched(tmp_path / "whole", Evaluate())
    first = Evaluate(killed_at)
    with pytest.raises(KeyboardInterrupt):
        searched(tmp_path / "cut", first)
    second = Evaluate()
    pd.testing.assert_frame_equal(searched(tmp_path / "cut", second), whole)
    done = {x for x, _ in first.calls[: max(len(first.calls) - 3, 0)]}
    assert not done & {x for x, _ in second.calls}  # finished trials are not scored again


@pytest.mark.parametrize("killed_at", [None, 0, 1, 4, 8, 13])
def test_trials_that_are_trained_together_have_the_scores_of_each(tmp_path, killed_at):
    """A killed stack is trained again whole, as its last digits may depend on who is in it."""
    first, again, seen = Evaluate(killed_at), Evaluate(), []
    alone = searched(tmp_path / "alone", Evaluate())
    if killed_at is not None:
        with pytest.raises(KeyboardInterrupt):
            searched(tmp_path / "together", first, stack=3)
        kept = tmp_path / "together/journal.log"
        seen = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    found = searched(tmp_path / "together", again, stack=3)
    pd.testing.assert_frame_equal(found, alone)
    assert len(again.calls) == 19 - len(seen)  # 7 trials on 3 folds, less two of one that diverged
    stacks = [({x["settings"]["x"] for x in LIST[at : at + 3]}) for at in (0, 3, 6)]
    for own in stacks:
        scored = {x for x, fold in again.calls if fold == 0} & own
        assert scored in (set(), own), "a part of a stack was trained again"


def test_another_search_starts_anew_in_the_same_journal(tmp_path):
    searched(tmp_path, Evaluate())
    evaluate = Evaluate()
    searched(tmp_path, evaluate, identity="b")
    assert evaluate.calls


@pytest.mark.parametrize("share", [0, 0.001, 0.02, 0.3, 0.5, 0.77, 0.999])
@pytest.mark.parametrize("tail", [b"", b"\0" * 64, b"\0" * 64 + b"\n", b"\n"])
def test_a_journal_that_was_cut_anywhere_is_gone_on_from(tmp_path, caplog, share, tail):
    """By a kill, a full disk, or a power loss that leaves zeros in the file's place."""
    whole = searched(tmp_path, Evaluate())
    journal = tmp_path / "journal.log"
    content = journal.read_bytes()
    left = content[: round(share * len(content))]
    journal.write_bytes(left + tail)
    evaluate = Evaluate()
    pd.testing.assert_frame_equal(searched(tmp_path, evaluate), whole)
    assert len(evaluate.calls) == content.count(b"\n") - left.count(b"\n"), "more was lost"
    assert ("was cut in line" in caplog.text) == bool((left + tail).rpartition(b"\n")[2] or tail)
    assert sorted(journal.read_bytes().splitlines()) == sorted(content.splitlines())
    again = Evaluate()
    pd.testing.assert_frame_equal(searched(tmp_path, again), whole)
    assert not again.calls


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_journal_that_is_a_link_into_a_cache_leaves_the_cache_alone(tmp_path, link):
    whole = searched(tmp_path, Evaluate())
    journal, kept = tmp_path / "journal.log", tmp_path / "cache"
    content = journal.read_bytes()
    kept.write_bytes(content[: content.index(b"\n") + 1])
    kept.chmod(0o444)
    journal.unlink()
    link(kept, journal)
    before = kept.read_bytes()
    pd.testing.assert_frame_equal(searched(tmp_path, Evaluate()), whole)
    assert kept.read_bytes() == before
    assert journal.read_bytes() == content
    assert not journal.is_symlink()


def test_every_place_of_a_cut_keeps_the_whole_lines_before_it(tmp_path):
    path = tmp_path / "journal.log"
    for fold in range(2):
        score = lambda _, k, seeds: [np.array([[0.1 + k, 1e-17]])]  # noqa: E731
        Journal(path, "a", LOG).curves([{"x": 1}], fold, score)
    content = path.read_bytes()
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        found = Journal(path, "a", LOG).found
        assert len(found) == content[:size].count(b"\n"), size
        assert path.read_bytes() == content[: content[:size].rfind(b"\n") + 1]
    assert list(found.values()) == [[[0.1, 1e-17]], [[1.1, 1e-17]]]


@pytest.mark.parametrize(
    "content",
    [
        b"a text\n",
        b"a text",
        b'{"op_code": 0}\n{"op_code": 1}\n',
        b"%s\0\0\0%s",
        b"%s{ cut %s",
        b"%s\n%s",
        b"\xff\xfe%s%s",
        b"5\n%s",
        b"null\n",
        b'%s{"search": "a", "settings": [1], "fold": 0, "found": []}\n%s',
    ],
)
def test_other_damage_of_a_journal_is_an_error_that_names_it(tmp_path, content):
    searched(tmp_path, Evaluate())
    path = tmp_path / "journal.log"
    lines = path.read_bytes()
    damaged = content.replace(b"%s", lines)
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"journal\.log is no journal .* line \d+: remove it"):
        searched(tmp_path, Evaluate())
    assert path.read_bytes() == damaged


def test_more_trials_score_the_new_ones_alone(tmp_path):
    few = searched(tmp_path, Evaluate(), LIST[:4])
    evaluate = Evaluate()
    more = searched(tmp_path, evaluate)
    assert {x for x, _ in evaluate.calls} == {9, 2, 8}
    pd.testing.assert_frame_equal(more, searched(tmp_path / "at once", Evaluate()))
    pd.testing.assert_frame_equal(more[more["trial"] < 4], few)
    fewer = Evaluate()
    pd.testing.assert_frame_equal(searched(tmp_path, fewer, LIST[:4]), few)
    assert not fewer.calls


def test_settings_that_stand_twice_in_a_list_are_scored_once(tmp_path):
    evaluate = Evaluate()
    found = searched(tmp_path, evaluate, [LIST[0]] * 2)
    assert len(evaluate.calls) == 3
    assert found.groupby("trial")["rmse"].sum().nunique() == 1


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


def test_the_choice_is_the_lowest_mean_over_folds_and_tasks():
    found = best(cells(TABLE))
    assert found["look"].tolist() == [0, 0]
    assert found["score"].tolist() == [pytest.approx(0.9), pytest.approx(1.025)]
    # trial 0 minus the mean of both: 0.15, 0.05, -0.25, -0.2 by fold and task
    assert found["stderr"].tolist() == [pytest.approx(np.std([15, 5, -25, -20], ddof=1) / 200)] * 2


def test_a_lucky_look_is_not_the_best_one():
    """A parabola with its lowest look at 10, and noise that makes look 3 the lowest."""
    draw = np.random.default_rng(1)
    clean = 1 + 0.001 * (np.arange(20) - 10.0) ** 2
    noisy = {(0, fold, "t"): clean + draw.normal(0, 0.002, 20) for fold in range(3)}
    for values in noisy.values():
        values[3] -= 0.06
    found = curves(noisy)
    assert found.groupby("look")["rmse"].mean().idxmin() == 3
    assert abs(best(cells(found)).loc[0, "look"] - 10) <= 1


def test_a_curve_that_falls_steeply_and_then_slowly_is_no_lower_than_measured():
    """A parabola through seven looks had its lowest look in the bend: too early, and too low."""
    looks = np.arange(28)
    falling = curves({(0, 0, "t"): 1.056 + 0.06 * np.exp(-looks) + 0.0001 * (27 - looks)})
    smooth = cells(falling)[0].iloc[0]
    assert smooth.min() >= falling["rmse"].min()
    assert best(cells(falling)).loc[0, "look"] > 20


def test_failed_trials_cannot_be_chosen():
    table = TABLE.assign(state=np.where(TABLE["trial"] == 0, "failed", "complete"))
    assert best(cells(table)).index.tolist() == [1]
    with pytest.raises(ValueError, match="no trial"):
        cells(table.assign(state="failed"))


SHARED = {"learning_rate": 0.002, "weight_decay": 0.1, "dropout": 0.5, "id_dropout": 0.2}
SPACES = {"training": TRAINING, "settings": {"w": {"low": 0.01, "high": 100.0, "log": True}}}


@pytest.mark.parametrize(
    ("change", "bounds"),
    [
        ({"training": {"dropout": 0.5}, "settings": {"w": 1.0}}, []),
        ({"training": {"dropout": 0.12}, "settings": {"w": 1.0}}, ["training.dropout"]),
        ({"training": {}, "settings": {"w": 80.0}}, ["settings.w"]),
        ({"training": {"learning_rate": 2.1e-4}}, ["training.learning_rate"]),
    ],
)
def test_a_choice_at_the_end_of_its_space_is_named(change, bounds):
    assert at_bound(change, SPACES) == bounds


def test_steps_that_gain_next_to_nothing_are_not_taken():
    flat = curves(
        {(0, fold, "t"): [1.0, 0.95, 0.9003, 0.9002, 0.9001, 0.9, 0.9] for fold in range(2)}
    )
    assert best(cells(flat)).loc[0, "look"] == 3


def test_a_choice_at_the_last_step_is_named():
    falling = curves({(0, fold, "t"): [1.0, 0.9, 0.8] for fold in range(2)})
    trials = [{"training": {}, "settings": {"w": 1.0}}]
    chosen, about = described(falling, trials, ["t"], SHARED, SPACES, {"steps": 75, "every": 25})
    assert chosen["t"]["training"]["steps"] == 75
    assert about["at_bound"] == ["training.steps"]
    _, about = described(falling, trials, ["t"], SHARED, SPACES, {"steps": None, "every": None})
    assert about["at_bound"] == []
    slowly = curves({(0, fold, "t"): [1.0, *(0.9 - 1e-5 * np.arange(10))] for fold in range(2)})
    search = {"steps": 275, "every": 25}
    chosen, about = described(slowly, trials, ["t"], SHARED, SPACES, search)
    assert chosen["t"]["training"]["steps"] < 150
    assert about["at_bound"] == ["training.steps"], "more steps might have gained more"
    assert about["score"] == pytest.approx(chosen["t"]["validation_rmse"]), "of what is taken"


def test_all_tasks_share_one_choice():
    trials = [{"training": {"dropout": d}, "settings": {"w": 1.0}} for d in (0.3, 0.6)]
    search = {"steps": 50, "every": 25}
    chosen, about = described(TABLE, trials, ["t", "u"], SHARED, SPACES, search)
    assert list(chosen) == ["t", "u"]
    wanted = SHARED | {"dropout": 0.3, "steps": 25}  # also what it has of training from scratch
    assert all(change["training"] == wanted for change in chosen.values())
    assert [chosen[task]["validation_rmse"] for task in "tu"] == [1.0, 0.8]
    more, _ = described(TABLE, trials, ["s", "t", "u"], SHARED, SPACES, search)
    assert more == {"s": {k: v for k, v in chosen["t"].items() if k != "validation_rmse"}} | chosen
    assert (about["trials"], about["complete"], about["score"]) == (2, 2, 0.9)
    rows = summary(TABLE, trials, {"steps": 50, "every": 25, "seeds": 1})
    assert rows["steps"].tolist() == [25, 25]
    assert rows["score"].tolist() == [pytest.approx(0.9), pytest.approx(1.025)]


def member(rmse, **settings):
    return {
        "war": {"training": {"steps": 25}, "settings": settings, "validation_rmse": rmse},
        "drama": {"training": {"steps": 25}, "settings": settings, "validation_rmse": 1.0},
    }


def test_the_best_of_some_searches_is_taken_with_what_its_experiment_says(tmp_path):
    members = {"none": member(1.2, w2=1.0), "one": member(1.1, w2=3.0)}
    own = {id: {"training": {}, "settings": {"rounds": n}} for n, id in enumerate(members)}
    chosen, about = best_of(members, own)
    assert about == {"best": "one", "scores": {"none": 1.1, "one": 1.05}}
    assert chosen["war"]["settings"] == {"w2": 3.0, "rounds": 1}
    assert chosen["war"]["validation_rmse"] == 1.1
    paths = {id: tmp_path / id for id in members}
    for id, path in paths.items():
        path.write_text(yaml.safe_dump(members[id]))
    outputs = {name: tmp_path / name for name in ("chosen", "choice")}
    take_best(paths, own, None, {"data": "x"}, BASE, outputs, LOG)
    assert read_chosen(outputs["chosen"]) == chosen
    assert read_choice(outputs["choice"]).about["search"] == about


def test_the_best_needs_a_score_of_every_one():
    members = {"none": member(1.2, w2=1.0), "one": member(1.1, w2=3.0)}
    own = {id: {"training": {}, "settings": {}} for id in members}
    for change in [*members["none"].values(), *members["one"].values()]:
        change["validation_error"] = change.pop("validation_rmse")  # of images
    assert best_of(members, own)[1]["best"] == "one"
    for change in members["none"].values():
        del change["validation_error"]
    with pytest.raises(ValueError, match="the choice of none says no score"):
        best_of(members, own)


def test_on_another_window_the_best_is_the_one_that_was_best_before(tmp_path):
    members = {"none": member(1.0, w2=1.0), "one": member(1.1, w2=3.0)}  # whose scores turned
    own = {id: {"training": {}, "settings": {"rounds": n}} for n, id in enumerate(members)}
    paths = {id: tmp_path / id for id in [*members, "before"]}
    settings = {"w2": 3.0, "rounds": 1}
    before = {"war": {"training": {"steps": 9}, "settings": settings}}
    for id, path in paths.items():
        path.write_text(yaml.safe_dump(before if id == "before" else members[id]))
    outputs = {name: tmp_path / name for name in ("chosen", "choice")}
    taken = paths.pop("before")
    take_best(paths, own, taken, {"data": "x"}, BASE, outputs, LOG)
    assert read_choice(outputs["choice"]).about["search"]["best"] == "one"
    assert read_chosen(outputs["chosen"])["war"]["training"] == {"steps": 25}
    settings["w2"] = 4.0
    taken.write_text(yaml.safe_dump(before))
    with pytest.raises(ValueError, match=r"none of none, one has the settings .*4\.0"):
        take_best(paths, own, taken, {"data": "x"}, BASE, outputs, LOG)


def test_a_search_for_steps_has_one_trial_with_the_settings_of_another(tmp_path):
    path = tmp_path / "chosen.yaml"
    training = {"id_dropout": 0.4, "learning_rate": 0.1, "steps": 1}
    path.write_text(yaml.safe_dump({"war": {"training": training, "settings": {"w2": 2.0}}}))
    assert settings_alone(path) == [{"settings": {"w2": 2.0}}]


# --- what a search starts from, and what it leaves


BASE = {"training": {"id_dropout": 0.2, "steps": 9}, "settings": {"w": 1.0}, "method": "td"}


def test_methods_take_all_but_the_steps_from_training_from_scratch(tmp_path):
    path = tmp_path / "chosen.yaml"
    training = {"id_dropout": 0.4, "learning_rate": 0.1, "steps": 1}
    path.write_text(yaml.safe_dump({"war": {"training": training, "settings": {"w": 2.0}}}))
    assert configs_of_tasks(BASE, ["war"], [path])["war"] == {
        **BASE,
        "training": {"id_dropout": 0.4, "learning_rate": 0.1, "steps": 9},
    }


def test_an_ablation_takes_all_of_what_it_is_like_but_for_what_it_says_itself(tmp_path):
    path = tmp_path / "chosen.yaml"
    settings = {"w": 2.0, "v": 3.0}
    path.write_text(yaml.safe_dump({"war": {"training": {"steps": 1}, "settings": settings}}))
    found = configs_of_tasks(BASE, ["war"], [path], {"training": {}, "settings": {"w": 0.0}})
    assert found["war"]["settings"] == {"w": 0.0, "v": 3.0}
    assert found["war"]["training"] == {"id_dropout": 0.2, "steps": 1}


def test_what_an_experiment_says_itself_wins_over_what_was_chosen(tmp_path):
    path = tmp_path / "chosen.yaml"
    path.write_text(
        yaml.safe_dump({"war": {"training": {"steps": 1}, "settings": {"w": 2.0, "v": 3.0}}})
    )
    own = {"training": {}, "settings": {"w": 0.0}}
    found = with_chosen(BASE, [path], "war", [own])
    assert found["settings"] == {"w": 0.0, "v": 3.0}
    assert found["training"] == {"id_dropout": 0.2, "steps": 1}
    assert with_chosen(BASE, [], "war", [own]) == BASE


def test_a_task_may_have_the_name_of_a_key_of_a_choice(tmp_path):
    chosen = {"about": {"training": {"steps": 1}, "settings": {}}}
    (tmp_path / "chosen.yaml").write_text(yaml.safe_dump(chosen))
    assert read_chosen(tmp_path / "chosen.yaml") == chosen


def test_a_choice_is_written_as_the_configuration_reads_it(tmp_path):
    chosen = {"war": {"training": {"steps": 1}, "settings": {}, "validation_rmse": 0.9}}
    write_choice(tmp_path / "td.yaml", chosen, {"data": "x", "split": "y"}, BASE)
    found = read_choice(tmp_path / "td.yaml")
    assert found.about == {"data": "x", "split": "y"}
    assert found.begun.model_dump() == {part: BASE[part] for part in ("training", "settings")}
    assert found.chosen["war"].model_dump(exclude_none=True) == chosen["war"]
    assert read_chosen(tmp_path / "td.yaml") == chosen


# --- whole searches


def files(folder, n=200, slice="fit"):
    """Rows and items as `search` reads them."""
    rows, _, items = movielens(n)
    write(rows, folder / "rows.parquet", {"slice": slice} if slice else None)
    write(items, folder / "items.parquet")
    return {"rows": [folder / "rows.parquet"], "items": folder / "items.parquet"}


def search_in(folder, given, **changed):
    """A whole search of one task, but for what is changed."""
    search(
        **given,
        **{
            "tasks": {"drama": "Drama"},
            "by": "category",
            "configs": {"drama": BASE},
            "trials": LIST,
            "spaces": {"training": {}, "settings": {}},
            "search": SEARCH,
            "teachers": {},
            "journal": folder / "journal.log",
            "code": "c",
            "about": {"data": "toy", "split": "latest"},
            "begun": BASE,
            "outputs": {name: folder / name for name in ("curves", "trials", "chosen", "choice")},
            "log": LOG,
        }
        | changed,
    )


def test_a_search_from_files_to_a_choice_and_on_to_more_trials(tmp_path, monkeypatch):
    given = files(tmp_path)
    whole = fit_config("scratch", hidden=TEACHER, steps=6)
    places = [tmp_path / f"fold{fold}" for fold in range(2)]
    train_fold_teachers(**given, config=whole, folds=2, per_user=False, outputs=places, log=LOG)
    assert [Checkpoint.load(place).seeds for place in places] == [[0], [0]]
    base = fit_config("ld", {"weight": 0.5}) | {"teacher_seed": "paired"}
    configs = dict.fromkeys(("drama", "all"), base)
    scored = []
    original = FoldScores.__call__

    def counted(self, changes, fold, seeds):
        scored.extend((change["settings"]["weight"], fold) for change in changes)
        return original(self, changes, fold, seeds)

    monkeypatch.setattr(FoldScores, "__call__", counted)
    trials = [{"settings": {"weight": weight}} for weight in (0.5, 2.0, 8.0)]

    def run(n, **changed):
        search_in(
            tmp_path,
            given,
            tasks={"drama": "Drama", "all": "all"},
            configs=configs,
            trials=trials[:n],
            search=SEARCH | {"trials": n} | changed,
            teachers={"teacher": places},
        )
        return pd.read_csv(tmp_path / "curves")

    two = run(2)
    assert scored == [(0.5, 0), (2.0, 0), (0.5, 1), (2.0, 1)]
    three = run(3)
    assert scored[4:] == [(8.0, 0), (8.0, 1)], "what had been scored was scored again"
    pd.testing.assert_frame_equal(three[three["trial"] < 2], two)
    assert set(three["task"]) == {"drama", "all"}
    assert set(three["look"]) == {0, 1}
    chosen = read_chosen(tmp_path / "chosen")
    assert set(chosen) == {"drama", "all"}
    assert {change["training"]["steps"] for change in chosen.values()} <= {3, 6}
    assert read_chosen(tmp_path / "choice") == chosen
    summary = pd.read_csv(tmp_path / "trials")
    assert summary["state"].tolist() == ["complete"] * 3
    assert summary["model_steps"].tolist() == [2 * 2 * 2 * 6] * 3  # folds, tasks, seeds, steps


def test_a_task_without_rows_in_a_fold_is_named():
    rows, _, items = movielens(100)
    with pytest.raises(ValueError, match="the task 'War' has no rows in fold 0: leave it out"):
        FoldScores(rows, items, {"war": {}}, {"war": "War"}, "category", SEARCH, {})


def test_a_search_has_the_tasks_of_its_split(tmp_path):
    """Those with most training rows, and those whose name is not the canonical one; some of all."""
    rows, _, items = movielens(400)
    items["categories"] = [
        ["Children" if name == "Comedy" else name for name in own] for own in items["categories"]
    ]
    write(rows, tmp_path / "ratings.parquet")
    write(items, tmp_path / "items.parquet")
    tasks = {f"densest-{n}": None for n in (1, 2, 3)} | {"children": "Children's", "all": "all"}
    slices = {(id, part): tmp_path / id / f"s/{part}.parquet" for id in tasks for part in SLICES}
    protocol = {"kind": "latest", "eval": 0.1, "val": 0.1, "share": 1.0}
    tables = tmp_path / "ratings.parquet", tmp_path / "items.parquet"
    split_ratings(*tables, protocol, "category", tasks, slices.values())
    train = {id: read_rows([slices[id, part] for part in TRAIN_SLICES]) for id in tasks}
    on = {"densest-1": {}, "densest-3": {}, "children": {}}
    found = FoldScores(train["all"], items, on, tasks, "category", SEARCH, {}).rows
    for id in on:
        fit, val = found[1, id]
        expected = train[id].sort_values("time", kind="stable")
        assert 0 < len(fit) < len(expected)
        assert pd.concat([fit, val])["time"].tolist() == expected["time"].tolist()
    with pytest.raises(ValueError, match="the training set: unknown task 'Comdy'"):
        FoldScores(train["all"], items, on, {"comdy": "Comdy"}, "category", SEARCH, {})


def test_a_search_does_not_go_on_from_the_journal_of_another_start(tmp_path, monkeypatch):
    # what was chosen before it, or its teachers, may have changed although its own key did not
    given = files(tmp_path)
    identities = []

    def stop(*arguments):
        identities.append(arguments[6])
        raise KeyboardInterrupt

    monkeypatch.setattr("talking_models.tuning.jobs.run_search", stop)
    monkeypatch.setattr("talking_models.tuning.jobs.Checkpoint.load", lambda path: None)
    other = {**BASE, "training": {"id_dropout": 0.5, "steps": 9}}
    for config, weights, changed in (
        (BASE, b"a", {}),
        (BASE, b"a", {}),
        (other, b"a", {}),
        (BASE, b"b", {}),
        (BASE, b"a", {"every": 1}),
        (BASE, b"a", {"trials": 40}),
    ):
        (tmp_path / "teacher").write_bytes(weights)
        with pytest.raises(KeyboardInterrupt):
            search_in(
                tmp_path,
                given,
                configs={"drama": config},
                search=SEARCH | changed,
                teachers={"teacher": [tmp_path / "teacher"]},
            )
    same = [identity == identities[0] for identity in identities]
    assert same == [True, True, False, False, False, True]


def test_a_search_does_not_go_on_from_scores_in_another_precision(tmp_path, monkeypatch):
    """`auto` is another one on another machine."""
    given, scored = files(tmp_path), []
    told = {"configs": {"drama": fit_config("scratch")}, "trials": LIST[:1]}

    def score(self, changes, fold, seeds):
        scored.append(self.search["precision"])
        return [np.ones((1, 2)) for _ in changes]

    monkeypatch.setattr(FoldScores, "__call__", score)
    for there in (False, False, True):
        monkeypatch.setattr("talking_models.training.loop.has_bfloat16", lambda there=there: there)
        search_in(tmp_path, given, search=SEARCH | {"precision": "auto"}, **told)
    assert scored == ["float32"] * 2 + ["bfloat16"] * 2


def test_choices_are_kept_where_a_configuration_looks_for_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for split in ("latest", "few-1"):
        folder = tmp_path / "results/ml" / split / "tuning/talk"
        folder.mkdir(parents=True)
        (folder / "choice.yaml").write_text(split)
    files = sorted((tmp_path / "results").rglob("choice.yaml"))
    keep(files, "own/tuned")
    assert (tmp_path / "own/tuned/ml/talk.yaml").read_text() == "latest"
    assert (tmp_path / "own/tuned/ml/few-1/talk.yaml").read_text() == "few-1"
    assert "kept own/tuned/ml/talk.yaml" in capsys.readouterr().out
    keep(files)
    assert (tmp_path / "config/tuned/ml/talk.yaml").is_file()


@pytest.mark.parametrize("slice", ["eval", None])
def test_a_search_that_is_given_eval_rows_fails(tmp_path, slice):
    with pytest.raises(ValueError, match="training and tuning read only fit and val"):
        search_in(tmp_path, files(tmp_path, slice=slice))


def test_a_teacher_is_judged_on_users_that_it_knows():
    rows, _, items = movielens(300)
    late = rows["user"].iloc[-1]
    early = rows["time"] < rows["time"].quantile(0.9)
    rows = rows[~(early & (rows["user"] == late))].reset_index(drop=True)
    told = rows, items, {"all": {}}, {"all": "all"}, "category"
    known, everyone = (FoldScores(*told, SEARCH | {"warm": warm}, {}) for warm in (True, False))
    for place, (fit, val) in known.rows.items():
        whole = everyone.rows[place][1]
        assert len(val) == whole["user"].isin(fit["user"]).sum() > 0
    assert late in everyone.rows[1, "all"][1]["user"].values
    assert late not in known.rows[1, "all"][1]["user"].values


def test_a_share_trains_on_part_of_a_folds_rows_and_validates_on_all():
    rows, _, items = movielens(400)
    search = SEARCH | {"share": 0.2, "draw": 1}
    few, every = (
        FoldScores(rows, items, {"all": {}}, {"all": "all"}, "category", s, {}).rows
        for s in (search, SEARCH)
    )
    for place, (fit, val) in few.items():
        whole = every[place][0]
        assert 0.1 * len(whole) < len(fit) < 0.3 * len(whole)
        assert not fit.merge(whole, how="left", indicator=True)["_merge"].eq("left_only").any()
        pd.testing.assert_frame_equal(val, every[place][1])


def test_an_ablation_s_trials_hold_what_was_chosen_for_what_it_is_like(tmp_path):
    path = tmp_path / "chosen.yaml"
    path.write_text(yaml.safe_dump({"war": {"training": {}, "settings": {"w": 2.0, "v": 3.0}}}))
    own = {"training": {}, "settings": {"w": 0.0}}
    assert beside(path, own, grid({"u": [1, 2]})) == [
        {"settings": {"v": 3.0, "u": 1}},
        {"settings": {"v": 3.0, "u": 2}},
    ]
