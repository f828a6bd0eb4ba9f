"""Settings that cannot be together are refused before any job, both named with their values."""

from types import SimpleNamespace

import pytest
from configs import at, config, curve, line, message, table, whole

from talking_models.config import ConfigError, load
from talking_models.config.merge import merge
from talking_models.plan import Plan


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (
            {"search": {"trials": 2, "steps": 20, "teacher_steps": 50}},
            "search: search.steps 20 < search.every 25: no trial would be looked at",
        ),
        (
            {"search": {"teacher_steps": 24}},
            "search: search.teacher_steps 24 < search.every 25: no trial would be looked at",
        ),
        (
            at("models.vit-student.training", {"steps": 100, "warmup_steps": 500}),
            "models.vit-student.training: warmup_steps 500 never end in steps 100: change one of "
            "them",
        ),
        (
            at("models.vit-student.training", {"steps": 100}),  # 500 is the default
            "models.vit-student.training: warmup_steps 500 never end in steps 100: change one of "
            "them",
        ),
        (
            at("experiments.see.training", {"steps": 500}),
            "experiments.see.training: warmup_steps 500 never end in steps 500: change one of them",
        ),
        (
            at("models.vit-student.training", {"batch_size": 30, "micro_batch_size": 32}),
            "models.vit-student.training: batch_size 30 is no multiple of micro_batch_size 32: "
            "change one of them",
        ),
        (
            at("models.vit-student.training", {"batch_size": 32, "micro_batch_size": 7}),
            "models.vit-student.training: batch_size 32 is no multiple of micro_batch_size 7: "
            "change one of them",
        ),
        (
            {"device": {"devices": 3}},
            "experiments.see.training: batch_size 512 in micro-batches of 170 cannot be divided "
            "among device.devices 3",
        ),
        (
            at("models.vit-student.blocks", 13),
            "models.vit-student: cut [2, 4] and blocks 13 in vit_base_patch32_224.orig_in21k of "
            "12 blocks",
        ),
        (
            at("models.vit.cut", [6, 99]),
            "models.vit: cut [6, 99] and blocks None in vit_base_patch32_224.orig_in21k of "
            "12 blocks",
        ),
        (
            at("models.vit.cut", [6, 3]),
            "models.vit: cut [6, 3]: the lower state lies before the higher",
        ),
        (
            at("models.vit-student.cut", [4, 2]),
            "models.vit-student: cut [4, 2]: the lower state lies before the higher",
        ),
        (
            at("models.vit-student.cut", [2, 5]),
            "models.vit-student: cut [2, 5] goes beyond blocks 4",
        ),
        (
            at("data.ml.tasks.densest", 4),
            "data.ml.tasks: names ['Drama', 'War'] and densest 4: one of them says it",
        ),
        (
            at("data.ml.tasks.by", "all"),
            "data.ml.tasks: by `all` there is one task: say by what others are subsets "
            "(`category`)",
        ),
        (
            at("data.ml.tasks", {"names": []}),
            "data.ml.tasks: by category: say which there are, by `names` or `densest`",
        ),
        (
            at("data.digits.tasks", {"by": "category", "densest": 2}),
            "data.digits.tasks: by category: images have the one task `all`",
        ),
        (
            at("splits.latest.windows", 3),
            "splits.latest: kind latest and windows 3: kind `rolling` needs windows, and no other "
            "kind has them",
        ),
        (
            at("splits.given.eval", 0.2),
            "splits.given: eval 0.2 has no effect with kind `given`: the source says it",
        ),
        (
            at("splits.rolling", {"kind": "rolling", "windows": 2, "eval": 0.2}),
            "splits.rolling: eval 0.2 has no effect with kind `rolling`: windows say it",
        ),
        (
            at("splits.few", {"kind": "given", "share": 0.1, "draws": 2}),
            "splits.few: draws 2 beside kind given and share 0.1: draws are of a share below 1 of "
            "ratings, in one window",
        ),
        (
            at("experiments.both", {"method": "mutual", "peers": ["vit-student"]}),
            "experiments.both.peers: found ['vit-student'] (a list); student and peers are for "
            "different families of data",
        ),
        (
            curve(against="scratch", splits={"a": "latest", "b": "latest"}, lines={"T": "talk"}),
            "curves.c.splits.b: found 'latest' (text); a shows it already",
        ),
        (
            at("models.teacher.file", "t.safetensors"),
            "models.teacher: on and file: it is trained here or comes from a file",
        ),
        (
            at("models.teacher.on", None),
            "experiments.talk.teachers: found 'teacher' (text); teacher is not trained anywhere: "
            "set its `on: all`, or its `file`",
        ),
        (
            at("experiments.see.teachers", ["teacher"]),
            "experiments.see.teachers: found ['teacher'] (a list); student and teachers are for "
            "different families of data",
        ),
        (
            table(data=["ml", "digits"]),
            "tables.t.data: found ['ml', 'digits'] (a list); ratings and images in one table",
        ),
        (
            table(metric="accuracy"),
            "tables.t.metric: found 'accuracy' (text); this metric is not for ratings",
        ),
        (
            table(split="given"),
            "tables.t.data: found 'ml' (text); data set ml of ratings cannot be cut by given",
        ),
        (
            table(rows={"A": "see"}),
            "tables.t.rows.A: found 'see' (text); see trains vit-student, which is not for ratings",
        ),
        (
            curve(of="talk", over={"rounds": [0, 1]}, points={"2": "talk"}),
            "curves.c: either `of` and `over`, or `points`, or `splits` with `lines` and `against`",
        ),
        (
            curve(of="talk", over={"rounds": [0], "w1": [1.0]}),
            "curves.c: `over` takes one setting",
        ),
        (
            curve(points={"1": "talk"}, costs=True),
            "curves.c: costs has an effect only beside `splits`",
        ),
        (
            curve(of="talk", over={"noise": [0.5, "0,5"]}),
            "curves.c.over.noise[1]: found '0,5' (text); its experiment c-0-5 is there already, "
            "give the curve another id",
        ),
    ],
    ids=lambda value: value.partition(":")[0] if isinstance(value, str) else "",
)  # fmt: skip
def test_what_contradicts_itself_is_refused_with_both_keys_and_values(raw, problem):
    assert line(raw) == problem


