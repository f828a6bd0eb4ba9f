"""Classifiers of timm beside a vision transformer: timm's logits, tokens that fit, all methods."""

from types import SimpleNamespace

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.nn.functional import adaptive_avg_pool2d
from vision_toys import OPTIONS, SIZE, TALK, TEACHER, config, images, inputs, job

from talking_models import methods
from talking_models.models import MODELS
from talking_models.models.files import Backbone, load_trained
from talking_models.models.layers import Layers, Streams
from talking_models.models.weights import WeightsError
from talking_models.objectives import ClassObjective
from talking_models.training import images as image_job

TIMM = MODELS.get("timm")
NETS = {
    "test_resnet": [1, 2],
    "mobilenetv3_small_050": [1, 3],
    "test_convnext": [0, 1],
    "test_efficientnet": [1, 3],
}
LARGER = 32  # pixels, for networks that halve an image often
VIT = TEACHER | {"image_size": LARGER, "options": OPTIONS | {"patch_size": 16}}
SETTINGS = {
    "scratch": {},
    "ld": {"weight": 0.5},
    "fd": {"weight": 0.5},
    "fitnet": {"weight": 0.5},
    "hybrid": {"logit_weight": 0.5, "feature_weight": 0.3, "gate": "grad_cos"},
    "td": TALK,
}


def form(name="test_resnet", size=LARGER, **changed):
    given = {"weights": "random", "image_size": size, "cut": NETS.get(name, [1, 2]), **changed}
    return TIMM.Settings(kind="timm", name=name, **given).model_dump(
        mode="json", exclude={"on", "training", "file"}
    )


def batch_of(n=3, size=LARGER):
    return SimpleNamespace(images=images(n, size), target=torch.arange(n) % 10)


def model_of(*args, classes=10, teachers=(), **changed):
    """Away from where it starts: a classifier of zeros would hide a wrong state."""
    model = TIMM.student(form(*args, **changed), classes, teachers=teachers)
    draw = torch.Generator().manual_seed(3)
    for p in model.net.get_classifier().parameters():
        p.data = torch.randn(p.shape, generator=draw)
    return model


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Inputs of jobs on digits, with a student of timm's."""
    folder = tmp_path_factory.mktemp("inputs")
    found = inputs(folder)
    TIMM.make_backbone(form(size=SIZE), None, folder / "timm.safetensors")
    return image_job.Inputs(found.fit, found.val, folder / "timm.safetensors", found.teachers)


@pytest.fixture(scope="module")
def vit():
    model = MODELS.get("vit").student(VIT, 10)
    draw = torch.Generator().manual_seed(4)
    model.net.head.weight.data = torch.randn(10, 16, generator=draw)
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize("name", NETS)
def test_its_logits_are_timms(name):
    model = model_of(name).eval()
    net = timm.create_model(name, num_classes=10).eval()
    net.load_state_dict({k.removeprefix("net."): v for k, v in model.state_dict().items()})
    pixels = torch.rand(3, 3, LARGER, LARGER)
    mean, std = (torch.tensor(net.pretrained_cfg[k]).view(3, 1, 1) for k in ("mean", "std"))
    with torch.no_grad():
        found = model(SimpleNamespace(images=(pixels - 0.5) / 0.5))
        wanted = net((pixels - mean) / std)
    torch.testing.assert_close(found.output, wanted, rtol=1e-4, atol=1e-4)
    assert wanted.std() > 0


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext"])
def test_states_are_its_feature_maps_as_tokens(name):
    model, batch = model_of(name, tokens=[2, 3]).eval(), batch_of()
    net = timm.create_model(name, num_classes=10).eval()
    net.load_state_dict({k.removeprefix("net."): v for k, v in model.state_dict().items()})
    with torch.no_grad():
        states = model(batch)
        maps = net.forward_intermediates(
            batch.images * model.scale + model.shift, indices=NETS[name], intermediates_only=True
        )
    for found, wanted in zip((states.low, states.high), maps, strict=True):
        assert found.shape == (3, 7, wanted.shape[1])
        torch.testing.assert_close(found[:, 0], wanted.mean((2, 3)), rtol=1e-4, atol=1e-5)
        grid = adaptive_avg_pool2d(wanted, (2, 3)).flatten(2).mT
        torch.testing.assert_close(found[:, 1:], grid, rtol=1e-4, atol=1e-5)
    assert (model.widths.low, model.widths.high) == tuple(m.shape[1] for m in maps)
    assert torch.equal(model.lower(batch), states.low)


@pytest.mark.parametrize("name", NETS)
def test_upper_of_a_grid_as_fine_as_the_map_is_the_true_higher_state(name):
    model, batch = model_of(name).eval(), batch_of()
    with torch.no_grad():
        states = model(batch)
        torch.testing.assert_close(model.upper(states.low), states.high, rtol=1e-3, atol=1e-4)
        logits = model.head(states.high)
    # the grid of the lower map is finer than the higher map, so that nothing is lost of it either
    torch.testing.assert_close(logits, states.output, rtol=1e-3, atol=1e-3)


def test_it_interprets_what_somebody_else_wrote():
    model = model_of(tokens=[2, 2]).eval()
    low = torch.randn(3, 5, model.widths.low, requires_grad=True)
    high = model.upper(low)
    assert high.shape == (3, 5, model.widths.high)
    high.square().sum().backward()
    assert not low.grad[:, 0].any(), "the mean is of the grid, and says nothing of its own"
    assert low.grad[:, 1:].any(-1).all()


