"""Images: slices, the looks of files of every mode, augmentation, batches."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from vision_toys import cut, encoded, pixels, write_tfds

from talking_models import registry
from talking_models.data.digits import Digits
from talking_models.data.images import Examples, Pictures
from talking_models.errors import SourceError
from talking_models.models.files import Look
from talking_models.training.loader import Transformed, augmented, in_order, plain, shuffled

LOOK = Look(8, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
CLASSES = ["cat", "dog", "owl"]
PETS = {"kind": "tfds", "set": "pets", "train": "train", "val": None, "eval": None}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    write_tfds(folder, "pets", {"train": 100, "test": 12}, CLASSES)
    return folder


@pytest.fixture
def slices(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    return cut(PETS, tmp_path, val=0.02)


OWN = """\
from talking_models.data.tfds import TFDS, Part


class OwnPart(Part):
    pass


class Own(TFDS):
    open = OwnPart
"""


@pytest.fixture
def own_kind(slices, tmp_path):
    """The same slices, of a kind of data set in a folder of the user's own."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/own.py").write_text(OWN)
    registry.use([tmp_path / "mine"])
    yield cut({**PETS, "kind": "own"}, tmp_path / "own", val=0.02)
    registry.use([])


def test_the_train_part_is_cut_by_position_and_eval_is_another_part(slices):
    fit, val = Examples.read(slices["fit"], "fit"), Examples.read(slices["val"], "val")
    assert (fit.part, fit.rows, len(fit)) == ("train", [0, 98], 98)
    assert (val.part, val.rows, len(val)) == ("train", [98, 100], 2)
    assert list(val.places) == [98, 99]
    found = Examples.read(slices["eval"], "eval")
    assert (found.part, found.rows) == ("test", [0, 12])
    assert found.classes == CLASSES
    assert found.task == "all"


def test_training_cannot_read_the_eval_slice(slices):
    with pytest.raises(ValueError, match="holds the slice 'eval'; only fit is read here"):
        Examples.read(slices["eval"], "fit")


def test_of_few_images_one_validates(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    assert len(Examples.read(cut(PETS, tmp_path, val=0.001)["val"], "val")) == 1


def test_an_empty_slice_is_an_error(data_dir, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    with pytest.raises(ValueError, match="the slice fit of pets, part train has no example"):
        cut(PETS, tmp_path, share=0.001)


def test_a_share_is_drawn_from_the_fit_slice_alone_and_nested(slices, tmp_path):
    shares = [cut(PETS, tmp_path / str(s), val=0.02, share=s) for s in (0.2, 0.6)]
    small, large = (Examples.read(paths["fit"], "fit") for paths in shares)
    assert set(small.rows) < set(large.rows) < set(range(98))
    assert 8 < len(small) < 32 < len(large) < 80
    assert small.places == small.rows
    for name in ("val", "eval"):
        assert shares[0][name].read_text() == slices[name].read_text()


def test_digits_need_nothing(tmp_path):
    train, test = (Digits.open({}, part) for part in ("train", "test"))
    assert (len(train), len(test)) == (1437, 360)
    ((image, label),) = test.read([0])
    assert image.shape == (8, 8, 3)
    assert image.max() == 240
    assert 0 <= label < 10


# Files of every mode


class Files(Pictures):
    """Image files in memory."""

    name, classes = "toys, part train", ["a", "b"]

    def __init__(self, *files, label=1):
        self.files, self.label = files, label

    def __len__(self):
        return len(self.files)

    def load(self, rows):
        return [(self.files[row], self.label) for row in rows]


COLOURS = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)
LEVELS = (np.arange(24).reshape(6, 4) * 2500).astype(np.uint16)


def in_mode(mode: str) -> Image.Image:
    image = Image.fromarray(COLOURS)
    if mode == "RGBA":
        image.putalpha(128)
    elif mode == "P":
        image = image.quantize(8)
    elif mode == "P, transparent":
        image = image.quantize(8)
        image.info["transparency"] = 0
    else:
        image = image.convert(mode)
    return image


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("RGB", "png"), ("RGBA", "png"), ("LA", "png"), ("P", "png"), ("L", "png"), ("1", "png"),
        ("P, transparent", "png"), ("P", "gif"), ("L", "jpeg"), ("CMYK", "jpeg"), ("YCbCr", "jpeg"),
        ("RGBA", "webp"), ("CMYK", "tiff"), ("RGBA", "tiff"), ("1", "bmp"),
    ],
)  # fmt: skip
def test_pictures_come_out_as_pils_rgb(mode, kind):
    file = encoded(in_mode(mode), kind)
    ((image, label),) = Files(file).read([0])
    assert (image.shape, image.dtype, label) == ((6, 4, 3), np.uint8, 1)
    expected = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
    np.testing.assert_array_equal(image, expected)


