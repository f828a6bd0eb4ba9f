"""Image sets of TFDS: its own files read without TensorFlow, whatever parts they have."""

import io
import json
import pickle
import sys

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from vision_toys import cut, encoded, pixels, png, write_tfds

from talking_models.data.images import Examples
from talking_models.data.tfds import TFDS, TFDSSettings, prepared
from talking_models.errors import SourceError
from talking_models.models.files import Look
from talking_models.training.loader import augmented, in_order, shuffled

CLASSES = ["cat", "dog", "owl"]


def entry(set, **keys):
    """The settings of an entry of the configuration."""
    return TFDSSettings(kind="tfds", set=set, **keys).model_dump(mode="json")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    return tmp_path


def test_a_prepared_set_is_read_without_tensorflow(folder):
    write_tfds(folder, "pets", {"train": 100, "test": 12}, CLASSES)
    images = TFDS.open(entry("pets"), "train")
    assert len(images) == 100
    assert images.classes == CLASSES
    for row, (image, label) in zip((7, 0, 99), images.read((7, 0, 99)), strict=True):
        np.testing.assert_array_equal(image, pixels(row))
        assert label == row % 3
    assert [label for _, label in images.checked([4, 3])] == [1, 0]
    assert "tensorflow" not in sys.modules


def test_a_reader_is_opened_again_in_another_process(folder):
    write_tfds(folder, "pets", {"train": 1, "test": 12}, CLASSES)
    images = TFDS.open(entry("pets"), "test")
    first = images.source
    assert images.source is first
    images._process = -1  # as after a fork
    assert images.source is not first
    copy = pickle.loads(pickle.dumps(images))
    assert copy._source is None
    assert len(copy) == 12


# Parts


@pytest.mark.parametrize(
    ("there", "keys", "parts"),
    [
        (["train", "test"], {}, ("train", None, "test")),
        (["train", "validation"], {}, ("train", None, "validation")),
        (["train", "validation", "test"], {}, ("train", None, "test")),
        (["train", "validation", "test"], {"val": "validation"}, ("train", "validation", "test")),
        (["train", "validation", "test"], {"val": "test"}, ("train", "test", "validation")),
        (["train", "validation", "test"], {"eval": "validation"}, ("train", None, "validation")),
        (["train", "dev"], {"eval": "dev"}, ("train", None, "dev")),
        (["train", "extra", "test"], {"train": "extra"}, ("extra", None, "test")),
        (["test", "validation"], {"train": "validation"}, ("validation", None, "test")),
    ],
)
def test_a_set_has_whichever_parts_it_has(there, keys, parts, folder):
    write_tfds(folder, "food", dict.fromkeys(there, 20), CLASSES)
    assert TFDS.parts(entry("food", **keys)) == parts
    paths = cut(entry("food", **keys), folder / "slices")
    found = {name: Examples.read(path, name) for name, path in paths.items()}
    train, val, eval = parts
    assert (found["fit"].part, found["val"].part) == (train, val or train)
    assert (found["eval"].part, found["eval"].rows) == (eval, [0, 20])
    assert len(found["fit"]) == (20 if val else 18)


@pytest.mark.parametrize(
    ("there", "keys", "key"),
    [
        (["train"], {}, "eval"),
        (["train", "dev"], {}, "eval"),
        (["test", "validation"], {}, "train"),
        (["train", "test"], {"val": "validation"}, "val"),
        (["train", "test"], {"eval": "tset"}, "eval"),
        (["train", "validation"], {"val": "validation"}, "eval"),
    ],
)
def test_a_part_that_is_not_there_is_an_error_that_lists_those_there_are(there, keys, key, folder):
    write_tfds(folder, "flowers", dict.fromkeys(there, 4), CLASSES)
    with pytest.raises(SourceError, match=f"flowers has no part .*which its `{key}`") as error:
        cut(entry("flowers", **keys), folder / "slices")
    assert error.value.expected == f"one of {', '.join(there)}"
    advice = f"set `{key}` of the data set to one of them"
    if there == ["train"]:
        advice = "take another set: this one has no images to evaluate"
    assert error.value.advice == advice
    assert "delete" not in str(error.value)


