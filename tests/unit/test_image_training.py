"""Image jobs: what they train and what they leave alone; killed, resumed, shared by processes."""

import logging
import multiprocessing
import os
import re
import shutil
import signal
import struct
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from tensorboardX.proto.event_pb2 import Event
from torch import nn
from vision_toys import (
    NO_WEIGHTS,
    SMALL_TD,
    STUDENT,
    TALK,
    TEACHER,
    backbone,
    config,
    images,
    inputs,
    job,
    outputs,
    student,
)

from talking_models import registry
from talking_models.data.digits import Digits
from talking_models.data.images import Examples
from talking_models.evidence import predict_images as evaluation
from talking_models.models import MODELS
from talking_models.models.base import Frozen
from talking_models.models.files import load_trained, read, teacher_of
from talking_models.models.layers import Layers, Streams
from talking_models.training import devices, image_loop, image_teacher
from talking_models.training import images as image_job
from talking_models.training.image_loop import (
    learning_rate,
    micro_batches,
    optimiser,
)
from talking_models.training.loader import in_order, plain
from talking_models.training.probe import fit_probe
from talking_models.training.resume import Record, key_of
from talking_models.training.shared import TrainingDiverged

SETTINGS = {
    "scratch": {},
    "ld": {"weight": 0.5},
    "fd": {"weight": 0.5},
    "fitnet": {"weight": 0.5},
    "hybrid": {"logit_weight": 0.5, "feature_weight": 0.3, "gate": "grad_cos"},
    "dist": {"inter": 0.5, "intra": 0.5},
    "rkd": {"weight": 0.5},
    "srd": {"weight": 0.5},
    "vid": {"weight": 0.5},
    "td": TALK,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return inputs(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def alone(made, tmp_path_factory):
    """The weights of a job from scratch that nothing disturbed."""
    return job(tmp_path_factory.mktemp("alone") / "job", made, config("scratch"))


@pytest.fixture(scope="module")
def checkpoint(made, tmp_path_factory):
    """What such a job leaves that is killed: the file's bytes."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("checkpoint") / "job"
        return stopped(patch, folder, made, config("scratch")).read_bytes()


def differing(a, b):
    assert set(a) == set(b)
    return {name for name in a if not torch.equal(a[name], b[name])}


@pytest.mark.parametrize("method", SETTINGS)
def test_every_method_trains_the_student_and_leaves_the_teacher_as_it_was(
    method, made, tmp_path, monkeypatch
):
    teachers = []

    class Watched(Frozen):
        def __init__(self, model):
            super().__init__(model)
            teachers.append((model, {n: p.clone() for n, p in model.state_dict().items()}))

    monkeypatch.setattr(image_teacher, "Frozen", Watched)
    weights = job(tmp_path, made, config(method, SETTINGS[method]))
    assert len(teachers) == (method != "scratch")
    for model, before in teachers:
        assert differing(model.state_dict(), before) == set()
        assert all(p.grad is None for p in model.parameters())
    start = student(made.fit.parent).state_dict()
    assert differing(weights, start) == set(start), "a weight of the student did not move"
    assert {path.name for path in tmp_path.iterdir()} == {
        "models.safetensors", "history.csv", "throughput.csv", "config.yaml",
    }  # fmt: skip
    history = pd.read_csv(tmp_path / "history.csv")
    assert set(history.loc[history["name"] == "val_accuracy", "step"]) == {3, 6}
    label = history[(history["name"] == "label") & (history["step"] > 1)]
    assert (label["gradient_norm"] > 0).all()  # from step 1 on: the classifier starts at zero
    assert history.loc[history["name"] == "label", "gradient_norm"].iloc[0] == 0
    pace = pd.read_csv(tmp_path / "throughput.csv")
    assert (pace["images_per_second"] > 0).all()
    kept = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert (kept["method"], kept["device"]["precision"]) == (method, "float32")


def test_td_with_all_weights_zero_is_no_distillation_bit_for_bit(made, alone, tmp_path):
    silent = job(tmp_path / "td", made, config("td", {**NO_WEIGHTS, **SMALL_TD}))
    talking = job(tmp_path / "talk", made, config("td", TALK))
    assert differing(alone, silent) == set()
    assert differing(alone, talking) != set()


@pytest.mark.parametrize(
    ("method", "settings"), [("mutual", {}), ("born_again", {"first_steps": 2})]
)
def test_a_peer_learns_beside_a_student_of_images(made, alone, tmp_path, method, settings):
    peer = STUDENT | ({"blocks": 2, "cut": [1, 2]} if method == "mutual" else {})
    asked = config(method, settings) | {"teachers": {}, "peers": {"beside": peer}}
    weights = job(tmp_path, made, asked)
    assert differing(alone, weights) != set()
    history = pd.read_csv(tmp_path / "history.csv")
    assert history["value"].notna().all()
    learnt = history[history["name"] == "logit"]
    assert learnt["value"].iloc[-1] > 0


def killed(folder, made, config, at):
    """A job in a process of its own that is killed in the middle of step `at`."""
    take = image_loop.learning_rate

    def kill(step, training):
        if step == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return take(step, training)

    image_loop.learning_rate = kill
    job(folder, made, config)


ADAM = {"optimiser": "adamw", "learning_rate": 1e-3, "weight_decay": 0.05, "smallest_area": 1.0,
        "shift": 2}  # fmt: skip


@pytest.mark.parametrize(("method", "changed"), [("scratch", {}), ("td", {}), ("td", ADAM)])
def test_a_killed_job_goes_on_and_ends_as_an_undisturbed_one(
    method, changed, made, tmp_path, caplog
):
    asked = config(method, SETTINGS[method], **changed)
    whole = job(tmp_path / "whole", made, asked)
    arguments = (tmp_path / "killed", made, asked, 5)
    process = multiprocessing.get_context("fork").Process(target=killed, args=arguments)
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    left = {path.name for path in (tmp_path / "killed").iterdir()}
    assert left == {"checkpoint.safetensors"}, "half of a result was left"
    with caplog.at_level(logging.INFO):
        resumed = job(tmp_path / "killed", made, asked)
    assert "going on from step 4" in caplog.text
    assert differing(whole, resumed) == set()
    for name in ("models.safetensors", "history.csv", "config.yaml"):
        expected = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "killed" / name).read_bytes() == expected, name
    assert not (tmp_path / "killed" / "checkpoint.safetensors").exists()


def test_running_statistics_are_part_of_what_is_kept(tmp_path):
    """As of the batch norms of a convolutional student."""

    def begun():
        net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        return net, torch.optim.SGD(net.parameters(), lr=0.1)

    net, optimizer = begun()
    net(torch.arange(15.0).view(5, 3)).square().sum().backward()
    optimizer.step()
    Record(tmp_path / "state", "key").save(1, net, optimizer)
    other, optimizer = begun()
    assert Record(tmp_path / "state", "key").load(other, optimizer, logging.getLogger()) == 1
    assert differing(dict(other.state_dict()), dict(net.state_dict())) == set()
    assert "1.running_var" in net.state_dict()


def stopped(monkeypatch, folder, made, config, at=5):
    """Leave the checkpoint of a job that ends in the middle of step `at`."""
    take = image_loop.learning_rate

    def stop(step, training):
        if step == at:
            raise KeyboardInterrupt
        return take(step, training)

    with monkeypatch.context() as patch:
        patch.setattr(image_loop, "learning_rate", stop)
        with pytest.raises(KeyboardInterrupt):
            job(folder, made, config)
    return folder / "checkpoint.safetensors"


def test_a_checkpoint_of_other_settings_is_not_taken(made, checkpoint, tmp_path, caplog):
    left = tmp_path / "checkpoint.safetensors"
    left.write_bytes(checkpoint)
    other = config("scratch", learning_rate=0.05)
    with caplog.at_level(logging.INFO):
        found = job(tmp_path, made, other)
    assert f"{left} is of a training with other settings: starting anew" in caplog.messages
    assert differing(found, job(tmp_path / "whole", made, other)) == set()


@pytest.mark.parametrize(
    "damaged",
    [
        lambda raw: b"",
        lambda raw: raw[:7],
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw[:-1],
        lambda raw: bytes(len(raw)),
        lambda raw: raw[:200] + bytes(len(raw) - 200),
        lambda raw: b"a text",
    ],
    ids=["empty", "7 bytes", "half", "all but one byte", "zeros", "a cut header", "text"],
)
def test_a_damaged_checkpoint_is_gone_past(made, alone, checkpoint, tmp_path, caplog, damaged):
    left = tmp_path / "checkpoint.safetensors"
    left.write_bytes(damaged(checkpoint))
    with caplog.at_level(logging.INFO):
        found = job(tmp_path, made, config("scratch"))
    assert f"{left} is damaged, or no checkpoint: starting anew" in caplog.messages
    assert "going on" not in caplog.text
    assert differing(found, alone) == set()
    assert not left.exists()


def test_a_file_of_something_else_in_a_checkpoints_place_is_gone_past(made, tmp_path, caplog):
    folder = tmp_path / "job"
    folder.mkdir()
    shutil.copy(made.backbone, folder / "checkpoint.safetensors")
    with caplog.at_level(logging.INFO):
        job(folder, made, config("scratch", steps=2, warmup_steps=1))
    assert "is damaged, or no checkpoint: starting anew" in caplog.text


def test_the_key_of_a_training_is_its_settings_and_the_content_of_its_files(tmp_path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    keys = [
        key_of({"x": 1}, tmp_path / "a"),
        key_of({"x": 2}, tmp_path / "a"),
        key_of({"x": 1}, tmp_path / "b"),
    ]
    assert len(set(keys)) == 3
    (tmp_path / "b").write_text("a")
    assert key_of({"x": 1}, tmp_path / "b") == keys[0]


def test_a_killed_job_goes_on_in_as_many_processes_if_they_take_as_many_images(made, monkeypatch):
    keys = []
    monkeypatch.setattr(image_job, "launch", lambda *given: keys.append(given[-2]))
    for number, size in ((1, None), (2, None), (1, 8), (2, 8)):
        asked = config("td", TALK, number, micro_batch_size=size)
        image_job.run(made, asked, "code", {})
    whole, halves, one, two = keys
    assert whole != halves
    assert one == two


def test_a_killed_job_goes_on_wherever_products_are_as_precise(made, monkeypatch):
    keys = []
    monkeypatch.setattr(image_job, "launch", lambda *given: keys.append(given[-2]))
    for more in ({}, {"workers": 2, "threads": 2}, {"precision": "bfloat16"}):
        asked = config("td", TALK)
        asked["device"] |= more
        image_job.run(made, asked, "code", {})
    plain, elsewhere, narrow = keys
    assert plain == elsewhere != narrow


@pytest.fixture
def own_method(tmp_path):
    """TD as a method in a folder of the user's own."""
    (tmp_path / "mine").mkdir()
    text = "from talking_models.methods.td import TD\n\n\nclass Own(TD):\n    pass\n"
    (tmp_path / "mine/own.py").write_text(text)
    registry.use([tmp_path / "mine"])
    yield "own"
    registry.use([])


@pytest.mark.slow
def test_two_processes_end_as_one_with_accumulation(made, own_method, tmp_path):
    asked = {**TALK, "w2": 0.0}  # a part of a decoder is unused
    one = job(tmp_path / "one", made, config("td", asked, micro_batch_size=8))
    # the two are spawned, and know the user's method, too
    two = job(tmp_path / "two", made, config(own_method, asked, devices=2))
    whole = job(tmp_path / "whole", made, config("td", asked))
    for name, weight in one.items():
        torch.testing.assert_close(weight, two[name], rtol=1e-5, atol=1e-7)
    assert differing(one, whole) != set(), "accumulation changes nothing: nothing is tested"
    histories = [pd.read_csv(tmp_path / name / "history.csv") for name in ("one", "two")]
    columns = ["step", "name", "value"]  # a gradient's norm is of the first process's images
    pd.testing.assert_frame_equal(histories[0][columns], histories[1][columns], rtol=1e-4)


def test_a_batch_must_divide_into_micro_batches():
    whole = {"batch_size": 12, "micro_batch_size": None}
    assert micro_batches(whole, 1, 2) == (6, range(1, 2, 2))
    _, mine = micro_batches({"batch_size": 12, "micro_batch_size": 2}, 1, 2)
    assert list(mine) == [1, 3, 5]
    with pytest.raises(ValueError, match="12 images does not divide into micro-batches of 5"):
        micro_batches({"batch_size": 12, "micro_batch_size": 5}, 0, 1)


def test_the_learning_rate_rises_and_falls_as_half_a_cosine():
    shares = [learning_rate(step, {"warmup_steps": 4, "steps": 12}) for step in range(12)]
    assert shares[:5] == pytest.approx([0.25, 0.5, 0.75, 1, 1])
    assert shares[8] == pytest.approx(0.5)
    assert shares[11] == pytest.approx(0.038060, rel=1e-4)


def test_matrices_decay_and_modules_may_learn_at_a_rate_of_their_own():
    net = nn.ModuleDict({"a": nn.Linear(3, 2), "n": nn.LayerNorm(2)})
    net.cls_token = nn.Parameter(torch.zeros(1, 1, 2))
    own = nn.ModuleDict({"e": Layers(Streams([0], "e", stacked=False)).linear(2, 2)})
    training = {"learning_rate": 0.1, "module_learning_rate": 0.3, "momentum": 0.9}
    found = optimiser(net, own, training | {"optimiser": "adamw", "weight_decay": 0.05})
    assert isinstance(found, torch.optim.AdamW)
    groups = [(g["highest"], g["weight_decay"], len(g["params"])) for g in found.param_groups]
    assert groups == [(0.1, 0.05, 1), (0.1, 0.0, 4), (0.3, 0.05, 1), (0.3, 0.0, 1)]
    one_rate = training | {"module_learning_rate": None, "optimiser": "sgd", "weight_decay": 0.0}
    found = optimiser(net, own, one_rate)
    assert isinstance(found, torch.optim.SGD)
    assert {(g["highest"], g["momentum"]) for g in found.param_groups} == {(0.1, 0.9)}


@pytest.mark.parametrize(("precision", "fused"), [("float32", True), ("bfloat16", False)])
def test_attention_on_a_cpu_is_of_products_in_bfloat16(precision, fused, made):
    """It changes what a step costs, and not what it computes."""
    fabric = devices.fabric_of(config("scratch")["device"])
    devices.choose_attention(fabric, precision)
    net = student(made.fit.parent)
    assert {block.attn.fused_attn for block in net.net.blocks} == {fused}
    batch = SimpleNamespace(images=torch.randn(4, 3, *[net.net.patch_embed.img_size[0]] * 2))
    high = net(batch).high
    for block in net.net.blocks:
        block.attn.fused_attn = not fused
    torch.testing.assert_close(net(batch).high, high, rtol=1e-4, atol=1e-5)
    devices.choose_attention(fabric, "float32")


def test_the_gradient_is_clipped_and_momentum_is_sgds(made, tmp_path):
    """One step by hand, on the images that the job sees."""
    asked = config("scratch", steps=1, warmup_steps=0, clip=0.01, learning_rate=0.5)
    found = job(tmp_path, made, asked)
    start = student(made.fit.parent).state_dict()
    change = torch.cat([(found[n] - start[n]).flatten() for n in start])
    assert change.norm() == pytest.approx(0.5 * 0.01, rel=1e-3)


def test_a_large_loss_of_the_modules_leaves_the_students_step_as_it_is(made, tmp_path):
    """The student's gradient is clipped by itself."""
    once = {"steps": 1, "warmup_steps": 0, "clip": 0.01, "learning_rate": 0.5}
    asked = config("td", SETTINGS["td"] | {"w3": 1e4, "stop_gradient": "state"}, **once)
    found, start = job(tmp_path, made, asked), student(made.fit.parent).state_dict()
    change = torch.cat([(found[n] - start[n]).flatten() for n in start])
    assert change.norm() == pytest.approx(0.5 * 0.01, rel=1e-3)


def test_a_diverging_job_says_where(made, tmp_path):
    said = r"is (nan|inf) at step \d, seed 3, with .*'learning_rate': 1"
    with pytest.raises(TrainingDiverged, match=said):
        job(tmp_path, made, config("fd", {"weight": 1e38}, learning_rate=1.0, clip=1e38))
    assert not (tmp_path / "models.safetensors").exists()


def test_a_loss_that_is_no_number_is_one_in_the_gradients_of_all_processes(made, tmp_path):
    """Though its own are finite: a process that stopped alone would leave the others waiting."""
    seen = []

    def clip(parameters, most):
        seen.extend(p.grad for p in parameters if p.grad is not None)
        return torch.stack([gradient.norm() for gradient in seen]).norm()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image_loop.nn.utils, "clip_grad_norm_", clip)
        patch.setattr(
            "talking_models.objectives.ClassObjective.label_loss",
            lambda self, output, target: output.sum() + torch.inf,
        )
        with pytest.raises(TrainingDiverged, match="loss part 'label' is inf at step 0"):
            job(tmp_path, made, config("scratch"))
    assert seen
    assert all(gradient.isnan().all() for gradient in seen)


def test_noise_depends_on_the_place_alone():
    layers = Layers(Streams([1], "method", stacked=False))
    dropout = layers.dropout(0.5)
    x = torch.ones(50)
    layers.draw.seek(3, 1)
    first = dropout(x)
    dropout(x)
    layers.draw.seek(3, 1)
    assert torch.equal(dropout(x), first)
    for place in ((3, 0), (1, 3), (4, 1)):
        layers.draw.seek(*place)
        assert not torch.equal(dropout(x), first)


# Probe and predictions


def test_a_probe_separates_what_is_separable_in_features_as_they_are():
    draw = torch.Generator().manual_seed(0)
    y = torch.arange(300) % 3
    x = 100 + 5 * torch.eye(3)[y] @ torch.randn((3, 6), generator=draw)
    x = x + torch.randn((300, 6), generator=draw) * 0.5
    settings = {"epochs": 20, "batch_size": 64, "learning_rate": 0.05, "weight_decay": 0.0}
    layer = fit_probe(x, y, 3, settings)
    assert (layer(x).argmax(-1) == y).float().mean() > 0.97


def test_the_teachers_outputs_are_the_probes(made):
    probe, _ = read(made.teachers["teacher"][1], "probe")
    bare = MODELS.get("vit").teacher(TEACHER, backbone(made.fit.parent))
    expected = bare.net.eval()(images()) @ probe["weight"].T + probe["bias"]
    teacher, _ = image_job.teacher_of(TEACHER, *made.teachers["teacher"])
    torch.testing.assert_close(teacher.eval().net(images()), expected)


def test_predictions_are_of_the_whole_eval_slice_in_order(made, tmp_path):
    job(tmp_path, made, config("scratch"))
    evaluation.run(
        tmp_path / "models.safetensors",
        [],
        None,
        made.fit.with_name("eval.yaml"),
        config("scratch")["device"],
        predictions=tmp_path / "predictions.parquet",
        metrics=tmp_path / "metrics.csv",
        about={"experiment": "alone", "data": "digits", "split": "given"},
        names=["accuracy"],
    )
    frame = pd.read_parquet(tmp_path / "predictions.parquet")
    about = ["experiment", "data", "split", "task"]
    assert list(frame) == [*about, "seed", "example", "target", "prediction"]
    assert list(frame["example"]) == list(range(360))
    assert {tuple(row) for row in frame[about].to_numpy()} == {("alone", "digits", "given", "all")}
    assert set(frame["seed"]) == {3}
    (row,) = pd.read_csv(tmp_path / "metrics.csv").to_dict("records")
    right = (frame["target"] == frame["prediction"]).mean()
    assert (row["metric"], row["n_eval"], row["value"]) == ("accuracy", 360, pytest.approx(right))
    trained, look, _ = load_trained(tmp_path / "models.safetensors")
    seen = Digits.open({}, "test").read(range(360))
    whole = torch.stack([plain(look)(Image.fromarray(image)) for image, _ in seen])
    with torch.no_grad():
        expected = trained(SimpleNamespace(images=whole)).output.argmax(-1)
    same = (expected.numpy() == frame["prediction"]).mean()
    assert same > 0.99  # other batches round otherwise
    assert list(frame["target"]) == [label for _, label in seen]


def test_a_student_is_held_beside_its_teacher(made):
    files = made.teachers["teacher"]
    teacher, look = teacher_of(TEACHER, *files)
    held_out = Examples.read(made.fit.with_name("eval.yaml"), "eval")
    fabric = devices.fabric_of(config("scratch")["device"])
    same = evaluation._predicted(fabric, teacher, look, held_out, 0, 0, teacher)
    assert (same["teacher"] == same["prediction"]).all()
    assert same["kl"].abs().max() < 1e-6
    other = student(made.fit.parent)  # a classifier of zeros: all classes alike
    apart = evaluation._predicted(fabric, other, look, held_out, 0, 0, teacher)
    with torch.no_grad():
        batch = next(in_order(held_out, look, 0, size=360))
        p = teacher(batch).output.softmax(-1)
    wanted = (p * (p.log() - np.log(1 / 10))).sum(-1)
    assert apart["kl"].to_numpy() == pytest.approx(wanted.numpy(), rel=1e-3, abs=1e-5)


def events(folder):
    """What TensorBoard would show: (step, name, value) in the order of writing."""
    (path,) = folder.glob("events.out.tfevents.*")
    data, found = path.read_bytes(), []
    while data:  # length, its checksum, the event, its checksum
        (size,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + size])
        found += [(event.step, v.tag, v.simple_value) for v in event.summary.value]
        data = data[16 + size :]
    return found


