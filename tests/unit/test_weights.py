"""Weights of a transformer in every form that a user may have them, and what is said of each."""

import logging
import re
import shlex
import subprocess
import sys
import zipfile
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from vision_toys import STUDENT, TEACHER, images, net_of

from talking_models.models.transformer import LayeredViT
from talking_models.models.vit import ViT
from talking_models.models.weights import WeightsError, convert, form_of, main, pretrained

ROOT = Path(__file__).parents[2]


@pytest.fixture
def weights():
    """Random, layers that start at one or zero included."""
    draw = torch.Generator().manual_seed(0)
    shapes = net_of().state_dict()
    return {name: torch.randn(tensor.shape, generator=draw) for name, tensor in shapes.items()}


def same(net, weights):
    found = net.state_dict()
    return found.keys() == weights.keys() and all(torch.equal(found[n], weights[n]) for n in found)


# --- other forms of file


class Model(torch.nn.Module):
    pass


PTH = {
    "w.pth": lambda w: w,
    "w.bin": lambda w: w,
    "w.pt": lambda w: {"state_dict": w, "epoch": 3},
    "model.pth": lambda w: {"model": w, "args": Namespace(lr=1.0), "optimizer": {"state": {}}},
    "deep.pth": lambda w: {"model": {"state_dict": w}},
    "named.safetensors": lambda w: w,  # PyTorch's content under another name
}


def converted(path):
    """Run what an error asks for, as its words are; the file that comes out."""
    with pytest.raises(WeightsError) as error:
        pretrained(net_of(), path)
    assert str(error.value).startswith(f"{path} is a file of ")
    command = shlex.split(re.search(r"`python (-m .*?)`", str(error.value))[1])
    assert command[:2] == ["-m", "talking_models.models.weights"]
    assert main(command[2:]) == 0
    return Path(command[3])


@pytest.mark.parametrize("name", PTH)
@pytest.mark.parametrize("legacy", [False, True])
def test_a_file_of_pytorch_is_named_with_the_command_that_converts_it(
    tmp_path, weights, name, legacy
):
    path = tmp_path / "a folder" / name
    path.parent.mkdir()
    torch.save(PTH[name](weights), path, _use_new_zipfile_serialization=not legacy)
    found = converted(path)
    assert found.parent == path.parent
    assert found != path
    assert same(pretrained(net_of(), found), weights)


