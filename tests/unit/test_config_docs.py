"""The documents that are made from the configuration's models: JSON schema, key table."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from configs import at, config, table, whole

from talking_models import registry
from talking_models.config import Config, docs
from talking_models.config.merge import merge
from talking_models.config.sections import REGISTRIES
from talking_models.methods import METHODS

ROOT = Path(__file__).parents[2]
PAPER = [ROOT / "config" / f"{name}.yaml" for name in ("config", "experiments", "tables")]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.json"
KINDS = [(section, name) for section, kinds in REGISTRIES.items() for name in kinds.names()]


@pytest.fixture(scope="module")
def validator():
    schema = docs.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_committed_schema_is_the_generated_one():
    text = json.dumps(docs.schema(), indent=2, ensure_ascii=False) + "\n"
    assert SCHEMA.read_text() == text, "run `make schema`"


def test_the_key_table_is_the_generated_one():
    readme = (ROOT / "config" / "README.md").read_text()
    assert readme == docs.readme_with_keys(readme), "run `make schema`"


def test_the_examples_of_the_page_are_valid(tmp_path):
    page = (ROOT / "config" / "README.md").read_text()
    examples = "".join(re.findall(r"^```yaml\n(.*?)^```$", page, re.S | re.M))
    (tmp_path / "examples.yaml").write_text(examples)
    assert docs.main(["check", *map(str, PAPER), str(tmp_path / "examples.yaml")]) == 0


def test_every_key_has_a_description():
    settings = [REGISTRIES[section].get(name).Settings for section, name in KINDS]
    settings += [METHODS.get(name).Settings for name in METHODS.names()]
    for model in [Config, *settings]:
        schema = model.model_json_schema()
        for node in [schema, *schema.get("$defs", {}).values()]:
            for key, value in node.get("properties", {}).items():
                assert value.get("description"), f"{node['title']}.{key}"


def keys_of(title, name):
    """The keys of a section of the table that all its kinds or methods have, or this one."""
    _, found, text = docs.key_table().partition(f"### {title}\n")
    assert found
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \|", text.partition("###")[0], re.M)
    return [key for key, of in rows if {"all", name} & set(of.split(", "))]


def test_every_setting_of_every_method_is_in_the_key_table():
    for name in METHODS.names():
        fields = METHODS.get(name).Settings.model_fields
        assert sorted(keys_of("`experiments.<id>.settings`", name)) == sorted(fields)


@pytest.mark.parametrize(("section", "name"), KINDS)
def test_every_key_of_every_kind_is_in_the_key_table(section, name):
    found = {path.split(".")[0] for path in keys_of(f"`{section}.<id>`", name)}
    assert found == set(REGISTRIES[section].get(name).Settings.model_fields)


@pytest.mark.parametrize("more", [[], ["quick"], ["vision-cpu"]])
def test_the_schema_accepts_the_shipped_files(validator, more):
    shipped = {}
    for path in [*PAPER, *(ROOT / "config" / f"{name}.yaml" for name in more)]:
        shipped = merge(shipped, yaml.safe_load(path.read_text()))
    shipped = json.loads(json.dumps(shipped))
    for model in shipped["models"].values():
        model |= {"on": model.pop("true")} if "true" in model else {}  # so YAML reads `on`
    assert list(validator.iter_errors(shipped)) == []


@pytest.mark.parametrize(
    "over",
    [
        at("experiments.talk", None),
        at("data.digits", None),
        table(rows={"A": "scratch", "B": None}),
        at("data.ml.tasks", {"by": "all", "names": []}),
        at("models.vit.options", {"depth": 12}),
        at("models.other", {"kind": "mlp", "on": "all"})
        | at(
            "experiments.talk", {"teachers": ["teacher", "other"], "settings": {"replies": "mean"}}
        ),
        at("experiments.talk", {"peers": ["student"], "settings": {"replies": "separate"}}),
    ],
)
def test_the_schema_accepts_what_load_accepts(validator, over):
    over = merge({"experiments": {"see": None}}, over)
    config(over)
    assert list(validator.iter_errors(whole(over))) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": 1},
        {"seeds": 0},
        at("data.ml.kind", "nothing"),
        at("data.ml.path", "x"),
        at("data.x", {"variant": "100k"}),
        at("models.student.training.learning_rate", "1e-3"),
        at("models.student.image_size", 3),
        at("models.vit.hidden", [1, 2]),
        at("models.vit.probe.epochs", 0),
        at("experiments.talk.method", "no"),
        at("experiments.Big", {"method": "ld"}),
        at("experiments.scratch.settings", {"rounds": 1}),
        at("experiments.talk.settings", {"rounds": 9}),
        at("experiments.talk.settings", {"replies": "mean"}),
        at("experiments.talk", {"peers": ["student"], "settings": {"replies": "most"}}),
        table(rows={}),
    ],
    ids=str,
)
def test_the_schema_refuses_what_load_refuses(validator, wrong):
    raw = whole(wrong)
    assert not validator.is_valid(raw)
    with pytest.raises(ValueError, match="problem"):
        config(wrong)


PLUGIN = """\
from pydantic import Field
from talking_models.data.base import DataKind, DataSettings


class MineSettings(DataSettings):
    depth: int = Field(3, ge=1, description="How deep.")


class Mine(DataKind):
    family = "ratings"
    Settings = MineSettings
"""


def test_the_command_line_writes_both_documents_and_checks_files(tmp_path, capsys):
    schema, readme, wrong = tmp_path / "s.json", tmp_path / "README.md", tmp_path / "wrong.yaml"
    assert docs.main(["schema", str(schema)]) == 0
    assert schema.read_text() == SCHEMA.read_text()
    readme.write_text(f"before\n{docs.BEGIN}\nold\n{docs.END}\nafter\n")
    assert docs.main(["table", str(readme)]) == 0
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert docs.key_table() in text
    assert docs.main(["check", *map(str, PAPER)]) == 0
    wrong.write_text("seeds: 0\n")
    assert docs.main(["check", *map(str, PAPER), str(wrong)]) == 1
    assert "seeds: found 0" in capsys.readouterr().err
    wrong.write_text("no markers\n")
    assert docs.main(["table", str(wrong)]) == 1
    assert wrong.read_text() == "no markers\n"


def test_plugins_are_in_the_documents_of_whoever_has_them(tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN)
    try:
        assert docs.main(["schema", str(tmp_path / "s.json"), "--plugins", str(tmp_path)]) == 0
        assert "depth" in keys_of("`data.<id>`", "mine")
        assert "depth" not in keys_of("`data.<id>`", "ratings")
        found = jsonschema.Draft202012Validator(json.loads((tmp_path / "s.json").read_text()))
        assert found.is_valid({"data": {"d": {"kind": "mine", "depth": 2}}})
        assert not found.is_valid({"data": {"d": {"kind": "mine", "depth": 0}}})
    finally:
        registry.use([])
