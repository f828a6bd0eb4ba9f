"""A user's own ratings, in every form that is understood, and what bad ones are told."""

import bz2
import gzip
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml

from talking_models.data import new
from talking_models.data.ratings import Ratings, RatingsSettings
from talking_models.errors import SourceError

ROWS = [
    ("A-17", "s1", 4.5, 1600000000),
    ("A-17", "s2", 3, 1600000100),
    ("b2", "s1", 0.5, 1600000200),
    ("b2", "s3", 5, 1600000300),
]
ITEMS = [("s1", "Café (1999)", "War|Drama"), ("s2", "B", "Drama"), ("s3", "C", "")]
NAMES = {"user": "uid", "item": "sku", "rating": "stars", "time": "when"}


def settings(**given):
    return RatingsSettings(kind="ratings", **given).model_dump(mode="json")


def read(**given):
    return Ratings.read(settings(**given))


def lines(rows, separator=",", header=None, end="\n"):
    head = [header] if header else []
    return end.join([*head, *(separator.join(map(str, row)) for row in rows)]) + end


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return str(path)


@pytest.fixture
def good(tmp_path):
    """Ratings and items as CSV with a header."""
    ratings = write(tmp_path / "r.csv", lines(ROWS, header="uid,sku,stars,when"))
    items = write(tmp_path / "i.csv", lines(ITEMS, header="sku,title,categories"))
    return {"ratings": ratings, "items": items, "columns": NAMES}


def check(ratings, items=None):
    assert list(ratings["user"]) == ["A-17", "A-17", "b2", "b2"]
    assert list(ratings["item"]) == ["s1", "s2", "s1", "s3"]
    assert list(ratings["rating"]) == [4.5, 3, 0.5, 5]
    assert list(ratings["time"]) == [1600000000, 1600000100, 1600000200, 1600000300]
    assert ratings["rating"].dtype == "float32"
    if items is not None:
        assert list(items["title"]) == ["Café (1999)", "B", "C"]
        assert list(items["categories"]) == [["Drama", "War"], ["Drama"], []]


def test_columns_by_name(good):
    check(*read(**good))


def test_the_names_that_people_use_need_no_saying(good):
    check(*read(ratings=good["ratings"], items=good["items"]))