def test_the_command_is_one_of_the_shell(tmp_path, weights):
    torch.save(weights, tmp_path / "w.pth")
    done = subprocess.run(
        [sys.executable, "-m", "talking_models.models.weights", "w.pth", "w.safetensors"],
        env={"PYTHONPATH": str(ROOT / "workflow/scripts")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0
    assert done.stdout == f"{len(weights)} weights of w.pth in w.safetensors\n"
    assert same(pretrained(net_of(), tmp_path / "w.safetensors"), weights)


def test_the_command_says_how_it_is_used(tmp_path, capsys):
    for arguments in ([], ["a"], ["a", "b.pth"]):
        assert "FILE OUT.safetensors" in main(arguments)
    output = str(tmp_path / "o.safetensors")
    assert "No such file" in main([str(tmp_path / "no.pth"), output])
    save_file({"x": torch.zeros(1)}, tmp_path / "w.safetensors")
    assert main([str(tmp_path / "w.safetensors"), output]).endswith("already: take it as it is")
    assert not Path(output).exists()
    torch.save({"x": torch.zeros(1)}, tmp_path / "w.pth")
    before = (tmp_path / "w.safetensors").read_bytes()
    said = main([str(tmp_path / "w.pth"), str(tmp_path / "w.safetensors")])
    assert said.endswith("w.safetensors exists already: remove it, or name another file")
    assert (tmp_path / "w.safetensors").read_bytes() == before


def test_arrays_of_numpy_are_converted(tmp_path, weights):
    np.savez(tmp_path / "w.npz", **{name: tensor.numpy() for name, tensor in weights.items()})
    assert same(pretrained(net_of(), converted(tmp_path / "w.npz")), weights)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda raw: b"", "is empty"),
        (lambda raw: raw[:5], "is cut"),
        (lambda raw: raw[: len(raw) // 2], "is a cut or damaged safetensors file"),
        (lambda raw: raw[:-1], "is a cut or damaged safetensors file"),
        (lambda raw: raw[:100], "is a cut or damaged safetensors file"),
        (
            lambda raw: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "is a pointer of git-lfs.*git lfs pull",
        ),
        (lambda raw: b"<!DOCTYPE html>\n<p>404", "is no file of weights.*<!DOCTYPE html>"),
        (lambda raw: b"\x89HDF\r\n\x1a\n" + bytes(99), "is no file of weights.*HDF"),
        (lambda raw: b"PK\x03\x04" + bytes(99), "is a cut archive of PyTorch or NumPy"),
        (
            lambda raw: b"\x08\x08\x12\x07pytorch" + bytes(99),
            "is no file of weights.*of PyTorch or",
        ),
    ],
)
def test_a_file_that_is_none_says_what_it_is(tmp_path, weights, content, said):
    path = tmp_path / "w.safetensors"
    save_file(weights, path)
    path.write_bytes(content(path.read_bytes()))
    with pytest.raises(WeightsError, match=said) as error:
        pretrained(net_of(), path)
    assert str(error.value).startswith(f"{path} is ")
    if "safetensors file" not in said:
        with pytest.raises(WeightsError, match=said):
            convert(path, tmp_path / "out.safetensors")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["w.safetensors"]


def test_a_file_of_pytorch_that_holds_more_or_less_than_weights_is_refused(tmp_path, weights):
    output = tmp_path / "o.safetensors"
    path = tmp_path / "w.pth"
    torch.save(Model(), path)
    with pytest.raises(WeightsError, match=r"w\.pth .*holds more than weights.* alone"):
        convert(path, output)
    torch.save({"epoch": 3, "state": {"lr": 1.0}}, path)
    with pytest.raises(
        WeightsError, match=r"w\.pth has no weights but the keys epoch, state: a st"
    ):
        convert(path, output)
    torch.save([1, 2], path)
    with pytest.raises(WeightsError, match=r"w\.pth has no weights but a list"):
        convert(path, output)
    torch.save(weights, path)
    for size in (len(path.read_bytes()) // 2, 9):
        (tmp_path / "cut.pth").write_bytes(path.read_bytes()[:size])
        with pytest.raises(WeightsError, match=r"cut\.pth is a cut archive"):
            convert(tmp_path / "cut.pth", output)
    torch.save(weights, path, _use_new_zipfile_serialization=False)
    (tmp_path / "cut.pth").write_bytes(path.read_bytes()[:3000])
    with pytest.raises(WeightsError, match=r"cut\.pth is cut, or holds more"):
        convert(tmp_path / "cut.pth", output)
    np.savez(tmp_path / "w.npz", names=np.array(["a"], dtype=object))
    with pytest.raises(WeightsError, match=r"w\.npz has an array that is no tensor"):
        convert(tmp_path / "w.npz", output)
    assert not output.exists()


def test_a_folder_and_an_archive_of_other_files_say_what_to_name(tmp_path, weights):
    (tmp_path / "vit").mkdir()
    save_file(weights, tmp_path / "vit/model.safetensors")
    with zipfile.ZipFile(tmp_path / "vit.zip", "w") as archive:
        archive.write(tmp_path / "vit/model.safetensors", "vit/model.safetensors")
    for path, said in (
        (tmp_path / "vit", "is a folder: name the file of weights in it"),
        (tmp_path / "vit.zip", "is an archive of vit/model.safetensors: unpack it"),
    ):
        with pytest.raises(WeightsError, match=f"{path} {said}"):
            pretrained(net_of(), path)
        with pytest.raises(WeightsError, match=f"{path} {said}"):
            convert(path, tmp_path / "o.safetensors")


@pytest.mark.filterwarnings("ignore")
def test_tensors_that_safetensors_has_not_are_named(tmp_path):
    sparse, small = torch.eye(3).to_sparse(), torch.zeros(3)
    quantized = torch.quantize_per_tensor(torch.zeros(3), 1.0, 0, torch.qint8)
    torch.save({"a": sparse, "b": small, "c": quantized}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match=r"w\.pth has quantized or sparse tensors: a, c$"):
        convert(tmp_path / "w.pth", tmp_path / "o.safetensors")


def test_arrays_of_another_byte_order_are_converted(tmp_path, weights):
    arrays = {name: tensor.numpy().astype(">f4") for name, tensor in weights.items()}
    np.savez(tmp_path / "w.npz", **arrays)
    assert same(pretrained(net_of(), converted(tmp_path / "w.npz")), weights)


def test_weights_that_share_memory_are_converted(tmp_path):
    shared = torch.arange(4.0)
    torch.save({"a": shared, "b": shared, "c": shared[1:3]}, tmp_path / "w.pth")
    assert convert(tmp_path / "w.pth", tmp_path / "w.safetensors") == 3
    assert load_file(tmp_path / "w.safetensors")["c"].tolist() == [1, 2]
    assert form_of(tmp_path / "w.safetensors") == "a safetensors file"


# --- other names


@pytest.mark.parametrize(
    "prefix", ["module.", "model.", "backbone.", "module.backbone.", "teacher.encoder.", "net/"]
)
def test_a_wrappers_prefix_is_taken_off_and_logged(tmp_path, weights, caplog, prefix):
    """Whichever it is; what stands beside it is no part of the transformer."""
    beside = {"head.weight": torch.zeros(10, 16), "projector.0.bias": torch.zeros(10)}
    path = tmp_path / "w.safetensors"
    for more in ({}, beside):
        save_file({prefix + name: tensor for name, tensor in weights.items()} | more, path)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            assert same(pretrained(net_of(), path), weights)
        said = f"{path}: '{prefix}' taken off the names of {len(weights)} weights; "
        said += f"left out without it: {', '.join(more) or 'none'}"
        assert caplog.messages == [said]


def test_a_file_of_several_models_is_refused_with_their_names(tmp_path, weights):
    path = tmp_path / "w.safetensors"
    both = {f"{who}.{n}": t.clone() for who in ("student", "teacher") for n, t in weights.items()}
    save_file(both, path)
    with pytest.raises(WeightsError, match=r"w\.safetensors holds several .*student\. and tea"):
        pretrained(net_of(), path)


def test_a_name_that_is_there_with_and_without_a_prefix_is_unexpected(tmp_path, weights):
    path = tmp_path / "w.safetensors"
    save_file(weights | {"module.norm.bias": torch.ones(16)}, path)
    with pytest.raises(WeightsError, match=r"unexpected: module\.norm\.bias"):
        pretrained(net_of(), path)


def test_a_prefixed_file_that_lacks_a_weight_names_it_as_the_model_does(tmp_path, weights):
    del weights["norm.bias"]
    save_file({f"module.{n}": t for n, t in weights.items()}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"the model: missing: norm\.bias$"):
        pretrained(net_of(), tmp_path / "w.safetensors")


def test_timms_own_names_are_left_alone(tmp_path, weights, caplog):
    save_file(weights, tmp_path / "w.safetensors")
    with caplog.at_level(logging.INFO):
        assert same(pretrained(net_of(), tmp_path / "w.safetensors"), weights)
    assert "taken off" not in caplog.text


def hugging_face(weights, prefix):
    """The names of transformers' ViTModel, each word as it is printed there."""
    layer = {
        "norm1": "layernorm_before",
        "norm2": "layernorm_after",
        "attn.proj": "attention.output.dense",
        "mlp.fc1": "intermediate.dense",
        "mlp.fc2": "output.dense",
    }
    found = {
        "embeddings.cls_token": weights["cls_token"],
        "embeddings.position_embeddings": weights["pos_embed"],
    }
    for kind in ("weight", "bias"):
        patch = f"embeddings.patch_embeddings.projection.{kind}"
        found[patch] = weights[f"patch_embed.proj.{kind}"]
        found[f"layernorm.{kind}"] = weights[f"norm.{kind}"]
        for i in range(4):
            block, at = f"blocks.{i}.", f"encoder.layer.{i}."
            for ours, theirs in layer.items():
                found[f"{at}{theirs}.{kind}"] = weights[f"{block}{ours}.{kind}"]
            qkv = weights[f"{block}attn.qkv.{kind}"].chunk(3)
            for part, tensor in zip(("query", "key", "value"), qkv, strict=True):
                found[f"{at}attention.attention.{part}.{kind}"] = tensor.contiguous()
    return {prefix + name: tensor for name, tensor in found.items()}


@pytest.mark.parametrize("prefix", ["", "vit.", "module.vit.", "encoder.model."])
def test_hugging_faces_names_are_translated(tmp_path, weights, caplog, prefix):
    path = tmp_path / "hf.safetensors"
    more = {"classifier.weight": torch.zeros(10, 16), "classifier.bias": torch.zeros(10)}
    pooler = {f"{prefix}pooler.dense.weight": torch.zeros(16, 16)}
    save_file(hugging_face(weights, prefix) | more | pooler, path)
    with caplog.at_level(logging.INFO):
        net = pretrained(net_of(), path)
    assert same(net, weights)
    assert f"{path}: Hugging Face's names; left out: {prefix}pooler.dense.weight" in caplog.messages
    with torch.no_grad():
        states = LayeredViT(net.eval(), 2, 4)(SimpleNamespace(images=images()))
    assert torch.isfinite(states.output).all()


def test_a_name_of_hugging_face_that_is_missing_is_named(tmp_path, weights):
    theirs = hugging_face(weights, "vit.")
    del theirs["vit.encoder.layer.2.attention.attention.key.bias"]
    save_file(theirs, tmp_path / "hf.safetensors")
    with pytest.raises(WeightsError, match=r"missing: blocks\.2\.attn\.qkv\.bias; unexpected: "):
        pretrained(net_of(), tmp_path / "hf.safetensors")


# --- another transformer


def refused(tmp_path, weights, said, **options):
    path = tmp_path / "w.safetensors"
    save_file(weights, path)
    with pytest.raises(WeightsError, match=said) as error:
        pretrained(net_of(**options), path)
    assert str(error.value).startswith(f"{path} does not fit the model: ")


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_another_precision_are_read(tmp_path, weights, kind):
    theirs = {name: tensor.to(kind) for name, tensor in weights.items()}
    save_file(theirs, tmp_path / "w.safetensors")
    found = pretrained(net_of(), tmp_path / "w.safetensors")
    assert same(found, {name: tensor.float() for name, tensor in theirs.items()})


@pytest.mark.parametrize("kind", [torch.int8, torch.int64, torch.bool, torch.complex64])
def test_weights_that_are_no_fractions_are_named(tmp_path, weights, kind):
    changed = weights["blocks.1.mlp.fc1.weight"].to(kind)
    said = rf"the model: blocks\.1\.mlp\.fc1\.weight is {kind}, not torch\.float32$"
    refused(tmp_path, weights | {"blocks.1.mlp.fc1.weight": changed}, said)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e39])
