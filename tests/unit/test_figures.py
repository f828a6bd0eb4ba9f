"""Figures: that they show the numbers, in which form, and the same bytes each time."""

import hashlib
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image
from scipy.stats import spearmanr
from simulated import of_ratings, write_job

from talking_models.evidence.intervals import collect
from talking_models.report.figures import FIGURES, cka, curve, forest, losses, paper, style, trials

ROOT = Path(__file__).parents[2]
GENRES = ["Drama", "Sci-Fi", "War"]


# --- form


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Every figure from made-up files, drawn by two processes whose hashes differ."""
    folders = []
    for seed in ("1", "2"):
        folder = tmp_path_factory.mktemp("figures")
        subprocess.run(
            [sys.executable, __file__, str(folder)],
            check=True,
            env=os.environ
            | {
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": os.pathsep.join(
                    [str(ROOT / "workflow/scripts"), str(Path(__file__).parent)]
                ),
            },
        )
        folders.append(folder)
    return folders


NAMES = ["cka", "curve", "forest", "losses", "paper", "trials"]


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_has_the_same_bytes_each_time(drawn, name):
    for form in ("png", "svg"):
        one, other = (folder / f"{name}.{form}" for folder in drawn)
        assert (
            hashlib.sha256(one.read_bytes()).digest() == hashlib.sha256(other.read_bytes()).digest()
        ), form


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_fits_a_page_and_carries_no_date(drawn, name):
    image = Image.open(drawn[0] / f"{name}.png")
    assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    assert image.width <= style.PAGE * 200 + 1
    assert image.height <= 9 * 200
    assert not {"Software", "Creation Time"} & set(image.info)
    assert len(np.unique(np.asarray(image.convert("L")))) > 10, "an empty picture"
    text = (drawn[0] / f"{name}.svg").read_text()
    assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
    assert "dc:date" not in text
    assert "Matplotlib v" not in text


def test_series_are_told_apart_without_colour():
    names = [f"method {i}" for i in range(len(style.LOOKS))]
    found = style.looks(names).values()
    assert len({look.marker for look in found}) == len(names)
    assert len({str(look.line) for look in found}) == len(names)
    assert len({look.color for look in found}) == len(names)
    assert style.looks([*names, "one more"])["one more"] == style.LOOKS[0]


def test_text_is_large_enough_for_print():
    sizes = [size for key, size in style.SETTINGS.items() if "size" in key and "marker" not in key]
    assert min(sizes) >= 7


def test_a_figure_that_fails_leaves_no_file(tmp_path):
    with (
        pytest.raises(ZeroDivisionError),
        style.figure(tmp_path / "a.png", tmp_path / "a.svg"),
    ):
        1 / 0  # noqa: B018
    assert not list(tmp_path.iterdir())


# --- the forest


def predictions(folder, more=0.3):
    """TD's errors are `more` times larger than scratch's, LD's are the same."""
    random, paths = np.random.default_rng(0), []
    for genre in GENRES:
        users = np.repeat(np.arange(40), 5)
        errors = random.normal(size=(3, 200))
        for name, factor in (("scratch", 1), ("ld", 1), ("td", 1 + more)):
            paths.append(write_job(folder, of_ratings(name, genre, users, factor * errors)))
    return paths


def test_the_forest_shows_each_difference_with_its_interval(tmp_path):
    evidence = collect(predictions(tmp_path), "rmse")
    found = forest.changes(evidence, {"LD": "ld", "TD": "td"}, "scratch")
    assert list(found) == forest.COLUMNS
    assert list(found["task"].unique()) == [*GENRES, forest.MEAN]
    ld, td = (found[found["row"] == name].reset_index() for name in ("LD", "TD"))
    assert (ld[["change", "low", "high"]] == 0).all(axis=None)
    scratch = evidence.values[evidence.experiments.index("scratch")]
    np.testing.assert_allclose(td["change"], [*0.3 * scratch, 0.3 * scratch.mean()])
    assert (td["low"] > 0).all()
    assert (td["low"] < td["change"]).all()
    assert (td["change"] < td["high"]).all()

    figure = Figure()
    forest.plot(figure, found, evidence.metric)
    panels = figure.axes
    assert [panel.get_title() for panel in panels] == [*GENRES, forest.MEAN]
    for panel, row in zip(panels, td.itertuples(), strict=True):
        marks = {mark.lines[0].get_ydata()[0]: mark.lines[0] for mark in panel.containers}
        assert marks[1].get_xdata()[0] == row.change
        # filled where zero is left out; LD's interval is the point 0
        assert marks[1].get_markerfacecolor() == marks[1].get_color()
        assert marks[0].get_markerfacecolor() == "white"
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["LD", "TD"]
    assert panels[0].yaxis_inverted()


# --- rounds


