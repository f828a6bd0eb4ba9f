"""A trial on images, and the choice from all of them."""

import logging

import numpy as np
import pandas as pd
import pytest
import yaml
from vision_toys import TALK, config, inputs

from talking_models.training import images as image_job
from talking_models.tuning.choose import take_trials
from talking_models.tuning.images import try_settings
from talking_models.tuning.search import first_seed

LOG = logging.getLogger("test")
SPACES = {"training": {}, "settings": {"w1": {"low": 0.01, "high": 1.0, "log": True}}}
TRIALS = [{"training": {}, "settings": {"w1": w1}} for w1 in (0.5, 0.02, 0.9)]
SEARCH = {
    "trials": 3, "seeds": 1, "folds": 1, "warm": False, "steps": None, "every": None,
    "image_steps": 4,
}  # fmt: skip


def tried(folder, trial, **training):
    path = folder / f"trial{trial}.csv"
    asked = config("td", TALK, **training)
    try_settings(inputs(folder / "made"), asked, TRIALS[trial], SEARCH, "code", path, LOG)
    return path


def test_a_trial_trains_as_a_job_with_its_settings_does(tmp_path, monkeypatch):
    asked = []
    run = image_job.run

    def seen(inputs, config, code, outputs):
        asked.append(config)
        run(inputs, config, code, outputs)

    monkeypatch.setattr("talking_models.tuning.images.run", seen)
    found = pd.read_csv(tried(tmp_path, 1))
    assert asked[0]["settings"]["w1"] == 0.02
    assert asked[0]["seed"] == first_seed(TRIALS[1], 0) != first_seed(TRIALS[2], 0)
    assert asked[0]["training"]["steps"] == 4
    (row,) = found.to_dict("records")
    assert (row["state"], row["fold"], row["task"], row["look"]) == ("complete", 0, "all", 0)
    assert 0 < row["rmse"] < 1
    assert not (tmp_path / "trial1").exists()


def test_the_choice_is_the_trial_with_the_fewest_wrong_of_those_that_finished(tmp_path):
    files = [tmp_path / f"trial{trial}.csv" for trial in range(3)]
    rows = {0: 0.3, 1: None, 2: 0.2}
    for trial, wrong in rows.items():
        row = [] if wrong is None else [("complete", 0, "all", 0, wrong)]
        columns = ["state", "fold", "task", "look", "rmse"]
        pd.DataFrame(row, columns=columns).to_csv(files[trial], index=False)
    names = {"curves": "csv", "trials": "csv", "chosen": "yaml", "choice": "yaml"}
    outputs = {name: tmp_path / f"{name}.{form}" for name, form in names.items()}
    told = {"trials": TRIALS, "spaces": SPACES, "search": SEARCH, "about": {"data": "x"}}
    told |= {"outputs": outputs, "log": LOG}
    take_trials(files, config("td", TALK), **told)
    chosen = yaml.safe_load(outputs["chosen"].read_text())
    assert chosen == {"all": {"training": {}, "settings": {"w1": 0.9}, "validation_error": 0.2}}
    trials = pd.read_csv(outputs["trials"])
    assert list(trials["state"]) == ["complete", "failed", "complete"]
    about = yaml.safe_load(outputs["choice"].read_text())["about"]["search"]
    assert (about["trials"], about["complete"]) == (3, 2)
    assert about["at_bound"] == ["settings.w1"]
    for file in files:
        pd.DataFrame(columns=columns).to_csv(file, index=False)
    with pytest.raises(ValueError, match="all diverged"):
        take_trials(files, config("td", TALK), **told)


@pytest.mark.parametrize("devices", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_trial_that_diverges_ends_without_a_row(tmp_path, devices):
    with np.errstate(all="ignore"):
        path = tried(tmp_path, 0, devices=devices, learning_rate=1e30, clip=1e30)
    assert pd.read_csv(path).empty
