"""Image sets: TFDS's own files read without TensorFlow, slices, augmentation, batches."""

import pickle
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from talking_models.data.loader import Look, augmented, in_order, plain, shuffled
from talking_models.data.vision_sets import KNOWN, column, facts
from vision_toys import pixels, write_tfds

from talking_models.data.images import Examples, Images, prepared, split
from talking_models.errors import SourceError

LOOK = Look(8, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CLASSES = ["cat", "dog", "owl"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    write_tfds(folder, "pets", {"train": 100, "test": 12}, CLASSES)
    return folder


@pytest.fixture
def slices(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    paths = {name: tmp_path / f"{name}.yaml" for name in ("fit", "minival", "eval")}
    split("pets", 0.02, paths)
    return paths


def test_a_prepared_set_is_read_without_tensorflow(data_dir):
    images = Images("pets", "train", data_dir)
    assert len(images) == 100
    assert images.classes == CLASSES
    for row, (image, label) in zip((7, 0, 99), images.read((7, 0, 99)), strict=True):
        np.testing.assert_array_equal(image, pixels(row))
        assert label == row % 3
    assert "tensorflow" not in sys.modules


def test_a_reader_is_opened_again_in_another_process(data_dir):
    images = Images("pets", "test", data_dir)
    first = images.source
    assert images.source is first
    images._process = -1  # as after a fork
    assert images.source is not first
    copy = pickle.loads(pickle.dumps(images))
    assert copy._source is None
    assert len(copy) == 12


def test_the_train_split_is_cut_by_position_and_eval_is_another_split(slices):
    fit, minival = Examples.read(slices["fit"], "fit"), Examples.read(slices["minival"], "minival")
    assert (fit.split, fit.start, fit.stop) == ("train", 0, 98)
    assert (minival.split, minival.start, minival.stop) == ("train", 98, 100)
    found = Examples.read(slices["eval"], "eval")
    assert (found.split, found.start, found.stop) == ("test", 0, 12)
    assert found.classes == CLASSES


def test_training_cannot_read_the_eval_slice(slices):
    with pytest.raises(ValueError, match="holds the slice 'eval'; only fit is read here"):
        Examples.read(slices["eval"], "fit")


def test_an_empty_slice_is_an_error(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    paths = {name: tmp_path / name for name in ("fit", "minival", "eval")}
    with pytest.raises(ValueError, match="the slice minival of pets has no example"):
        split("pets", 0.001, paths)


def test_the_slices_of_the_papers_sets_are_those_of_vit_jax():
    assert [facts(name).minival for name in ("cifar10", "cifar100", "imagenet2012")] == [
        0.02,
        0.02,
        0.01,
    ]
    assert [known.first for known in KNOWN.values()] == [9728, 9728, 49664, None]
    assert facts("imagenet2012").eval_split == "validation"
    assert [column(name) for name in ("cifar10", "pets")] == ["CIFAR10", "pets"]


def test_a_missing_set_says_which_command_prepares_it(tmp_path):
    with pytest.raises(SourceError) as error:
        prepared("cifar10", tmp_path)
    text = str(error.value)
    assert f"make tfds-images DATASET=cifar10 TFDS_DATA_DIR={tmp_path}" in text
    assert "manual" not in text
    with pytest.raises(SourceError) as error:
        prepared("imagenet2012", tmp_path)
    assert f"{tmp_path}/downloads/manual" in str(error.value)
    assert "ILSVRC2012_img_val.tar" in str(error.value)


def test_the_newest_version_is_taken_and_another_format_is_named(tmp_path):
    folder = write_tfds(tmp_path, "pets", {"train": 2, "test": 1}, CLASSES)
    for version, kind in (("1.0.10", "array_record"), ("2.0.0", "tfrecord")):
        other = folder.with_name(version)
        other.mkdir()
        (other / "dataset_info.json").write_text(f'{{"fileFormat": "{kind}"}}')
    assert prepared("pets", tmp_path).name == "1.0.10"
    for version in ("1.0.0", "1.0.10"):
        (folder.with_name(version) / "dataset_info.json").unlink()
    with pytest.raises(SourceError, match="files of the format tfrecord"):
        prepared("pets", tmp_path)


def test_a_cut_file_is_an_error_with_advice(tmp_path):
    folder = write_tfds(tmp_path, "pets", {"train": 2, "test": 1}, CLASSES)
    path = next(folder.glob("*train*"))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SourceError, match="prepare it again"):
        Images("pets", "train", tmp_path).read([0])
    with pytest.raises(SourceError, match="there are the splits train, test"):
        len(Images("pets", "validation", tmp_path))


def test_digits_need_nothing(tmp_path):
    train, test = Images("digits", "train"), Images("digits", "test")
    assert (len(train), len(test)) == (1437, 360)
    ((image, label),) = test.read([0])
    assert image.shape == (8, 8, 3)
    assert image.max() == 240
    assert 0 <= label < 10


# Augmentation and batches


def batches(slices, steps=range(4), micro=4, **share):
    return list(
        shuffled(
            Examples.read(slices["fit"], "fit"),
            augmented(LOOK, 0.05, True),
            seed=5,
            batch_size=8,
            micro=micro,
            steps=steps,
            workers=share.pop("workers", 0),
            **share,
        )
    )


def same(a, b):
    return len(a) == len(b) and all(
        torch.equal(x.images, y.images) and torch.equal(x.target, y.target)
        for x, y in zip(a, b, strict=True)
    )


def test_evaluation_sees_whole_images_scaled_to_one(slices):
    (batch,) = in_order(Examples.read(slices["eval"], "eval"), LOOK, 99, 0)
    assert batch.images.shape == (12, 3, 8, 8)
    assert batch.target.tolist() == [row % 3 for row in range(12)]
    red = torch.tensor([2 * row / 255 - 1 for row in range(12)])
    torch.testing.assert_close(batch.images[:, 0].mean((1, 2)), red)


def test_crops_are_random_parts_and_half_of_the_images_are_mirrored():
    levels = np.tile(4 * np.arange(64, dtype=np.uint8), (64, 1))
    ramp = Image.fromarray(np.repeat(levels[..., None], 3, 2))
    crop = augmented(LOOK, 0.05, True)
    torch.manual_seed(0)
    found = torch.stack([crop(ramp) for _ in range(400)])
    width = (found[..., -1] - found[..., 0]).mean((1, 2))
    assert 0.4 < (width < 0).float().mean() < 0.6
    assert found.shape == (400, 3, 8, 8)
    # a part of width w spans w of the range from -1 to 1; areas are uniform in 5% to 100%
    area = (width.abs() / 2 * 8 / 7).square()
    assert 0.4 < area.mean() < 0.65
    whole = plain(LOOK)(ramp)
    assert not torch.equal(whole, found[0])


def test_the_stream_is_one_of_seed_and_step_alone(slices):
    whole = batches(slices)
    assert len(whole) == 8
    assert same(whole[4:], batches(slices, steps=range(2, 4)))
    assert same(whole, batches(slices, workers=1))
    torch.rand(3)  # torch's own generator plays no part
    assert same(whole, batches(slices))
    targets = [batch.target for batch in batches(slices, micro=8)]
    assert torch.equal(torch.stack(targets), torch.cat([b.target for b in whole]).view(4, 8))


def test_processes_share_the_micro_batches(slices):
    whole = batches(slices, micro=2)
    shares = [batches(slices, micro=2, rank=rank, world=2) for rank in (0, 1)]
    assert same(whole[0::2], shares[0])
    assert same(whole[1::2], shares[1])


def test_every_image_is_seen_once_an_epoch(slices):
    seen = torch.cat([b.target for b in batches(slices, steps=range(49))])
    assert len(seen) == 4 * 98
    counts = torch.bincount(seen)
    rows = torch.bincount(torch.arange(98) % 3)
    assert torch.equal(counts, 4 * rows)