def metrics(scores):
    rows = [
        (experiment, genre, seed, "rmse", value)
        for (experiment, genre), values in scores.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["experiment", "task", "seed", "metric", "value"])


def test_a_curve_is_means_with_standard_errors_on_the_same_span():
    scores = {
        (id, genre): [level + shift, level + shift + 0.02]
        for genre, level in (("Drama", 1.0), ("War", 1.1))
        for id, shift in (("r0", 0.0), ("r1", 0.05), ("scratch", 0.01))
    }
    figure = Figure()
    curve.draw(figure, metrics(scores), {"0": "r0", "1": "r1"}, "scratch", "RMSE", "rounds")
    one, two = figure.axes
    assert np.ptp(one.get_ylim()) == pytest.approx(np.ptp(two.get_ylim()))
    line = one.containers[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(orig=False), [1.01, 1.06])
    low, high = np.array(one.containers[0].lines[2][0].get_segments())[0][:, 1]
    assert (high - low) / 2 == pytest.approx(0.01)  # standard error of two seeds 0.02 apart
    (dashed,) = [line for line in one.get_lines() if line.get_linestyle() == "--"]
    assert dashed.get_ydata()[0] == pytest.approx(1.02)
    assert [text.get_text() for text in two.get_xticklabels()] == ["0", "1"]
    low, high = one.get_ylim()
    assert low < 1.0 < 1.07 < high


def test_one_seed_has_no_standard_error():
    scores = {(id, "War"): [1.0] for id in ("r0", "r1", "scratch")}
    scores["r1", "War"] = [1.1]
    figure = Figure()
    curve.draw(figure, metrics(scores), {"0": "r0", "1": "r1"}, "scratch", "RMSE", "rounds")
    assert np.isfinite(figure.axes[0].get_ylim()).all()


# --- ours against the paper's


def table(number="3", tasks=("Drama", "War"), methods=7, seed=0):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        [
            (number, f"M{m}", task, 1 + random.random(), 1 + random.random())
            for m in range(methods)
            for task in tasks
        ],
        columns=["table", "row", "task", "mean", "paper_mean"],
    )


def test_rank_agreement_is_spearmans():
    cells = table()
    cells.loc[0, "paper_mean"] = cells.loc[2, "paper_mean"]  # a tie
    found = paper.agreement(cells)
    for task, group in cells.groupby("task"):
        assert found[task] == pytest.approx(spearmanr(group["mean"], group["paper_mean"]).statistic)


def test_rank_agreement_needs_three_methods_and_a_difference():
    cells = table(methods=2)
    assert paper.agreement(cells).isna().all()
    cells = table(methods=4).assign(paper_mean=1.0)
    assert paper.agreement(cells).isna().all()
    cells = table(methods=4)
    cells.loc[cells.index[:4], "paper_mean"] = np.nan  # two methods are left
    assert paper.agreement(cells).isna().all()


def test_every_cell_is_a_mark_and_the_line_is_equality():
    cells = table()
    figure = Figure(layout="constrained")
    paper.draw(figure, {"Table 3": cells}, "RMSE")
    above, below = figure.axes
    marks = np.concatenate([mark.get_offsets() for mark in above.collections])
    expected = cells[["paper_mean", "mean"]].to_numpy()
    np.testing.assert_allclose(sorted(marks.tolist()), sorted(expected.tolist()))
    assert above.get_xlim() == above.get_ylim()
    (line,) = above.get_lines()
    assert list(line.get_xdata()) == list(line.get_ydata())
    ranks = paper.agreement(cells)
    drawn = [line.get_ydata() for line in below.get_lines() if len(line.get_ydata()) == 1]
    np.testing.assert_allclose(np.concatenate(drawn), ranks)


def test_tables_without_the_papers_numbers_are_left_out(tmp_path):
    table().to_csv(tmp_path / "a.csv")
    table("x").assign(paper_mean=np.nan).to_csv(tmp_path / "b.csv")
    out = {"png": tmp_path / "p.png", "svg": tmp_path / "p.svg"}
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    FIGURES.get("paper").run(tables=files, metric="rmse", **out)
    assert Image.open(tmp_path / "p.png").width == pytest.approx(style.COLUMN * 200, abs=1)


# --- trials


def test_the_best_so_far_only_falls_and_only_by_complete_trials():
    found = pd.DataFrame(
        {
            "trial": [2, 0, 1, 3, 4],
            "state": ["complete", "failed", "complete", "pruned", "complete"],
            "score": [1.1, np.nan, 1.2, 0.5, 1.15],
        }
    )
    best = trials.best_so_far(found)
    assert list(best.index) == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(best, [np.nan, 1.2, 1.1, 1.1, 1.1])


# --- losses


def history(steps=500, label=1.0, interact=0.1, every=50):
    rows = []
    for step in range(every, steps + 1, every):
        rows += [(step, "label", label, 2.0), (step, "interact", interact * step / steps, 0.5)]
        rows.append((step, "message_std", 3.0, np.nan))
    return pd.DataFrame(rows, columns=["step", "name", "value", "gradient_norm"])


