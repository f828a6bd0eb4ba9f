"""A tiny transformer, digits cut into slices, and jobs on them, for the tests of vision."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from talking_models.models.vit_files import Backbone, save
from talking_models.models.vit_weights import make_backbone

from talking_models.data.images import split
from talking_models.models.vit import Architecture
from talking_models.training import images as image_job

NAME = "vit_tiny_patch16_224"
OPTIONS = {"patch_size": 4, "embed_dim": 16, "depth": 4, "num_heads": 2}
SIZE = 8
ARCHITECTURE = Architecture(NAME, SIZE, OPTIONS)
SMALL_TD = {"message": 7, "hidden": 9}
NO_WEIGHTS = {"w1": 0.0, "w2": 0.0, "w3": 0.0}
TALK = {"rounds": 2, "w1": 0.5, "w2": 0.4, "w3": 0.3, "noise": 0.1, **SMALL_TD}


def inputs(folder: Path, probe: bool = True) -> image_job.Inputs:
    """What training jobs on digits read, made in `folder` if it is not there."""
    paths = {name: folder / f"{name}.yaml" for name in ("fit", "minival", "eval")}
    backbone, classifier = folder / "backbone.safetensors", folder / "probe.safetensors"
    if not classifier.exists():
        split("digits", 0.1, paths)
        make_backbone(NAME, SIZE, OPTIONS, None, backbone)
        draw = torch.Generator().manual_seed(0)
        weights = {
            "weight": torch.randn((10, 16), generator=draw),
            "bias": torch.randn(10, generator=draw),
        }
        save(classifier, "probe", weights, {"dataset": "digits"})
    return image_job.Inputs(paths["fit"], paths["minival"], backbone, classifier if probe else None)


def config(method: str, settings: dict | None = None, devices: int = 1, **training) -> dict:
    """An effective config as `image_job.run` takes it."""
    return {
        "seed": 3,
        "method": method,
        "settings": settings or {},
        "blocks": 3,
        "student_cut": [1, 3],
        "teacher_cut": [2, 4],
        "training": {
            "steps": 6,
            "batch_size": 16,
            "micro_batch_size": None,
            "learning_rate": 0.1,
            "momentum": 0.9,
            "warmup_steps": 2,
            "clip": 1.0,
            "smallest_area": 0.5,
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
            "precision": "auto",
            "threads": 1,
            "workers": 0,
        },
    }


def outputs(folder: Path) -> image_job.Outputs:
    """Where a job writes in `folder`."""
    names = ("models.safetensors", "history.csv", "throughput.csv", "config.yaml")
    return image_job.Outputs(
        *(folder / name for name in names), board=folder.with_name(f"{folder.name}-board")
    )


def job(folder: Path, made: image_job.Inputs, config: dict) -> dict[str, torch.Tensor]:
    """Run a whole job in `folder`: the student's weights."""
    image_job.run(made, config, "code", outputs(folder))
    return load_file(folder / "models.safetensors")


def backbone(folder: Path) -> Backbone:
    """The teacher of `inputs`."""
    return Backbone.load(inputs(folder).backbone)


def images(n: int = 5, size: int = SIZE) -> torch.Tensor:
    """Random images (n, 3, size, size)."""
    return torch.randn((n, 3, size, size), generator=torch.Generator().manual_seed(1))


def write_tfds(data_dir: Path, name: str, splits: dict[str, int], classes: list[str]) -> Path:
    """A small image data set in TFDS's own format, without TensorFlow: colours that tell labels."""
    from array_record.python.array_record_module import ArrayRecordWriter
    from tensorflow_datasets.proto import tf_example_pb2

    folder = data_dir / name / "1.0.0"
    folder.mkdir(parents=True)
    for part, n in splits.items():
        path = folder / f"{name}-{part}.array_record-00000-of-00001"
        writer = ArrayRecordWriter(str(path), "group_size:1")
        for row in range(n):
            example = tf_example_pb2.Example()
            feature = example.features.feature
            feature["image"].bytes_list.value.append(png(row))
            feature["label"].int64_list.value.append(row % len(classes))
            writer.write(example.SerializeToString())
        writer.close()
    core = "tensorflow_datasets.core.features"
    features = {
        "image": {
            "pythonClassName": f"{core}.image_feature.Image",
            "image": {"dtype": "uint8", "shape": {"dimensions": ["6", "4", "3"]}},
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
        "version": "1.0.0",
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
    (folder / "dataset_info.json").write_text(json.dumps(info))
    return folder


def pixels(row: int) -> np.ndarray:
    """The image of a row, (6, 4, 3) uint8."""
    image = np.zeros((6, 4, 3), np.uint8)
    image[..., 0], image[row % 6, :, 1] = row, 255
    return image


def png(row: int) -> bytes:
    """`pixels` as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels(row)).save(file, "png")
    return file.getvalue()
