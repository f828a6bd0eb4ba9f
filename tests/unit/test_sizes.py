"""What models weigh and cost: parameters, operations and bytes, counted by hand."""

import pandas as pd
import pytest
import vision_toys

from talking_models.data.features import Vocabulary
from talking_models.models import MODELS
from talking_models.models.checkpoint import Checkpoint
from talking_models.models.layers import Streams
from talking_models.report.sizes import COLUMNS, measure, run

VOCABULARY = Vocabulary([1, 2, 5, 9], [3, 4, 8], ["heat", "night"], ["Drama", "War"])
LISTING = {"title": ["Heat", "Night", "Night Heat"], "categories": [["War"], [], ["Drama", "War"]]}
FEATURES = {"user": 4, "item": 3, "title": 3, "categories": 2}
MLP = {"kind": "mlp", "features": FEATURES, "hidden": [10, 8]}
MF = {"kind": "mf", "width": 3}


def trained(path, form, seeds=1):
    """A file of a job, with this many models."""
    streams = Streams(range(seeds), "toy")
    model = MODELS.get(form["kind"]).build(form, VOCABULARY.sizes, streams)
    Checkpoint(list(range(seeds)), form, VOCABULARY, LISTING, model.state_dict()).save(path)
    return path


# by hand; each table has one row more than there are ids or words, but for the categories'
TABLES = 5 * 4 + 4 * 3 + 3 * 3
LAYERS = (12 * 10 + 10) + (10 * 8 + 8) + (8 + 1)
OPERATIONS = 2 * (2 * 2 + 12 * 10 + 10 * 8 + 8)  # a product and a sum for each weight
EXPECTED = {
    "mlp": (MLP, TABLES + 2 * 2 + LAYERS, TABLES, OPERATIONS),
    "mf": (MF, 5 * 4 + 4 * 4 + (5 + 1), 5 * 4 + 4 * 4, 2 * 5),
}


def test_the_counts_by_hand():
    assert EXPECTED["mlp"][1:] == (272, 41, 424)
    assert EXPECTED["mf"][1:] == (42, 36, 10)


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("kind", EXPECTED)
def test_a_model_counts_what_is_counted_by_hand(tmp_path, kind, seeds):
    """One model of the stack, and one prediction, however many seeds and rows there are."""
    form, parameters, in_tables, flops = EXPECTED[kind]
    found = measure(trained(tmp_path / "models.safetensors", form, seeds))
    assert (found["parameters"], found["in_tables"]) == (parameters, in_tables)
    assert found["flops"] == flops
    assert found["bytes"] == 4 * parameters
    assert found["batch"] == 1000
    assert found["ms_per_1000"] > 0


def test_a_pre_trained_teacher_counts_without_a_classifier(tmp_path):
    """Its file holds weights alone: what it is stands in its entry."""
    weights = tmp_path / "backbone.safetensors"
    MODELS.get("vit").make_backbone(vision_toys.TEACHER, None, weights)
    net = MODELS.get("vit").net(vision_toys.TEACHER)
    jobs = [("large", ["digits", "given", "all", "large"])]
    run(
        jobs,
        "Toy.",
        [weights],
        tmp_path / "s.csv",
        tmp_path / "s.md",
        {"large": vision_toys.TEACHER},
    )
    (found,) = pd.read_csv(tmp_path / "s.csv").to_dict("records")
    assert found["parameters"] == sum(p.numel() for p in net.parameters())
    assert (found["in_tables"], found["batch"]) == (0, 16)
    assert found["flops"] > 2 * 5 * 4 * 12 * 16**2  # tokens, blocks, weights of a block


def test_both_files(tmp_path):
    models = [trained(tmp_path / kind, EXPECTED[kind][0]) for kind in ("mlp", "mf")]
    jobs = [("student", ["shop", "latest", "Drama", "td"]), ("big", ["shop", "latest", "all", "t"])]
    run(jobs, "Toy.", models, tmp_path / "s.csv", tmp_path / "s.md", {})
    found = pd.read_csv(tmp_path / "s.csv")
    assert list(found) == COLUMNS
    assert found[COLUMNS[:7]].to_numpy().tolist() == [
        ["student", "shop", "td", 272, 41, 424, 1088],
        ["big", "shop", "t", 42, 36, 10, 168],
    ]
    text = (tmp_path / "s.md").read_text(encoding="utf-8")
    assert "| student | 272 | 231 | 424 | 0.00 |" in text
    assert "| big | 42 | 6 | 10 | 0.00 |" in text
    assert "predictions by 1000," in text
    assert "\n\nToy.\n\n" in text


def test_each_model_has_its_job(tmp_path):
    jobs = [("student", ["shop", "latest", "Drama", "td"])]
    with pytest.raises(ValueError, match="shorter"):
        run(jobs, "Toy.", [], tmp_path / "c", tmp_path / "m", {})
    assert not list(tmp_path.iterdir())
