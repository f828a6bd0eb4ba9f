"""The examples of docs/extending.md, word for word: they run, and print what the page says."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from toys import LOG, fit_config, movielens

from talking_models import config, registry
from talking_models.data import DATA
from talking_models.errors import SourceError
from talking_models.methods import METHODS
from talking_models.metrics import METRICS
from talking_models.models import MODELS
from talking_models.predictor import RatingPredictor
from talking_models.training import ratings as job

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/extending.md").read_text()
FILES = dict(
    re.findall(r"`my_methods/(\w+)\.py`[^\n]*:\n\n```python\n(.*?)^```$", PAGE, re.S | re.M)
)
CONFIG, TEACHERS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.S | re.M)
LAYERS = [ROOT / "config" / f"{name}.yaml" for name in ("config", "experiments", "tables")]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The page's folder and configuration, in use as long as a test runs."""
    place = tmp_path / "my_methods"
    place.mkdir()
    for name, text in FILES.items():
        (place / f"{name}.py").write_text(text)
    (tmp_path / "my.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    registry.use([place])
    yield place
    registry.use([])


def test_the_page_has_one_file_for_each_sort_of_component():
    assert list(FILES) == ["cosine", "close", "reviews", "pair"]
    for components, name in zip((METHODS, METRICS, DATA, MODELS), FILES, strict=True):
        assert name in components.names()
        assert components.module(name) == f"talking_models_plugins.{name}"
    for name, text in FILES.items():
        compile(text, name, "exec")


def test_its_configuration_is_valid_and_uses_all_of_them():
    found = config.read(*LAYERS, "my.yaml")
    assert found.method("cosine").__name__ == "Cosine"
    assert found.model_kind("wise").__name__ == "Pair"
    assert found.kind("reviews").__name__ == "Reviews"
    assert found.metrics_of("reviews") == ["close"]
    asked = found.training_job("cosine", "reviews")
    assert asked["settings"] == {"weight": 0.5}
    assert list(asked["teachers"]) == ["wise"]


def test_a_further_teacher_is_one_word():
    Path("teachers.yaml").write_text(TEACHERS)
    found = config.read(*LAYERS, "teachers.yaml")
    assert found.teachers_of("td-two") == ("teacher", "mf")
    assert found.training_job("td-two", "ml-100k")["weights"] == {"teacher": 1.0, "mf": 0.5}
    assert list(found.training_job("ld-three", "ml-100k")["teachers"]) == ["teacher", "mf", "ours"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("method: cosine", "method: cosin", "nearest: cosine"),
        ("metric: close", "metric: closed", "nearest: close"),
        ("weight: 0.5", "wait: 0.5", "weight"),
        ("kind: pair, hidden", "kind: pear, hidden", "nearest: pair"),
        ("path: reviews.json", "pth: reviews.json", "path"),
        ("plugins: [my_methods]", "plugins: [my_method]", "there is no folder my_method"),
    ],
)
def test_what_is_mistyped_is_named(old, new, said):
    assert old in CONFIG
    Path("my.yaml").write_text(CONFIG.replace(old, new, 1))
    with pytest.raises(config.ConfigError, match=re.escape(said)):
        config.read(*LAYERS, "my.yaml")


@pytest.fixture(scope="module")
def teachers():
    rows, _, items = movielens()
    asked = fit_config("scratch", seeds=1, steps=200)  # of one that knows nothing TD learns nothing
    return {"teacher": job.fit(rows, items, asked, {}, LOG)[0]}


def test_the_method_learns(teachers):
    rows, _, items = movielens()
    asked = fit_config("cosine", {"weight": 5.0}, steps=60, dropout=0.0)
    _, history = job.fit(rows, items, asked, teachers, LOG)
    assert set(history["name"]) == {"label", "cosine"}
    cosine = history.loc[history["name"] == "cosine", "value"].to_list()
    assert cosine[-1] < 0.7 * cosine[0]
    assert history["gradient_norm"].gt(0).all()


def test_the_metric_is_what_it_says_and_adds_up():
    metric = METRICS.get("close")
    rows = pd.DataFrame(
        {
            "user": [7, 7, 8, 9],
            "target": [4.0, 3.0, 5.0, 1.0],
            "prediction": [4.2, 3.5, 4.6, 3.0],
        }
    )
    evidence = metric.evidence(rows)
    assert evidence.loc[[7, 8, 9]].to_numpy().tolist() == [[1, 2], [1, 1], [0, 1]]
    assert metric.value(evidence.to_numpy().sum(0)) == 0.5
    assert metric.value(np.array([[1.0, 2.0], [1.0, 1.0]])).tolist() == [0.5, 1.0]


def test_the_kind_of_data_set_is_read_in_canonical_form():
    (example,) = re.findall(r'"""(\[\{.*?\}), \.\.\.\]"""', PAGE)
    Path("reviews.json").write_text(f"{example}, {example[1:].replace('ann', 'bob')}]")
    ratings, items = DATA.get("reviews").read({"path": "reviews.json"})
    assert ratings.to_dict("list") == {
        "user": ["ann", "bob"],
        "item": ["A-17", "A-17"],
        "rating": [4.0, 4.0],
        "time": [1700000000, 1700000000],
    }
    assert items.to_dict("list") == {"item": ["A-17"], "title": [""], "categories": [[]]}
    Path("reviews.json").write_text(f"{example}, {example[1:]}]")
    with pytest.raises(SourceError, match=r"user ann rated item A-17 more than once"):
        DATA.get("reviews").read({"path": "reviews.json"})


@pytest.mark.parametrize("method", ["scratch", "td", "fd"])
def test_the_kind_of_model_learns_from_a_teacher_and_predicts(method, teachers, tmp_path):
    rows, later, items = movielens()
    asked = fit_config(method, steps=300, dropout=0.0) | {
        "student": {"kind": "pair", "hidden": [6, 5]}
    }
    if method == "scratch":
        teachers = {}
    trained, history = job.fit(rows, items, asked, teachers, LOG)
    label = history.loc[history["name"] == "label", "value"].to_list()
    assert np.mean(label[-5:]) < np.mean(label[:5])
    trained.save(tmp_path / "models.safetensors")
    found = job.Checkpoint.load(tmp_path / "models.safetensors")
    predicted = RatingPredictor(found).predict(later[["user", "item"]])["prediction"]
    assert np.isfinite(predicted).all()
    model = found.stack()
    low = torch.randn(2, 4, 6, requires_grad=True)
    assert model.upper(low).shape == (2, 4, 5)


def test_the_training_loop_prints_what_the_page_says():
    ((program, printed),) = re.findall(
        r"```python\n([^`]*load_digits\(\).*?)^```\n.*?^```\n(.*?)^```", PAGE, re.S | re.M
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "workflow/scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    found, wanted = (
        [(word, yaml.safe_load(parts)) for word, parts in re.findall(r"([\d.]+) (\{.*\})", text)]
        for text in (done.stdout, printed)
    )
    assert len(wanted) == 2
    for (share, parts), (said, named) in zip(found, wanted, strict=True):
        # other versions and processors round otherwise
        assert float(share) == pytest.approx(float(said), abs=0.008)
        assert list(parts) == list(named)
        assert list(parts.values()) == pytest.approx(list(named.values()), abs=0.01, rel=0.2)
