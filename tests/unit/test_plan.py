"""What rules ask of a configuration for jobs: files, settings and code."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from configs import at, table
from plans import FIRST, IMAGES, SEEN, of, plan

from talking_models.config import ConfigError, read
from talking_models.config.merge import merge
from talking_models.plan import Plan
from talking_models.running.containers import show
from talking_models.running.fingerprint import closure

ROOT = Path(__file__).parents[2]

# Data


def test_a_data_set_is_told_its_settings_and_no_words_for_pages():
    made = plan(at("data.ml", {"name": "Films", "unit": "stars", "seeds": 3, "split": "latest"}))
    assert set(made.data("ml")) == {"kind", "variant", "source", "archive", "tasks"}


def test_a_data_set_is_read_alike_for_whatever_tasks():
    few = plan(at("data.ml.tasks.names", ["War"]))
    assert few.data("ml") == plan().data("ml")
    assert few.tasks("ml") != plan().tasks("ml")


def test_files_of_the_users_own_are_inputs():
    made = plan(at("data.ml.archive", "ml-100k.zip"))
    assert made.files("ml") == ["ml-100k.zip"]
    assert made.files("digits") == []


def test_tasks_have_ids_and_names_and_the_whole_comes_first():
    made = plan(at("data.ml.tasks.names", ["Sci-Fi", "War"]))
    tasks = {"all": "all", "sci-fi": "Sci-Fi", "war": "War"}
    assert made.tasks("ml") == {"by": "category", "tasks": tasks}
    assert list(made.tasks("ml")["tasks"]) == ["all", "sci-fi", "war"]
    assert made.tasks("digits") == {"by": "all", "tasks": {"all": "all"}}


def test_memory_grows_with_what_is_read_and_with_attempts(tmp_path):
    (tmp_path / "rows").write_bytes(bytes(100_000_000))
    made = plan(at("data.large", {"kind": "movielens", "variant": "20m"}))
    few, many = ["nothing-there"], [tmp_path / "rows"]
    assert made.memory_of_ratings(of(), few, 1) == 1500
    assert made.memory_of_ratings(of(), many, 2) == 8000
    assert made.memory_of_ratings(of(data="large"), few, 1) == 6000
    assert made.memory_of_ratings(SimpleNamespace(), few, 1) == 1500
    assert made.memory_of_training(of(), few, 1) == 2000
    assert made.memory_of_training(of(), many, 2) == 15000


def test_minutes_grow_with_steps_models_and_batches():
    student = {"training": {"steps": 4000, "batch_size": 512}}
    over = {"seeds": 3, "models": {"student": student}, "search": {"trials": 10, "seeds": 1}}
    made, job = plan(over), of(data="ml", split="latest", task="war", experiment="talk")
    assert made.minutes_of_training(job, 1) == 10 + 60  # 4,000 x 3 x 2 x 0.15 s
    assert made.minutes_of_training(job, 2) == 140
    assert made.minutes_of_search(job, 20) == 1440  # what partitions give
    assert made.minutes_of_search(job, 1) == 10 + 120  # 400 x 10 x 3 folds x 2 tasks x 2 x 0.15 s


def test_what_jobs_read_that_the_configuration_names(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", "/sets")
    over = at("models.vit.weights", "/weights/vit.npz")
    shop = {"kind": "ratings", "ratings": "/shop/buys.csv", "items": "/shop/goods.csv"}
    over = merge(over, at("data.shop", {**shop, "tasks": {"by": "all"}}))
    over = merge(over, at("models.elsewhere", {"kind": "mlp", "file": "/far/models.safetensors"}))
    wanted = ["/shop/buys.csv", "/shop/goods.csv", "/weights/vit.npz", "/far/models.safetensors"]
    found = plan(over).own_files
    assert found[-1] == "/sets"
    assert set(wanted) <= set(found)


def test_a_container_sees_the_folders_of_what_lies_elsewhere(tmp_path, monkeypatch):
    here, shop, link = tmp_path / "here", tmp_path / "shop", tmp_path / "here" / "link.csv"
    for folder in (here, shop / "below"):
        folder.mkdir(parents=True)
    (shop / "buys.csv").touch()
    (here / "own.csv").touch()
    link.symlink_to(shop / "buys.csv")
    monkeypatch.chdir(here)
    for given, files, seen in (
        ("", ["own.csv", "nowhere/at-all.csv"], ""),
        ("", [shop / "buys.csv", shop / "below"], f"{shop}"),
        ("/opt:/opt", [link, "../shop/buys.csv"], f"/opt:/opt,{shop}"),
    ):
        monkeypatch.setenv("APPTAINER_BIND", given)
        show(files)
        assert os.environ["APPTAINER_BIND"] == seen


# Images


@pytest.mark.parametrize(
    ("accelerator", "step", "asked"),
    [
        ("auto", "vision-cpu", {}),
        ("cpu", "vision-cpu", {}),
        ("cuda", "vision-cuda", {"gpu": 2}),
        ("tpu", "vision-tpu", {"tpu": 2}),
    ],
)
def test_image_jobs_have_the_environment_and_resources_of_their_device(accelerator, step, asked):
    made = plan({"device": {"accelerator": accelerator, "threads": 2, "workers": 3}})
    assert made.image_step == step
    assert made.image_environment == f"../../envs/{step}.yaml"
    assert made.device(2) == {"workers": 3} | asked
    assert made.image_threads == 5


def test_weights_come_from_the_hub_a_file_or_nowhere():
    made = plan()
    assert made.weights("vit") == ["data/weights/vit.safetensors"]
    assert made.backbone("vit-student") == made.backbone("vit") == "results/models/vit.safetensors"
    assert plan(at("models.vit.weights", "mine.safetensors")).weights("vit") == ["mine.safetensors"]
    assert plan(at("models.vit.weights", "random")).weights("vit") == []


def test_a_job_on_images_reads_its_backbone_and_what_teaches():
    tuned = at("models.tuned", {"kind": "vit", "of": "vit", "on": "all"})
    made = plan(tuned)
    assert made.image_inputs(of("see", seed="2", **IMAGES)) == {
        "backbone": "results/models/vit.safetensors",
        "teacher0": "results/models/vit.safetensors",
        "probe0": "results/digits/given/all/vit/probe.safetensors",
    }
    both = at("experiments.see.teachers", ["vit", "tuned"])
    found = plan(tuned, both).image_inputs(of("see", seed="2", **IMAGES))
    assert found["teacher1"] == "results/digits/given/all/tuned/seed2/models.safetensors"
    assert "probe1" not in found
    found = plan(tuned, both, FIRST).image_inputs(of("see", seed="2", **IMAGES))
    assert found["teacher1"] == "results/digits/given/all/tuned/seed0/models.safetensors"
    assert made.image_inputs(of("tuned", seed="2", **IMAGES)) == {
        "backbone": "results/models/vit.safetensors"
    }


# Training


def test_a_teacher_or_peer_of_weight_0_is_not_in_a_job_at_all():
    """Which is what it is without it: its files and its code, too."""
    other = at("models.other", {"kind": "mf", "on": "all"})
    whole = {"method": "td", "teachers": ["teacher", "other"], "peers": ["student"]}
    two, one = {"other": 0.5, "student": 0.0}, {"other": 0.0, "student": 0.0}
    pairs = (
        (whole | {"weights": two}, whole | {"peers": [], "weights": {"other": 0.5}}),
        (whole | {"weights": one}, {"method": "td"}),
    )
    asked = ("training_config", "teachers", "search_inputs")
    for entries in pairs:
        made, same = (plan(other, at("experiments.new", e), tuning="search") for e in entries)
        for name in asked:
            assert getattr(made, name)(of("new")) == getattr(same, name)(of("new")), name
        assert made.training_code("new") == same.training_code("new")
    found = made.training_config(of("new"))
    assert list(found["teachers"]) == ["teacher"]
    assert not found.keys() & {"peers", "weights"}


def test_teachers_are_trained_here_or_come_from_a_file():
    made = plan()
    assert made.teachers(of()) == ["results/ml/latest/all/teacher/models.safetensors"]
    assert made.teachers(of("scratch")) == []
    assert made.teachers(of("teacher", task="all")) == []
    elsewhere = at("models.sage", {"kind": "mlp", "file": "sage.safetensors"})
    made = plan(elsewhere, at("experiments.talk.teachers", ["sage"]))
    assert made.teachers(of()) == ["sage.safetensors"]


def test_a_teacher_of_images_that_comes_trained_is_what_every_job_takes():
    """Training and states, evaluation, the table of sizes; and nobody needs a probe of it."""
    file = at("models.vit.file", "mine.safetensors")
    whole = at("models.vit-student.training", {"smallest_area": 1.0})
    rows = {"Plain": "plain", "See": "see"}
    plain = at("experiments.plain", {"method": "scratch", "student": "vit-student"})
    made = plan(file, whole, plain, {"tables": {"t": None, "seen": SEEN | {"rows": rows}}})
    found = made.image_inputs(of("see", seed="1", **IMAGES))
    assert (found["teacher0"], found.get("probe0")) == ("mine.safetensors", None)
    assert found["backbone"] == "results/models/vit.safetensors", "students start from the weights"
    assert found["states0"][0] == "results/digits/given/all/vit/states1/low.npy"
    assert made.model_files("digits", "given", "all", "vit") == ["mine.safetensors"]
    assert made.first_teacher(of("see", seed="1", **IMAGES))[1] == ["mine.safetensors"]
    assert made.held_beside("digits", "given", "plain")["teachers"] == ["mine.safetensors"] * 2
    assert "mine.safetensors" in made.sized
    assert "mine.safetensors" in made.own_files
    assert made.probed("digits") == {"probe-vit-student": "vit-student"}


def test_an_image_job_knows_its_seed():
    made = plan()
    assert made.training_config(of("see", seed="3", **IMAGES))["seed"] == 3
    assert "seed" not in made.training_config(of())


@pytest.mark.parametrize(
    ("experiment", "data", "split", "said"),
    [
        ("talk", "digits", "given", "talk on digits: it trains student, which is not for images"),
        ("see", "ml", "latest", "see on ml: it trains vit-student, which is not for ratings"),
        ("see", "digits", "latest", "data set digits of images cannot be cut by latest"),
        ("talk", "ml", "given", "data set ml of ratings cannot be cut by given"),
    ],
)
def test_a_job_that_there_cannot_be_is_refused_in_a_sentence(experiment, data, split, said):
    job = of(experiment, data=data, split=split, task="all", seed="0")
    made = plan()
    for asked in (made.training_config, made.check_trial, made.search_inputs):
        with pytest.raises(ConfigError, match=f"^{said}$"):
            asked(job)


def test_what_experiments_say_themselves_is_laid_on_in_order():
    more = {"method": "td", "like": "talk", "settings": {"w1": 1.0}}
    made = plan(at("experiments.more", more), at("experiments.talk.training", {"steps": 3}))
    assert made.own("more") == [
        {"training": {"steps": 3}, "settings": {}},
        {"training": {}, "settings": {"w1": 1.0}},
    ]


def test_where_nothing_is_tuned_the_best_of_some_is_td_with_one_round():
    """All that its training job reads and runs; the quick run trains one for the three."""
    layers = ("config", "experiments", "tables", "quick")
    made = Plan(read(*(ROOT / f"config/{name}.yaml" for name in layers)))
    found = []
    for id in ("td-rounds-1", "td", "td-talking", "td-rounds-2"):
        job = of(id, data="ml-100k")
        files = made.teachers(job), made.chosen(job)
        found.append((made.training_config(job), files, made.training_code(id, "ml-100k")))
    assert found[0] == found[1] == found[2] != found[3]


def test_code_is_that_of_the_method_the_models_the_data_and_the_metrics():
    made = plan()
    assert made.training_code("talk") == [
        "talking_models.training.ratings",
        "talking_models.methods.td",
        "talking_models.models.mlp",
        "talking_models.changes",
    ]
    family = plan(at("experiments.talk.peers", ["student"])).training_code("talk")
    assert family[1] == "talking_models.methods.group"
    see = made.training_code("see", "digits")
    assert see[0] == "talking_models.training.images"
    assert see[-1] == "talking_models.data.digits"
    assert made.code_of_data("digits") == ["talking_models.data.digits"]
    assert made.code_of_models("student", "teacher") == ["talking_models.models.mlp"]
    assert "talking_models.methods.scratch" in made.training_code("teacher")
    assert made.code_of_data("ml") == ["talking_models.data.movielens"]
    assert made.code_of_models("vit") == ["talking_models.models.vit"]
    assert made.evaluation_code("ml", "talk") == [
        "talking_models.evidence.predict",
        "talking_models.models.mlp",
        "talking_models.metrics.rmse",
    ]
    see = made.evaluation_code("digits", "see")
    assert see[0] == "talking_models.evidence.predict_images"
    assert {"talking_models.models.vit", "talking_models.data.digits"} < set(see)
    for code in (made.training_code("talk"), made.training_code("see")):
        assert set(code) <= set(closure(*code))  # all of them are there


# Tuning


def test_a_search_in_the_run_is_read_by_the_jobs_that_it_serves():
    more = {"method": "td", "like": "talk", "choose": {"rounds": [1, 2]}}
    made = plan(at("experiments.more", more), tuning="search")
    place = "results/ml/latest/tuning"
    assert made.chosen(of()) == [f"{place}/talk/chosen.yaml"]
    assert made.chosen(of("more")) == [f"{place}/talk/chosen.yaml", f"{place}/more/chosen.yaml"]
    assert plan().chosen(of()) == []
    assert made.tuned("ml", "latest", "talk")
    assert not made.tuned("digits", "given", "see")


def test_a_search_reads_its_teachers_and_the_search_before_it():
    more = {"method": "td", "like": "talk", "choose": {"rounds": [1, 2]}}
    made = plan(at("experiments.more", more), tuning="search")
    place = "results/ml/latest/tuning"
    folds = [f"{place}/teacher/fold{fold}.safetensors" for fold in range(3)]
    scratch = [f"{place}/scratch/chosen.yaml"]
    assert made.search_inputs(of("teacher")) == {"chosen": []}
    assert made.search_inputs(of("scratch")) == {"chosen": []}
    assert made.search_inputs(of()) == {"teacher0": folds, "chosen": scratch}
    like = [f"{place}/talk/chosen.yaml"]
    assert made.search_inputs(of("more")) == {"teacher0": folds, "chosen": like}


def test_a_teacher_that_stays_random_is_not_searched():
    random = at("models.random", {"kind": "mlp", "on": "all", "training": {"steps": 0}})
    made = plan(random, at("experiments.talk.teachers", ["random"]), tuning="search")
    assert made.chosen(of("random")) == made.choices_in_run("ml", "latest", "random") == []
    assert "random" not in {id for *_, id in made.searches}
    assert made.search_inputs(of())["teacher0"][0].endswith("tuning/random/fold0.safetensors")
    made = plan(random, table(rows={"A": "random", "B": "scratch"}), tuning="committed")
    assert not made.tuned("ml", "latest", "random"), "nobody chose that"


def test_a_search_with_a_teacher_from_a_file_is_refused():
    file = at("models.file", {"kind": "mlp", "file": "models.safetensors"})
    made = plan(file, at("experiments.talk.teachers", ["teacher", "file"]), tuning="search")
    with pytest.raises(ConfigError, match=r"talk cannot be searched: .*models\.file .*`like`"):
        made.search_inputs(of())


def test_a_teacher_is_searched_on_all_and_has_steps_of_its_own():
    more = {"method": "td", "like": "talk", "choose": {"rounds": [1, 2]}}
    made = plan(at("experiments.more", more), {"search": {"steps": 30, "teacher_steps": 60}})
    tasks = {"by": "category", "tasks": {"all": "all"}, "on": ["all"]}
    assert made.searched_tasks(of("teacher")) == tasks
    tasks = {"by": "category", "tasks": {"drama": "Drama", "war": "War"}, "on": ["drama", "war"]}
    assert made.searched_tasks(of()) == tasks
    steps = {id: made.search(of(id))["steps"] for id in ("teacher", "talk", "more")}
    assert steps == {"teacher": 60, "talk": 30, "more": 30}
    assert made.config.experiment("more").choose == {"rounds": [1, 2]}


def test_a_split_is_searched_with_less_and_serves_all_its_tasks():
    share = {"kind": "latest", "share": 0.1, "draws": 2, "search": {"trials": 3, "tasks": 1}}
    made = plan(at("splits.few", share), tuning="search")
    student, teacher = of(split="few-2"), of("teacher", split="few-2")
    assert made.search(student) | {"trials": 3, "share": 0.1, "draw": 1} == made.search(student)
    assert "share" not in made.search(teacher)  # it has all rows, whatever the share
    tasks = made.searched_tasks(student)
    assert (tasks["on"], tasks["tasks"]) == (["drama"], {"drama": "Drama", "war": "War"})
    assert made.chosen(student) == ["results/ml/few-1/tuning/talk/chosen.yaml"]
    assert made.chosen(teacher) == ["results/ml/latest/tuning/teacher/chosen.yaml"]
    assert made.search_inputs(student)["teacher0"][0].startswith("results/ml/latest/tuning")
    files = [f"results/ml/latest/all/slices/{slice}.parquet" for slice in ("fit", "val")]
    assert made.rows_of_all("ml", student.split) == files


def test_a_window_or_a_share_takes_settings_and_searches_for_steps():
    """How many steps are best depends on how many rows there are."""
    few = {"trials": 3, "training_trials": 5, "steps": 50, "tasks": 1}
    rolling = {"kind": "rolling", "windows": 2, "search": few}
    more = {"kind": "latest", "share": 0.5, "draws": 2, "settings_on": "rolling"}
    best = {"method": "td", "best_of": ["talk"]}
    layers = at("splits.rolling", rolling), at("splits.more", more), at("experiments.best", best)
    made = plan(*layers, {"search": {"steps": 70, "teacher_steps": 90}}, tuning="search")
    assert (made.search(of(split="rolling-1"))["steps"], made.takes_settings(of())) == (50, False)
    for split, own in (("rolling-2", "rolling-2"), ("more-2", "more-1")):
        assert made.chosen(of(split=split)) == [f"results/ml/{own}/tuning/talk/chosen.yaml"]
        student = of(split=own)
        search = made.search(student)
        assert (search["trials"], search["steps"]) == (1, 70)
        assert made.searched_tasks(student)["on"] == ["drama"]
        found, first = made.search_inputs(student), "results/ml/rolling-1/tuning"
        assert found["settings"] == [f"{first}/talk/choice.yaml"]
        assert found["chosen"] == [f"results/ml/{own}/tuning/scratch/chosen.yaml"]
        of_best = made.search_inputs(of("best", split=own))
        assert of_best["settings"] == [f"{first}/best/choice.yaml"]
        assert of_best["chosen"] == [f"results/ml/{own}/tuning/talk/chosen.yaml"]
    assert "draw" in made.search(of(split="more-1"))
    teacher = of("teacher", split="rolling-2")
    assert (made.search(teacher)["trials"], made.search(teacher)["steps"]) == (5, 90)
    scratch = of("scratch", split="rolling-2")
    assert not made.takes_settings(scratch)
    assert made.search_inputs(scratch) == {"chosen": []}
    assert made.search(scratch)["trials"] == 5, "how a student trains is searched on each"
    assert found["teacher0"][0].startswith("results/ml/latest/tuning/teacher/fold0")
    one, two = (f"results/ml/rolling-{n}/tuning/talk/choice.yaml" for n in (1, 2))
    assert made.choice_files("ml", "rolling-2", "talk") == {one: two}


def test_an_ablation_has_steps_of_its_own_on_each_window():
    like = {"method": "td", "like": "talk"}
    ids = {"grid": like | {"choose": {"rounds": [1, 2]}}, "off": like | {"settings": {"w2": 0}}}
    rolling = {"kind": "rolling", "windows": 2}
    made = plan(at("splits.rolling", rolling), {"experiments": ids}, tuning="search")
    place = "results/ml/rolling-2/tuning"
    for id, first, alike in (("grid", "rolling-1", 2), ("off", "rolling-2", 1)):
        assert made.steps_from("rolling-2", id) == "rolling-2"
        assert made.settings_from("rolling-2", id) == first
        assert made.search(of(id, split="rolling-1"))["trials"] == alike
        found = made.search_inputs(of(id, split="rolling-2"))
        assert found["chosen"] == [f"{place}/talk/chosen.yaml"]
        assert ("settings" in found) == (id == "grid")
        assert made.chosen(of(id, split="rolling-2")) == [
            f"{place}/{each}/chosen.yaml" for each in ("talk", id)
        ]
        own = f"{place}/{id}/choice.yaml"
        settings = f"results/ml/{first}/tuning/{id}/choice.yaml"
        assert made.choice_files("ml", "rolling-2", id)[settings] == own, "no search for a note"


def test_another_split_can_serve_one_whole():
    rolling = {"kind": "rolling", "windows": 2}
    layers = at("splits.rolling", rolling), at("splits.latest", {"tuned_on": "rolling"})
    made = plan(*layers, tuning="search")
    for id in ("teacher", "scratch", "talk"):
        assert made.chosen(of(id)) == [f"results/ml/rolling-2/tuning/{id}/chosen.yaml"]
        first = "rolling-1" if id == "talk" else "rolling-2"
        assert made.settings_from("latest", id) == first
    searched = {split for _, split, _ in made.searches}
    assert searched == {"rolling-1", "rolling-2"}


def test_a_share_of_images_is_served_by_another_split():
    tenth = {"kind": "given", "share": 0.1, "tuned_on": "given"}
    made = plan(at("splits.tenth", tenth), {"search": {"trials": 4}})
    assert made.steps_from("tenth", "see") == "given"
    seen = of("see", data="digits", split="tenth", task="all")
    assert made.search(seen)["trials"] == 4, "a search by name is a whole one"


def test_the_teacher_of_a_share_has_learnt_from_all_rows():
    share = {"kind": "latest", "share": 0.1, "draws": 2}
    made = plan(at("splits.few", share))
    student = of(split="few-2")
    assert made.teachers(student) == ["results/ml/latest/all/teacher/models.safetensors"]
    assert made.models_of("ml", ("drama",), of("teacher", split="few-2")) == made.teachers(student)
    assert made.seeds_on("few-2") == [1]
    assert made.seeds_on("latest") is None
    alone = plan(at("splits.few", share | {"eval": 0.2}))  # a share of no split that there is
    assert alone.teachers(student) == ["results/ml/few-2/all/teacher/models.safetensors"]
    assert alone.training_config(student)["seeds"] == 1


def test_a_share_is_drawn_once_in_a_search():
    """Of the one task `all` the slices are drawn themselves, and others' are not."""
    one = at("data.ml.tasks", {"by": "all", "names": []})
    few = at("splits.few", {"kind": "latest", "share": 0.1})
    odd = at("splits.few", {"kind": "latest", "share": 0.1, "eval": 0.2})
    for over, draws in (([few], 1), ([odd], 1), ([one, few], 1), ([one, odd], 0)):
        made = plan(*over)
        assert ("share" in made.search(of(split="few", task="all"))) == draws


