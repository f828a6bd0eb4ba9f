"""The search for settings: folds, spaces, the journal, the choice."""

import logging

import numpy as np
import pandas as pd
import pytest
import yaml
from toys import TEACHER, fit_config, movielens

from talking_models.changes import read_chosen, with_chosen
from talking_models.config.choices import read_choice
from talking_models.data.parquet import write
from talking_models.data.splits import folds
from talking_models.methods import METHODS
from talking_models.models.checkpoint import Checkpoint
from talking_models.models.mlp import MLPSettings
from talking_models.tuning.choose import choices, chosen_score, described
from talking_models.tuning.jobs import (
    FoldScores,
    configs_of_tasks,
    fold_rows,
    search,
    train_fold_teachers,
    write_choice,
)
from talking_models.tuning.search import Journal, run_search
from talking_models.tuning.space import grid, settings_space, trials

LOG = logging.getLogger("test")


# --- folds


def test_three_folds_of_the_papers_training_rows():
    assert folds(90_000, 3) == [(63_000, 72_000), (72_000, 81_000), (81_000, 90_000)]


def test_a_fold_validates_on_what_follows_its_fit_rows():
    # a cut by user: val rows are among those of fit, in time
    train = pd.DataFrame({"time": [*range(0, 100, 3), *range(1, 100, 3), *range(2, 100, 3)]})
    for fold in range(3):
        fit, val = fold_rows(train, 3, fold)
        assert fit["time"].tolist() == list(range(70 + 10 * fold))
        assert val["time"].tolist() == list(range(70 + 10 * fold, 80 + 10 * fold))


@pytest.mark.parametrize(("n", "count"), [(5, 3), (1000, 10)])
def test_too_many_folds_are_refused(n, count):
    with pytest.raises(ValueError, match="too few"):
        folds(n, count)


# --- spaces


def job(method):
    """An experiment's config before any search, as `space.trials` takes it."""
    return {
        "method": method,
        "training": MLPSettings(kind="mlp").training.model_dump(),
        "settings": METHODS.get(method).Settings().model_dump(),
    }


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


def searched(folder, evaluate, trials=LIST, identity="a"):
    return run_search(trials, evaluate, ["t", "u"], 3, folder / "journal.log", identity, LOG, 2)


def test_the_search_keeps_every_curve(tmp_path):
    found = searched(tmp_path, Evaluate())
    cell = found.set_index(["trial", "fold", "task", "look"])["rmse"]
    assert cell[0, 2, "t", 1] == pytest.approx(5.02)
    assert cell[0, 2, "u", 0] == 6
    states = found.groupby("trial")["state"].first().to_dict()
    done = dict.fromkeys((0, 1, 3, 5), "complete")  # 2 diverged
    assert states == done | {4: "pruned", 6: "pruned"}


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


def test_every_place_of_a_cut_keeps_the_whole_lines_before_it(tmp_path):
    path = tmp_path / "journal.log"
    for fold in range(2):
        Journal(path, "a", LOG).curves({"x": 1}, fold, lambda _, k: np.array([[0.1 + k, 1e-17]]))
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
    ],
)
def test_other_damage_of_a_journal_is_an_error_that_names_it(tmp_path, content):
    searched(tmp_path, Evaluate())
    path = tmp_path / "journal.log"
    lines = path.read_bytes()
    damaged = content % (lines, lines) if b"%s" in content else content
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


def test_a_trial_is_judged_by_the_list_it_stands_in_now(tmp_path):
    """9 was pruned after one fold behind better ones; as the first of a list it is not."""
    searched(tmp_path, Evaluate())
    evaluate = Evaluate()
    found = searched(tmp_path, evaluate, LIST[4:])
    assert found[found["trial"] == 0]["state"].unique().tolist() == ["complete"]
    assert evaluate.calls == [(9, 1), (9, 2)]
    pd.testing.assert_frame_equal(found, searched(tmp_path / "other", Evaluate(), LIST[4:]))


def test_settings_that_stand_twice_in_a_list_are_scored_once(tmp_path):
    evaluate = Evaluate()
    found = searched(tmp_path, evaluate, [LIST[0]] * 2)
    assert len(evaluate.calls) == 3
    assert found.groupby("trial")["rmse"].sum().nunique() == 1


@pytest.mark.parametrize("seed", range(5))
def test_trials_are_pruned_as_optunas_median_pruner_does(tmp_path, seed):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    draw = np.random.default_rng(seed)
    scores = draw.normal(1, 0.1, (20, 1)) + draw.normal(0, 0.05, (20, 3))
    study = optuna.create_study(pruner=optuna.pruners.MedianPruner(n_startup_trials=4))
    expected = []
    for values in scores:
        trial, state = study.ask(), "complete"
        for fold in range(3):
            mean = float(np.mean(values[: fold + 1]))
            trial.report(mean, fold)
            if fold < 2 and trial.should_prune():
                state = "pruned"
                break
        study.tell(
            trial, None if state == "pruned" else mean, optuna.trial.TrialState[state.upper()]
        )
        expected.append(state)
    trials = [{"i": i} for i in range(20)]
    evaluate = lambda settings, fold: np.array([[scores[settings["i"], fold]]])  # noqa: E731
    found = run_search(trials, evaluate, ["t"], 3, tmp_path / "j", "a", LOG)
    assert found.groupby("trial")["state"].first().tolist() == expected
    assert len(set(expected)) == 2


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


def test_shared_chooses_trial_and_steps_once_and_task_for_each():
    assert choices(TABLE, "shared") == {"t": (0, 0), "u": (0, 0)}
    assert choices(TABLE, "task") == {"t": (1, 0), "u": (0, 0)}
    assert chosen_score(TABLE, choices(TABLE, "task")).to_dict() == {
        "t": pytest.approx(0.8),
        "u": pytest.approx(0.8),
    }