def settings(of="talk", **keys):
    return at(f"experiments.{of}.settings", keys)


def experiment(**keys):
    return {"experiments": {"new": keys}}


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (settings(rounds=0, w1=0.5), "talk.settings.w1: found 0.5 (a number); no effect beside ro"),
        (settings(rounds=0, noise=0.1), "talk.settings.noise: found 0.1 (a number); no effect bes"),
        (settings(rounds=2, w1=0.0), "talk.settings.rounds: found 2 (an integer); no effect besi"),
        (settings(target="original"), "talk.settings.target: found 'original' (text); no effect "),
        (settings(w2=0.0, sc_mode="both"), "talk.settings.sc_mode: found 'both' (text); no effec"),
        (
            settings(w2=0.0, w3=0.0, consistency_until_step=9),
            "talk.settings.consistency_until_step: found 9 (an integer); no effect beside w2 0.0",
        ),
        (
            settings(rounds=0, w2=0.0, stop_gradient="none"),
            "talk.settings.stop_gradient: found 'none' (text); no effect beside w2 0.0, without",
        ),
        (
            settings(w1=0.0, w2=0.0, w3=0.0, message=9),
            "talk.settings.message: found 9 (an integer); no effect beside w2 0.0, without rounds",
        ),
        (
            settings(w2=0.5, student_steps=9, consistency_until_step=9),
            "talk.settings.w2: found 0.5 (a number); no effect beside consistency_until_step 9",
        ),
        (settings("see", rounds=0, noise=0.1), "see.settings.noise: found 0.1 (a number); no eff"),
        (
            experiment(method="hybrid", settings={"phi": 0.5}),
            "new.settings.phi: found 0.5 (a number); no effect beside gate off",
        ),
        (
            experiment(method="ld", settings={"temperature": 2.0}),
            "new.settings.temperature: found 2.0 (a number); no effect on ratings",
        ),
        (
            experiment(method="group", settings={"replies": "mean"}),
            "new.settings.replies: found 'mean' (text); no effect beside one teacher or peer",
        ),
        (
            experiment(method="td", settings={"replies": "mean"}),
            "new.settings.replies: unknown key, found with the value 'mean'",
        ),
        (
            experiment(
                method="td", teachers=["teacher", "student"], weights={"student": 0.0},
                settings={"replies": "mean"},
            ),
            "new.settings.replies: unknown key, found with the value 'mean'",
        ),
        (
            experiment(method="td", peers=["student"], teachers=[], settings={"replies": "mean"}),
            "new.settings.replies: found 'mean' (text); no effect beside one teacher or peer",
        ),
        (
            experiment(method="td", like="talk", settings={"rounds": 0}, choose={"w1": [0.5]}),
            "new.choose.w1[0]: found 0.5 (a number); no effect beside rounds 0",
        ),
        (
            experiment(method="td", like="talk", search_seed=2),
            "new.search_seed: found 2 (an integer); no effect beside like talk",
        ),
        (
            experiment(method="ld", weights={"teacher": 0.5}),
            "new.weights: no effect, as teacher is alone: weights are of several",
        ),
        (
            at("experiments.scratch.teacher_seed", "first"),
            "scratch.teacher_seed: found 'first' (text); there is no teacher",
        ),
        (
            experiment(method="group", peers=["teacher"]),
            "new.peers[0]: found 'teacher' (text); it is among the teachers",
        ),
        (
            at("experiments.see.training", {"optimiser": "adamw", "momentum": 0.5}),
            "see.training: momentum 0.5 of optimiser adamw has no effect",
        ),
    ],
)  # fmt: skip
def test_what_an_experiment_says_in_vain_is_refused(raw, problem):
    assert line(raw).startswith(f"experiments.{problem}")