def test_a_part_without_images_is_as_one_that_is_not_there(folder):
    write_tfds(folder, "pets", {"train": 20, "test": 0, "validation": 4}, CLASSES)
    assert TFDS.parts(entry("pets")) == ("train", None, "validation")
    with pytest.raises(SourceError, match="pets has no part 'test'") as error:
        TFDS.parts(entry("pets", eval="test"))
    assert error.value.expected == "one of train, validation"
    write_tfds(folder, "none", {}, CLASSES)
    with pytest.raises(SourceError, match="none has no part 'train'") as error:
        TFDS.parts(entry("none"))
    assert error.value.expected == "a part with images"


@pytest.mark.parametrize("keys", [{"eval": "train"}, {"val": "x", "eval": "x"}, {"val": "train"}])
def test_a_part_is_used_once(keys):
    with pytest.raises(ValidationError, match="train, val and eval are different parts"):
        entry("pets", **keys)


# Labels


def test_a_part_without_labels_stops_before_anything_is_trained(folder):
    hidden = {"train": 64, "test": 16}
    write_tfds(folder, "secret", hidden, CLASSES, label=lambda p, r: -1 if p == "test" else r % 3)
    with pytest.raises(SourceError, match="secret, part test: row 0 has a label that is no") as e:
        cut(entry("secret"), folder / "slices")
    assert (e.value.expected, e.value.found) == ("labels from 0 to 2", "-1")


@pytest.mark.parametrize(("part", "first"), [("train", 700), ("test", 1_111)])
def test_labels_are_looked_at_all_over_a_slice(part, first, folder):
    def label(p, r):
        return 3 if (p, r) == (part, first) else r % 3

    write_tfds(folder, "late", {"train": 1_500, "test": 1_500}, CLASSES, label=label)
    with pytest.raises(SourceError, match=f"late, part {part}: row {first} has a label") as error:
        cut(entry("late"), folder / "slices")
    assert error.value.found == "3"


@pytest.mark.parametrize("classes", [["cat"], CLASSES])
def test_one_class_only_is_an_error(classes, folder):
    write_tfds(folder, "same", {"train": 20, "test": 4}, classes, label=lambda part, row: 0)
    with pytest.raises(SourceError, match="same, part train: rows 0 to 17 are all of one") as error:
        cut(entry("same"), folder / "slices")
    assert error.value.found == "cat"


def test_a_class_of_eval_that_train_has_no_image_of_is_an_error(folder):
    def label(part, row):
        return 2 if part == "test" or row == 39 else row % 2

    write_tfds(folder, "few", {"train": 39, "test": 8}, CLASSES, label=label)
    said = "few, part test has classes of which few, part train has no image"
    with pytest.raises(SourceError, match=said) as error:
        cut(entry("few"), folder / "slices")
    assert error.value.found == "owl"
    write_tfds(folder, "last", {"train": 40, "test": 8}, CLASSES, label=label)
    cut(entry("last"), folder / "slices")  # the last of train, which val has


# Pictures


def odd(mode, kind="png", size=(4, 6)):
    """Pictures of which that of row 37 is of another mode."""
    image = Image.fromarray(pixels(37)).resize(size)
    if mode == "I;16":
        image = Image.fromarray((np.arange(24).reshape(6, 4) * 2500).astype(np.uint16))
    else:
        image = image.quantize(8) if mode == "P" else image.convert(mode)
    return lambda row: encoded(image, kind) if row == 37 else png(row)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("RGBA", "png"), ("LA", "png"), ("CMYK", "jpeg"), ("P", "png"), ("L", "png"), ("P", "gif")],
)
def test_a_picture_of_another_mode_comes_out_as_pils_rgb(mode, kind, folder):
    write_tfds(folder, "odd", {"train": 64}, CLASSES, picture=odd(mode, kind))
    image, label = TFDS.open(entry("odd"), "train").read([36, 37])[1]
    expected = Image.open(io.BytesIO(odd(mode, kind)(37))).convert("RGB")
    np.testing.assert_array_equal(image, np.asarray(expected))
    assert (image.shape, label) == ((6, 4, 3), 1)


