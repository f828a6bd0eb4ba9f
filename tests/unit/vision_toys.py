"""A tiny transformer, digits cut into slices, and jobs on them, for the tests of images."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from talking_models.data.splits import split_images
from talking_models.models import MODELS
from talking_models.models.base import LayeredModel
from talking_models.models.files import Backbone, save
from talking_models.training import images as image_job

NAME = "vit_tiny_patch16_224"
OPTIONS = {"patch_size": 4, "embed_dim": 16, "depth": 4, "num_heads": 2}
SIZE = 8
TEACHER = {
    "kind": "vit",
    "of": None,
    "name": NAME,
    "weights": "random",
    "image_size": SIZE,
    "options": OPTIONS,
    "blocks": None,
    "cut": [2, 4],
    "probe": {"epochs": 2, "batch_size": 64, "learning_rate": 1e-3, "weight_decay": 0.0},
}
STUDENT = TEACHER | {"blocks": 3, "cut": [1, 3]}
SMALL_TD = {"message": 7, "hidden": 9}
NO_WEIGHTS = {"w1": 0.0, "w2": 0.0, "w3": 0.0}
TALK = {"rounds": 2, "w1": 0.5, "w2": 0.4, "w3": 0.3, "noise": 0.1, **SMALL_TD}
SLICES = ("fit", "val", "eval")


def cut(settings: dict[str, Any], folder: Path, **protocol: float) -> dict[str, Path]:
    """The slice files of a set of images, made in `folder`."""
    paths = {name: folder / f"{name}.yaml" for name in SLICES}
    given = {"kind": "given", "val": 0.1, "share": 1.0}
    split_images(settings, given | protocol, list(paths.values()))
    return paths


def inputs(folder: Path, probe: bool = True) -> image_job.Inputs:
    """What training jobs on digits read, made in `folder` if it is not there."""
    fit, val, _ = (folder / f"{name}.yaml" for name in SLICES)
    start, classifier = folder / "backbone.safetensors", folder / "probe.safetensors"
    if not classifier.exists():
        cut({"kind": "digits"}, folder)
        MODELS.get("vit").make_backbone(TEACHER, None, start)
        draw = torch.Generator().manual_seed(0)
        weights = {
            "weight": torch.randn((10, 16), generator=draw),
            "bias": torch.randn(10, generator=draw),
        }
        save(classifier, "probe", weights, {"classes": [str(digit) for digit in range(10)]})
    teacher = (start, classifier) if probe else (start,)
    return image_job.Inputs(fit, val, start, {"teacher": teacher})


def config(method: str, settings: dict | None = None, devices: int = 1, **training) -> dict:
    """An effective config as `image_job.run` takes it."""
    return {
        "seed": 3,
        "method": method,
        "settings": settings or {},
        "student": STUDENT,
        "teachers": {} if method == "scratch" else {"teacher": TEACHER},
        "training": {
            "steps": 6,
            "batch_size": 16,
            "micro_batch_size": None,
            "learning_rate": 0.1,
            "momentum": 0.9,
            "warmup_steps": 2,
            "clip": 1.0,
            "smallest_area": 0.5,
            "shift": 0,
            "optimiser": "sgd",
            "module_learning_rate": None,
            "weight_decay": 0.0,
            "flip": False,
            "prepare_images": 64,
            "log_every": 1,
            "evaluate_every": 3,
            "checkpoint_every": 2,
            **training,
        },
        "device": {
            "accelerator": "cpu",
            "devices": devices,
            "precision": "float32",
            "threads": 1,
            "workers": 0,
        },
    }


def outputs(folder: Path) -> dict[str, Path]:
    """Where a job writes in `folder`."""
    return {
        "models": folder / "models.safetensors",
        "history": folder / "history.csv",
        "config": folder / "config.yaml",
        "throughput": folder / "throughput.csv",
        "board": folder.with_name(f"{folder.name}-board"),
    }


def job(folder: Path, made: image_job.Inputs, config: dict) -> dict[str, torch.Tensor]:
    """Run a whole job in `folder`: the student's weights."""
    image_job.run(made, config, "code", outputs(folder))
    return load_file(folder / "models.safetensors")