def test_the_file_of_a_student_that_teaches_nobody_is_refused():
    problem = "models.student.file: found 'x.safetensors' (text); no effect: it is a student"
    assert line(at("models.student.file", "x.safetensors")).startswith(problem)
    teaches = experiment(method="ld", teachers=["student"]) | {"models": {"student": {}}}
    teaches["models"]["student"]["file"] = "x.safetensors"
    assert config(teaches)


def test_training_of_a_model_that_is_a_peer_alone_is_refused():
    """It trains as the student beside it does."""
    large = at("models.large", {"kind": "mlp", "training": {"dropout": 0.5, "steps": 9}})
    beside = at("experiments.talk", {"peers": ["large"]})
    assert line(large | beside) == (
        "models.large.training.steps: found 9 (an integer); no effect: as a peer it trains as "
        "models.student does, and no experiment has it as student"
    )
    alone = {"method": "scratch", "student": "large"}
    config(large | at("experiments", {"talk": {"peers": ["large"]}, "alone": alone}))
    config(merge(large, at("models.large.on", "all")) | beside)


def test_of_a_curve_over_it_too():
    over = settings(rounds=0) | curve(of="talk", over={"w1": [0.03, 0.5]})
    problem = "curves.c.over.w1[1]: found 0.5 (a number); no effect beside rounds 0"
    assert line(over) == problem


@pytest.mark.parametrize(
    "raw",
    [
        settings(rounds=0, w1=0.03, noise=0.0),  # as it is anyway
        settings(rounds=0, w2=0.0, distance="plain"),  # of messages
        settings(noise=0.1) | curve(of="talk", over={"rounds": [0, 1]}),
        settings(noise=0.1) | experiment(method="td", like="talk", settings={"rounds": 0}),
        settings(noise=0.1) | experiment(method="td", like="talk", settings={"w1": 0.0}),
        experiment(method="dist", student="vit-student", teachers=["vit"], settings={"inter": 2}),
    ],
)
def test_what_is_switched_off_by_an_ablation_is_no_contradiction(raw):
    assert config(merge(raw, {}))


ROLLING = {"kind": "rolling", "windows": 2}