@pytest.mark.parametrize("separator", [",", "\t", ";", "|", "::"])
@pytest.mark.parametrize(
    "header", [None, "user_id:token,item_id:token,rating:float,timestamp:float"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text_in_many_forms(tmp_path, separator, header, end):
    header = header and header.replace(",", separator)
    path = write(tmp_path / "r.txt", lines(ROWS, separator, header, end))
    check(read(ratings=path)[0])


def test_a_quote_between_colons_is_a_sign_like_others(tmp_path, good):
    text = 's1::"Great" Café::War|Drama\n\ns2::"B::Drama\ns3::5" disk::\n'
    given = {**good, "items": write(tmp_path / "i.dat", text)}
    ratings, items = read(**given)
    check(ratings)
    assert list(items["title"]) == ['"Great" Café', '"B', '5" disk']
    assert list(items["categories"]) == [["Drama", "War"], ["Drama"], []]
    given["items"] = write(tmp_path / "i.dat", text.replace("s3::", "::"))
    with pytest.raises(SourceError, match="column item, row 4"):
        read(**given)


def test_packed_parquet_and_latin(tmp_path, good):
    text = Path(good["ratings"]).read_bytes()
    (tmp_path / "r.csv.gz").write_bytes(gzip.compress(text))
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("folder/ratings.csv", text)
        archive.writestr("__MACOSX/folder/._ratings.csv", "x")
    pd.DataFrame(ROWS, columns=["uid", "sku", "stars", "when"]).to_parquet(tmp_path / "r.parquet")
    for name in ("r.csv.gz", "r.zip", "r.parquet"):
        check(read(ratings=str(tmp_path / name), columns=NAMES)[0])
    latin = write(tmp_path / "i.csv", lines(ITEMS, header="sku,title,categories"), "latin-1")
    check(*read(**{**good, "items": latin}))


def test_whole_numbers_stay_numbers_whatever_their_size(tmp_path):
    rows = [(7, 2**40, 3, 1), (2**32 + 7, 2**40, 4, 2)]
    ratings, _ = read(ratings=write(tmp_path / "r.csv", lines(rows)))
    assert list(ratings["user"]) == [7, 2**32 + 7]
    assert ratings["user"].dtype == "int64"
    mixed = write(tmp_path / "m.csv", lines([(7, 1, 3, 1), ("x7", 1, 4, 2)]))
    assert list(read(ratings=mixed)[0]["user"]) == ["7", "x7"]
    leading = write(tmp_path / "z.csv", lines([("007", 1, 3, 1), ("7", 1, 4, 2)]))
    assert list(read(ratings=leading)[0]["user"]) == ["007", "7"]


@pytest.mark.parametrize(
    "times",
    [
        [1600000000000, 1600000100999, 1600000200000, 1600000300000],
        [
            "2020-09-13 12:26:40",
            "2020-09-13T12:28:20",
            "2020-09-13T12:30:00Z",
            "2020-09-13 14:31:40+02:00",
        ],
    ],
)
def test_times_in_milliseconds_and_dates(tmp_path, times):
    rows = [(*row[:3], time) for row, time in zip(ROWS, times, strict=True)]
    check(read(ratings=write(tmp_path / "r.csv", lines(rows)))[0])


DAYS = [20200131, 20200201, 20200202, 20201231]
SECONDS = [1580428800, 1580515200, 1580601600, 1609372800]


@pytest.mark.parametrize("given", [int, str])
@pytest.mark.parametrize("unit", [None, "iso"])
def test_days_without_marks_are_dates(tmp_path, given, unit):
    table = pd.DataFrame(ROWS, columns=NAMES.values()).assign(when=list(map(given, DAYS)))
    table["stars"] = table["stars"].astype(float)
    table.to_parquet(tmp_path / "r.parquet")
    found = read(ratings=str(tmp_path / "r.parquet"), columns=NAMES, time_unit=unit)[0]
    assert list(found["time"]) == SECONDS
    if unit is None:
        found = read(ratings=str(tmp_path / "r.parquet"), columns=NAMES, time_unit="s")[0]
        assert list(found["time"]) == DAYS


@pytest.mark.parametrize(
    ("times", "row", "said"),
    [
        ([16 * 10**14, 17 * 10**14], 2, "before the year 4147"),  # microseconds
        ([16 * 10**17, 17 * 10**17], 2, "before the year 4147"),
        ([1600000000000, 1600000000, 1600000001000], 3, "milliseconds, as most are"),
        ([1600000000, 1600000001, 1600000001000], 4, "before the year 4147"),
        ([20200131, 20201301, "x"], 4, "seconds, milliseconds or ISO 8601"),
        ([pd.Timedelta("1D"), pd.Timedelta("2D")], 1, "seconds, milliseconds or ISO 8601"),
    ],
)
def test_a_time_in_other_units_is_named_as_it_is_written(tmp_path, times, row, said):
    table = pd.DataFrame({"user": range(len(times)), "item": 1, "rating": 3, "time": times})
    path, value = tmp_path / "r.csv", repr(str(times[row - 2]))
    if isinstance(times[0], int):
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
        value = repr(times[0])
    with pytest.raises(SourceError, match=rf"r\.csv: column time, row {row}\n") as error:
        read(ratings=str(path))
    assert said in error.value.expected
    assert error.value.found.startswith(value)


def test_milliseconds_that_are_said_may_be_of_any_year(tmp_path):
    path = write(tmp_path / "r.csv", lines([("a", "x", 3, 1600000000000), ("b", "x", 3, 86400000)]))
    assert list(read(ratings=path, time_unit="ms")[0]["time"]) == [86400, 1600000000]


def test_categories_as_lists_and_as_flags(tmp_path, good):
    some = ("\"['War', 'Drama']\"", "[]"), ('"[""War"", ""Drama""]"', "(no genres listed)")
    for text, none in some:
        rows = [("s1", "Café (1999)", text), ("s2", "B", "\"['Drama']\""), ("s3", "C", none)]
        items = write(tmp_path / "i.csv", lines(rows, header="sku,title,categories"))
        check(*read(**{**good, "items": items}))
    rows = [("s1", "Café (1999)", 1, 1), ("s2", "B", 0, 1), ("s3", "C", 0, 0)]
    items = write(tmp_path / "i.csv", lines(rows, header="sku,title,War,Drama"))
    columns = {**NAMES, "categories": ["War", "Drama"]}
    check(*read(**{**good, "items": items, "columns": columns}))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('["Caf\\u00e9", "a \\"b\\" c"]', ["Café", 'a "b" c']),
        ("[\"Mum's\", 'War']", ["Mum's", "War"]),
        ("['War' 'Drama']", ["Drama", "War"]),  # NumPy's
        ("('War',)", ["War"]),
        ("{'War', 'Drama'}", ["Drama", "War"]),
        ("[18, 7]", ["18", "7"]),
        (" War | Drama |", ["Drama", "War"]),
        ("(a) b|c", ["(a) b", "c"]),
        ("nan", []),
        ("NaN", []),
    ],
)
def test_categories_as_other_programs_write_them(tmp_path, good, text, names):
    table = pd.DataFrame(ITEMS, columns=["sku", "title", "categories"])
    table["categories"] = [text, "Drama", ""]
    table.to_csv(tmp_path / "i.csv", index=False)
    _, items = read(**{**good, "items": str(tmp_path / "i.csv")})
    assert list(items["categories"]) == [names, ["Drama"], []]