def test_so_has_a_teacher_of_images():
    made = plan(at("splits.tenth", {"kind": "given", "share": 0.1}))
    found = made.image_files("digits", "tenth", "see")
    assert found["probe0"] == "results/digits/given/all/vit/probe.safetensors"
    over = at("models.vit-student.training", {"smallest_area": 1.0})
    kept = plan(at("splits.tenth", {"kind": "given", "share": 0.1}), over)
    states = kept.image_files("digits", "tenth", "see")["states0"]
    assert states[0] == "results/digits/tenth/all/vit/states1/low.npy"  # of its own images


def test_a_teachers_row_is_the_teacher_of_all_images_on_a_share_too():
    tuned = at("models.tuned", {"kind": "vit", "of": "vit", "on": "all"})
    shown = {"title": "S", "data": ["digits"], "split": "tenth", "against": "plain"}
    shown["rows"] = {"Plain": "plain", "Teacher": "tuned", "See": "see"}
    plain = at("experiments.plain", {"method": "scratch", "student": "vit-student"})
    tenth = at("splits.tenth", {"kind": "given", "share": 0.1})
    taught = at("experiments.see.teachers", ["tuned", "vit"])
    made = plan(tuned, plain, tenth, taught, {"tables": {"t": None, "few": shown}})
    place = "results/digits/given/all/tuned"
    (file,) = made.model_files("digits", "tenth", "all", "tuned", "1")
    assert file == f"{place}/seed1/models.safetensors"
    assert made.image_files("digits", "tenth", "see", 1)["teacher0"] == file
    sized = {model: (file, job[1]) for file, (model, job) in made.sized.items()}
    assert sized["tuned"][0] == f"{place}/seed0/models.safetensors"
    assert sized["vit-student"][0].startswith("results/digits/tenth/all/plain/")