def backbone(folder: Path) -> Backbone:
    """The teacher's weights of `inputs`."""
    return Backbone.load(inputs(folder).backbone)


def student(folder: Path, form: dict = STUDENT, classes: int = 10) -> LayeredModel:
    """A student of `inputs` before training."""
    return MODELS.get("vit").student(form, classes, backbone(folder))


def net_of(size: int = SIZE, **options: Any) -> torch.nn.Module:
    """The teacher's network, with other options."""
    asked = {"image_size": size, "options": OPTIONS | options}
    return MODELS.get("vit").net(TEACHER | asked)


def images(n: int = 5, size: int = SIZE) -> torch.Tensor:
    """Random images (n, 3, size, size)."""
    return torch.randn((n, 3, size, size), generator=torch.Generator().manual_seed(1))


def write_tfds(
    data_dir: Path,
    name: str,
    splits: dict[str, int],
    classes: list[str],
    *,
    config: str = "",
    version: str = "1.0.0",
    picture: Callable[[int], bytes] | None = None,
    label: Callable[[str, int], int] | None = None,
) -> Path:
    """A small image data set in TFDS's own format, without TensorFlow.

    Args:
        data_dir, name, config, version: where it lies.
        splits: rows of each part.
        classes: names of the labels.
        picture: an image file of a row; None: `png`.
        label: of a part and a row; the classes by turns.
    """
    from array_record.python.array_record_module import ArrayRecordWriter
    from tensorflow_datasets.proto import tf_example_pb2

    label = label or (lambda part, row: row % len(classes))
    folder = data_dir / name / config / version
    folder.mkdir(parents=True)
    for part, n in splits.items():
        path = folder / f"{name}-{part}.array_record-00000-of-00001"
        writer = ArrayRecordWriter(str(path), "group_size:1")
        for row in range(n):
            example = tf_example_pb2.Example()
            feature = example.features.feature
            feature["image"].bytes_list.value.append((picture or png)(row))
            feature["label"].int64_list.value.append(label(part, row))
            writer.write(example.SerializeToString())
        writer.close()
    core = "tensorflow_datasets.core.features"
    features = {
        "image": {
            "pythonClassName": f"{core}.image_feature.Image",
            "image": {"dtype": "uint8", "shape": {"dimensions": ["-1", "-1", "3"]}},
        },
        "label": {
            "pythonClassName": f"{core}.class_label_feature.ClassLabel",
            "classLabel": {"numClasses": str(len(classes))},
        },
    }
    about = {
        "pythonClassName": f"{core}.features_dict.FeaturesDict",
        "featuresDict": {"features": features},
    }
    (folder / "features.json").write_text(json.dumps(about))
    (folder / "label.labels.txt").write_text("\n".join(classes) + "\n")
    info = {
        "fileFormat": "array_record",
        "moduleName": "tests",
        "name": name,
        "version": version,
        "splits": [
            {
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                "name": part,
                "numBytes": "1000",
                "shardLengths": [str(n)],
            }
            for part, n in splits.items()
        ],
    }
    if config:
        info["configName"] = config
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return folder


def pixels(row: int) -> np.ndarray:
    """The image of a row, (6, 4, 3) uint8: colours that tell labels."""
    image = np.zeros((6, 4, 3), np.uint8)
    image[..., 0], image[row % 6, :, 1] = row % 256, 255
    return image


def encoded(image: Image.Image, kind: str = "png") -> bytes:
    """An image as a file of some format."""
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def png(row: int) -> bytes:
    """`pixels` as a PNG file."""
    return encoded(Image.fromarray(pixels(row)))