def test_tensorboard_shows_the_rows_of_the_csv_files(made, tmp_path):
    folder = tmp_path / "job"
    asked = config("td", TALK, steps=5, log_every=2, evaluate_every=3)
    job(folder, made, asked)
    job(folder, made, asked)  # once more: the folder is emptied
    history = pd.read_csv(folder / "history.csv")
    accuracy = history["name"] == "val_accuracy"
    assert set(history.loc[~accuracy, "step"]) == {2, 4, 5}
    assert set(history.loc[accuracy, "step"]) == {3, 5}
    assert set(history.loc[history["gradient_norm"].notna(), "step"]) == {2, 4}
    pace = pd.read_csv(folder / "throughput.csv")
    expected = [(row.step, row.name, row.value) for row in history.itertuples(index=False)]
    expected += [
        (row.step, f"gradient_norm/{row.name}", row.gradient_norm)
        for row in history.dropna().itertuples(index=False)
    ]
    expected += [
        (row.step, "images_per_second", row.images_per_second) for row in pace.itertuples()
    ]
    found = events(outputs(folder)["board"])
    assert [e[:2] for e in sorted(found)] == [e[:2] for e in sorted(expected)]
    values = [e[2] for e in sorted(expected)]
    assert [e[2] for e in sorted(found)] == pytest.approx(values, rel=1e-6)


