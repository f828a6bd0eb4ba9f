"""Where pre-trained weights come from: timm's place on the Hugging Face hub, a file, or nowhere."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch

from talking_models.data.errors import SourceError
from talking_models.data.vision_loader import Look
from talking_models.io import atomic
from talking_models.models.vit import Architecture, pretrained
from talking_models.models.vit_files import Backbone

GRAY = (0.5, 0.5, 0.5)


def download(name: str, path: str | Path) -> None:
    """Copy the weights of a timm model from the hub.

    Raises:
        SourceError: timm names no weights for it, or the hub does not give them.
    """
    from huggingface_hub import hf_hub_download

    known = timm.get_pretrained_cfg(name)
    if known is None or not known.hf_hub_id:
        raise SourceError(
            f"timm knows no weights of {name!r} on the hub",
            expected="a model with the tag of its weights, as timm.list_pretrained() names them",
            found="no such name" if known is None else "a model whose weights are elsewhere",
            advice="set vision.model.name, or vision.model.weights to a safetensors file",
        )
    repository = f"{known.hf_hub_id}{name}" if known.hf_hub_id == "timm/" else known.hf_hub_id
    try:
        found = hf_hub_download(repository, known.hf_hub_filename or "model.safetensors")
    except Exception as error:  # the hub's client, and what it calls, raise kinds of their own
        raise SourceError(
            f"the weights of {name} cannot be downloaded",
            expected=f"{repository} on the Hugging Face hub",
            found=f"{type(error).__name__}: {error}",
            advice=f"put its model.safetensors into {path}, or set vision.model.weights to a file",
        ) from error
    with atomic(path) as temporary:
        shutil.copyfile(found, temporary)


def make_backbone(
    name: str,
    image_size: int,
    options: Mapping[str, Any],
    weights: str | Path | None,
    output: str | Path,
) -> None:
    """Bring a teacher into the form that all jobs read: checked, resampled, float32.

    Args:
        name, image_size, options: see `Architecture`.
        weights: a safetensors file; None draws random ones, always the same.
        output: the file to write.

    Raises:
        WeightsError: see `models.vit.pretrained`.
    """
    architecture = Architecture(name, image_size, options)
    torch.manual_seed(0)
    net = architecture.build()
    if weights is not None:
        net = pretrained(net, weights)
    known = net.pretrained_cfg
    look = Look(image_size, tuple(known.get("mean", GRAY)), tuple(known.get("std", GRAY)))
    Backbone(architecture, look, net.state_dict()).save(output)
