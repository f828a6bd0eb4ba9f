"""Figures: that they show the numbers, in which form, and the same bytes each time."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from configs import curve, table, whole
from PIL import Image
from scipy.stats import spearmanr
from simulated import of_ratings, write_job

from talking_models.config import load
from talking_models.config.merge import merge
from talking_models.evidence.intervals import collect, holm
from talking_models.metrics import METRICS
from talking_models.plan import Plan
from talking_models.report import curves
from talking_models.report.figures import FIGURES, losses, paper, style, trials
from talking_models.report.markdown import MEAN

ROOT = Path(__file__).parents[2]
GENRES = ["Drama", "Sci-Fi", "War"]


def draw(folder, name, **given):
    """A figure, as the workflow draws it."""
    files = {form: folder / f"{name}.{form}" for form in ("png", "svg")}
    style.write(FIGURES.get(name).draw, **files, **given)


def written(path, frame):
    """A table as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)
    return path


def plan(*layers, tuning="none"):
    """Of a small configuration: student from scratch and TD on two genres."""
    over = merge(table(rows={"From scratch": "scratch", "Talk": "talk"}), {"tuning": tuning})
    for layer in layers:
        over = merge(over, layer)
    return Plan(load(whole(over)), over)


# --- form


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Every figure from made-up files, drawn by two processes whose hashes differ."""
    folders = []
    for seed in ("1", "2"):
        folder = tmp_path_factory.mktemp("figures")
        path = os.pathsep.join([str(ROOT / "workflow/scripts"), str(Path(__file__).parent)])
        given = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path}
        subprocess.run([sys.executable, __file__, str(folder)], check=True, env=given)
        folders.append(folder)
    return folders


NAMES = [
    "cka",
    "ckaimages",
    "claims",
    "cost",
    "curve",
    "forest",
    "losses",
    "paper",
    "shares",
    "trials",
    "windows",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_has_the_same_bytes_each_time(drawn, name):
    for form in ("png", "svg"):
        one, other = (folder / f"{name}.{form}" for folder in drawn)
        assert one.read_bytes() == other.read_bytes(), form


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
    for key in ("marker", "linestyle", "color"):
        assert len({str(look[key]) for look in found}) == len(names)
    assert style.looks([*names, "one more"])["one more"] == style.LOOKS[0]


def test_text_is_large_enough_for_print():
    sizes = [size for key, size in style.SETTINGS.items() if "size" in key and "marker" not in key]
    assert min(sizes) >= 7


def test_a_figure_that_fails_leaves_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        draw(tmp_path, "losses", histories=[tmp_path / "gone.csv"])
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
    files = predictions(tmp_path)
    rows = {"LD": "ld", "TD": "td"}
    figure = FIGURES.get("forest").draw(files, rows, "scratch", "rmse")
    panels = figure.axes
    assert [panel.get_title() for panel in panels] == [*GENRES, MEAN]
    evidence = collect(files, "rmse")
    scratch = evidence.values[evidence.experiments.index("scratch")]
    for panel, change in zip(panels, [*0.3 * scratch, 0.3 * scratch.mean()], strict=True):
        ld, td = panel.containers
        assert (ld.lines[0].get_xydata() == [[0, 0]]).all()
        assert (np.array(ld.lines[2][0].get_segments())[..., 0] == 0).all()
        assert td.lines[0].get_xydata().tolist() == [[pytest.approx(change), 1]]
        low, high = td.lines[2][0].get_segments()[0][:, 0]
        assert 0 < low < change < high
        # filled where zero is left out; LD's interval is the point 0
        assert td.lines[0].get_markerfacecolor() == td.lines[0].get_color()
        assert ld.lines[0].get_markerfacecolor() == "white"
    assert [text.get_text() for text in panels[0].get_yticklabels()] == ["LD", "TD"]
    assert panels[0].yaxis_inverted()


# --- curves


def metrics(scores):
    rows = [
        (experiment, genre, seed, "rmse", value)
        for (experiment, genre), values in scores.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=["experiment", "task", "seed", "metric", "value"])


CURVE = {
    "points": {"0": "r0", "1": "r1"},
    "against": ["From scratch", "scratch"],
    "metric": "rmse",
    "setting": "rounds",
}


def test_a_curve_is_means_with_standard_errors_on_the_same_span(tmp_path):
    scores = {
        (id, genre): [level + shift, level + shift + 0.02]
        for genre, level in (("Drama", 1.0), ("War", 1.1))
        for id, shift in (("r0", 0.0), ("r1", 0.05), ("scratch", 0.01))
    }
    files = [written(tmp_path / "metrics.csv", metrics(scores))]
    figure = FIGURES.get("curve").draw(files, **CURVE)
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
    assert (figure.get_supxlabel(), figure.get_supylabel()) == ("rounds", "RMSE")
    assert figure.legends[0].get_texts()[0].get_text() == "From scratch"


def test_one_seed_has_no_standard_error(tmp_path):
    scores = {(id, "War"): [1.0] for id in ("r0", "r1", "scratch")}
    scores["r1", "War"] = [1.1]
    files = [written(tmp_path / "metrics.csv", metrics(scores))]
    low, high = FIGURES.get("curve").draw(files, **CURVE).axes[0].get_ylim()
    assert low < 1.0 < 1.1 < high


@pytest.mark.parametrize(
    ("keys", "setting"),
    [
        ({"of": "talk", "over": {"module_steps": [1]}}, "module steps"),
        ({"points": {"1": "talk"}}, "c"),
    ],
)
def test_a_curve_names_its_setting_and_its_line_as_the_tables_do(keys, setting):
    params = plan(curve(**keys, against="scratch")).figure("c")["params"]
    assert params["setting"] == setting
    assert params["against"] == ("From scratch", "scratch")
    assert plan(curve(**keys)).figure("c")["params"]["against"] is None


# --- window by window


def on_windows(folder):
    """Predictions of two windows; LD is better on the second alone."""
    random, paths = np.random.default_rng(0), []
    users = np.repeat(np.arange(40), 5)
    for window, gain in ((1, 0.0), (2, 0.2)):
        errors = random.normal(size=(3, 200))
        for name, factor in (("scratch", 1.0), ("ld", 1.0 - gain)):
            frame = of_ratings(name, "War", users, factor * errors, split=f"rolling-{window}")
            paths.append(write_job(folder, frame))
    return paths


WINDOWS = {"rows": {"LD": "ld"}, "scratch": "scratch", "metric": "rmse"}


def test_each_window_has_its_difference_and_all_have_theirs(tmp_path):
    splits = ["rolling-1", "rolling-2"]
    figure = FIGURES.get("windows").draw(on_windows(tmp_path), **WINDOWS, splits=splits)
    titles = [panel.get_title() for panel in figure.axes]
    assert titles == ["window 1", "window 2", "all windows"]
    values = [panel.containers[0].lines[0].get_xdata()[0] for panel in figure.axes]
    assert values[0] == 0
    assert values[1] < values[2] < 0


def test_windows_are_those_of_the_main_tables_rows():
    rolling = {"splits": {"rolling": {"kind": "rolling", "windows": 2}}}
    shown = {
        "title": "T",
        "data": ["ml"],
        "split": "rolling",
        "rows": {"S": "scratch", "T": "talk"},
    }
    figure = plan(rolling, {"tables": {"windows3": shown}}).figure("windows")
    assert figure["params"]["splits"] == ["rolling-1", "rolling-2"]
    assert figure["params"]["rows"] == {"T": "talk"}
    assert "windows" not in plan(rolling).figures
    other = {**shown, "rows": {"S": "scratch"}}
    both = {"tables": {"other": other, "own": {**shown, "claims_of": "t"}}}
    assert plan(rolling, both).figure("windows")["params"]["rows"] == {"T": "talk"}


# --- the claims


def verdicts():
    """Claim 1 on two sets of rows, of which one interval leaves 0 out, and one that was not run."""
    keys = ["claim", "on", "quantity", "estimate", "low", "high", "paper"]
    rows = [
        ("1", "the paper's protocol", "TD over LD", 0.002, -0.001, 0.005, 0.004),
        ("1", "rolling", "TD over LD", 0.003, 0.001, 0.005, 0.004),
        ("4", "the paper's protocol", None, None, None, None, None),
    ]
    return pd.DataFrame(rows, columns=keys)


def test_each_comparison_has_our_intervals_and_the_papers_difference(tmp_path):
    figure = FIGURES.get("claims").draw([written(tmp_path / "claims.csv", verdicts())])
    (panel,) = figure.axes
    assert [text.get_text() for text in panel.get_yticklabels()] == ["1. TD over LD"]
    marks = {line.get_label(): line for line in panel.get_lines() if line.get_marker() != "None"}
    assert marks["the paper"].get_xdata().tolist() == [0.004]
    assert marks["rolling"].get_xdata() == [0.003]
    assert marks["the paper's protocol"].get_markerfacecolor() == "white"
    assert marks["rolling"].get_markerfacecolor() == marks["rolling"].get_color()
    ends = [tuple(segment[:, 0]) for c in panel.collections for segment in c.get_segments()]
    assert ends == [(-0.001, 0.005), (0.001, 0.005)]


def test_where_no_claim_was_judged_the_figure_is_empty(tmp_path):
    none = verdicts().iloc[2:].assign(quantity=float("nan"))
    figure = FIGURES.get("claims").draw([written(tmp_path / "claims.csv", none)])
    assert [*figure.axes[0].get_yticklabels()] == []


# --- gains along splits


GAINS = {
    "lines": {"LD": "ld", "TD": "td"},
    "against": "scratch",
    "metric": "rmse",
    "splits": {"tenth-1": "10%", "tenth-2": "10%", "latest": "100%"},
    "names": {"shop": "The shop"},
}


def without(given, name):
    return {key: value for key, value in given.items() if key != name}


ABOUT = GAINS | {
    "title": "When it pays",
    "untuned": [],
    "searched": {"rows": {}, "like": {}, "against": None, "choices": []},
}


def drawn_shares(folder):
    """Predictions of two draws of a tenth, a seed each, and of all rows: LD gains on the tenth."""
    random, paths = np.random.default_rng(0), []
    users = np.repeat(np.arange(40), 5)
    common = {genre: random.normal(size=(2, 200)) for genre in ("Drama", "War")}
    for genre, errors in common.items():
        for name, factor in (("scratch", 1.0), ("ld", 0.8), ("td", 1.0)):
            for draw in (0, 1):
                frame = of_ratings(
                    name, genre, users, factor * errors[draw], split=f"tenth-{draw + 1}"
                )
                paths.append(write_job(folder, frame.assign(seed=draw)))
            frame = of_ratings(name, genre, users, errors, split="latest")
            paths.append(write_job(folder, frame))
    return paths


def test_gains_are_mean_differences_with_intervals_of_all_draws_together(tmp_path):
    paths, about = drawn_shares(tmp_path), ABOUT
    curves.run(paths, [], [], about, "Toy.", tmp_path / "c.csv", tmp_path / "c.md")
    found = pd.read_csv(tmp_path / "c.csv").set_index(["split", "line"])
    tenth = collect([path for path in paths if "tenth" in str(path)], "rmse")
    scratch = tenth.values[tenth.experiments.index("scratch")].mean()
    assert tenth.seeds == 2
    assert found.loc[("10%", "LD"), "gain"] == pytest.approx(-0.2 * scratch)
    assert found.loc[("10%", "LD"), "low"] < -0.2 * scratch < found.loc[("10%", "LD"), "high"] < 0
    assert (found.loc["100%", ["gain", "low", "high"]] == 0).all(axis=None)
    first, ld, td = (tmp_path / "c.md").read_text().split("\n| ")[-3:]
    assert first.startswith(f"scratch | {scratch:.4f} |")
    assert ld.startswith("LD | **-")
    assert ld.count("**") == 2  # on the tenth alone
    assert "**" not in td


def test_a_curve_has_as_many_decimals_as_its_metric_says(tmp_path, monkeypatch):
    monkeypatch.setattr(METRICS.get("rmse"), "digits", 2)
    curves.run(drawn_shares(tmp_path), [], [], ABOUT, "Toy.", tmp_path / "c.csv", tmp_path / "c.md")
    rows = (tmp_path / "c.md").read_text().split("\n| ")[-3:]
    assert {len(part) for row in rows for part in re.findall(r"\.(\d+)", row)} == {2}


def test_bold_is_what_holms_correction_over_the_lines_leaves(tmp_path):
    """Of many lines that differ by nothing but chance some have an interval without 0."""
    random, users = np.random.default_rng(13), np.repeat(np.arange(40), 5)
    lines = {f"Line {n}": f"n{n}" for n in range(12)}
    paths = [
        write_job(tmp_path, of_ratings(id, "Drama", users, random.normal(size=200), split="latest"))
        for id in ("scratch", *lines.values())
    ]
    about = ABOUT | {"lines": lines, "untuned": ["Line 3"]}
    curves.run(paths, [], [], about, "Toy.", tmp_path / "c.csv", tmp_path / "c.md")
    found, text = pd.read_csv(tmp_path / "c.csv").iloc[1:], (tmp_path / "c.md").read_text()
    assert (found["high"] < 0).any()
    np.testing.assert_allclose(found["p_holm"], holm(found["p"].to_numpy()))
    assert (found["p_holm"] >= 0.05).all()
    assert "**" not in text
    assert "| Line 3 ‡ | " in text
    assert text.count("‡") == 2, "and what it means"


def costs_of(folder):
    """What training takes in those, in files."""
    found = []
    for split in ("tenth-1", "latest"):
        for name, flops in (("scratch", 2e9), ("ld", 3e9), ("td", 2e10)):
            one = {"parameters": 5000, "in_tables": 3000, "steps": 10, "flops": flops}
            path = folder / "shop" / split / "drama" / name / "cost.csv"
            found.append(written(path, pd.DataFrame([one])))
    return found


def test_what_training_takes_stands_beside_the_gains(tmp_path):
    files, about = (drawn_shares(tmp_path), costs_of(tmp_path)), ABOUT
    curves.run(*files, [], about, "Toy.", tmp_path / "c.csv", tmp_path / "c.md")
    lines = (tmp_path / "c.md").read_text().splitlines()
    assert "| scratch | 5,000 | 2,000 | 2.0 (1.0×) | 2.0 (1.0×) |" in lines
    assert "| TD | 5,000 | 2,000 | 20 (10×) | 20 (10×) |" in lines
    figure = FIGURES.get("cost").draw([tmp_path / "c.csv"], **without(GAINS, "splits"))
    tenth, _ = figure.axes
    places = {
        line.get_marker(): (line.get_xdata()[0], line.get_ydata()[0], line.get_color())
        for line in tenth.get_lines()
        if len(line.get_xdata()) == 1
    }
    found = pd.read_csv(tmp_path / "c.csv").set_index(["split", "line"])
    assert places["$1$"] == (1.5, found.loc[("10%", "LD"), "gain"], style.COLORS[1])
    assert places["$2$"] == (10, found.loc[("10%", "TD"), "gain"], style.GREY)


def test_costs_are_of_the_first_task_and_draw_and_only_where_asked_for():
    curve = {"title": "C", "data": ["ml"], "against": "scratch", "lines": {"Talk": "talk"}}
    curve |= {"splits": {"10%": "tenth", "100%": "latest"}, "costs": True}
    tenth = {"kind": "latest", "share": 0.1, "draws": 3}
    made = plan({"splits": {"tenth": tenth}, "curves": {"c": curve}})
    assert sorted(made.costs("c")) == [
        f"results/ml/{split}/drama/{id}/cost.csv"
        for split in ("latest", "tenth-1")
        for id in ("scratch", "talk")
    ]
    assert made.figure("cost")["inputs"] == {"gains": ["results/tables/c.csv"]}
    silent = plan({"splits": {"tenth": tenth}, "curves": {"c": curve | {"costs": False}}})
    assert silent.costs("c") == []
    assert "cost" not in silent.figures


def test_a_curve_along_splits_is_drawn_from_all_their_draws():
    tenth = {"kind": "latest", "share": 0.1, "draws": 3}
    curve = {"title": "C", "data": ["ml"], "against": "scratch", "lines": {"Talk": "talk"}}
    curve["splits"] = {"10%": "tenth", "100%": "latest"}
    made = plan({"splits": {"tenth": tenth}, "curves": {"c": curve}})
    figure = made.figure("c")
    assert figure["name"] == "shares"
    assert figure["inputs"] == {"gains": ["results/tables/c.csv"]}
    assert made.along("c")["untuned"] == []
    assert made.along("c")["splits"] == {f"tenth-{k}": "10%" for k in (1, 2, 3)} | {
        "latest": "100%"
    }
    many = {"lines": {f"Line {n}": "talk" for n in range(9)}}
    assert "c" not in plan({"splits": {"tenth": tenth}, "curves": {"c": curve | many}}).figures
    files = made.evidence("predictions.parquet", made.config.curves["c"])
    assert "results/ml/tenth-2/war/scratch/predictions.parquet" in files
    assert len(files) == 4 * 2 * 2
    config = made.training_config(
        SimpleNamespace(data="ml", split="tenth-2", task="war", experiment="talk")
    )
    assert (config["seeds"], config["first_seed"]) == (1, 1)


# --- ours against the paper's


def cells(number="3", tasks=("Drama", "War"), methods=7, seed=0):
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
    given = cells()
    given.loc[0, "paper_mean"] = given.loc[2, "paper_mean"]  # a tie
    found = paper.agreement(given)
    for task, group in given.groupby("task"):
        assert found[task] == pytest.approx(spearmanr(group["mean"], group["paper_mean"]).statistic)


def test_rank_agreement_needs_three_methods_and_a_difference():
    few, four = cells(methods=2), cells(methods=4)
    assert paper.agreement(few).isna().all()
    assert paper.agreement(four.assign(paper_mean=1.0)).isna().all()
    four.loc[four.index[:4], "paper_mean"] = np.nan  # two methods are left
    assert paper.agreement(four).isna().all()


def test_every_cell_is_a_mark_and_the_line_is_equality(tmp_path):
    given = cells()
    figure = FIGURES.get("paper").draw([written(tmp_path / "3.csv", given)], "rmse")
    above, below = figure.axes
    line, *marks = above.get_lines()
    assert list(line.get_xdata()) == list(line.get_ydata())
    found = np.concatenate([mark.get_xydata() for mark in marks])
    expected = given[["paper_mean", "mean"]].to_numpy()
    np.testing.assert_allclose(sorted(found.tolist()), sorted(expected.tolist()))
    assert above.get_xlim() == above.get_ylim()
    drawn = [line.get_ydata() for line in below.get_lines() if len(line.get_ydata()) == 1]
    np.testing.assert_allclose(np.concatenate(drawn), paper.agreement(given))


def test_tables_without_the_papers_numbers_are_left_out(tmp_path):
    files = [
        written(tmp_path / "a.csv", cells()),
        written(tmp_path / "b.csv", cells("x").assign(paper_mean=np.nan)),
    ]
    draw(tmp_path, "paper", tables=files, metric="rmse")
    assert Image.open(tmp_path / "paper.png").width == pytest.approx(style.COLUMN * 200, abs=1)


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


TRIED = pd.DataFrame({"trial": range(3), "state": "complete", "score": [1.2, 1.0, 1.1]})


def test_trials_are_those_of_the_rows_that_were_searched(tmp_path):
    """Of one search, or of several with a column of experiments."""
    (tmp_path / "c").mkdir()
    worse = TRIED.assign(experiment="b", score=TRIED["score"] + 1)
    kept = written(tmp_path / "trials.csv", pd.concat([TRIED.assign(experiment="a"), worse]))
    own = written(tmp_path / "c/trials.csv", TRIED)
    rows = {"LD": [kept, "a"], "FD": [kept, "b"], "TD": [own, "c"]}
    figure = FIGURES.get("trials").draw([kept, own], rows, "points")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["LD", "FD", "TD"]
    steps = [line for line in figure.axes[0].lines if len(line.get_ydata()) == len(TRIED)]
    assert [min(line.get_ydata()) for line in steps] == [1.0, 2.0, 1.0]
    assert figure.axes[0].get_ylabel() == "best validation RMSE so far (points)"


@pytest.mark.parametrize("unit", ["points", None])
def test_trials_are_in_the_unit_of_the_data(tmp_path, unit):
    rows = {"t": {"rows": {"Teacher": "teacher"}}}
    made = plan({"data": {"ml": {"unit": unit}}, "tables": rows}, tuning="search")
    params = made.figure("trials")["params"]
    assert "Teacher" in made.trials
    assert "Teacher" not in params["rows"]  # its score is of other rows
    assert params["unit"] == (unit or "")
    file = written(tmp_path / "trials.csv", TRIED)
    params["rows"] = {row: [file, id] for row, (_, id) in params["rows"].items()}
    label = FIGURES.get("trials").draw([file], **params).axes[0].get_ylabel()
    assert label == "best validation RMSE so far" + (" (points)" if unit else "")


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


def test_losses_show_the_geometric_mean_over_genres(tmp_path):
    files = [written(tmp_path / f"{label}.csv", history(label=label)) for label in (1.0, 4.0)]
    left, right = FIGURES.get("losses").draw(files).axes
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


def test_cka_shows_each_genre_and_their_mean_of_like_states(tmp_path):
    files = [written(tmp_path / "cka.csv", similarity())]
    figure = FIGURES.get("cka").draw(files, {"Scratch": "scratch", "TD": "td"})
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


@pytest.mark.parametrize("first", [0, 1])
def test_cka_shows_every_mark_whichever_panel_has_the_lowest(tmp_path, first):
    given = similarity()
    state = ("lower", "higher")[first]
    low = (given["student_state"] == state) & (given["teacher_state"] == state)
    given.loc[low, "cka"] -= 0.25
    drawn = FIGURES.get("cka").draw([written(tmp_path / "c.csv", given)], {"S": "scratch"})
    for panel in drawn.axes:
        left, right = panel.get_xlim()
        for line in panel.get_lines():
            assert (left < np.asarray(line.get_xdata())).all()
            assert (np.asarray(line.get_xdata()) < right).all()


@pytest.mark.parametrize("tables", [1, 3])
def test_titles_below_keep_off_the_labels_above(tmp_path, tables):
    files = [written(tmp_path / f"{n}.csv", cells(f"{n}")) for n in range(tables)]
    drawn = FIGURES.get("paper").draw(files, "rmse")
    drawn.draw_without_rendering()
    above, below = drawn.axes[:tables], drawn.axes[tables:]
    for up, down in zip(above, below, strict=True):
        label, title = up.xaxis.label.get_window_extent(), down.title.get_window_extent()
        assert title.y1 < label.y0


# --- all of them


def test_every_figure_has_a_title_and_a_caption():
    assert FIGURES.names() == NAMES
    for name in NAMES:
        figure = FIGURES.get(name)
        assert figure.title
        assert len(figure.caption) > 40


def draw_all(folder):
    """All figures from files."""
    rows = {"LD": "ld", "TD": "td"}
    files = predictions(folder)
    draw(folder, "forest", predictions=files, rows=rows, scratch="scratch", metric="rmse")
    ids = ("r0", "r1", "scratch")
    scores = {(id, g): [1.0, 1.1 + 0.1 * i] for i, id in enumerate(ids) for g in GENRES}
    draw(folder, "curve", metrics=[written(folder / "metrics.csv", metrics(scores))], **CURVE)
    tables = [
        written(folder / "3.csv", cells()),
        written(folder / "5.csv", cells("5", methods=3, seed=1)),
    ]
    draw(folder, "paper", tables=tables, metric="rmse")
    draw(folder, "losses", histories=[written(folder / "history.csv", history())] * 2)
    alike = written(folder / "cka.csv", similarity())
    draw(folder, "cka", similarity=[alike], rows={"S": "scratch", "TD": "td"})
    seen = [
        written(folder / f"seen/{data}/given/cka/all.csv", similarity())
        for data in ("cifar10", "cifar100")
    ]
    both = {"S": "scratch", "TD": "td"}
    draw(folder, "ckaimages", similarity=seen, rows=both)
    tried = pd.concat([TRIED.assign(experiment=id) for id in rows.values()])
    kept = written(folder / "trials.csv", tried)
    of = {row: [kept, id] for row, id in rows.items()}
    draw(folder, "trials", trials=[kept], rows=of, unit="stars")
    given = WINDOWS | {"splits": ["rolling-1", "rolling-2"]}
    draw(folder, "windows", predictions=on_windows(folder / "windows"), **given)
    draw(folder, "claims", verdicts=[written(folder / "claims.csv", verdicts())])
    gains = curves.gains(
        drawn_shares(folder / "shares"), **without(GAINS, "names"), costs=costs_of(folder)
    )
    given = without(GAINS, "splits")
    for name in ("shares", "cost"):
        draw(folder, name, gains=[written(folder / "gains.csv", gains)], **given)


if __name__ == "__main__":
    draw_all(Path(sys.argv[1]))