def test_a_teacher_can_be_trained_on_the_data_set_first(made, tmp_path):
    asked = config("scratch") | {"student": TEACHER}
    weights = job(tmp_path / "teacher", made, asked)
    path = tmp_path / "teacher/models.safetensors"
    teacher, _ = teacher_of(TEACHER, path)
    assert (teacher.lo, teacher.hi, len(teacher.net.blocks)) == (2, 4, 4)
    assert differing(teacher.state_dict(), weights) == set()
    probed = job(tmp_path / "probe", made, config("ld"))
    chosen = replace(made, teachers={"teacher": (path,)})
    tuned = job(tmp_path / "tuned", chosen, config("ld"))
    assert differing(probed, tuned) != set()
    with pytest.raises(ValueError, match="kind vit, not timm"):
        teacher_of(TEACHER | {"kind": "timm"}, path)
    with pytest.raises(ValueError, match=r"classes \['0', .* apart, not \['cat'\]"):
        teacher_of(TEACHER, path, classes=["cat"])


def test_the_log_tells_pace_and_time_left(made, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        image_job.run(made, config("scratch"), "code", outputs(tmp_path))
    assert re.search(r"step 6/6  label \d\.\d+  [\d.]+ images/s  0 s left", caplog.text)
    assert "val accuracy" in caplog.text


# A teacher's answers, kept


DEVICE = config("scratch")["device"]


@pytest.fixture(scope="module")
def kept(made, tmp_path_factory):
    """What the teacher answers to the training images, in both views."""
    folder = tmp_path_factory.mktemp("kept")
    asked = {"settings": TEACHER, "device": DEVICE, "flip": True, "states_gb": 1.0}
    paths = {part: folder / f"{part}.npy" for part in image_teacher.PARTS}
    image_teacher.keep(made.fit, made.teachers["teacher"], asked, paths)
    return paths


def test_kept_answers_are_the_teachers_to_both_views(made, kept):
    model, look = teacher_of(TEACHER, *made.teachers["teacher"])
    examples, model = Examples.read(made.fit, "fit"), model.eval()
    teacher = image_teacher.Kept.of(model, list(kept.values()))
    for mirror in (False, True):
        batch = next(in_order(examples, look, 0, mirror=mirror, size=32))
        plain_batch = next(in_order(examples, look, 0, size=32))
        flipped = plain_batch.images.flip(-1) if mirror else plain_batch.images
        assert torch.equal(batch.images, flipped)
        with torch.no_grad():
            states = model(batch)
        for part in ("low", "high", "output", "low_pre", "high_pre"):
            found, wanted = getattr(teacher(batch), part), getattr(states, part)
            torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3)
            assert found.dtype == torch.float32