def test_a_palette_and_16_bits_keep_their_colours(folder):
    write_tfds(folder, "p", {"train": 64}, CLASSES, picture=odd("P"))
    assert TFDS.open(entry("p"), "train").read([37])[0][0][0, 0].tolist() == [37, 0, 0]
    write_tfds(folder, "sixteen", {"train": 64}, CLASSES, picture=odd("I;16"))
    assert TFDS.open(entry("sixteen"), "train").read([37])[0][0][1, 0].tolist() == [39, 39, 39]


def test_a_picture_can_be_a_pixel(folder):
    write_tfds(folder, "dot", {"train": 64}, CLASSES, picture=odd("RGB", size=(1, 1)))
    ((image, _),) = TFDS.open(entry("dot"), "train").read([37])
    assert image.shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("mode", "size"), [("RGBA", (4, 6)), ("I;16", (4, 6)), ("P", (1, 1)), ("LA", (1, 3))]
)
def test_batches_of_odd_pictures_are_made(mode, size, folder):
    write_tfds(folder, "odd", {"train": 64, "test": 8}, CLASSES, picture=odd(mode, size=size))
    paths = cut(entry("odd"), folder / "slices")
    examples, look = Examples.read(paths["fit"], "fit"), Look(8, (0.5,) * 3, (0.5,) * 3)
    whole = list(in_order(examples, look, 0, size=16))
    assert sum(len(batch.target) for batch in whole) == 58
    drawn = shuffled(
        examples,
        augmented(look, 0.5, True),
        seed=0,
        batch_size=16,
        micro=16,
        steps=range(8),
        workers=0,
    )
    assert {batch.images.shape for batch in drawn} == {(16, 3, 8, 8)}


def test_a_picture_that_is_none_is_an_error_that_names_set_and_row(folder):
    write_tfds(
        folder, "torn", {"train": 64}, CLASSES, picture=lambda r: png(r)[: 40 if r == 37 else None]
    )
    with pytest.raises(SourceError, match="torn, part train: the image of row 37 cannot be read"):
        TFDS.open(entry("torn"), "train").read([36, 37])


# Where it lies


def test_a_missing_set_says_which_command_prepares_it(tmp_path):
    with pytest.raises(SourceError) as error:
        prepared("cifar10")
    text = str(error.value)
    assert f"make tfds-images DATASET=cifar10 TFDS_DATA_DIR={tmp_path}" in text
    assert "manual" not in text
    with pytest.raises(SourceError) as error:
        prepared("imagenet2012")
    assert f"{tmp_path}/downloads/manual" in str(error.value)
    assert "ILSVRC2012_img_val.tar" in str(error.value)


def told(folder, version, text):
    """A folder of that version of which dataset_info.json alone is there."""
    folder = folder / version
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset_info.json").write_text(text)
    return folder


RECORD = json.dumps({"fileFormat": "array_record"})


def test_the_newest_version_is_taken_and_another_format_is_named(tmp_path):
    folder = write_tfds(tmp_path, "pets", {"train": 2, "test": 1}, CLASSES).parent
    told(folder, "1.0.10", RECORD)
    told(folder, "2.0.0", json.dumps({"fileFormat": "tfrecord"}))
    assert prepared("pets").name == "1.0.10"
    assert prepared("pets:1.0.0").name == "1.0.0"
    with pytest.raises(SourceError, match=r"pets:3\.0\.0 is not prepared") as error:
        prepared("pets:3.0.0")
    assert error.value.expected.startswith(f"{tmp_path}/pets/3.0.0")
    assert error.value.found == "pets/1.0.0, pets/1.0.10"
    for version in ("1.0.0", "1.0.10"):
        (folder / version / "dataset_info.json").unlink()
    with pytest.raises(SourceError, match="files of the format tfrecord"):
        prepared("pets")


