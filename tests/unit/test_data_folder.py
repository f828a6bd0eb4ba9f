"""Images in class folders: divided by folders or by names, junk, broken files."""

import pytest
from PIL import Image
from vision_toys import cut, encoded, pixels, png

from talking_models.data.folder import Folder, FolderSettings
from talking_models.data.images import Examples
from talking_models.errors import SourceError


def made(root, counts, ending="png"):
    """Image files below `root`: how many of them by folder."""
    row = 0
    for place, count in counts.items():
        (root / place).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            path = root / place / f"{number}.{ending}"
            path.write_bytes(encoded(Image.fromarray(pixels(row)), ending.lower()))
            row += 1
    return root


def entry(root, **keys):
    return FolderSettings(kind="folder", path=str(root), **keys).model_dump(mode="json")


def names(root, part):
    """Files of a part, by class."""
    found = Folder.open(entry(root), part)
    return sorted(file.relative_to(root).as_posix() for file, _ in found.examples)


def test_class_folders_are_cut_by_their_files_names(tmp_path):
    root = made(tmp_path / "pets", {"cat": 60, "dog": 60, "owl/grey": 30})
    train, test = (Folder.open(entry(root), part) for part in ("train", "test"))
    assert Folder.parts(entry(root)) == ("train", None, "test")
    assert train.classes == test.classes == ["cat", "dog", "owl"]
    assert len(train) + len(test) == 150
    assert 15 < len(test) < 45
    assert set(names(root, "train")).isdisjoint(names(root, "test"))
    for part in (train, test):
        for (file, label), (image, read) in zip(
            part.examples, part.read(range(len(part))), strict=True
        ):
            assert part.classes[label] == file.relative_to(root).parts[0]
            assert (image.shape, read) == ((6, 4, 3), label)
    assert {label for _, label in train.examples[:20]} == {0, 1, 2}, "classes are mixed"


def test_a_file_stays_in_its_part_when_others_come(tmp_path):
    root = made(tmp_path / "pets", {"cat": 30, "dog": 30})
    before = set(names(root, "test"))
    made(root, {"cat": 60, "dog": 60})
    assert before == {name for name in names(root, "test") if int(name[4:-4]) < 30}
    larger = Folder.open(entry(root, eval=0.5), "test")
    assert before <= {file.relative_to(root).as_posix() for file, _ in larger.examples}


@pytest.mark.parametrize(
    ("there", "parts"),
    [
        (["train", "test"], ("train", None, "test")),
        (["train", "val", "test"], ("train", "val", "test")),
        (["train", "validation", "eval"], ("train", "validation", "eval")),
        (["train", "test", "eval"], ("train", None, "test")),
        (["train", "val"], ("train", None, "val")),
        (["train", "valid"], ("train", None, "valid")),
        (["train", "test", "unsorted"], ("train", None, "test")),
    ],
)
def test_folders_divide_as_they_say(there, parts, tmp_path):
    counts = {f"{part}/{name}": 20 for part in there for name in ("cat", "dog")}
    root = made(tmp_path / "pets", counts)
    assert Folder.parts(entry(root)) == parts
    paths = cut(entry(root), tmp_path / "slices")
    found = {name: Examples.read(path, name) for name, path in paths.items()}
    train, val, eval = parts
    assert [found[name].part for name in ("fit", "val", "eval")] == [train, val or train, eval]
    assert len(found["eval"]) == 40
    assert len(found["fit"]) == (40 if val else 36)
    assert found["fit"].classes == ["cat", "dog"]
    assert all(name.startswith(f"{eval}/") for name in names(root, eval))


def test_a_train_folder_alone_is_an_error_that_lists_what_is_there(tmp_path):
    root = made(tmp_path / "pets", {"train/cat": 3, "train/dog": 3, "more/cat": 1})
    with pytest.raises(SourceError, match="pets has a folder train and no folder to eval") as error:
        cut(entry(root), tmp_path / "slices")
    assert error.value.found == "more, train"
    assert "test, eval, val" in error.value.expected


def test_train_can_be_the_name_of_a_class(tmp_path):
    root = made(tmp_path / "vehicles", {"train": 20, "car": 20, "test": 5})
    assert Folder.open(entry(root), "train").classes == ["car", "test", "train"]


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"cat": 3}, "a folder for each of two classes at least\n  found: cat"),
        ({".": 3}, "no classes to tell apart"),
        ({"train/cat": 3, "test/cat": 3}, "train has no classes to tell apart"),
        ({"train/a": 1, "train/b": 1, "test/c": 1}, "test has classes that .*/train lacks"),
        (
            {"train/a": 9, "train/b": 9, "train/c": 0, "test/a": 1, "test/c": 1},
            "part test has classes of which train has no picture\n.*\n  found: c",
        ),
        ({"a": 40, "b": 1, "c": 40}, "part test has classes of which .*\n.*\n  found: b"),
        ({"a": 0, "b": 0}, "part train has no picture in a class folder\n.*\n  found: no file"),
        (
            {"train/a": 9, "train/b": 9, "test": 2},
            "part test has no picture .*\n.*\n.*: 0.png, 1.png",
        ),
        ({"Train/a": 9, "Train/b": 9, "Test/a": 2}, "pets/Train has folders, as a part has"),
        ({"training/a": 9, "testing/a": 2}, "pets/training has folders, as a part has"),
    ],
)
def test_folders_without_classes_to_tell_apart_are_errors(counts, message, tmp_path):
    root = made(tmp_path / "pets", counts)
    with pytest.raises(SourceError, match=message):
        cut(entry(root), tmp_path / "slices")