def test_loss_curves_compare_at_the_same_share_of_training():
    found = losses.curves([history(500), history(100, interact=0.2, every=10)], "value")
    assert set(found) == {"label", "interact"}, "a monitor is no part of the loss"
    np.testing.assert_allclose(found["interact"][0], 0.1 * np.array(losses.SHARES))
    np.testing.assert_allclose(found["interact"][1], 0.2 * np.array(losses.SHARES))
    np.testing.assert_allclose(losses.curves([history()], "gradient_norm")["label"], 2.0)


def test_a_part_that_is_zero_or_starts_late_leaves_a_gap():
    zero = history(interact=0.0)
    assert np.isnan(losses.curves([zero], "value")["interact"]).all()
    late = history()
    late = late[(late["name"] != "interact") | (late["step"] > 250)]
    found = losses.curves([late], "value")["interact"][0]
    assert np.isnan(found[:5]).all()
    assert np.isfinite(found[5:]).all()


def test_losses_show_the_geometric_mean_over_genres():
    figure = Figure()
    losses.draw(figure, [history(label=1.0), history(label=4.0)])
    left, right = figure.axes
    assert left.get_yscale() == right.get_yscale() == "log"
    lines = {line.get_label(): line.get_ydata() for line in left.get_lines()}
    assert set(lines) == {"label", "interaction"}
    np.testing.assert_allclose(lines["label"], 2.0)


# --- CKA


def similarity():
    return pd.DataFrame(
        [
            (id, genre, seed, own, other, 0.1 * i + 0.01 * seed + 0.3 * (own == other), 9)
            for i, id in enumerate(["scratch", "td"])
            for genre in GENRES
            for seed in (0, 1)
            for own in ("lower", "higher")
            for other in ("lower", "higher")
        ],
        columns=[
            "experiment", "task", "seed", "student_state", "teacher_state", "cka", "n_rows",
        ],
    )  # fmt: skip


def test_cka_shows_each_genre_and_their_mean_of_like_states():
    figure = Figure()
    cka.draw(figure, similarity(), {"Scratch": "scratch", "TD": "td"})
    for panel, name in zip(figure.axes, ("lower states", "higher states"), strict=True):
        assert panel.get_title() == name
        (means,) = panel.collections
        found = [segment[0][0] for segment in means.get_segments()]
        assert found == pytest.approx([0.305, 0.405])
        assert {line.get_label() for line in panel.get_lines()} == set(GENRES)
        for line in panel.get_lines():
            assert list(line.get_xdata(orig=False)) == pytest.approx([0.305, 0.405])
        assert panel.get_xlim()[1] == pytest.approx(1.03)  # a mark at 1 is seen whole
    labels = figure.axes[0].get_yticklabels()
    assert [text.get_text() for text in labels] == ["Scratch", "TD"]


# --- all of them


def test_every_figure_has_a_title_and_a_caption():
    assert FIGURES.names() == NAMES
    for name in NAMES:
        figure = FIGURES.get(name)
        assert figure.title
        assert len(figure.caption) > 40


def draw_all(folder):
    """All figures from files."""

    def draw(name, **given):
        files = {form: folder / f"{name}.{form}" for form in ("png", "svg")}
        FIGURES.get(name).run(**given, **files)

    rows = {"LD": "ld", "TD": "td"}
    draw("forest", predictions=predictions(folder), rows=rows, scratch="scratch", metric="rmse")
    scores = {(id, g): [1.0, 1.1 + 0.1 * i] for i, id in enumerate("abs") for g in GENRES}
    metrics(scores).to_csv(folder / "metrics.csv")
    points = {"0": "a", "1": "b"}
    about = {"points": points, "against": "s", "metric": "rmse", "label": "rounds"}
    draw("curve", metrics=[folder / "metrics.csv"], **about)
    table().to_csv(folder / "3.csv")
    table("5", methods=3, seed=1).to_csv(folder / "5.csv")
    draw("paper", tables=[folder / "3.csv", folder / "5.csv"], metric="rmse")
    history().to_csv(folder / "history.csv")
    draw("losses", histories=[folder / "history.csv"] * 2)
    similarity().to_csv(folder / "cka.csv")
    draw("cka", similarity=[folder / "cka.csv"], rows={"S": "scratch", "TD": "td"})
    tried = pd.DataFrame({"trial": range(3), "state": "complete", "score": [1.2, 1.0, 1.1]})
    pd.concat([tried.assign(experiment=id) for id in ("a", "b")]).to_csv(folder / "trials.csv")
    draw("trials", trials=[folder / "trials.csv"], rows={"LD": "a", "TD": "b"})


if __name__ == "__main__":
    draw_all(Path(sys.argv[1]))
