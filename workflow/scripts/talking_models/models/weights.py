"""Where pre-trained weights come from: timm's place on the Hugging Face hub, a file, or nowhere.

python -m talking_models.models.weights FILE OUT.safetensors

makes a file that jobs read of one of PyTorch (.pth, .pt, .bin) or NumPy (.npz).
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import timm
from torch import nn

from talking_models.errors import SourceError
from talking_models.io import atomic
from talking_models.models.backbones import Backbone, Look
from talking_models.models.foreign import WeightsError, convert
from talking_models.models.transformer import pretrained

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
            advice="set the model's name, or its weights to a safetensors file",
        )
    repository = f"{known.hf_hub_id}{name}" if known.hf_hub_id == "timm/" else known.hf_hub_id
    try:
        found = hf_hub_download(repository, known.hf_hub_filename or "model.safetensors")
    except Exception as error:  # the hub's client, and what it calls, raise kinds of their own
        raise SourceError(
            f"the weights of {name} cannot be downloaded",
            expected=f"{repository} on the Hugging Face hub",
            found=f"{type(error).__name__}: {error}",
            advice=f"put its model.safetensors into {path}, or set the model's weights to a file",
        ) from error
    with atomic(path) as temporary:
        shutil.copyfile(found, temporary)


def make_backbone(
    net: nn.Module, image_size: int, weights: str | Path | None, output: str | Path
) -> None:
    """Bring a transformer into the form that all jobs read: checked, resampled, float32.

    Args:
        net: with random weights, which are drawn anew if there are no others.
        image_size: in pixels.
        weights: a file; None draws random weights, always the same.
        output: the file to write.

    Raises:
        WeightsError: see `models.transformer.pretrained`.
    """
    if weights is not None:
        net = pretrained(net, weights)
    known = net.pretrained_cfg
    look = Look(image_size, tuple(known.get("mean", GRAY)), tuple(known.get("std", GRAY)))
    Backbone(look, net.state_dict()).save(output)


def main(arguments: list[str]) -> int | str:
    """The command line; an exit status, or the sentence of an error."""
    if len(arguments) != 2 or not arguments[1].endswith(".safetensors"):
        return (__doc__ or "").strip()
    source, output = arguments
    try:
        print(f"{convert(source, output)} weights of {source} in {output}")
    except (WeightsError, OSError) as error:
        return str(error)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
