"""Verdicts: each one from data that deserves it, and the rule in small cases."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from simulated import of_rows, write_predictions
from talking_models.evidence.bootstrap import draw, drawn_rmse
from talking_models.report.claim_list import CLAIMS, EXPERIMENTS, PAPER_TABLES, GenreClaim
from talking_models.report.claims_page import AGAINST, COUNT, FOR, P_CONTRADICTED, P_SUPPORTED

from talking_models.report import claims
from talking_models.report.claims import (
    CANNOT_TELL,
    COLUMNS,
    CONTRADICTED,
    NOT_RUN,
    RULE,
    SUPPORTED,
    combined,
    held,
    judge,
    verdict,
)

PAPERS = sorted((Path(__file__).parents[2] / "config/paper").glob("*.csv"))
GENRES = ["Drama", "Comedy", "Action", "Thriller", "Romance", "Adventure", "Sci-Fi", "War"]
USERS = np.repeat(np.arange(50), 3)
OF_PAPER = {
    "1": (7, 8), "2": (5, 8), "3": (19, 32), "4": (3, 3), "5": (2, 3),
    "6a": (7, 8), "6b": (6, 8), "7a": (5, 8), "7b": (8, 8),
}  # fmt: skip
"""In how many cases the paper's tables show what it claims (spec section 7)."""

# Counting and combining

DIFFERENCES = np.array([[1.0, -1.0, 2.0, 0.0], [1.0, 1.0, -1.0, 3.0]])  # 2 pairs, 4 genres
P = np.array([[0.01, 0.9, 0.02], [0.04, 0.8, 0.9]])


@pytest.mark.parametrize(("holds", "count"), [("all", 1), ("some", 4), ("each", 5)])
def test_what_counts(holds, count):
    assert held(DIFFERENCES, holds) == count
    assert held(np.stack([DIFFERENCES, -DIFFERENCES]), holds)[0] == count


@pytest.mark.parametrize(
    ("holds", "against", "expected"),
    [
        ("all", False, [0.04, 0.9, 0.9]),  # all pairs must hold: the weakest
        ("all", True, [0.02, 1.0, 0.04]),  # it fails where one pair does, of two looked at
        ("some", False, [0.02, 1.0, 0.04]),
        ("some", True, [0.04, 0.9, 0.9]),
        ("each", False, [0.01, 0.9, 0.02, 0.04, 0.8, 0.9]),
        ("each", True, [0.01, 0.9, 0.02, 0.04, 0.8, 0.9]),
    ],
)
def test_p_values_of_several_comparisons(holds, against, expected):
    assert combined(P, holds, against=against).tolist() == pytest.approx(expected)


def test_the_verdict_of_two_p_values():
    assert verdict(0.025, 1) == SUPPORTED
    assert verdict(1, 0.025) == CONTRADICTED
    assert verdict(0.026, 0.026) == CANNOT_TELL


# Judging

CLAIM = GenreClaim("9", "Talking helps", "it helps", ("td",), ("ld", "fd"))


def evaluation(effect, noise=0.01, seed=0, worse=("ld", "fd")):
    """`Errors` of td and others; `effect` is how much worse they are, by genre, in RMSE."""
    random = np.random.default_rng(seed)
    common = random.normal(size=(len(effect), 5, len(USERS)))
    more = {"td": 0, **dict.fromkeys(worse, np.asarray(effect)[:, None, None])}
    errors = {n: common * (1 + e) + random.normal(0, noise, common.shape) for n, e in more.items()}
    return of_rows(USERS, errors, GENRES[: len(effect)])


def judged(errors, claim=CLAIM, paper=(1, 1, 1, -1)):
    """Rows of the claim by quantity; `paper`: how much worse the others are in the paper."""
    drawn = drawn_rmse(errors, draw(errors, 300))
    printed = pd.DataFrame({"td": np.zeros(len(paper)), **dict.fromkeys(claim.worse, paper)}).T
    found = judge(claim, errors, drawn, printed.set_axis(list(errors.tasks), axis=1))
    return pd.DataFrame(found).set_index("quantity").reindex(columns=COLUMNS)


