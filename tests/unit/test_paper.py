"""The published numbers and facts from files, and what is said of files that are none."""

import numpy as np
import pandas as pd
import pytest

from talking_models.errors import SourceError
from talking_models.report.paper import Paper, means, numbers, unmatched

HEAD = "method,genre_or_dataset,mean,stderr"


def file(folder, text, encoding="utf-8"):
    path = folder / "published.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_numbers_by_row_and_column(tmp_path):
    text = f"table,{HEAD}\n3,Scratch,Genre 1,1.01,0.001\n3,TD,Genre 1,1.02,\n"
    found = numbers(file(tmp_path, text))
    assert set(found.index) == {("Scratch", "Genre 1"), ("TD", "Genre 1")}
    assert found.loc[("Scratch", "Genre 1")].tolist() == [1.01, 0.001]
    assert np.isnan(found.loc[("TD", "Genre 1"), "stderr"])
    assert means(found, "TD", ["Genre 1", "Genre 2", None]).tolist()[0] == 1.02
    assert np.isnan(means(found, "TD", ["Genre 2", None])).all()
    assert numbers(None).empty
    assert np.isnan(means(numbers(None), "TD", ["Genre 1"])).all()


def test_a_file_may_open_with_a_byte_order_mark_and_lack_standard_errors(tmp_path):
    found = numbers(file(tmp_path, f"{HEAD}\nA,B,1.5,0.1\n", "utf-8-sig"))
    assert found.loc[("A", "B")].tolist() == [1.5, 0.1]
    found = numbers(file(tmp_path, "method,genre_or_dataset,mean\nA,B,1.5\n"))
    assert found["mean"].tolist() == [1.5]
    assert found["stderr"].isna().all()


@pytest.mark.parametrize(
    ("text", "encoding", "words"),
    [
        pytest.param("", "utf-8", ["a CSV file in UTF-8, with a head"], id="empty"),
        pytest.param(f"{HEAD}\nMéthode,Genre 1,1.01,0.1\n", "latin-1", ["UTF-8"], id="latin 1"),
        pytest.param(
            "table,method,genre,mean,stderr\n3,Scratch,Genre 1,1.01,0.001\n",
            "utf-8",
            ["method, genre_or_dataset, mean", "'genre'", "nearest: genre"],
            id="another name",
        ),
        pytest.param(
            "table;method;genre_or_dataset;mean;stderr\n3;Scratch;Genre 1;1,01;0,001\n",
            "utf-8",
            ["between commas", "table;method"],
            id="semicolons",
        ),
        pytest.param(f'{HEAD}\nS,Genre 1,"1,01",0.001\n', "utf-8", ["1,01", "point"], id="comma"),
        pytest.param(
            f"{HEAD}\nS,Genre 1,1.01,0.1\nS,Genre 1,1.09,0.1\n",
            "utf-8",
            ["S, Genre 1 more than once"],
            id="twice",
        ),
        pytest.param(f"{HEAD}\n", "utf-8", ["no row"], id="head alone"),
        pytest.param(f"{HEAD}\n,Genre 1,1.01,0.1\n", "utf-8", ["a row without"], id="nameless"),
        pytest.param(f"{HEAD}\nS,Genre 1,1.01,x\n", "utf-8", ["'x'", "point"], id="no number"),
        pytest.param(
            f"{HEAD}\nS,Genre 1,1,01,0,001\n", "utf-8", ["4 fields", "decimal comma"], id="commas"
        ),
    ],
)
def test_what_cannot_be_read_is_named_with_its_file(tmp_path, text, encoding, words):
    path = file(tmp_path, text, encoding)
    with pytest.raises(SourceError) as error:
        numbers(path)
    for word in [str(path), *words]:
        assert word in str(error.value)


def test_rows_and_columns_may_be_called_by_numbers(tmp_path):
    found = numbers(file(tmp_path, f"{HEAD}\n0,8,1.01,0.1\n1,8,1.02,0.1\n"))
    assert means(found, "1", ["8"]).tolist() == [1.02]
    assert unmatched(found, ["0"], ["8"]) == ["Published and not shown here: row 1."]


def test_a_mean_that_is_not_given_has_none(tmp_path):
    assert numbers(file(tmp_path, f"{HEAD}\nScratch,Genre 1,n/a,\n"))["mean"].isna().all()


def test_what_has_no_counterpart_is_said(tmp_path):
    published = numbers(file(tmp_path, f"{HEAD}\nScratch,Drama,1.01,0.1\nTD,Drama,1.02,0.1\n"))
    (said,) = unmatched(published, ["Scratch", "TD"], ["Genre 1", None])
    assert "None of the published columns (Drama) is one of ours" in said
    said = unmatched(published, ["scratch", "TD"], ["Drama"])
    assert said == [
        "The published table has no row 'scratch'.",
        "Published and not shown here: row Scratch.",
    ]
    more = pd.concat([published, published.rename({"TD": "TDD", "Drama": "Genre 11"})])
    (said,) = unmatched(more, ["Scratch", "TD"], ["Drama", None])
    assert said == "Published and not shown here: row TDD; column Genre 11."
    assert unmatched(published, ["Scratch", "TD"], ["Drama"]) == []
    assert unmatched(numbers(None), ["anything"], [None]) == []


def test_the_facts(tmp_path):
    path = tmp_path / "facts.yaml"
    path.write_text("columns: {shop: {Drama: Genre 1}}\nfirst: {pets: 512}\nquotes: {hours: 12}\n")
    paper = Paper.read(path)
    assert (paper.column("shop", "Drama"), paper.column("shop", "War")) == ("Genre 1", None)
    assert (paper.first, paper.quotes) == ({"pets": 512}, {"hours": 12})
    assert Paper.read(None).column("shop", "Drama") is None


@pytest.mark.parametrize("text", ["", "[1]", "columns: {", "genres: {}"])
def test_facts_that_are_none_are_named(tmp_path, text):
    path = tmp_path / "facts.yaml"
    path.write_text(text)
    with pytest.raises(SourceError, match=r"facts\.yaml"):
        Paper.read(path)