def test_weights_that_are_no_numbers_are_named(tmp_path, weights, value):
    """1e39 is one of float64, and none of float32."""
    bias = weights["norm.bias"].double()
    bias[3] = value
    said = r"the model: norm\.bias has values that are NaN or infinite$"
    refused(tmp_path, weights | {"norm.bias": bias}, said)


def test_names_of_another_library_are_listed_beside_those_that_are_missing(tmp_path, weights):
    theirs = {re.sub(r"^blocks\.", "layers-", name): tensor for name, tensor in weights.items()}
    said = (
        r"missing: blocks\.0\.norm1\.weight, .* and 43 more; "
        r"unexpected: layers-0\.attn\.proj\.bias, .* and 43 more$"
    )
    refused(tmp_path, theirs, said)


def test_weights_with_register_tokens_say_what_to_set(tmp_path, weights):
    registers = net_of(reg_tokens=4).state_dict()
    refused(tmp_path, registers, "it has 4 register tokens: set reg_tokens to 4 in the options")
    assert same(pretrained(net_of(reg_tokens=4), tmp_path / "w.safetensors"), registers)


def test_weights_of_a_distilled_transformer_say_so(tmp_path, weights):
    said = r"distilled transformer.*dist_token.*without distillation"
    refused(tmp_path, weights | {"dist_token": torch.zeros(1, 1, 16)}, said)
    head = {"head_dist.weight": torch.zeros(10, 16), "head_dist.bias": torch.zeros(10)}
    refused(tmp_path, weights | head, said)
    deit = {"deit.embeddings.distillation_token": torch.zeros(1, 1, 16)}
    refused(tmp_path, hugging_face(weights, "deit.") | deit, said)


