"""What the configuration refuses, and in which words: path, found, allowed, nearest."""

import pytest
import yaml
from configs import at, curve, line, message, table

from talking_models import methods
from talking_models.config import ConfigError, read

METHODS = methods.METHODS.names()


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("seed", "seeds"),
        ("data.ml.tasks.name", "names"),
        ("data.ml.variants", "variant"),
        ("splits.latest.shares", "share"),
        ("models.student.hiden", "hidden"),
        ("models.student.training.learning-rate", "learning_rate"),
        ("models.vit.image-size", "image_size"),
        ("models.vit.training.warmup_step", "warmup_steps"),
        ("experiments.talk.setting", "settings"),
        ("experiments.talk.settings.round", "rounds"),
        ("experiments.talk.training.step", "steps"),
        ("experiments.see.training.warmup", "warmup_steps"),
        ("search.trial", "trials"),
        ("device.device", "devices"),
    ],
)
def test_a_misspelt_key_is_named_with_its_path_value_and_nearest_key(path, nearest):
    problem = line(at(path, 2))
    assert problem.startswith(f"{path}: unknown key, found with the value 2; allowed: one of ")
    assert problem.endswith(f"; nearest: {nearest}")


def test_a_misspelt_key_of_a_table_is_named():
    problem = line(table(rowz=2))
    assert problem.startswith("tables.t.rowz: unknown key, found with the value 2; allowed: one of")
    assert problem.endswith("; nearest: rows")


CONFIG_TEXT = (
    "Snakemake hands nested values of --config over as text: write them into a file for "
    "--configfile"
)
YAML_TEXT = (
    "to YAML this is text: write a number without quotes, an exponent as 1.0e-3; " + CONFIG_TEXT
)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({"seeds": 0}, "seeds: found 0 (an integer); allowed: an integer at least 1"),
        ({"seeds": True}, "seeds: found True (true or false); allowed: an integer at least 1"),
        ({"seeds": 2.0}, "seeds: found 2.0 (a number); allowed: an integer at least 1"),
        ({"seeds": None}, "seeds: found None (nothing); allowed: an integer at least 1"),
        (
            at("splits.latest.val", 0),
            "splits.latest.val: found 0 (an integer); allowed: a number above 0 and at most 0.5",
        ),
        (
            at("models.student.training.dropout", float("nan")),
            "models.student.training.dropout: found nan (a number); "
            "allowed: a number at least 0 and below 1",
        ),
        (
            at("data.ml.variant", "100K"),
            "data.ml.variant: found '100K' (text); "
            "allowed: one of 100k, 1m, 10m, 20m, 25m, 32m, latest-small; nearest: 100k",
        ),
        (
            at("models.teacher.hidden", [512, 0]),
            "models.teacher.hidden[1]: found 0 (an integer); allowed: an integer at least 1",
        ),
        (
            at("models.teacher.hidden", [512, 256, 128]),
            "models.teacher.hidden: found [512, 256, 128] (a list); "
            "allowed: a list of 2, each an integer at least 1",
        ),
        (
            at("models.teacher.hidden", [512]),
            "models.teacher.hidden[1]: nothing found, the key is required; "
            "allowed: an integer at least 1",
        ),
        (
            at("data.ml.tasks.names", ["War", "Drama", "War"]),
            "data.ml.tasks.names: found ['War', 'Drama', 'War'] (a list); "
            "each name once; repeated: War",
        ),
        (
            at("models.student.features", [1]),
            "models.student.features: found [1] (a list); allowed: a mapping with the keys user, "
            "item, title, categories",
        ),
        (
            at("experiments.talk.settings.rounds", 9),
            "experiments.talk.settings.rounds: found 9 (an integer); "
            "allowed: an integer at least 0 and at most 3",
        ),
        (
            at("experiments.talk.settings.rounds", "2"),
            "experiments.talk.settings.rounds: found '2' (text); "
            f"allowed: an integer at least 0 and at most 3; {YAML_TEXT}",
        ),
        (
            at("experiments.talk.training.steps", None),
            "experiments.talk.training.steps: found None (nothing); allowed: an integer at least 0",
        ),
        (
            at("experiments.Big", {"method": "ld"}),
            "experiments.Big: found the name 'Big'; allowed: text that matches "
            "^[a-z0-9][a-z0-9-]*$",
        ),
        (
            at("experiments.a", {}),
            "experiments.a.method: nothing found, the key is required; "
            f"allowed: one of {', '.join(METHODS)}",
        ),
        (
            at("experiments.a.method", "fitnets"),
            "experiments.a.method: found 'fitnets' (text); "
            f"allowed: one of {', '.join(METHODS)}; nearest: fitnet",
        ),
        (
            table(rows={"A": "talks", "B": "scratch"}),
            "tables.t.rows.A: found 'talks' (text); "
            "allowed: one of teacher, scratch, talk, see; nearest: talk",
        ),
        (
            table(bold=["A", "b"]),
            "tables.t.bold[1]: found 'b' (text); allowed: one of A, B; nearest: B",
        ),
        (
            at("data.ml.tasks.names", ["Drama", "SciFi"]),
            "data.ml.tasks.names[1]: found 'SciFi' (text); allowed: one of Action, Adventure, "
            "Animation, Children, Comedy, Crime, Documentary, Drama, Fantasy, Film-Noir, Horror, "
            "IMAX, Musical, Mystery, Romance, Sci-Fi, Thriller, War, Western; nearest: Sci-Fi",
        ),
        (
            {"models": "{student: {training: {steps: 5}}}"},
            "models: found '{student: {training: {steps: 5}}}' (text); allowed: a mapping of "
            f"names; {CONFIG_TEXT}",
        ),
        (
            at("models.student", "{kind: mlp}"),
            "models.student: found '{kind: mlp}' (text); allowed: a mapping with the keys kind, "
            f"on, file, training; {CONFIG_TEXT}",
        ),
        (
            at("experiments.x", {"method": "td", "like": "talk", "choose": {"rounds": [1, 9]}}),
            "experiments.x.choose.rounds[1]: found 9 (an integer); "
            "allowed: an integer at least 0 and at most 3",
        ),
        (
            curve(of="talk", over={"rounds": [0, 9]}),
            "curves.c.over.rounds[1]: found 9 (an integer); "
            "allowed: an integer at least 0 and at most 3",
        ),
        (
            {7: 1},
            "[7]: found the name 7; allowed: text; to YAML this is none: write it in quotes",
        ),
        (
            table(rows={False: "talk"}),
            "tables.t.rows[False]: found the name False; allowed: text; to YAML this is none: "
            "write it in quotes",
        ),
    ],
    ids=lambda value: value.partition(":")[0] if isinstance(value, str) else "",
)
def test_a_wrong_value_is_named_with_its_path_and_what_is_allowed(raw, problem):
    assert line(raw) == problem