@pytest.mark.parametrize(
    "text",
    ["[War, Drama]", '["War", "Dra', "[{'id': 18, 'name': 'War'}]", '["War", null]', "[1.5]", "["],
)
def test_a_text_that_is_no_list_of_names_is_named(tmp_path, good, text):
    table = pd.DataFrame(ITEMS, columns=["sku", "title", "categories"])
    table["categories"] = ["Drama", text, ""]
    table.to_csv(tmp_path / "i.csv", index=False)
    with pytest.raises(SourceError, match=r"i\.csv: column categories, row 3") as error:
        read(**{**good, "items": str(tmp_path / "i.csv")})
    assert error.value.expected == "names as `a|b`, or a list of names"
    assert error.value.found == repr(text)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([7, 18, 18], [["7"], ["18"], ["18"]]),
        (pd.array([7, None, 18], dtype="Int64"), [["7"], [], ["18"]]),
        ([[7], [18, 7], []], [["7"], ["18", "7"], []]),
        (pd.Categorical(["War", "a|b", "War"]), [["War"], ["a", "b"], ["War"]]),
        ([["War", None], [], []], None),
        ([[{"name": "War"}], [], []], None),
        ([{"name": "War"}] * 3, None),
        ([[["War"]], [["Drama"]], []], None),
        ([1.5, 2.5, 3.5], None),
    ],
)
def test_categories_of_any_type_in_parquet(tmp_path, good, values, names):
    table = pd.DataFrame(ITEMS, columns=["sku", "title", "categories"])
    table.assign(categories=values).to_parquet(tmp_path / "i.parquet")
    given = {**good, "items": str(tmp_path / "i.parquet")}
    if names is not None:
        assert list(read(**given)[1]["categories"]) == names
        return
    with pytest.raises(SourceError, match=r"i\.parquet: column categories, row 1"):
        read(**given)


def packed(tmp_path, **columns):
    table = pd.DataFrame(ROWS, columns=["user", "item", "rating", "time"])
    table.assign(**columns).to_parquet(tmp_path / "r.parquet")
    return str(tmp_path / "r.parquet")


def test_parquet_with_an_index_bytes_and_a_bad_column_that_is_not_used(tmp_path):
    table = pd.DataFrame(ROWS, columns=["user", "item", "rating", "time"])
    table["item"], table["picture"] = table["item"].str.encode("utf-8"), b"\xff\0"
    table.set_index(["user", "item"]).to_parquet(tmp_path / "r.parquet")
    check(read(ratings=str(tmp_path / "r.parquet"))[0])