def test_all_searches_are_those_of_each_data_set_and_of_the_splits_that_are_shown():
    shown = {"title": "F", "data": ["ml"], "split": "rolling", "rows": {"Talk": "talk"}}
    made = plan(at("splits.rolling", {"kind": "rolling", "windows": 2}), at("tables.few", shown))
    latest = [("ml", "latest", id) for id in ("teacher", "scratch", "talk")]
    rolling = [("ml", f"rolling-{n}", id) for n in (1, 2) for id in ("teacher", "talk")]
    assert made.searches[:3] == latest
    assert sorted(made.searches[3:]) == sorted(rolling)


def test_searches_of_images_are_those_that_vary_something_where_they_are_chosen():
    rows = {"See": "see", "Scratch": "plain", "Likewise": "like"}
    more = {
        "plain": {"method": "scratch", "student": "vit-student"},
        "like": {"method": "td", "student": "vit-student", "teachers": ["vit"], "like": "see"},
    }
    seen = {"title": "S", "data": ["digits"], "rows": rows}
    made = plan({"tables": {"seen": seen}, "experiments": more})
    assert made.image_searches == [("digits", "given", "see")]
    few = {"kind": "given", "val": 0.2}
    over = {"splits": {"few": few, "given": {"kind": "given", "tuned_on": "few"}}}
    made = plan({"tables": {"seen": seen}, "experiments": more}, over)
    assert made.image_searches == [("digits", "few", "see")]


