"""The positive control, in a minute on two genres: where distillation must pay, it does.

With 5% of a genre's training rows a student knows little, and its teacher, which has all rows of
all genres, much: LD must win by an interval that leaves out 0. And a student that is told what the
teacher says of rows without a label must come near it.
"""

import logging

import numpy as np
import pandas as pd
import pytest
from workspace import DATA, JOBS, ROOT

from talking_models.config import read
from talking_models.data.parquet import read_items, read_ratings
from talking_models.data.splits import drawn
from talking_models.evidence.intervals import collect, difference
from talking_models.evidence.predict import predict
from talking_models.evidence.scores import labelled, stacked
from talking_models.io import write_parquet
from talking_models.training.ratings import fit, read_rows

GENRES, SEEDS, SHARE = ("sci-fi", "war"), 3, 0.05
LOG = logging.getLogger("test")


@pytest.fixture(scope="module")
def rows(finished):
    """Training and eval rows by task, and the items."""
    base = finished.path / "results" / JOBS
    found = {}
    for task in ("all", *GENRES):
        parts = [base / task / "slices" / f"{name}.parquet" for name in ("fit", "val", "eval")]
        found[task] = read_rows(parts[:2]), read_ratings(parts[2])
    return found, read_items(finished.path / "data" / DATA / "items.parquet")


@pytest.fixture(scope="module")
def config():
    """`config(experiment, steps)`: a job's, of models as the paper's, with few steps."""
    layers = ("config", "experiments", "tables", "quick")
    found = read(*(ROOT / "config" / f"{name}.yaml" for name in layers))

    def job(experiment, steps):
        made = found.training_job(experiment, DATA)
        training = made["training"] | {"steps": steps}
        return made | {"seeds": SEEDS, "teacher_seed": "paired", "training": training}

    return job


@pytest.fixture(scope="module")
def teacher(rows, config):
    frames, items = rows
    return fit(frames["all"][0], items, config("teacher", 500), {}, LOG)[0]


def few(rows):
    return rows[drawn(len(rows), SHARE)].reset_index(drop=True)


def test_distilling_pays_where_there_are_few_rows(rows, config, teacher, tmp_path):
    frames, items = rows
    files = []
    for task in GENRES:
        train, held_out = frames[task]
        for id in ("scratch", "ld"):
            job = config(id, 200)
            taught_by = {"teacher": teacher} if job["teachers"] else {}
            student, _ = fit(few(train), items, job, taught_by, LOG)
            frame = stacked(held_out, predict(student, held_out, items))
            about = {"experiment": id, "data": DATA, "split": "latest", "task": task}
            files.append(tmp_path / f"{task}-{id}.parquet")
            write_parquet(files[-1], labelled(frame, about))
    evidence = collect(files, "rmse")
    change = difference(evidence, "ld", "scratch")
    low, high = (end[-1] for end in change.interval())  # of the mean over genres
    assert high < 0, f"LD minus scratch: {change.estimate[-1]:+.4f} [{low:+.4f}, {high:+.4f}]"


def test_a_student_that_hears_the_teacher_on_unlabelled_rows_comes_near_it(rows, config, teacher):
    frames, items = rows
    errors = {"student": [], "teacher": []}
    for task in GENRES:
        train, held_out = frames[task]
        said = predict(teacher, train, items).mean(axis=0)  # of rows whose rating nobody gave
        heard = train.assign(rating=said.astype(np.float32))
        student, _ = fit(heard, items, config("scratch", 300), {}, LOG)
        for name, model in (("student", student), ("teacher", teacher)):
            apart = predict(model, held_out, items) - held_out["rating"].to_numpy()
            errors[name].append(np.sqrt((apart**2).mean(axis=1)).mean())
    found = pd.DataFrame(errors).mean()
    assert found["student"] < found["teacher"] + 0.01, found.to_dict()