@pytest.mark.parametrize("column", ["user", "item", "rating", "time", "task"])
@pytest.mark.parametrize(
    ("values", "row", "expected"),
    [
        ([[1], [2], [3], [4]], 1, "a value for itself, no list"),
        ([{"id": 1}] * 4, 1, "a value for itself, no list"),
        ([b"A-17", b"\xff", b"b2", b"\xfe"], 2, "text in UTF-8"),
    ],
)
def test_lists_and_bytes_in_parquet_are_named(tmp_path, column, values, row, expected):
    path = packed(tmp_path, **{column: values})
    by = {"tasks": {"by": "task"}} if column == "task" else {}
    with pytest.raises(SourceError, match=rf"r\.parquet: column {column}, row {row}\n") as error:
        read(ratings=path, **by)
    assert error.value.expected == expected


@pytest.mark.parametrize("said", [["War"], ["War", "War"]])
def test_a_list_of_one_flag_is_flags(tmp_path, good, said):
    rows = [("s1", 1), ("s2", 0), ("s3", 1)]
    items = write(tmp_path / "i.csv", lines(rows, header="sku,War"))
    _, found = read(**{**good, "items": items, "columns": NAMES | {"categories": said}})
    assert list(found["categories"]) == [["War"], [], ["War"]]


def test_no_items_and_tasks_by_a_column(tmp_path):
    rows = [(*row, kind) for row, kind in zip(ROWS, "xyxy", strict=True)]
    path = write(tmp_path / "r.csv", lines(rows, header="uid,sku,stars,when,shop"))
    ratings, items = read(ratings=path, tasks={"by": "shop", "names": ["x"]})
    assert list(ratings["task"]) == ["x", "y", "x", "y"]
    assert list(items["item"]) == ["s1", "s2", "s3"]
    assert list(items["title"]) == [""] * 3


def test_duplicates(tmp_path):
    rows = [*ROWS, ("A-17", "s1", 1.5, 1600000400)]
    path = write(tmp_path / "r.csv", lines(rows))
    with pytest.raises(SourceError, match="user A-17 rated item s1 more than once"):
        read(ratings=path)
    last = read(ratings=path, duplicates="last")[0]
    assert list(last["rating"]) == [3, 0.5, 5, 1.5]
    mean = read(ratings=path, duplicates="mean")[0]
    assert list(mean["rating"]) == [3, 0.5, 5, 3]
    path = write(tmp_path / "old.csv", lines([("a", "x", 1, 1000), ("a", "x", 2, 999)]))
    assert list(read(ratings=path, duplicates="last")[0]["rating"]) == [1], "as numbers, not text"


def bad(tmp_path, row, **given):
    path = write(tmp_path / "bad.csv", lines([*ROWS[:2], row], header="uid,sku,stars,when"))
    with pytest.raises(SourceError) as caught:
        read(ratings=path, columns=NAMES, **given)
    return str(caught.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (("b2", "s1", "", 5), ["column rating, row 4", "a number", "''"]),
        (("b2", "s1", "nan", 5), ["column rating, row 4", "'nan'"]),
        (("b2", "s1", "inf", 5), ["column rating, row 4", "'inf'"]),
        (("b2", "s1", "good", 5), ["column rating, row 4", "'good'"]),
        (("b2", "s1", '"3,5"', 5), ["column rating, row 4", "'3,5'", "not a comma"]),
        (("b2", "s1", 3, "soon"), ["column time, row 4", "'soon'"]),
        (("", "s1", 3, 5), ["column user, row 4", "an id"]),
        (("NaN", "s1", 3, 5), ["column user, row 4", "'NaN'"]),
        (("b2", "s1", 3, 5, 6), ["Expected 4 columns, got 5: b2"]),
    ],
)
def test_a_value_that_does_not_belong_is_named(tmp_path, row, said):
    message = bad(tmp_path, row)
    for text in said:
        assert text in message


