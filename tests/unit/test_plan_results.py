"""What rules ask of a configuration for tables, figures, and pages."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from configs import at, curve, table
from plans import ROWS, SEEN, of, plan

from talking_models.config import ConfigError, load
from talking_models.config.merge import merge, merged_files
from talking_models.models import text
from talking_models.plan import Plan

ROOT = Path(__file__).parents[2]

# Tables


def test_a_table_reads_the_evidence_of_its_rows_and_of_what_it_is_compared_with():
    made = plan(table(rows={"Scratch": "scratch"}), {"tables": {"seen": SEEN}})
    made = plan({"tables": {"t": {"rows": {"Teacher": None, "Talk": None}}, "seen": SEEN}})
    assert made.table_files("metrics.csv", "t") == [
        f"results/ml/latest/{task}/{id}/metrics.csv"
        for task in ("drama", "war")
        for id in ("scratch", "talk")
    ]
    assert made.table_files("metrics.csv", "seen") == [
        f"results/digits/given/all/see/seed{seed}/metrics.csv" for seed in (0, 1)
    ]
    assert made.references("metrics.csv", "t", "seen") == [
        *(f"results/ml/latest/{task}/references/metrics.csv" for task in ("drama", "war")),
        "results/digits/given/all/references/metrics.csv",
    ]
    assert made.probed("digits") == {"probe-vit": "vit", "probe-vit-student": "vit-student"}
    assert made.about("seen")["references"] == {
        f"Linear probe of {model}, untouched": f"probe-{model}" for model in ("vit", "vit-student")
    }


def test_a_page_is_told_all_that_it_needs_of_a_table():
    about = plan(at("data.ml", {"name": "Films", "unit": "stars"})).about("t")
    assert about["rows"] == ROWS["rows"]
    assert (about["against"], about["metric"]) == ("talk", "rmse")
    assert about["columns"] == [["ml", "latest", "drama"], ["ml", "latest", "war"]]
    assert (about["names"], about["units"]) == ({"ml": "Films"}, {"ml": "stars"})
    assert list(about["references"].values()) == ["task-mean", "bias-all", "bias"]
    assert about["untuned"] == []


def test_an_untuned_row_beside_tuned_ones_is_marked(tmp_path):
    made = plan({"tuned": str(tmp_path)}, tuning="committed")
    assert made.about("t")["untuned"] == []
    made.choice = lambda data, split, id: SimpleNamespace(path="") if id == "talk" else None
    assert made.about("t")["untuned"] == ["Scratch", "Teacher"]


def test_so_is_an_untuned_line_of_a_curve_and_what_it_is_compared_with(tmp_path):
    along = {"splits": {"100%": "latest"}, "lines": {"Talk": "talk", "Teacher": "teacher"}}
    made = plan(curve(**along, against="scratch"), {"tuned": str(tmp_path)}, tuning="committed")
    assert made.along("c")["untuned"] == []
    made.choice = lambda data, split, id: SimpleNamespace(path="") if id == "talk" else None
    assert made.along("c")["untuned"] == ["scratch", "Teacher"]


@pytest.mark.parametrize(
    ("over", "words"),
    [
        (
            {},
            "ml: 2 tasks, 2 seeds, evaluated on the latest 10% of all ratings. Settings are those",
        ),
        ({"trial": True}, "**This is a trial of the workflow and no result.**"),
        ({"tuning": "search"}, "by a search in this run"),
        (at("splits.latest.share", 0.5), "all ratings, with 50% of the training rows."),
        (at("splits.latest", {"kind": "per_user"}), "the latest 10% of each user's ratings"),
        ({"seeds": 1, **at("data.ml.tasks.names", ["War"])}, "1 task, 1 seed, "),
    ],
)
def test_the_stamp_tells_what_numbers_were_made_from(over, words):
    assert words in plan(over).stamp("t")


def test_a_stamp_says_once_what_holds_for_all_shares():
    of = {"kind": "latest"}
    splits = {f"s{n}": of | {"share": n / 100, "draws": 2} for n in (5, 25)}
    line = curve(
        splits={"5%": "s5", "25%": "s25", "100%": "latest"}, lines={"A": "talk"}, against="talk"
    )
    said = plan({"splits": splits}, line).stamp("c")
    assert said.startswith(
        "ml: 2 tasks, 2 seeds, evaluated on the latest 10% of all ratings, with 5%, 25% and 100% "
        "of the training rows, drawn anew for each seed. Settings"
    )


def test_the_stamp_of_images_tells_of_random_weights():
    seen = {"tables": {"seen": SEEN}}
    assert "random" not in plan(seen).stamp("seen")
    assert "random weights" in plan(seen, at("models.vit.weights", "random")).stamp("seen")


def test_tables_that_are_not_in_all_are_left_out_until_they_are_asked_for():
    made = plan({"tables": {"seen": {**SEEN, "in_all": False}}})
    assert (made.tables_of_all, made.compared) == (["t"], ["t"])
    assert "results/tables/t.md" in made.results
    assert "results/tables/seen.md" not in made.results
    assert "seen" not in made.pages
    assert made.markdown("seen") == "results/tables/seen.md"


def test_a_run_makes_tables_statistics_figures_and_costs():
    made = plan()
    assert set(made.results) >= {
        "results/tables/t.md", "results/tables/significance.md", "results/tables/sizes.md",
        "results/tables/compute.md", "results/metrics.json", "results/figures/forest.png",
    }  # fmt: skip
    assert "results/claims.md" not in made.results
    assert set(made.measured) < set(made.results)
    assert made.pages == ["t", "significance", "sizes", "compute"]
    assert (made.shows("t"), made.shows("sizes")[:4]) == ("T", "What")


# The paper


def test_claims_are_judged_by_tables_with_published_numbers(tmp_path):
    facts = tmp_path / "facts.yaml"
    facts.write_text("first: {digits: 100}\n")
    seen = {**SEEN, "paper": "seen.csv"}
    made = plan({"tables": {"seen": seen}, "claims": "claims.yaml", "paper": str(facts)})
    assert (made.published, made.judged) == (["seen"], ["seen"])
    assert made.paper_files("t", "seen") == ["seen.csv", str(facts)]
    assert "results/claims.md" in made.results
    assert made.metrics == ["rmse", "accuracy"]
    assert plan().judged == []


# Figures and sizes


def test_figures_are_about_the_first_table_with_a_student_from_scratch():
    made = plan()
    assert made.main is made.config.tables["t"]
    assert made.scratch_row == "scratch"
    assert made.likeness("ratings") is made.main
    assert made.places == [("ml", "latest")]
    none = plan({"tables": {"t": None}})
    assert (none.main, none.scratch_row, none.likeness("ratings")) == (None, None, None)
    assert (none.figures, none.sized, none.trials) == ({}, {}, {})
    assert none.results  # and nothing fails


def test_a_curve_is_a_figure_of_its_own():
    made = plan(curve(of="talk", over={"rounds": [0, 2]}, against="scratch"))
    drawn = made.figure("c")
    assert (drawn["name"], drawn["title"]) == ("curve", "C")
    assert made.config.curves["c"].points == {"0": "c-0", "2": "c-2"}
    inputs = [file for files in drawn["inputs"].values() for file in files]
    assert [file for file in inputs if "/war/c-2/" in file]
    assert "talking_models.report.figures.curve" in drawn["code"]
    assert {"results/figures/c.png", "results/figures/c.svg"} <= set(made.figure_files)
    assert set(made.figure("forest")) == {"name", "inputs", "params", "caption", "title", "code"}


def test_a_curve_has_no_figures_name():
    made = plan({"curves": {"forest": {"title": "C", "data": ["ml"], "points": {"1": "talk"}}}})
    with pytest.raises(ConfigError, match=r"curves\.forest: a figure has this name"):
        _ = made.figures


def test_students_are_compared_with_their_teacher_or_the_others():
    made = plan()
    place = "results/ml/latest"
    for id in ("talk", "scratch"):
        assert made.held_beside("ml", "latest", id) == {
            "students": [f"{place}/{task}/{id}/models.safetensors" for task in ("drama", "war")],
            "teachers": [f"{place}/all/teacher/models.safetensors"],
        }
        assert made.teacher_beside("ml", id) == ("teacher", "paired")
    files = made.figure("cka")["inputs"]["similarity"]
    assert files == [f"{place}/cka/{id}.csv" for id in ("scratch", "talk")]


def test_who_has_no_teacher_is_held_beside_the_others_as_they_learn_from_it():
    """A teacher of one seed teaches all, and scratch cannot say so."""
    sage = at("models.sage", {"kind": "mlp", "file": "sage.safetensors"})
    talk = at("experiments.talk", {"teachers": ["sage"], "teacher_seed": "first"})
    made = plan(sage, talk)
    assert made.teacher_beside("ml", "scratch") == ("sage", "first")
    assert made.held_beside("ml", "latest", "scratch")["teachers"] == ["sage.safetensors"]


@pytest.mark.parametrize(
    ("table", "id", "figure"),
    [
        (ROWS | {"title": "T", "data": ["ml"]}, "scratch", "cka"),
        (SEEN, "plain", "ckaimages"),
    ],
)
def test_where_nobody_teaches_nobodys_states_are_compared(table, id, figure):
    plain = at("experiments.plain", {"method": "scratch", "student": "vit-student"})
    made = plan(plain, {"tables": {"t": None, "one": {**table, "rows": {"S": id}, "against": id}}})
    assert figure not in made.figures
    assert made.results
    with pytest.raises(ConfigError, match=f"{id} on .*: there is no teacher"):
        made.teacher_beside(table["data"][0], id)


def test_a_figure_shows_the_seeds_that_its_table_shows():
    rows = {"Plain": "plain", "See": "see"}
    plain = at("experiments.plain", {"method": "scratch", "student": "vit-student"})
    seen = {**SEEN, "rows": rows, "seeds": 1}
    made = plan(plain, {"seeds": 3, "tables": {"t": None, "seen": seen}})
    assert {"forest", "losses", "ckaimages"} <= set(made.figures)
    for id in ("forest", "losses"):
        files = [file for each in made.figure(id)["inputs"].values() for file in each]
        assert files
        assert all("/seed0/" in file for file in files), id
    beside = made.held_beside("digits", "given", "see")["students"]
    assert beside == ["results/digits/given/all/see/seed0/models.safetensors"]


def test_a_figure_of_what_is_not_in_all_is_drawn_when_it_is_asked_for():
    along = {"splits": {"100%": "latest"}, "lines": {"Talk": "talk"}, "against": "scratch"}
    off = curve(**along, costs=True, in_all=False)
    made = plan(off)
    assert {"c", "cost"} <= set(made.figures)
    assert not [file for file in made.figure_files if "/c." in file or "/cost." in file]
    both = plan(off, {"curves": {"d": {"title": "D", "data": ["ml"], "costs": True, **along}}})
    assert both.figure("cost")["inputs"] == {"gains": ["results/tables/d.csv"]}
    assert "results/figures/cost.png" in both.figure_files


def test_trials_are_those_of_the_run():
    place = "results/ml/latest/tuning"
    searched = {row: (f"{place}/{id}/trials.csv", id) for row, id in ROWS["rows"].items()}
    assert plan(tuning="search").trials == searched


def test_each_model_of_the_main_table_is_sized_once():
    made = plan()
    assert made.sized == {
        "results/ml/latest/drama/scratch/models.safetensors": (
            "student", ("ml", "latest", "drama", "scratch"),
        ),
        "results/ml/latest/all/teacher/models.safetensors": (
            "teacher", ("ml", "latest", "all", "teacher"),
        ),
    }  # fmt: skip
    assert made.sizes_step == "movielens"
    rows = {"Scratch": "alone", "See": "see"}
    alone = at("experiments.alone", {"method": "scratch", "student": "vit-student"})
    made = plan({"tables": {"t": None, "seen": {**SEEN, "rows": rows}}}, alone)
    assert made.sizes_step == "vision-cpu"
    assert list(made.sized.items()) == [
        ("results/digits/given/all/alone/seed0/models.safetensors",
         ("vit-student", ("digits", "given", "all", "alone"))),
        ("results/models/vit.safetensors",
         ("vit", ("digits", "given", "all", "vit"))),
    ]  # fmt: skip


def test_results_are_where_the_configuration_says():
    made = plan({"results": "./elsewhere/"})
    files = [*made.results, *made.teachers(of()), *made.table_files("metrics.csv", "t")]
    assert all(Path(file).is_relative_to("elsewhere") for file in files)


# Beyond the paper: configurations that need a package, which is often not there

NEW = {"dist", "rkd", "srd", "vid", "born-again", "mutual", "ld-mf", "ld-text"}
OTHER_STEPS = {"ld-ensemble", "td-ensemble", "td-family"}  # settings are another's
ONE_MORE = ("more-data", "ml-1m", "beyond", "beyond-1m")


@pytest.mark.parametrize(
    ("layers", "data"), [(("beyond",), "ml-100k"), (ONE_MORE, "ml-1m-2999")], ids=["100k", "1m"]
)
def test_what_goes_beyond_the_paper_can_be_trained_and_searched(
    layers, data, tmp_path, monkeypatch
):
    (tmp_path / text.FOLDER).mkdir()
    (tmp_path / text.FOLDER / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    shipped = ("config", "experiments", "tables")
    raw = merged_files(*(ROOT / f"config/{name}.yaml" for name in (*shipped, *layers)))
    curves = {id: each if "beyond" in id else None for id, each in raw["curves"].items()}
    alone = {"tables": dict.fromkeys(raw["tables"]), "curves": curves, "claims": None}
    made = Plan(load(merge(raw, alone)))

    jobs = {id: set(made.jobs(shown)) for id, shown in made.config.curves.items()}
    places = 4 * (1 + 5)  # tasks, and of the share draws
    lines = {id: len(each) / places for id, each in jobs.items()}
    assert lines == {"beyond": 32, "beyond-ld": 7, "beyond-td": 11}
    every = set.union(*jobs.values())
    assert {job[0] for job in every} == {data}
    assert {*NEW, *OTHER_STEPS} < {job[3] for job in every}
    for split, id in {(split, id) for _, split, task, id in every if task == "war"}:
        job = of(id, data=data, split=split)
        assert made.training_config(job)["method"]
        assert len(made.teachers(job)) == len(made.config.teachers_of(id))
        assert made.training_code(id, data)

    own = {id: set() for id in ("rolling-1", "rolling-5", "share-10-1")}
    for _, split, id in made.searches:
        own.setdefault(split, set()).add(id)
    for split, ids in own.items():
        own[split] = ids & {*NEW, *OTHER_STEPS, "mf", "text"}
    assert own.pop("rolling-1") == NEW
    assert own.pop("rolling-5") == {*NEW, *OTHER_STEPS, "mf", "text"}
    assert own.pop("share-10-1") == NEW | OTHER_STEPS
    assert not any(own.values())
