"""GroupLens's archives, read as they are: small ones of every layout, cut ones, others."""

import sys
import zipfile
from pathlib import Path

import pytest

from talking_models.data import archives, sources
from talking_models.data.canonical import content_digest
from talking_models.data.movielens import MovieLens, MovieLensSettings
from talking_models.errors import SourceError

ROWS = [(1, 10, 4.5, 978300760), (1, 20, 3, 978300761), (2, 10, 0.5, 978300762)]
RATINGS_CSV = "userId,movieId,rating,timestamp\n" + "".join(
    f"{','.join(map(str, row))}\n" for row in ROWS
)
ITEMS_CSV = (
    "movieId,title,genres\n"
    '10,"American President, The (1995)",Comedy|Drama\n'
    "20,NA,(no genres listed)\n"
    '30,"Never ""rated"" (1995)",War\n'
)
RATINGS_DAT = "".join(f"{'::'.join(map(str, row))}\n" for row in ROWS)
ITEMS_DAT = "10::Misérables, Les (1995)::Drama|Children's\n20::Heat: 2 (1995)::Action\n"
FLAGS = {8: "1", 4: "1"}  # Drama, Children's
U_ITEM = "".join(
    f"{item}|{title}|01-Jan-1995||http://x|{'|'.join(flags.get(i, '0') for i in range(19))}\n"
    for item, title, flags in (
        (10, "Misérables, Les (1995)", FLAGS),
        (20, "Next\x85line (1995)", {1: "1"}),
    )
)
U_DATA = "".join("\t".join(map(str, row)) + "\n" for row in ROWS)