@pytest.mark.parametrize(
    ("effect", "expected"),
    [
        ([0.2, 0.2, 0.2, 0.2], SUPPORTED),
        ([0.2, 0.2, 0.2, -0.2], SUPPORTED),  # 3 of 4, as in the paper
        ([0.2, 0.2, -0.2, -0.2], CONTRADICTED),
        ([-0.2, -0.2, -0.2, -0.2], CONTRADICTED),
        ([0.2, 0.2, 0.0, 0.0], CANNOT_TELL),
        ([0.0, 0.0, 0.0, 0.0], CANNOT_TELL),
    ],
)
def test_each_verdict_from_data_that_deserves_it(effect, expected):
    found = judged(evaluation(effect))
    assert set(found["verdict"]) == {expected}
    assert found.loc[COUNT, "claimed"] == found.loc[COUNT, "paper"] == 3
    assert found.loc[COUNT, "of"] == 4
    assert found.loc[FOR, "estimate"] == sum(e > 0 for e in effect)
    assert found.loc[AGAINST, "estimate"] == sum(e < 0 for e in effect)
    assert (found.loc[P_SUPPORTED, "p"] <= 0.025) == (expected == SUPPORTED)
    assert (found.loc[P_CONTRADICTED, "p"] <= 0.025) == (expected == CONTRADICTED)


def test_the_count_and_its_spread():
    found = judged(evaluation([0.2, 0.2, -0.2, 0.0], noise=0.2)).loc[COUNT]
    assert found["estimate"] in (2, 3)
    assert (found["low"], found["high"]) == (2, 3)  # the last genre may go either way


def test_the_means_over_the_genres_are_evidence_and_no_verdict():
    found = judged(evaluation([1.0, 1.0, -0.2, -0.2]))
    mean = found.loc["RMSE of ld minus td"]
    assert mean["estimate"] == pytest.approx(0.4, abs=0.1)
    assert mean["low"] < mean["estimate"] < mean["high"]
    assert mean["detectable"] > 0
    assert mean["paper"] == 0.5
    assert mean["verdict"] == CONTRADICTED


def test_more_than_half_is_claimed_where_the_paper_says_most():
    most = GenreClaim("9", "", "", ("td",), ("ld", "fd"), claimed="most")
    found = judged(evaluation([0.2, 0.2, 0.2, 0.0]), most, paper=(1, 1, 1, 1))
    assert found.loc[COUNT, "claimed"] == 3
    assert found.loc[COUNT, "paper"] == 4
    assert set(found["verdict"]) == {SUPPORTED}


def test_each_comparison_may_count_by_itself():
    each = GenreClaim("9", "", "", ("td",), ("ld", "fd"), holds="each")
    found = judged(evaluation([0.2, 0.2, 0.2, -0.2]), each)
    assert (found.loc[COUNT, "of"], found.loc[COUNT, "claimed"]) == (8, 6)
    assert found.loc[FOR, "estimate"] == 6
    assert set(found["verdict"]) == {SUPPORTED}


def test_a_claim_whose_experiments_are_missing_is_not_run():
    found = judged(evaluation([0.2] * 4, worse=("ld",)))
    assert found["verdict"].tolist() == [NOT_RUN]
    assert found["estimate"].isna().all()
    assert found.loc[COUNT, "paper"] == 3


def test_a_claim_about_none_of_the_genres_is_not_run():
    assert judged(evaluation([0.2] * 4), paper=(-1, -1, -1, 0))["verdict"].tolist() == [NOT_RUN]


def test_without_an_effect_a_verdict_is_rare():
    """Each of the two wrong verdicts has a chance of 2.5% at most; both together, of 40: 2."""
    claim = GenreClaim("9", "", "", ("td",), ("ld",))
    verdicts = [
        judged(evaluation([0.0] * 4, noise=0.3, seed=s, worse=("ld",)), claim)["verdict"].iloc[0]
        for s in range(40)
    ]
    assert sum(v != CANNOT_TELL for v in verdicts) <= 5


# The paper's claims, from files to files


def write(folder, genres=GENRES, ids=EXPERIMENTS, effect=None):
    """Run on made-up predictions; `effect` is each experiment's RMSE above 1."""
    effect = effect or {}
    random = np.random.default_rng(0)
    files = []
    for genre in genres:
        common = random.normal(size=(3, len(USERS)))
        for id_ in ids:
            errors = common * (1 + effect.get(id_, 0)) + random.normal(0, 0.01, common.shape)
            path = folder / f"{id_}-{genre}.parquet"
            files.append(write_predictions(path, id_, genre, USERS, errors))
    claims.run(files, PAPERS, genres, "Made of this.", folder / "c.csv", folder / "c.md")
    return pd.read_csv(folder / "c.csv", dtype={"claim": str}), (folder / "c.md").read_text()


@pytest.fixture(scope="module")
def better(tmp_path_factory):
    """CSV and page where TD is better than all others, which are alike."""
    return write(tmp_path_factory.mktemp("better"), effect={"td": -0.2})


def verdicts(found):
    return found.groupby("claim", sort=False)["verdict"].first().to_dict()