def test_weights_that_pool_otherwise_say_what_to_set(tmp_path, weights):
    averaged = {re.sub(r"^norm\.", "fc_norm.", name): t for name, t in weights.items()}
    refused(tmp_path, averaged, "fc_norm, as it averages all tokens: set global_pool to avg")
    found = pretrained(net_of(global_pool="avg"), tmp_path / "w.safetensors")  # and that is right
    assert same(found, averaged)
    refused(tmp_path, weights, "reads the class token: remove global_pool", global_pool="avg")


@pytest.mark.parametrize("theirs", [8, 2])
@pytest.mark.parametrize("names", [dict, lambda w: hugging_face(w, "")])
def test_weights_of_another_patch_size_are_refused_with_both_sizes(tmp_path, theirs, names):
    """timm would resample them silently: another model, which nobody has trained."""
    other = net_of(16, patch_size=theirs).state_dict()
    said = rf"its patch size is {theirs} x {theirs}, the model's 4 x 4: change"
    refused(tmp_path, names(other), said)


def test_weights_of_another_image_size_are_resampled(tmp_path):
    other = net_of(24).state_dict()
    save_file(other, tmp_path / "w.safetensors")
    assert pretrained(net_of(), tmp_path / "w.safetensors").pos_embed.shape == (1, 5, 16)