def test_of_a_long_value_the_start_is_shown(tmp_path):
    assert len(bad(tmp_path, ("b2", "s1", "x" * 100_000, 5))) < 600


def test_lines_are_counted_as_an_editor_does(tmp_path):
    text = 'uid,sku,stars,when\n\nb1,s1,3,5\n"b\n2",s1,4,5\n\nb3,s1,good,5\n'
    with pytest.raises(SourceError, match="column rating, row 7"):
        read(ratings=write(tmp_path / "r.csv", text), columns=NAMES)


def test_numbers_that_are_no_ids(tmp_path):
    rows = [(1, 1, 3, 5), (1.5, 1, 3, 5)]
    path = write(tmp_path / "r.csv", lines(rows, header="uid,sku,stars,when"))
    with pytest.raises(SourceError, match=r"column user, row 3.*\n.*an id\n.*'1.5'"):
        read(ratings=path, columns=NAMES)
    with pytest.raises(SourceError, match="taken twice"):
        read(ratings=path, columns=NAMES | {"item": "uid"})


def test_places_as_names_and_two_bytes_for_each_sign(tmp_path):
    path = write(tmp_path / "r.csv", "0,1,2,3\n7,1,3,5\n8,1,4,5\n", "utf-16")
    assert list(read(ratings=path, encoding="utf-16")[0]["user"]) == [7, 8]


def test_a_flag_is_0_or_1(tmp_path, good):
    items = write(tmp_path / "i.csv", lines([("s1", 1, 0), ("s2", 2, 1)], header="sku,Pots,Toys"))
    columns = NAMES | {"categories": ["Pots", "Toys"]}
    with pytest.raises(SourceError, match="column Pots, row 3"):
        read(**{**good, "items": items, "columns": columns})


def test_a_missing_column_names_the_nearest(good):
    with pytest.raises(SourceError, match="no column for rating") as caught:
        read(**{**good, "columns": {**NAMES, "rating": "star"}})
    assert "nearest: stars" in str(caught.value)
    assert "columns: {rating: ...}" in str(caught.value)


def test_a_task_column_that_is_missing_says_where_to_name_it(good):
    with pytest.raises(SourceError, match=r"no column for tasks\.by") as error:
        read(ratings=good["ratings"], columns=NAMES, tasks={"by": "shop"})
    assert (error.value.found, error.value.advice) == (
        "uid, sku, stars, when", "name one of them: `tasks: {by: ...}`"
    )  # fmt: skip


def test_a_separator_that_is_not_there_is_what_to_change(good):
    with pytest.raises(SourceError, match="no column for user") as error:
        read(**good, separator="\\t")
    assert error.value.advice == "say the `separator` of its fields"
    assert "'uid,sku,stars,when'" in error.value.found


def test_an_item_without_a_listing(tmp_path, good):
    items = write(tmp_path / "few.csv", lines(ITEMS[:2], header="sku,title,categories"))
    with pytest.raises(SourceError, match="1 rated items that are not listed, the first is s3"):
        read(**{**good, "items": items})