def test_every_claim_has_one_verdict_and_the_papers_own_count(better):
    found, _ = better
    assert list(found) == COLUMNS
    assert list(verdicts(found)) == [claim.id for claim in CLAIMS] == list(OF_PAPER)
    assert (found.groupby("claim")["verdict"].nunique() == 1).all()
    counts = found[found["quantity"] == COUNT].set_index("claim")
    assert {c: (r["paper"], r["of"]) for c, r in counts.iterrows()} == OF_PAPER


def test_a_td_that_is_better_than_all_supports_what_is_said_of_it(better):
    found, _ = better
    assert {c for c, v in verdicts(found).items() if v == SUPPORTED} == {"1", "2", "7a", "7b"}
    assert {c for c, v in verdicts(found).items() if v == NOT_RUN} == {"4", "5"}


def test_a_td_that_is_worse_than_all_contradicts_it(tmp_path):
    found, _ = write(tmp_path, effect={"td": 0.2, "scratch": -0.2, "td-rounds-0": 0.3})
    assert {c for c, v in verdicts(found).items() if v == CONTRADICTED} == {
        "1",
        "2",
        "6a",
        "7a",
        "7b",
    }
    assert {c for c, v in verdicts(found).items() if v == SUPPORTED} == {"3", "6b"}


def test_claims_about_experiments_that_the_configuration_lacks_are_not_run(tmp_path):
    found, text = write(tmp_path, ids=["teacher", "scratch", "ld", "fd", "fitnet", "hybrid", "td"])
    assert {c for c, v in verdicts(found).items() if v == NOT_RUN} == {
        "4", "5", "6a", "6b", "7a", "7b",
    }  # fmt: skip
    assert text.count("**not run**") == 2 * 6 + 1  # at a glance, in its section, in the rule
    assert "The configuration has no `td-no-lmc`." in text
    assert "The configuration has no `td-rounds-1`, `td-rounds-2-3`, `td-rounds-0`." in text


def test_of_fewer_genres_the_paper_claims_what_its_table_shows_for_them(tmp_path):
    found, _ = write(tmp_path, genres=["Western", "Drama", "Thriller"])
    counts = found[found["quantity"] == COUNT].set_index("claim")
    assert (counts.loc["1", "paper"], counts.loc["1", "of"]) == (1, 2)  # not Thriller, no Western
    assert counts.loc["3", "of"] == 8


@pytest.mark.parametrize("genres", [["Western"], ["Thriller"]])
def test_of_genres_that_it_says_nothing_about_nothing_is_judged(tmp_path, genres):
    found, text = write(tmp_path, genres=genres)
    assert verdicts(found)["1"] == NOT_RUN
    reason = "The configuration has no `td`" if genres == ["Western"] else "any of these genres"
    assert reason in text


def test_images_have_the_papers_numbers_alone(better):
    found, text = better
    images = found[found["claim"].isin(["4", "5"])]
    assert images[["estimate", "low", "high", "p"]].isna().all(axis=None)
    gains = images[images["claim"] == "4"].set_index("quantity")["paper"]
    assert gains.filter(like="ImageNet").iloc[0] == pytest.approx(0.4993 / 0.48683 - 1)
    assert "+0.45% on CIFAR10, +2.40% on CIFAR100, +2.56% on ImageNet" in text


def test_the_page_shows_verdicts_rule_and_evidence(better):
    found, text = better
    assert text.startswith("# The paper's claims\n\nMade of this.\n")
    assert RULE.strip() in text
    for claim in CLAIMS:
        assert f"| {claim.id}. {claim.text} | **{verdicts(found)[claim.id]}** |" in text
        assert f"## {claim.id}. {claim.text}\n" in text
        assert f"“{claim.quote}”" in text
    for row in found[found["detectable"].notna()].itertuples():
        assert f"| {row.quantity} | {row.estimate:+.4f} [{row.low:+.4f}, {row.high:+.4f}]" in text
    count = found[(found["claim"] == "1") & (found["quantity"] == COUNT)].iloc[0]
    assert f"| {count['estimate']:.0f} of 8 (spread {count['low']:.0f} to" in text


def test_the_same_predictions_give_the_same_bytes(tmp_path):
    first = write(tmp_path)[1], (tmp_path / "c.csv").read_bytes()
    assert (write(tmp_path)[1], (tmp_path / "c.csv").read_bytes()) == first


def test_the_papers_tables_that_are_needed_are_there():
    assert PAPER_TABLES == (3, 4, 5, 6, 7)
    assert {f"table{number}" for number in PAPER_TABLES} <= {path.stem for path in PAPERS}