def test_a_position_embedding_that_cannot_be_resampled_is_an_error_with_the_file(tmp_path, weights):
    refused(tmp_path, weights | {"pos_embed": torch.zeros(1, 9, 16)}, "pos_embed")


# --- image and patch


@pytest.mark.parametrize(
    ("changed", "patch"),
    [
        ({"image_size": 30}, 4),
        ({"image_size": 16, "options": {}, "name": "vit_base_patch32_224.orig_in21k"}, 32),
        ({"image_size": 100, "options": {"patch_size": 8}}, 8),
    ],
)
def test_an_image_that_is_no_whole_number_of_patches_is_refused_at_once(changed, patch):
    settings = TEACHER | changed
    size = settings["image_size"]
    said = f"image_size {size} is no multiple of the patch size {patch}"
    assert ViT.contradiction(settings) == said
    with pytest.raises(ValueError, match=said):
        ViT.net(settings)


def test_an_image_of_whole_patches_is_not():
    for settings in (TEACHER, STUDENT, TEACHER | {"image_size": 32}):
        assert ViT.contradiction(settings) is None
    assert net_of().patch_embed.num_patches == 4


def test_a_cut_beyond_the_blocks_is_told_without_building():
    assert "of 12 blocks" in ViT.contradiction(TEACHER | {"options": {}, "cut": [6, 13]})
    assert "of 4 blocks" in ViT.contradiction(TEACHER | {"blocks": 5, "cut": [2, 4]})
