"""What came out of a run, used: predictions of ratings and pictures by files that jobs left."""

import logging

import numpy as np
import pandas as pd
import pytest
import toys
import vision_toys
from PIL import Image

import talking_models
from talking_models import predictor
from talking_models.errors import SourceError
from talking_models.evidence.predict import predict
from talking_models.models.files import save
from talking_models.training.ratings import fit

# Ratings


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A file of two students, and the checkpoint in it."""
    rows, _, items = toys.movielens()
    checkpoint, _ = fit(rows, items, toys.fit_config("scratch"), {}, logging.getLogger("test"))
    path = tmp_path_factory.mktemp("ratings") / "models.safetensors"
    checkpoint.save(path)
    return path, checkpoint


def known(checkpoint):
    """Later rows of which the models know user and item."""
    _, later, _ = toys.movielens()
    words = checkpoint.vocabulary
    return later[later["user"].isin(words.users) & later["item"].isin(words.items)]


def test_a_prediction_is_the_mean_over_seeds_that_the_evaluation_sees(trained):
    path, checkpoint = trained
    rows, items = known(checkpoint), toys.movielens()[2]
    expected = predict(checkpoint, rows, items).astype(float)
    given = rows[["user", "item"]]
    found = talking_models.load(path).predict(given)
    assert list(found) == ["user", "item", "prediction", "deviation"]
    pd.testing.assert_frame_equal(found[["user", "item"]], given)
    np.testing.assert_allclose(found["prediction"], expected.mean(0), atol=1e-5)
    np.testing.assert_allclose(found["deviation"], expected.std(0, ddof=1), atol=1e-5)


def test_columns_of_the_callers_own_and_the_order_stay(trained):
    path, checkpoint = trained
    given = known(checkpoint)[["item", "user"]].assign(note="mine").sample(frac=1, random_state=0)
    model = talking_models.load(path)
    found = model.predict(given)
    assert list(found)[:3] == ["item", "user", "note"]
    pd.testing.assert_frame_equal(found[list(given)], given)
    single = model.predict(given.iloc[[2]])
    assert single["prediction"].iloc[0] == pytest.approx(found["prediction"].iloc[2], abs=1e-5)


def test_unknown_ids_are_predicted_and_what_is_said_of_a_new_item_counts(trained):
    path, checkpoint = trained
    model, user = talking_models.load(path), checkpoint.vocabulary.users[0]
    bare = model.predict(pd.DataFrame({"user": [user, 9999], "item": [777, 777]}))
    assert np.isfinite(bare[["prediction", "deviation"]]).all(axis=None)
    said = pd.DataFrame({"user": [user], "item": [777]})
    said = said.assign(title="Night Train", categories=[["Drama"]])
    assert model.predict(said)["prediction"].iloc[0] != bare["prediction"].iloc[0]


def test_no_pairs_give_no_predictions(trained):
    found = talking_models.load(trained[0]).predict(pd.DataFrame({"user": [], "item": []}))
    assert len(found) == 0
    assert "prediction" in found


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"uid": [1], "item": [2]}, "no column user"),
        ({}, "no column user, item"),
        ({"user": [1, None], "item": [2, 3]}, "a missing id"),
        ({"user": ["A-17"], "item": [2]}, "A-17"),
        ({"user": [1.5], "item": [2]}, "1.5"),
    ],
)
def test_what_cannot_be_predicted_is_said(trained, given, words):
    with pytest.raises(SourceError, match=words):
        talking_models.load(trained[0]).predict(pd.DataFrame(given))


def test_a_file_of_pairs_by_the_command(trained, tmp_path, capsys):
    path, checkpoint = trained
    pairs, out = tmp_path / "pairs.csv", tmp_path / "out.csv"
    given = known(checkpoint)[["user", "item"]]
    given.to_csv(pairs, index=False)
    assert predictor.main([str(path), str(pairs), str(out)]) == 0
    found = pd.read_csv(out)
    expected = talking_models.load(path).predict(given)
    np.testing.assert_allclose(found["prediction"], expected["prediction"], atol=1e-6)
    pairs.write_text("uid,item\n1,2\n")
    assert predictor.main([str(path), str(pairs), str(out)]) == 1
    assert "no column user" in capsys.readouterr().err
    assert predictor.main([str(path), str(tmp_path / "none.csv"), str(out)]) == 1


def test_a_file_of_pairs_is_read_as_one_of_ratings(trained, tmp_path):
    path, checkpoint = trained
    given = known(checkpoint)[["user", "item"]].head(3)
    expected = talking_models.load(path).predict(given)["prediction"]
    files = [tmp_path / name for name in ("a.csv", "b.csv", "c.parquet")]
    given.assign(note="é").to_csv(files[0], index=False, sep=";", encoding="latin-1")
    given.to_csv(files[1], index=False, encoding="utf-8-sig", sep="\t")
    given.to_parquet(files[2])
    for file in files:
        assert predictor.main([str(path), str(file), str(tmp_path / "out.csv")]) == 0
        found = pd.read_csv(tmp_path / "out.csv")["prediction"]
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("user,item\n1,2,3,4\n", "pairs.csv is no table"),
        ("", "pairs.csv is no table"),
        ("user,item\n1,\n", "a missing id in the column item, row 1"),
        ("user,item\nNULL,3\n", "a missing id in the column user, row 1"),
        ("user,item,categories\n1,777,[War\n", "'[War', no names"),
    ],
)
def test_a_file_of_no_pairs_is_named(trained, tmp_path, capsys, text, said):
    (tmp_path / "pairs.csv").write_text(text)
    given = [str(trained[0]), str(tmp_path / "pairs.csv"), str(tmp_path / "out.csv")]
    assert predictor.main(given) == 1
    assert said in capsys.readouterr().err


def test_title_and_categories_in_a_file_say_what_they_say_in_python(trained, tmp_path):
    path, checkpoint = trained
    user, out = checkpoint.vocabulary.users[0], tmp_path / "out.csv"
    said = pd.DataFrame({"user": [user, user], "item": [777, 778], "title": ["Night Train", None]})
    lists = said.assign(categories=[["Drama", "War"], []])
    expected = talking_models.load(path).predict(lists)["prediction"]
    said.assign(categories=["Drama|War", None]).to_csv(tmp_path / "pairs.csv", index=False)
    assert predictor.main([str(path), str(tmp_path / "pairs.csv"), str(out)]) == 0
    np.testing.assert_allclose(pd.read_csv(out)["prediction"], expected, atol=1e-6)


def test_ids_are_text_as_it_is_written_where_the_training_had_text(tmp_path):
    rows, _, items = toys.movielens()
    rows, items = (frame.assign(item=frame["item"].map("{:03d}".format)) for frame in (rows, items))
    checkpoint, _ = fit(rows, items, toys.fit_config("scratch"), {}, logging.getLogger("test"))
    path, pairs, out = (tmp_path / name for name in ("models.safetensors", "in.csv", "out.csv"))
    checkpoint.save(path)
    given = rows[["user", "item"]].head(5)
    given.to_csv(pairs, index=False)
    assert predictor.main([str(path), str(pairs), str(out)]) == 0
    expected = predict(checkpoint, rows.head(5), items).mean(0)
    np.testing.assert_allclose(pd.read_csv(out)["prediction"], expected, atol=1e-5)


# Pictures


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """A trained student of digits."""
    folder = tmp_path_factory.mktemp("images")
    made = vision_toys.inputs(folder)
    out = folder / "scratch"
    out.mkdir()
    vision_toys.job(out, made, vision_toys.config("scratch"))
    return out / "models.safetensors"


def pictures(folder, modes=("L", "RGB", "RGBA")):
    folder.mkdir()
    draw = np.random.default_rng(0)
    for i, mode in enumerate(modes):
        pixels = draw.integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f"{i}.png")
    return folder


def test_pictures_of_any_mode_get_a_class_and_its_probability(student, tmp_path):
    files = sorted(pictures(tmp_path / "p").iterdir())
    found = talking_models.load(student).predict(files)
    assert list(found) == ["file", "prediction", "probability"]
    assert list(found["file"]) == list(map(str, files))
    assert set(found["prediction"]) <= {str(digit) for digit in range(10)}
    assert found["probability"].between(0.1, 1).all()
    alone = talking_models.load(student).predict([files[1]])
    assert alone["probability"].iloc[0] == pytest.approx(found["probability"].iloc[1], abs=1e-5)


def test_a_folder_of_pictures_by_the_command(student, tmp_path, capsys):
    folder, out = pictures(tmp_path / "p"), tmp_path / "out.csv"
    assert predictor.main([str(student), str(folder), str(out)]) == 0
    assert len(pd.read_csv(out)) == 3
    (folder / ".DS_Store").write_bytes(b"junk")
    (folder / "notes.txt").write_bytes(b"none")
    assert predictor.main([str(student), str(folder), str(out)]) == 0
    assert len(pd.read_csv(out)) == 3
    whole = (folder / "0.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    assert predictor.main([str(student), str(folder), str(out)]) == 1
    assert "cut.png cannot be read" in capsys.readouterr().err


# Files


def test_other_files_are_refused_by_name(tmp_path):
    path = tmp_path / "models.safetensors"
    path.write_bytes(b"no such thing")
    with pytest.raises(ValueError, match=str(path)):
        talking_models.load(path)
    save(path, "probe", {}, {})
    with pytest.raises(ValueError, match="holds probe, no trained student or teacher"):
        talking_models.load(path)