def test_one_of_several_configurations_must_be_named(folder):
    small = write_tfds(folder, "pets", {"train": 9, "test": 1}, CLASSES, config="small")
    assert prepared("pets") == small, "the only one needs no name"
    large = write_tfds(folder, "pets", {"train": 8, "test": 1}, CLASSES, config="large")
    newer = write_tfds(
        folder, "pets", {"train": 7, "test": 1}, CLASSES, config="large", version="1.2.0"
    )
    with pytest.raises(SourceError, match="pets is prepared in several configurations") as error:
        cut(entry("pets"), folder / "slices")
    assert error.value.found == "large, small"
    assert "`set`: pets/small" in error.value.advice
    assert [prepared(s) for s in ("pets/small", "pets/large", "pets/large:1.0.0")] == [
        small, newer, large
    ]  # fmt: skip
    assert len(TFDS.open(entry("pets/large:1.0.0"), "train")) == 8
    with pytest.raises(SourceError, match="pets/middle is not prepared") as error:
        prepared("pets/middle")
    assert "pets/large/1.2.0" in error.value.found
    assert "pets/small/1.0.0" in error.value.found


def test_a_set_with_and_without_a_configuration_is_ambiguous_too(folder):
    write_tfds(folder, "pets", {"train": 2, "test": 1}, CLASSES)
    write_tfds(folder, "pets", {"train": 2, "test": 1}, CLASSES, config="small")
    with pytest.raises(SourceError, match="several configurations") as error:
        prepared("pets")
    assert error.value.found == "one without a name, small"


BROKEN = ["", "{", "[]", "null", '"x"', "{}", '{"fileFormat": 3}']


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_dataset_info_is_gone_past_where_there_is_a_whole_one(text, tmp_path):
    good = write_tfds(tmp_path, "pets", {"train": 2, "test": 1}, CLASSES)
    told(good.parent, "2.0.0", text)
    told(good.parent / "config", "1.0.0", text)
    assert prepared("pets") == good


@pytest.mark.parametrize("text", BROKEN[:5])
def test_a_broken_dataset_info_is_named_where_there_is_no_other(text, tmp_path):
    folder = told(tmp_path / "pets", "1.0.0", text)
    with pytest.raises(SourceError, match="pets is not prepared") as error:
        prepared("pets")
    assert f"{folder}/dataset_info.json, which is broken" in error.value.found


@pytest.mark.parametrize(
    "place",
    [".", "1.0.0.incompleteA1B2C3", "incomplete.A1B2C3_1.0.0", "old/backup/1.0.0", "small", "1.0"],
)
def test_leftovers_are_gone_past(place, tmp_path):
    told(tmp_path / "pets", place, RECORD)
    with pytest.raises(SourceError, match="pets is not prepared") as error:
        prepared("pets")
    assert error.value.found == "none"
    good = write_tfds(tmp_path, "pets", {"train": 2, "test": 1}, CLASSES)
    assert prepared("pets") == good


@pytest.mark.parametrize(
    ("name", "text"),
    [("features.json", None), ("features.json", "{"), ("dataset_info.json", RECORD)],
)
def test_a_set_that_lacks_what_tfds_writes_names_its_folder(name, text, folder):
    place = write_tfds(folder, "pets", {"train": 20, "test": 4}, CLASSES)
    (place / name).unlink() if text is None else (place / name).write_text(text)
    with pytest.raises(SourceError, match=f"{place} cannot be read"):
        cut(entry("pets"), folder / "slices")


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('"label": {', '"angle": {', "angle, image"),
        ('"image": {"pythonClassName"', '"picture": {"pythonClassName"', "label, picture"),
        ("class_label_feature.ClassLabel", "tensor_feature.Tensor", "image, label"),
    ],
)
def test_a_set_without_images_and_classes_says_what_it_has(old, new, found, folder):
    place = write_tfds(folder, "pets", {"train": 20, "test": 4}, CLASSES)
    text = (place / "features.json").read_text()
    if "Tensor" in new:
        tensor = '"tensor": {"dtype": "int64", "shape": {}}'
        text = text.replace('"classLabel": {"numClasses": "3"}', tensor)
    assert old in text
    (place / "features.json").write_text(text.replace(old, new))
    with pytest.raises(SourceError, match="pets, part train holds no images with classes") as error:
        cut(entry("pets"), folder / "slices")
    assert error.value.found == found


def test_a_cut_file_is_an_error_with_advice(folder):
    place = write_tfds(folder, "pets", {"train": 20, "test": 1}, CLASSES)
    path = next(place.glob("*train*"))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SourceError, match="prepare it again"):
        TFDS.open(entry("pets"), "train").read([0])