# without the time, by which tests would have another name in each process
PACKED_TWICE = gzip.compress(gzip.compress(b"user,item,rating,time\na,x,3,5\n", mtime=0), mtime=0)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no line in it"),
        (b"uid,sku,stars,when\n", "has no rows"),
        (b"\x1f\x8b\x08cut", "cannot be read"),
        (b"PK\x03\x04cut", "cannot be read"),
        (b"PAR1cut", "is no table"),
        (b"1,2,3,4\n1,2\n1,2,3,4,5\n", "is no table"),
        ("user,item,rating,time\na,x,3,5\n".encode("utf-16"), "in another encoding"),
        (b"SQLite format 3\0" + bytes(80), "no text"),
        (b'[{"user": 1, "item": 2}, {"user": 1, "item": 3}]', "JSON, HTML or the like"),
        (b'{"user": 1, "item": 2}\n{"user": 1, "item": 3}\n', "JSON, HTML or the like"),
        (b"\n<!DOCTYPE html>\n<p>404, not found\n", "JSON, HTML or the like"),
        (b"\xd0\xcf\x11\xe0" + bytes(80), "no text"),
        (bz2.compress(b"user,item,rating,time\na,x,3,5\n" * 9), "no text"),
        (PACKED_TWICE, "no text"),
        (b"user item rating time\na x 3 5\n", "begins with 'user item rating time'"),
    ],
)
def test_a_file_that_is_no_table(tmp_path, content, said):
    path = tmp_path / "r.csv"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        read(ratings=str(path))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_no_file(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        read(ratings=str(tmp_path / "nowhere.csv"))


def test_tasks_by_category_need_categories(good):
    given = {"ratings": good["ratings"], "columns": NAMES}
    with pytest.raises(SourceError, match="no item has a category"):
        read(**given, tasks={"by": "category", "densest": 2})


def test_the_files_are_the_rules_input(good):
    assert Ratings.files(settings(**good)) == [good["ratings"], good["items"]]


# What `make new` finds


def shop(tmp_path, users=40):
    rows = [
        (f"u{i % users}", i // users, 1 + i % 5, 1600000000 + 60 * i) for i in range(users * 12)
    ]
    ratings = write(tmp_path / "ratings.csv", lines(rows, header="userId,movieId,rating,timestamp"))
    listed = [(i, f"Thing {i}", "Tools|Toys" if i % 3 else "Books") for i in range(12)]
    items = write(tmp_path / "items.csv", lines(listed, header="movieId,title,genres"))
    return ratings, items


def test_new_says_what_it_found_and_writes_a_configuration_that_is_valid(tmp_path, capsys):
    from talking_models.config import read as read_config

    ratings, items = shop(tmp_path)
    out = tmp_path / "shop.yaml"
    command = [ratings, items, "--name", "Shop", "--out", str(out)]
    assert new.main(command) == 0
    said = capsys.readouterr().out
    assert "480 ratings of 12 items by 40 users" in said
    assert "from 1 to 5" in said
    assert "densest categories: Tools" in said
    assert "0% of the latest tenth" in said
    shipped = [f"config/{name}.yaml" for name in ("config", "experiments", "tables")]
    config = read_config(*shipped, out)
    assert config.columns(config.tables["shop"])[0] == ("shop", "latest", "tools")
    assert list(config.tables)[-1] == "shop"
    assert config.data["shop"].columns.user == "userId"
    assert new.main(command) == 1, "it would replace a file of the user's"
    assert "is there" in capsys.readouterr().err


def test_new_takes_tasks_that_a_run_can_have(tmp_path):
    """Each with a name of its own in paths, and rows in each slice."""
    rows = [(f"u{i % 40}", i // 40, 1 + i % 5, 1600000000 + 60 * i) for i in range(480)]
    ratings = write(tmp_path / "r.csv", lines(rows, header="user,item,rating,time"))
    kinds = ["Sci-Fi|\u2615|All|Tools", "Sci Fi|\u2615|All"]
    listed = [(i, "Late|Tools" if i == 11 else kinds[i % 2]) for i in range(12)]
    items = write(tmp_path / "i.csv", lines(listed, header="item,genres"))
    _, text = new.describe(ratings, items, "my", "my.yaml")
    assert yaml.safe_load(text)["data"]["my"]["tasks"]["names"] == ["Sci-Fi", "Tools"]


def test_new_tells_of_too_few_ratings_and_of_a_name_that_is_none(tmp_path, capsys):
    path = write(tmp_path / "r.csv", lines(ROWS[:1], header="user,item,rating,time"))
    assert new.main([path, "--out", str(tmp_path / "x.yaml")]) == 1
    assert f"{path}: 1 ratings are too few" in capsys.readouterr().err
    assert new.main([path, "--name", "!!!"]) == 1
    assert "'!!!' cannot name" in capsys.readouterr().err


def test_new_tells_of_a_bad_file(tmp_path, capsys):
    assert new.main([str(tmp_path / "no.csv"), "--out", str(tmp_path / "x.yaml")]) == 1
    assert "cannot be read" in capsys.readouterr().err