def test_a_choice_says_what_it_was_made_on():
    assert plan().basis("ml", "latest") == {
        "data": {"kind": "movielens", "variant": "100k"},
        "split": {"kind": "latest", "eval": 0.1, "val": 0.1, "share": 1.0},
    }


# Evaluation


def test_an_evaluation_reads_one_file_for_each_task_or_one_teachers():
    made = plan()
    assert made.models_of("ml", ("drama", "war"), of()) == [
        f"results/ml/latest/{task}/talk/models.safetensors" for task in ("drama", "war")
    ]
    assert made.models_of("ml", ("war",), of("teacher")) == made.teachers(of())


def test_what_nothing_shows_is_evaluated_by_another_job():
    few = {"title": "F", "data": ["ml"], "split": "rolling", "tasks": 1, "rows": {"Talk": "talk"}}
    rolling = at("splits.rolling", {"kind": "rolling", "windows": 2})
    (all_of_it,) = plan(rolling).evaluations("ml")
    assert all_of_it["tasks"] == ["drama", "war"]
    assert {"latest", "rolling-1"} <= {*all_of_it["splits"]}
    assert {"talk", "teacher"} <= {*all_of_it["experiments"]}

    found = plan(rolling, at("tables.few", few)).evaluations("ml")
    of_windows = [each for each in found if "rolling-2" in each["splits"]]
    told = [(e["step"], e["tasks"]) for e in of_windows if "talk" in e["experiments"]]
    assert told == [("evaluate", ["drama"]), ("evaluate_others", ["war"])]
    told = [e["tasks"] for e in of_windows if "scratch" in e["experiments"]]
    assert told == [["drama", "war"]]
    assert [e["tasks"] for e in found if "latest" in e["splits"]] == [["drama", "war"]]