def packed(path: Path, files: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def fetched(path: Path, variant: str):
    """As the rule reads it."""
    entry = MovieLensSettings(kind="movielens", variant=variant, archive=str(path))
    settings = entry.model_dump(mode="json")
    assert MovieLens.files(settings) == [str(path)]
    return MovieLens.read(settings)


def csv(folder: str) -> dict[str, str]:
    return {
        f"{folder}/README.txt": "",
        f"{folder}/tags.csv": "userId,movieId,tag,timestamp\n",
        f"{folder}/ratings.csv": RATINGS_CSV,
        f"{folder}/movies.csv": ITEMS_CSV,
    }


LAYOUTS = {
    "latest-small": csv("ml-latest-small"),
    "20m": csv("ml-20m"),
    "25m": csv("ml-25m"),
    "32m": csv("ml-32m"),
    "1m": {"ml-1m/ratings.dat": RATINGS_DAT, "ml-1m/movies.dat": ITEMS_DAT.encode("latin-1")},
    "10m": {
        "ml-10M100K/allbut.pl": "",
        "ml-10M100K/tags.dat": "",
        "ml-10M100K/movies.dat": ITEMS_DAT,
        "ml-10M100K/ratings.dat": RATINGS_DAT.replace("\n", "\r\n"),
    },
}


@pytest.mark.parametrize("variant", LAYOUTS)
def test_every_layout_gives_canonical_tables(variant, tmp_path):
    ratings, items = fetched(packed(tmp_path / "ml.zip", LAYOUTS[variant]), variant)
    assert list(ratings.itertuples(index=False, name=None)) == ROWS
    assert items["item"].tolist() == [10, 20]
    if "csv" in str(LAYOUTS[variant]):
        assert items["title"].tolist() == ["American President, The (1995)", "NA"]
        assert items["categories"].tolist() == [["Comedy", "Drama"], ["(no genres listed)"]]
    else:
        assert items["title"].tolist() == ["Misérables, Les (1995)", "Heat: 2 (1995)"]
        assert items["categories"].tolist() == [["Children", "Drama"], ["Action"]]


def test_the_lines_of_100k_are_latin_1_with_flags(tmp_path):
    files = {"ml-100k/u.data": U_DATA, "ml-100k/u.item": U_ITEM.encode("latin-1")}
    ratings, items = archives.read("100k", packed(tmp_path / "ml-100k.zip", files))
    assert list(ratings.itertuples(index=False, name=None)) == ROWS
    assert items["title"].tolist() == ["Misérables, Les (1995)", "Next\x85line (1995)"]
    assert items["categories"].tolist() == [["Children", "Drama"], ["Action"]]


@pytest.mark.parametrize(
    "more",
    [
        {"__MACOSX/ml-1m/ratings.dat": b"\0\5\x16\7", "__MACOSX/ml-1m/movies.dat": b"\0"},
        {"__MACOSX/ml-1m/._ratings.dat": b"\0\5\x16\7", "ml-1m/._movies.dat": b"\0"},
        {"ml-1m/old/ratings.dat": "9::9::9::9\n", "ml-1m/old/movies.dat": "9::x::y\n"},
        {"ml-1m/ratings.dat.bak": "9::9::9::9\n", "a/ratings.dat": "9::9::9::9\n"},
    ],
    ids=["macosx", "macosx's own names", "a folder below", "half of a folder"],
)
def test_what_else_lies_in_an_archive_is_left_alone(more, tmp_path):
    for files in (more | LAYOUTS["1m"], LAYOUTS["1m"] | more):
        ratings, _ = fetched(packed(tmp_path / "ml-1m.zip", files), "1m")
        assert len(ratings) == 3


def test_files_may_lie_right_in_the_archive(tmp_path):
    files = {"ratings.csv": RATINGS_CSV, "movies.csv": ITEMS_CSV}
    assert len(fetched(packed(tmp_path / "x.zip", files), "20m")[0]) == 3


def damaged(path: Path, damage: str) -> None:
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "empty":
        data.clear()
    elif damage == "a page":
        data[:] = b"<html>404</html>"
    else:  # a byte of the first file's packed content
        data[len("PK") + 28 + len("ml-1m/ratings.dat") + 6] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("damage", ["cut", "empty", "a page", "altered"])
def test_a_damaged_archive_names_itself(damage, tmp_path):
    path = packed(tmp_path / "ml-1m.zip", LAYOUTS["1m"])
    damaged(path, damage)
    with pytest.raises(SourceError, match=f"{path} cannot be read as MovieLens 1m") as error:
        fetched(path, "1m")
    assert "ratings.dat and movies.dat" in error.value.expected
    assert "download it again" in error.value.advice


@pytest.mark.parametrize(
    ("variant", "files", "found"),
    [
        ("100k", LAYOUTS["1m"], "movies.dat, ratings.dat"),
        ("1m", LAYOUTS["20m"], "README.txt, movies.csv, ratings.csv, tags.csv"),
        ("25m", {"ml-25m/ratings.csv": RATINGS_CSV}, "it holds ratings.csv"),
        ("25m", {}, "it holds nothing"),
        ("20m", {"ratings.csv": "a,b,c,d\n1,2,3,4\n", "movies.csv": ITEMS_CSV}, "userId"),
        ("1m", {"ratings.dat": RATINGS_DAT, "movies.dat": "10::Heat\n"}, "ValueError"),
    ],
)
def test_an_archive_of_another_variant_says_what_it_holds(variant, files, found, tmp_path):
    path = packed(tmp_path / "some.zip", files)
    with pytest.raises(SourceError, match=f"{path} cannot be read as MovieLens {variant}") as error:
        fetched(path, variant)
    assert found in error.value.found
    assert "`variant` or `archive`" in error.value.advice


def test_no_archive_is_an_error(tmp_path):
    with pytest.raises(SourceError, match=r"none\.zip cannot be read.*\n.*\n.*FileNotFound"):
        fetched(tmp_path / "none.zip", "1m")


def test_another_number_of_ratings_than_published_is_said(tmp_path, caplog):
    fetched(packed(tmp_path / "ml-10m.zip", LAYOUTS["10m"]), "10m")
    assert "MovieLens 10m has 10000054 ratings, not 3" in caplog.text
    caplog.clear()
    fetched(packed(tmp_path / "ml.zip", LAYOUTS["latest-small"]), "latest-small")
    assert not caplog.records


def test_a_value_that_does_not_belong_is_named_with_its_archive(tmp_path):
    files = {**LAYOUTS["20m"], "ml-20m/ratings.csv": RATINGS_CSV.replace("4.5", "good")}
    with pytest.raises(SourceError, match=r"ml\.zip: column rating, row 0") as error:
        fetched(packed(tmp_path / "ml.zip", files), "20m")
    assert "'good'" in error.value.found


def test_a_small_archive_is_not_the_known_100k(tmp_path):
    files = {"ml-100k/u.data": U_DATA, "ml-100k/u.item": U_ITEM.encode("latin-1")}
    with pytest.raises(SourceError, match="has other content than the original") as error:
        fetched(packed(tmp_path / "ml-100k.zip", files), "100k")
    assert "100000 ratings" in error.value.expected


def test_100ks_archive_has_the_known_content(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "tfds"))
    from rebuild_zip import rebuild

    try:
        wheel = archives.download_wheel(tmp_path)
    except SourceError as error:
        pytest.skip(f"no wheel: {error.found}")
    rebuild(wheel, tmp_path / "ml-100k.zip")
    assert content_digest(*fetched(tmp_path / "ml-100k.zip", "100k")) == sources.DIGESTS["100k"]
    assert "tensorflow" not in sys.modules
