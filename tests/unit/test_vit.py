"""Vision transformers: cut as timm computes them, weights loaded strictly, first students."""

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from timm.models import create_model
from vision_toys import NAME, OPTIONS, SIZE, STUDENT, TEACHER, images, net_of

from talking_models.models.base import Frozen
from talking_models.models.files import Backbone, load_trained, read, save_trained
from talking_models.models.images import with_classes
from talking_models.models.transformer import LayeredViT
from talking_models.models.vit import ViT
from talking_models.models.weights import WeightsError, load, pretrained

KINDS = {
    "class token": OPTIONS,
    "average": OPTIONS | {"global_pool": "avg", "class_token": False},
    "dinov2": OPTIONS | {"init_values": 1.0, "reg_tokens": 2, "no_embed_class": True},
    "clip": OPTIONS | {"pre_norm": True, "patch_drop_rate": 0.0},
}


def drawn(options=OPTIONS, classes=7):
    torch.manual_seed(0)
    net = with_classes(ViT.net(TEACHER | {"options": options}), classes)
    for parameter in net.parameters():  # layers that start at one or zero would hide a mistake
        torch.nn.init.normal_(parameter, std=0.3)
    return net.eval()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [(1, 2), (2, 4), (1, 4)])
def test_lower_upper_and_head_give_the_logits_of_timms_own_forward(kind, cut):
    net, x = drawn(KINDS[kind]), images()
    states = LayeredViT(net, *cut)(SimpleNamespace(images=x))
    assert torch.equal(states.output, net(x))
    assert states.output.std() > 0
    # the states themselves are timm's, too
    found = net.forward_intermediates(
        x, indices=[block - 1 for block in cut], intermediates_only=True, output_fmt="NLC"
    )
    prefix = net.num_prefix_tokens
    for state, theirs in zip((states.low, states.high), found, strict=True):
        assert torch.equal(state[:, prefix:], theirs)
        assert state.shape == (5, prefix + 4, 16)


def test_a_cut_must_be_within_the_blocks_in_order():
    for cut in ((0, 2), (2, 2), (3, 2), (2, 5)):
        with pytest.raises(ValueError, match="of 4"):
            LayeredViT(drawn(), *cut)


def test_gradients_are_compared_over_what_the_states_depend_on():
    model = LayeredViT(drawn(), 1, 3)
    names = {id(p): n for n, p in model.net.named_parameters()}
    backbone = {names[id(p)] for p in model.backbone()}
    states = model(SimpleNamespace(images=images()))
    (states.low.sum() + states.high.sum()).backward()
    assert backbone == {n for n, p in model.net.named_parameters() if p.grad is not None}


def test_only_vision_transformers_can_be_cut():
    with pytest.raises(ValueError, match="only timm's VisionTransformer"):
        ViT.net(TEACHER | {"name": "deit_tiny_distilled_patch16_224"})
    with pytest.raises(ValueError, match="timm has no model 'no_such_model'"):
        ViT.net(TEACHER | {"name": "no_such_model"})


def test_the_student_is_the_teachers_first_blocks_and_all_its_other_layers(tmp_path):
    ViT.make_backbone(TEACHER, None, tmp_path / "b")
    backbone = Backbone.load(tmp_path / "b")
    teacher, student = ViT.teacher(TEACHER, backbone), ViT.student(STUDENT, 7, backbone)
    batch = SimpleNamespace(images=images())
    with torch.no_grad():
        taught = LayeredViT(teacher.net, 1, 3)(batch)
        states = student(batch)
    assert torch.equal(states.low, taught.low)
    assert torch.equal(states.high, taught.high)
    assert torch.equal(states.output, torch.zeros(5, 7))
    own = student.net.state_dict()
    expected = {n for n in teacher.net.state_dict() if not n.startswith("blocks.3.")}
    assert set(own) == expected | {"head.weight", "head.bias"}
    assert all(torch.equal(own[n], backbone.weights[n]) for n in expected)
    assert len(teacher.net.blocks) == 4, "the teacher lost its blocks"
    assert {p.data_ptr() for p in student.parameters()}.isdisjoint(
        p.data_ptr() for p in teacher.parameters()
    )
    with pytest.raises(ValueError, match="the first 5 blocks of a model with 4"):
        ViT.student(STUDENT | {"blocks": 5}, 7, backbone)


def test_a_student_comes_back_from_its_file(tmp_path):
    ViT.make_backbone(TEACHER, None, tmp_path / "b")
    backbone = Backbone.load(tmp_path / "b")
    form = STUDENT | {"blocks": 2, "cut": [1, 2]}
    student = ViT.student(form, 7, backbone)
    torch.nn.init.normal_(student.net.head.weight)
    for name in ("one", "two"):
        about = {"classes": list("abcdefg"), "seed": 4}
        save_trained(tmp_path / name, student, form, backbone.look, **about)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    found, look, about = load_trained(tmp_path / "one")
    batch = SimpleNamespace(images=images())
    assert torch.equal(found(batch).output, student.eval()(batch).output)
    assert (look.size, about["seed"], found.lo, found.hi) == (SIZE, 4, 1, 2)
    with pytest.raises(ValueError, match="one holds image model, not probe"):
        read(tmp_path / "one", "probe")


def test_weights_are_loaded_as_timm_loads_them_at_another_size(tmp_path):
    large = create_model(NAME, img_size=24, num_classes=5, **OPTIONS)
    torch.nn.init.normal_(large.pos_embed)
    half = {name: tensor.half() for name, tensor in large.state_dict().items()}
    save_file(half, tmp_path / "w.safetensors")
    net = pretrained(net_of(), tmp_path / "w.safetensors")
    assert net.pos_embed.shape == (1, 5, 16)
    assert net.pos_embed.dtype == torch.float32
    large.load_state_dict({name: tensor.float() for name, tensor in half.items()})
    large.set_input_size(img_size=SIZE)
    torch.testing.assert_close(net.pos_embed, large.pos_embed)
    for name, tensor in net.state_dict().items():
        if name != "pos_embed":
            assert torch.equal(tensor, half[name].float()), name


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda w: w.pop("norm.bias"), "missing: norm.bias"),
        (lambda w: w.update({"norm.more": torch.zeros(1)}), "unexpected: norm.more"),
        (lambda w: w.update({"norm.bias": torch.zeros(3)}), r"norm.bias is \(3,\), not \(16,\)"),
    ],
)
def test_weights_that_do_not_fit_are_an_error(tmp_path, change, problem):
    weights = net_of().state_dict()
    change(weights)
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=problem) as error:
        pretrained(net_of(), tmp_path / "w.safetensors")
    assert "w.safetensors does not fit" in str(error.value)


def test_an_error_of_weights_does_not_list_hundreds():
    with pytest.raises(WeightsError, match=r"and \d+ more"):
        load(net_of(), {}, "nothing")


def test_the_frozen_teacher_answers_without_gradient_and_interprets_with_one():
    teacher = Frozen(LayeredViT(drawn(), 2, 4))
    states = teacher(SimpleNamespace(images=images()))
    assert not states.high.requires_grad
    low = states.low.clone().requires_grad_()
    teacher.upper(low).sum().backward()
    assert low.grad.abs().sum() > 0
    assert all(p.grad is None for p in teacher.model.parameters())