@pytest.mark.parametrize(
    ("splits", "seen"),
    [
        ({"rolling": ROLLING | {"settings_on": "rolling-1"}}, False),
        ({"rolling": ROLLING | {"settings_on": "rolling-2"}}, True),
        ({"rolling": ROLLING | {"tuned_on": "latest"}}, True),
        ({"rolling": ROLLING, "latest": {"tuned_on": "rolling-2"}}, False),
        ({"rolling": ROLLING, "latest": {"tuned_on": "rolling"}}, False),
        ({"rolling": ROLLING, "each": {"kind": "per_user", "settings_on": "rolling"}}, True),
        ({"more": {"kind": "latest", "eval": 0.2, "tuned_on": "latest"}}, True),
        ({"less": {"kind": "latest", "eval": 0.05, "tuned_on": "latest"}}, False),
        ({"each": {"kind": "per_user", "tuned_on": "latest"}}, True),
        ({"few": {"kind": "given", "share": 0.5, "tuned_on": "given"}}, False),
    ],
)
def test_settings_are_chosen_on_no_row_that_is_an_eval_row(splits, seen):
    if seen:
        assert "its training rows are eval rows of" in line({"splits": splits})
    else:
        assert config({"splits": splits})


def test_a_window_does_not_serve_all_of_its_split():
    splits = {"rolling": ROLLING | {"tuned_on": "rolling-1"}}
    assert "it is part of rolling: settings_on can name it" in line({"splits": splits})


@pytest.mark.parametrize(
    ("further", "own", "said"),
    [
        ({"tuned_on": "latest"}, {"tuned_on": "more"}, "it is served by latest itself: name that"),
        ({"settings_on": "latest"}, {"settings_on": "more"}, "it is served by latest itself"),
        ({}, {"tuned_on": "more", "settings_on": "more"}, "tuned_on more serves all of it"),
        ({}, {"settings_on": "mor"}, "nearest: more"),
    ],
)
def test_what_serves_a_split_has_searches_of_its_own(further, own, said):
    splits = {"more": {"kind": "latest"} | further, "few": {"kind": "latest", "share": 0.5} | own}
    assert said in line({"splits": splits})


def test_claims_are_of_another_table():
    over = table(claims_of="t")
    assert line(over).startswith("tables.t.claims_of: found 't' (text); no effect: claims of its")


def test_tuned_settings_are_those_of_ratings_or_of_images():
    said = "data.ml.tuned_as: found 'digits' (text); settings of images are none of ratings"
    assert line(at("data.ml.tuned_as", "digits")) == said


def test_a_model_is_of_one_that_is_of_no_other():
    """So nothing goes in circles."""
    assert message({"models": {"vit": {"of": "vit-student"}}}).splitlines()[1:] == [
        f"  models.{id}.of: found '{other}' (text); "
        "allowed: no other model of the same kind without `of`"
        for id, other in (("vit", "vit-student"), ("vit-student", "vit"))
    ]
    over = at("models.third", {"kind": "vit", "of": "vit-student"})
    assert line(over).startswith("models.third.of: found 'vit-student' (text); allowed: one of vit")


def test_what_a_model_is_of_is_checked_as_it_is_together():
    """A depth that stands with the teacher, blocks that stand with the student."""
    tiny = {"name": "vit_tiny_patch16_224", "options": {"depth": 6}, "cut": [3, 6]}
    assert config(at("models.vit", tiny))
    over = merge(at("models.vit", tiny), at("models.vit-student.blocks", 9))
    assert line(over).startswith("models.vit-student: cut [2, 4] and blocks 9 in vit_tiny")
    assert "of 6 blocks" in line(over)


def test_an_option_that_a_kind_cannot_take_is_a_problem_and_no_crash():
    assert "models.vit: vit cannot " in message(at("models.vit.options", {"depth": "six"}))


@pytest.mark.parametrize("key", ["evaluate_every", "log_every", "checkpoint_every"])
def test_fewer_steps_than_between_two_looks_are_allowed(key):
    """The last step is looked at anyway."""
    training = {"steps": 5, "warmup_steps": 1, key: 1000}
    assert config(at("models.vit-student.training", training))


# What only shows in a job's own settings ends the run when the job is wanted, and no other run.


def job(over, experiment, task="war", data="ml", split="latest"):
    place = SimpleNamespace(data=data, split=split, task=task, experiment=experiment)
    return Plan(load(whole(over)), over).training_config(place)