@pytest.mark.parametrize("method", ["ld", "fd", "td"])
def test_a_job_reads_kept_answers_and_asks_for_none(method, made, kept, tmp_path, monkeypatch):
    whole = {"smallest_area": 1.0, "flip": True}
    asked = config(method, SETTINGS[method], **whole)
    anew = job(tmp_path / "anew", made, asked)
    monkeypatch.setattr(Frozen, "__call__", None)  # nobody is asked
    again = replace(made, states={"teacher": tuple(kept.values())})
    read_back = job(tmp_path / "kept", again, asked)
    for name, weight in anew.items():
        assert (read_back[name] - weight).norm() < 0.01 * weight.norm() + 0.01, name


def test_too_many_answers_are_not_kept_and_computed_anew(made, tmp_path):
    asked = {"settings": TEACHER, "device": DEVICE, "flip": False, "states_gb": 1e-6}
    paths = {part: tmp_path / f"{part}.npy" for part in image_teacher.PARTS}
    image_teacher.keep(made.fit, made.teachers["teacher"], asked, paths)
    assert all(len(np.load(path)) == 0 for path in paths.values())
    model, _ = teacher_of(TEACHER, *made.teachers["teacher"])
    assert type(image_teacher.Kept.of(model, list(paths.values()))) is Frozen
    assert type(image_teacher.Kept.of(model, ())) is Frozen