def test_no_folder_is_an_error(tmp_path):
    with pytest.raises(SourceError, match=f"there is no folder {tmp_path}/none"):
        Folder.parts(entry(tmp_path / "none"))
    assert Folder.files(entry(tmp_path / "none")) == [f"{tmp_path}/none"]


def test_images_of_one_class_alone_are_an_error(tmp_path):
    root = made(tmp_path / "pets", {"cat": 40, "dog": 0})
    with pytest.raises(SourceError, match="are all of one class") as error:
        cut(entry(root), tmp_path / "slices")
    assert error.value.found == "cat"


def test_what_computers_leave_is_no_image(tmp_path):
    root = made(tmp_path / "pets", {"cat": 3, "dog": 3})
    for junk in ("cat/._0.png", ".cache/0.png", "__MACOSX/cat/0.png", "dog/Thumbs.db", "a.txt"):
        (root / junk).parent.mkdir(parents=True, exist_ok=True)
        (root / junk).write_bytes(b"junk")
    train, test = (Folder.open(entry(root), part) for part in ("train", "test"))
    assert train.classes == ["cat", "dog"]
    assert len(train) + len(test) == 6


def test_files_of_other_kinds_alone_are_listed(tmp_path):
    root = made(tmp_path / "pets", {"cat": 0, "dog": 0})
    (root / "cat/1.heic").write_bytes(b"picture")
    with pytest.raises(SourceError, match="part train has no picture in a class folder") as error:
        cut(entry(root), tmp_path / "slices")
    assert error.value.found == "cat/1.heic"
    assert ".jpeg, .jfif" in error.value.expected


def test_links_to_pictures_and_classes_are_followed_and_others_are_errors(tmp_path):
    root = made(tmp_path / "pets", {"train/cat": 9, "train/dog": 9, "test/cat": 3})
    more = made(tmp_path / "more", {"owl": 5})
    (root / "train/owl").symlink_to(more / "owl")
    (root / "train/cat/owl.png").symlink_to(more / "owl/0.png")
    train = Folder.open(entry(root), "train")
    assert (train.classes, len(train)) == (["cat", "dog", "owl"], 24)
    (root / "train/dog/more").symlink_to(more)
    with pytest.raises(SourceError, match="train/dog/more is a link to a folder"):
        Folder.open(entry(root), "train")


@pytest.mark.parametrize("ending", ["png", "jpeg", "webp", "bmp", "gif", "tiff", "PNG"])
def test_known_kinds_of_files_are_read(ending, tmp_path):
    root = made(tmp_path / "pets", {"train/a": 2, "train/b": 2, "test/a": 2}, ending)
    part = Folder.open(entry(root), "train")
    assert [image.shape for image, _ in part.read(range(4))] == [(6, 4, 3)] * 4


@pytest.mark.parametrize("content", [png(3)[:50], b"", b"text"])
def test_a_broken_file_is_named_with_its_row(content, tmp_path):
    root = made(tmp_path / "pets", {"train/a": 5, "train/b": 5, "test/a": 2, "test/b": 2})
    bad = root / "test/b/1.png"
    bad.write_bytes(content)
    row = [file for file, _ in Folder.open(entry(root), "test").examples].index(bad)
    with pytest.raises(SourceError, match=rf"part test: the image of row {row} \({bad}\)"):
        cut(entry(root), tmp_path / "slices")


def test_an_image_that_comes_or_goes_changes_an_input_of_the_rule(tmp_path):
    root = made(tmp_path / "pets", {"train/a": 1, "train/b/deep": 1, "test/a": 1})
    folders = Folder.files(entry(root))
    assert {str(root), f"{root}/train/a", f"{root}/train/b/deep", f"{root}/test/a"} <= set(folders)


def test_a_slice_is_another_with_another_label_or_another_picture_in_a_files_place(tmp_path):
    root = made(tmp_path / "pets", {"train/a": 9, "train/b": 9, "test/a": 2})

    def fit(place):
        return cut(entry(root), tmp_path / place, val=0.1)["fit"].read_text()

    first = fit("first")
    assert fit("again") == first
    (root / "train/a/0.png").rename(root / "train/b/0b.png")
    (root / "train/b/1.png").rename(root / "train/a/1b.png")
    moved = fit("moved")
    (root / "train/a/2.png").write_bytes(encoded(Image.fromarray(pixels(40)), "bmp"))
    assert len({first, moved, fit("other")}) == 3