def test_a_palette_is_colours_and_no_levels():
    image = Image.fromarray(pixels(37)).quantize(8)
    ((found, _),) = Files(encoded(image)).read([0])
    np.testing.assert_array_equal(found, pixels(37))


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_of_16_bits_the_upper_8_are_taken(kind):
    file = encoded(Image.fromarray(LEVELS), kind)
    assert Image.open(io.BytesIO(file)).mode.startswith("I")
    ((image, _),) = Files(file).read([0])
    assert image.shape == (6, 4, 3)
    assert LEVELS[1, 0] == 10000
    assert image[1, 0].tolist() == [39, 39, 39]
    np.testing.assert_array_equal(image[..., 2], LEVELS // 256)


def test_16_bits_in_32_are_taken_and_more_are_not():
    levels = LEVELS.astype(np.int32)
    good, *wrong = (encoded(Image.fromarray(levels + i), "tiff") for i in (0, 60_000, -1))
    assert Files(good).read([0])[0][0][1, 0].tolist() == [39, 39, 39]
    for bad in wrong:
        with pytest.raises(SourceError, match="toys, part train: the image of row 1") as error:
            Files(good, bad).read([0, 1])
        assert "not of 16 bits" in error.value.found


def test_fractions_are_an_error():
    file = encoded(Image.fromarray(np.zeros((2, 2), np.float32)), "tiff")
    with pytest.raises(SourceError, match="the image of row 0 cannot be read") as error:
        Files(file).read([0])
    assert "fractions" in error.value.found


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "L", "P", "1", "CMYK"])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 1)])
def test_pictures_of_a_pixel_stay_pictures(mode, size):
    image = in_mode(mode).resize(size)
    ((found, _),) = Files(encoded(image, "tiff")).read([0])
    assert found.shape == (size[1], size[0], 3)
    for transform in (plain(LOOK), augmented(LOOK, 0.05, True)):
        assert transform(Image.fromarray(found)).shape == (3, 8, 8)


def cut_off(share):
    file = encoded(Image.effect_noise((64, 64), 50).convert("RGB"))
    return file[: int(len(file) * share)]


@pytest.mark.parametrize(
    "file", [cut_off(0.5), cut_off(0.05), b"", b"no picture", None], ids=[*"abcd", "none"]
)
def test_a_cut_picture_is_an_error_that_names_set_and_row(file):
    whole = encoded(Image.fromarray(COLOURS))
    with pytest.raises(SourceError, match="toys, part train: the image of row 2") as error:
        Files(whole, whole, file).read([0, 2])
    assert error.value.expected == "a whole image that converts to RGB"


def test_a_bomb_is_an_error_that_names_set_and_row(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(SourceError, match="the image of row 0") as error:
        Files(encoded(in_mode("RGB").resize((64, 64)))).read([0])
    assert "DecompressionBomb" in error.value.found


@pytest.mark.parametrize("label", [-1, 2, 255])
def test_a_label_that_is_no_class_is_an_error(label):
    files = Files(encoded(in_mode("RGB")), label=label)
    for read in (files.read, files.checked):
        with pytest.raises(SourceError, match="row 0 has a label that is no class") as error:
            read([0])
        assert error.value.what.startswith("toys, part train")
        assert (error.value.expected, error.value.found) == ("labels from 0 to 1", str(label))


# Augmentation and batches


PLACES = [(3, 1), (0, 2), (3, 4), (7, 2)]  # rows of fit, and seeds


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
    (batch,) = in_order(Examples.read(slices["eval"], "eval"), LOOK, 0)
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


@pytest.mark.parametrize("room", [0, 200, 2**29])
@pytest.mark.parametrize("area", [0.05, 1.0])
def test_a_picture_is_read_once_while_there_is_room(slices, monkeypatch, area, room):
    examples, transform = Examples.read(slices["fit"], "fit"), augmented(LOOK, area, False, 1)
    alone = [Transformed(examples, transform, False)[[place]] for place in PLACES]
    data, read = Transformed(examples, transform, False, room), []
    source = data.images.read
    monkeypatch.setattr(data.images, "read", lambda rows: read.extend(rows) or source(rows))
    twice = data[PLACES], data[PLACES]
    for batch in twice:
        assert torch.equal(batch.images, torch.cat([one.images for one in alone]))
        assert torch.equal(batch.target, torch.cat([one.target for one in alone]))
    n = len({row for row, _ in PLACES})
    assert n <= len(read) <= 2 * n
    assert data.size <= room
    assert (len(read) == n) == (room == 2**29)


def test_the_stream_is_one_of_seed_and_step_alone(slices, own_kind):
    whole = batches(slices)
    assert len(whole) == 8
    assert same(whole[4:], batches(slices, steps=range(2, 4)))
    # a worker, which is spawned where the set was read, is handed pictures of the user's own class
    assert same(whole, batches(own_kind, workers=1))
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