@pytest.mark.parametrize(
    ("experiment", "over", "said"),
    [
        (
            "talk",
            {"student_steps": 5000},
            "student_steps 5000 and module_steps 0 leave nothing of steps 500",
        ),
        (
            "talk",
            {"student_steps": 100, "module_steps": 400},
            "student_steps 100 and module_steps 400 leave nothing of steps 500",
        ),
        (
            "see",
            {"module_steps": 30000},
            "student_steps 0 and module_steps 30000 leave nothing of steps 20000",
        ),
    ],
)
def test_separate_training_leaves_steps_for_both(experiment, over, said):
    over = at(f"experiments.{experiment}.settings", over)
    place = {} if experiment == "talk" else {"data": "digits", "split": "given", "task": "all"}
    with pytest.raises(ConfigError) as caught:
        job(over, experiment, **place)
    student = "student" if experiment == "talk" else "vit-student"
    start = f"experiments.{experiment}, with models.{student}.training: {said}"
    assert str(caught.value).startswith(start)


def test_a_contradiction_hinders_no_other_experiment():
    over = {
        "models": {"student": {"training": {"steps": 50}}},
        "experiments": {
            "apart": {"method": "td", "like": "talk", "settings": {"student_steps": 100}}
        },
    }
    assert job(over, "talk")["training"]["steps"] == 50
    with pytest.raises(ConfigError, match=r"student_steps 100 .* leave nothing of steps 50"):
        job(over, "apart")


def test_rules_hear_of_it_while_the_jobs_are_planned():
    over = at("experiments.talk.settings.student_steps", 5000)
    place = SimpleNamespace(data="ml", split="latest", task="war", experiment="talk")
    plan = Plan(load(whole(over)), over)
    for asked in (plan.teachers, plan.search_inputs):
        with pytest.raises(ConfigError, match="student_steps 5000"):
            asked(place)


def test_peers_of_images_start_from_the_students_weights():
    models = {"net": {"kind": "timm", "name": "test_resnet", "image_size": 384, "cut": [1, 2]}}
    peer = {"method": "mutual", "student": "vit-student", "peers": ["net"]}
    said = line({"models": models, "experiments": {"both": peer}})
    assert said.startswith(
        "experiments.both.peers: found 'net' (text); net starts from the weights"
    )
    peer["peers"] = ["twin"]
    models = {"twin": {"kind": "vit", "of": "vit", "blocks": 4, "cut": [2, 4]}}
    said = line({"models": models, "experiments": {"both": peer}})
    assert "twin is what the student is and starts from the same weights" in said
    assert config({"models": models, "experiments": {"both": peer | {"method": "born_again"}}})
    models["twin"]["blocks"] = 6
    assert config({"models": models, "experiments": {"both": peer}})


def test_a_draw_has_a_teacher_of_its_seed():
    """Only where it is wanted: `--config seeds=2` leaves other tables as they are."""
    over = at("splits.few", {"kind": "latest", "share": 0.1, "draws": 3}) | {"seeds": 2}
    with pytest.raises(ConfigError, match=r"splits.few: draws 3, .* of ml have seeds 2: draw"):
        job(over, "talk", split="few-1")
    assert job(over, "scratch", split="few-3")["first_seed"] == 2  # nobody teaches
    assert job(over, "talk")
    for enough in ({"seeds": 3}, {"teacher_seed": "first"}):
        assert job(over | enough, "talk", split="few-3")["seeds"] == 1


def test_trials_have_steps_for_what_they_try():
    over = {
        **at("experiments.talk.settings.student_steps", 100),
        "search": {"steps": 50, "image_steps": 400},
    }
    place = SimpleNamespace(data="ml", split="latest", task="war", experiment="talk")
    plan = Plan(load(whole(over)), over)
    with pytest.raises(ConfigError) as caught:
        plan.search_inputs(place)
    said = "experiments.talk, with the steps of a trial (search): student_steps 100"
    assert str(caught.value).startswith(said)
    assert plan.teachers(place)  # training has 500
    place = SimpleNamespace(data="digits", split="given", experiment="see")
    with pytest.raises(ConfigError) as caught:
        plan.image_search_inputs(place)
    said = "see, with the steps of a trial (search): training: warmup_steps 500 never end in"
    assert str(caught.value).startswith(said)