def test_tokens_are_the_teachers(vit):
    batch = batch_of()
    with torch.no_grad():
        taught = vit(batch)
    for name in NETS:
        student = TIMM.student(form(name), 10, teachers=[vit])
        states = student(batch)
        assert states.low.shape[:2] == states.high.shape[:2] == taught.low.shape[:2] == (3, 5)
    again = TIMM.student(form(), 10, teachers=[student])
    assert (again.first, again.grid) == (student.first, student.grid) == (1, (2, 2))


def test_tokens_that_are_not_the_teachers_are_refused(vit):
    with pytest.raises(
        ValueError, match=r"tokens \[3, 3\] beside a teacher whose grid is \[2, 2\]"
    ):
        TIMM.student(form(tokens=[3, 3]), 10, teachers=[vit])


def test_an_interpretation_leaves_the_statistics_of_batch_norms(vit):
    model, batch = model_of(teachers=[vit]).train(), batch_of(8)
    before = {n: b.clone() for n, b in model.named_buffers()}
    model.upper(torch.randn(8, 5, model.widths.low))
    model.head(torch.randn(8, 5, model.widths.high))
    assert all(torch.equal(b, before[n]) for n, b in model.named_buffers())
    model(batch)
    changed = {n for n, b in model.named_buffers() if not torch.equal(b, before[n])}
    assert changed == {n for n in before if "running" in n or "tracked" in n}


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext"])
@pytest.mark.parametrize("method", SETTINGS)
def test_one_step_of_every_method(method, name, vit):
    student = model_of(name, teachers=[vit]).train()
    layers = Layers(Streams([0], "method", stacked=False))
    cls = methods.METHODS.get(method)
    talk = cls(
        cls.Settings(**SETTINGS[method]),
        ClassObjective(layers),
        layers,
        student.widths,
        {"teacher": vit.widths},
    )
    batch = batch_of(8)
    talk.prepare({"teacher": [vit(batch)]})
    loss = talk.loss(batch, student, {"teacher": vit}, 0)
    assert torch.isfinite(loss.total)
    loss.total.backward()
    assert all(p.grad is not None for p in student.parameters())
    assert student.backbone()[0].grad.any()
    assert {id(p) for p in student.backbone()} < {id(p) for p in student.parameters()}


@pytest.mark.parametrize("method", ["scratch", "td"])
def test_a_whole_job(method, made, tmp_path):
    """With the tokens of the settings, from files to files."""
    asked = config(method, SETTINGS[method], steps=2, warmup_steps=1)
    student = form(size=SIZE, tokens=[2, 2])
    weights = job(tmp_path, made, asked | {"student": student})
    model, look, about = load_trained(tmp_path / "models.safetensors")
    assert (look.size, look.mean, about["form"]) == (SIZE, [0.5] * 3, student)
    assert all(torch.equal(v, weights[k]) for k, v in model.state_dict().items())
    start = Backbone.load(made.backbone).weights
    assert not torch.equal(weights["net.conv1.0.weight"], start["conv1.0.weight"])


def test_it_can_teach_with_a_probe(made):
    loaded = Backbone.load(made.backbone)
    plain = TIMM.teacher(form(), loaded).eval()
    with torch.no_grad():
        features = plain(batch_of()).output
        probe = {"weight": torch.randn(10, features.shape[1]), "bias": torch.randn(10)}
        found = TIMM.teacher(form(), loaded, probe).eval()(batch_of()).output
    torch.testing.assert_close(found, features @ probe["weight"].T + probe["bias"])


def test_a_file_of_weights_is_checked_and_its_classifier_left_out(tmp_path):
    net = timm.create_model("test_resnet", num_classes=4)
    save_file(net.state_dict(), tmp_path / "own.safetensors")
    TIMM.make_backbone(form(), tmp_path / "own.safetensors", tmp_path / "out.safetensors")
    found = Backbone.load(tmp_path / "out.safetensors").weights
    assert {k: v for k, v in net.state_dict().items() if not k.startswith("fc.")}.keys() == set(
        found
    )
    assert all(torch.equal(v, net.state_dict()[k]) for k, v in found.items())
    with pytest.raises(WeightsError, match=r"own.safetensors does not fit the model: missing: .*"):
        TIMM.make_backbone(
            form("test_convnext"), tmp_path / "own.safetensors", tmp_path / "no.safetensors"
        )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "resnet19"}, "timm has no model 'resnet19'; nearest: resnet"),
        (
            {"cut": [3, 7]},
            r"cut \[3, 7\] of test_resnet, whose feature maps are 0 \(act1\), 1 \(layer1\)",
        ),
        (
            {"name": "hrnet_w18_small", "image_size": 64},
            "cannot be cut at .*: it is not what its modules are one after the other",
        ),
        ({"name": "mobilevitv2_050", "cut": [0, 9], "image_size": 64}, "whose feature maps are"),
    ],
)
def test_what_cannot_be_cut_is_refused_with_the_backbone(changed, said, tmp_path):
    with pytest.raises(ValueError, match=said):
        TIMM.make_backbone(form() | changed, None, tmp_path / "out.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "vit_tiny_patch16_224"}, "gives tokens and no feature maps: kind vit takes"),
        ({"name": "swin_tiny_patch4_window7_224"}, "gives tokens and no feature maps"),
        ({"options": {"num_classes": 3}}, "options num_classes: the workflow says it, leave it"),
    ],
)
def test_what_the_settings_tell_is_refused_before_any_job(changed, said):
    assert said in TIMM.contradiction(form() | changed)
    assert TIMM.contradiction(form()) is None


def test_the_lower_state_lies_before_the_higher():
    with pytest.raises(ValueError, match=r"cut \[2, 2\]: places from 0, the lower state before"):
        TIMM.Settings(kind="timm", cut=[2, 2])