@pytest.mark.parametrize(
    ("section", "entry"), [("data", {"variant": "1m"}), ("models", {"hidden": [1, 2]})]
)
def test_an_entry_without_a_kind_or_of_an_unknown_one_has_one_problem(section, entry):
    known = line(at(f"{section}.new", entry))
    assert known.startswith(f"{section}.new.kind: nothing found, the key is required; allowed: one")
    wrong, right = {"data": ("movie-lens", "movielens"), "models": ("mpl", "mlp")}[section]
    problem = line(at(f"{section}.new", {**entry, "kind": wrong}))
    assert problem.startswith(f"{section}.new.kind: found {wrong!r} (text); allowed: one of ")
    assert problem.endswith(f"; nearest: {right}")


def test_one_wrong_element_of_a_list_is_one_problem_whatever_it_could_be():
    """Elements that can be text or numbers: not one problem for each."""
    columns = {"user": 1.5, "categories": ["a", {}, 3]}
    entry = {"kind": "ratings", "ratings": "a.csv", "columns": columns}
    first, *problems = message(at("data.shop", entry)).splitlines()
    assert first == "the configuration has 2 problems:"
    starts = [problem.strip().partition(";")[0] for problem in problems]
    assert starts == [
        "data.shop.columns.user: found 1.5 (a number)",
        "data.shop.columns.categories[1]: found {} (a mapping)",
    ]