# Where it runs


@pytest.fixture
def measured():
    devices.bfloat16_pays.cache_clear()
    yield
    devices.bfloat16_pays.cache_clear()


@pytest.mark.parametrize(("seconds", "pays"), [((1.0, 0.5), True), ((1.0, 0.9), False)])
def test_a_processor_takes_bfloat16_where_it_is_faster(monkeypatch, measured, seconds, pays):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    clock, wide, narrow = [0.0], *seconds
    ticks = iter([*[0, wide] * 5, *[0, narrow] * 5])
    monkeypatch.setattr(devices.time, "perf_counter", lambda: clock[0] + next(ticks))
    before = torch.get_num_threads()
    asked = {"accelerator": "cpu", "devices": 1, "precision": "auto", "threads": 1}
    assert devices.settled(asked) == asked | {"precision": "bfloat16" if pays else "float32"}
    assert torch.get_num_threads() == before


def test_a_processor_without_it_takes_float32_unmeasured(monkeypatch, measured):
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, name, lambda: False)
    monkeypatch.setattr(devices.time, "perf_counter", None)
    assert devices.bfloat16_pays(1) is False


@pytest.mark.parametrize("method", ["scratch", "td"])
def test_a_job_in_bfloat16_ends_near_one_in_float32(method, made, tmp_path):
    asked = config(method, SETTINGS[method])
    whole = job(tmp_path / "wide", made, asked)
    asked["device"] = asked["device"] | {"precision": "bfloat16"}
    narrow = job(tmp_path / "narrow", made, asked)
    assert differing(whole, narrow)
    for name, weight in whole.items():
        assert narrow[name].dtype == torch.float32
        assert (narrow[name] - weight).norm() < 0.05 * weight.norm() + 0.05, name