def test_pruned_trials_cannot_be_chosen():
    table = TABLE.assign(state=np.where(TABLE["trial"] == 1, "pruned", "complete"))
    assert choices(table, "task")["t"] == (0, 1)
    with pytest.raises(ValueError, match="no trial"):
        choices(table.assign(state="failed"), "shared")


# --- what a search starts from, and what it leaves


BASE = {"training": {"id_dropout": 0.2, "steps": 9}, "settings": {"w": 1.0}, "method": "td"}


def test_methods_take_id_dropout_alone_from_training_from_scratch(tmp_path):
    path = tmp_path / "chosen.yaml"
    path.write_text(yaml.safe_dump({"war": {"training": {"id_dropout": 0.4, "steps": 1}}}))
    assert configs_of_tasks(BASE, ["war"], [path], ablation=False)["war"] == {
        **BASE,
        "training": {"id_dropout": 0.4, "steps": 9},
    }
    assert configs_of_tasks(BASE, ["war"], [path], ablation=True)["war"]["training"]["steps"] == 1


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


@pytest.mark.parametrize("scope", ["shared", "task"])
def test_id_dropout_is_one_choice_whatever_the_scope(scope):
    found = [
        {"training": {"learning_rate": rate, "id_dropout": share}}
        for rate, share in ((1e-3, 0.1), (2e-3, 0.3))
    ]
    search = {"scope": scope, "steps": 50, "every": 25}
    chosen = described(TABLE, found, dict.fromkeys("tu", BASE), search)
    rates = {task: change["training"]["learning_rate"] for task, change in chosen.items()}
    assert rates == {"t": 2e-3 if scope == "task" else 1e-3, "u": 1e-3}
    assert {c["training"]["id_dropout"] for c in chosen.values()} == {0.1}


def test_a_choice_is_written_as_the_configuration_reads_it(tmp_path):
    chosen = {"war": {"training": {"steps": 1}, "settings": {}, "validation_rmse": 0.9}}
    write_choice(tmp_path / "td.yaml", chosen, {"data": "x", "split": "y"}, BASE)
    found = read_choice(tmp_path / "td.yaml")
    assert found.about == {"data": "x", "split": "y"}
    assert found.begun.model_dump() == {part: BASE[part] for part in ("training", "settings")}
    assert found.chosen["war"].model_dump() == {"training": {"steps": 1}, "settings": {}}
    assert read_chosen(tmp_path / "td.yaml")["chosen"] == chosen


# --- whole searches


def files(folder, n=200, slice="fit"):
    """Rows and items as `search` reads them."""
    rows, _, items = movielens(n)
    write(rows, folder / "rows.parquet", {"slice": slice} if slice else None)
    write(items, folder / "items.parquet")
    return {"rows": [folder / "rows.parquet"], "items": folder / "items.parquet"}


SEARCH = {
    "folds": 2,
    "seeds": 2,
    "precision": "float32",
    "steps": 6,
    "every": 3,
    "scope": "shared",
    "trials": 2,
}


def search_in(folder, given, **changed):
    """A whole search of one task, but for what is changed."""
    search(
        **given,
        **{
            "tasks": {"drama": "Drama"},
            "by": "category",
            "configs": {"drama": BASE},
            "trials": LIST,
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
    train_fold_teachers(**given, config=whole, folds=2, outputs=places, log=LOG)
    assert [Checkpoint.load(place).seeds for place in places] == [[0], [0]]
    base = fit_config("ld", {"weight": 0.5}) | {"teacher_seed": "paired"}
    configs = dict.fromkeys(("drama", "all"), base)
    scored = []
    original = FoldScores.__call__

    def counted(self, change, fold):
        scored.append((change["settings"]["weight"], fold))
        return original(self, change, fold)

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
    assert scored == [(0.5, 0), (0.5, 1), (2.0, 0), (2.0, 1)]
    three = run(3)
    assert scored[4:] == [(8.0, 0), (8.0, 1)], "what had been scored was scored again"
    pd.testing.assert_frame_equal(three[three["trial"] < 2], two)
    assert set(three["task"]) == {"drama", "all"}
    assert set(three["look"]) == {0, 1}
    run(3, scope="task")
    assert len(scored) == 6, "another scope chooses anew among the same scores"
    chosen = read_chosen(tmp_path / "chosen")
    assert set(chosen) == {"drama", "all"}
    assert {change["training"]["steps"] for change in chosen.values()} <= {3, 6}
    assert read_chosen(tmp_path / "choice")["chosen"] == chosen
    summary = pd.read_csv(tmp_path / "trials")
    assert summary["state"].tolist() == ["complete"] * 3
    assert summary["model_steps"].tolist() == [2 * 2 * 2 * 6] * 3  # folds, tasks, seeds, steps


def test_a_task_without_rows_in_a_fold_is_named():
    rows, _, items = movielens(100)
    with pytest.raises(ValueError, match="the task 'War' has no rows in fold 0: leave it out"):
        FoldScores(rows, items, {}, {"war": "War"}, "category", SEARCH, {})


def test_a_search_does_not_go_on_from_the_journal_of_another_start(tmp_path, monkeypatch):
    # what was chosen before it, or its teachers, may have changed although its own key did not
    given = files(tmp_path)
    identities = []

    def stop(*arguments):
        identities.append(arguments[5])
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
        (BASE, b"a", {"scope": "task"}),
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
    assert same == [True, True, False, False, False, True, True]


@pytest.mark.parametrize("slice", ["eval", None])
def test_a_search_that_is_given_eval_rows_fails(tmp_path, slice):
    with pytest.raises(ValueError, match="training and tuning read only fit and val"):
        search_in(tmp_path, files(tmp_path, slice=slice))