def test_an_exponent_without_a_point_is_text_to_yaml_and_the_message_says_so():
    raw = yaml.safe_load("models: {student: {training: {learning_rate: 1e-3}}}")
    assert raw["models"]["student"]["training"]["learning_rate"] == "1e-3"
    assert line(raw) == (
        "models.student.training.learning_rate: found '1e-3' (text); "
        f"allowed: a number above 0 and at most 1; {YAML_TEXT}"
    )


def test_a_plugin_folder_without_a_python_file_is_named(tmp_path):
    assert line({"plugins": [str(tmp_path)]}) == f"plugins: there is no Python file in {tmp_path}"


@pytest.mark.parametrize("below", ["", "/tables"])
def test_a_file_in_the_place_of_the_results_is_named(tmp_path, monkeypatch, below):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").write_text("")
    problem = f"results: found 'here{below}' (text); here is a file, and no folder"
    assert line({"results": f"here{below}"}) == problem


def test_a_choice_has_values():
    x = {"method": "td", "like": "talk", "choose": {"rounds": []}}
    assert line(at("experiments.x", x)) == (
        "experiments.x.choose.rounds: found [] (a list); "
        "allowed: a list of at least 1, each anything"
    )


@pytest.mark.parametrize("word", ["true", "no"])
def test_a_word_for_yes_and_no_on_the_command_line_says_how_to_write_it(word):
    assert line({"trial": word}).endswith(
        "allowed: true or false; on the command line it is True or False, in a file without quotes"
    )
    assert line(table(in_all=word)).endswith(f"allowed: true or false; {CONFIG_TEXT}")


@pytest.mark.parametrize("over", [at("tables.t", "null"), at("data.ml.variant", "~")])
def test_null_on_the_command_line_is_text_and_the_message_says_so(over):
    assert line(over).endswith(CONFIG_TEXT)


def test_every_problem_is_listed_at_once():
    text = message(
        {
            "sedes": 1,
            "seeds": -1,
            "data": {"x": {"kind": "nothing"}, "ml": {"variant": 1}},
            "models": {"student": {"hidden": 3}},
            "tables": {"u": {"rows": {}}},
        }
    )
    assert text.startswith("the configuration has 8 problems:\n")
    paths = [problem.strip().partition(":")[0] for problem in text.splitlines()[1:]]
    assert sorted(paths) == [
        "data.ml.variant",
        "data.x.kind",
        "models.student.hidden",
        "sedes",
        "seeds",
        "tables.u.data",
        "tables.u.rows",
        "tables.u.title",
    ]


def test_names_that_are_not_there_are_listed_at_once():
    text = message(
        {
            "data": {"ml": {"split": "late"}},
            "models": {"vit-student": {"of": "student"}},
            "experiments": {
                "a": {"method": "ld", "student": "pupil", "teachers": ["teacher", "sage"]},
                "b": {"method": "ld", "settings": {"w": 1}},
                "c": {"method": "td", "like": "scratch"},
            },
        }
    )
    paths = [problem.strip().partition(":")[0] for problem in text.splitlines()[1:]]
    assert sorted(paths) == [
        "data.ml.split",
        "experiments.a.student",
        "experiments.a.teachers[1]",
        "experiments.b.settings.w",
        "experiments.c.like",
        "models.vit-student.of",
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("seeds: 2\nseeds: 3\n", "the key 'seeds' stands here for the second time"),
        ("data: {ml: {kind: digits, name: A, name: B}}\n", "the key 'name' stands here for the se"),
    ],
)
def test_a_key_that_stands_twice_in_a_file_is_an_error(tmp_path, text, place):
    """The first of them would go without a word."""
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path} is not YAML: {place}")
    assert "line " in str(caught.value)


def test_what_is_merged_into_a_mapping_may_be_said_again(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(
        "models:\n  a: &a {kind: mlp, hidden: [4, 2], on: all}\n  b: {<<: *a, hidden: [2, 2]}\n"
    )
    assert read(path).models["b"].hidden == (2, 2)


def test_a_file_that_is_no_mapping_is_an_error(tmp_path):
    for text, words in [("- 1", "must be a mapping"), ("a: [", "is not YAML"), ("", "mapping")]:
        path = tmp_path / "x.yaml"
        path.write_text(text)
        with pytest.raises(ConfigError, match=words) as caught:
            read(path)
        assert str(path) in str(caught.value)
