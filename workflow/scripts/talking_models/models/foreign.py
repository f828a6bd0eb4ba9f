"""Weights of transformers as others keep them: other forms of file, other names of the same layers.

A job reads safetensors files only: they hold nothing that could run. What else a user may have is
told apart by its first bytes, not by its name, and `convert` makes a safetensors file of it.
"""

from __future__ import annotations

import logging
import re
import shlex
import zipfile
from argparse import Namespace
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from talking_models.io import atomic

SAFETENSORS, TORCH, NUMPY = "a safetensors file", "a file of PyTorch", "a file of NumPy"
COMMAND = "python -m talking_models.models.weights"
WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net", "weights")
LOGGED = 5  # names of what is left out
UNUSED = ("pooler.", "embeddings.mask_token")
"""Of Hugging Face's models: layers that are no part of the transformer as it is cut here."""

HUGGING_FACES = "embeddings.patch_embeddings.projection.weight"
GOOGLES = "embedding/kernel"
"""Names that tell whose they are."""
HUGGING_FACE = {
    r"^embeddings\.cls_token$": "cls_token",
    r"^embeddings\.distillation_token$": "dist_token",
    r"^embeddings\.position_embeddings$": "pos_embed",
    r"^embeddings\.patch_embeddings\.projection\.": "patch_embed.proj.",
    r"^encoder\.layer\.(\d+)\.": r"blocks.\1.",
    r"\.attention\.attention\.(query|key|value)\.": r".attn.\1.",
    r"\.attention\.output\.dense\.": ".attn.proj.",
    r"\.intermediate\.dense\.": ".mlp.fc1.",
    r"\.output\.dense\.": ".mlp.fc2.",
    r"\.layernorm_before\.": ".norm1.",
    r"\.layernorm_after\.": ".norm2.",
    r"^layernorm\.": "norm.",
    r"^(cls_)?classifier\.": "head.",
    r"^distillation_classifier\.": "head_dist.",
}
GOOGLE = {  # Flax, as in the .npz files of vit_jax
    r"^cls$": "cls_token",
    r"^Transformer/posembed_input/pos_embedding$": "pos_embed",
    r"^embedding/": "patch_embed.proj.",
    r"^Transformer/encoder_norm/": "norm.",
    r"^Transformer/encoderblock_(\d+)/": r"blocks.\1.",
    r"MultiHeadDotProductAttention_1/(query|key|value)/": r"attn.\1.",
    r"MultiHeadDotProductAttention_1/out/": "attn.proj.",
    r"MlpBlock_3/Dense_0/": "mlp.fc1.",
    r"MlpBlock_3/Dense_1/": "mlp.fc2.",
    r"LayerNorm_0/": "norm1.",
    r"LayerNorm_2/": "norm2.",
    r"(kernel|scale)$": "weight",
    r"/": ".",
}
log = logging.getLogger("talking_models")


class WeightsError(ValueError):
    """Weights cannot be read, or are not those of a model."""


def form_of(path: str | Path) -> str:
    """What a file is, by its content: one of the three forms, or else in words with what to do."""
    with open(path, "rb") as file:
        head = file.read(64)
    if head[8:9] == b"{":
        return SAFETENSORS
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(name.endswith("data.pkl") for name in names):
            return TORCH
        if names and all(name.endswith(".npy") for name in names):
            return NUMPY
        return "a zip archive without weights: take the file out of it"
    if head.startswith(b"\x80"):  # a pickle, as PyTorch wrote before it took to archives
        return TORCH
    if len(head) < 9:
        return f"{'cut' if head else 'empty'}: download it again"
    if head.startswith(b"version https://git-lfs"):
        return "a pointer of git-lfs, not what it points to: run `git lfs pull`, or download it"
    if head.startswith(b"PK"):
        return "a cut archive of PyTorch or NumPy: download it again"
    return f"no file of weights, as it begins with {head[:24]!r}: is it what you meant to download?"


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, as they are.

    Raises:
        WeightsError: it is something else, or cut.
    """
    form = form_of(path)
    if form in (TORCH, NUMPY):
        output = Path(path).with_suffix(".safetensors")
        if output == Path(path):
            output = output.with_name(f"{output.stem}-converted.safetensors")
        words = shlex.join([str(path), str(output)])
        raise WeightsError(
            f"{path} is {form}, and weights are read from safetensors files. Convert it with "
            f"`{COMMAND} {words}` (with workflow/scripts on PYTHONPATH), and name the new file"
        )
    if form != SAFETENSORS:
        raise WeightsError(f"{path} is {form}")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise WeightsError(
            f"{path} is a cut or damaged safetensors file ({error}): download it again"
        ) from None


def convert(path: str | Path, output: str | Path) -> int:
    """Make a safetensors file of a file of PyTorch or NumPy; how many tensors it has.

    Raises:
        WeightsError: the file is something else, or holds no weights; the new one exists.
    """
    form = form_of(path)
    if Path(output).exists():
        raise WeightsError(f"{output} exists already: remove it, or name another file")
    if form == TORCH:
        try:
            # many keep their arguments in a Namespace; of a path torch would believe the suffix
            with torch.serialization.safe_globals([Namespace]), open(path, "rb") as file:
                found = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # of pickle, zipfile and torch, none of them with the file
            raise WeightsError(
                f"{path} is cut, or holds more than weights, which could run: save the model's "
                f"state_dict() alone ({' '.join([type(error).__name__, *str(error).split()[:20]])})"
            ) from None
        weights = _state_dict(found, path)
    elif form == NUMPY:
        weights = _arrays(path)
    elif form == SAFETENSORS:
        raise WeightsError(f"{path} is a safetensors file already: take it as it is")
    else:
        raise WeightsError(f"{path} is {form}")
    with atomic(output) as temporary:
        save_file({name: t.contiguous().clone() for name, t in weights.items()}, temporary)
    return len(weights)


def _state_dict(found: Any, path: str | Path) -> dict[str, Tensor]:
    """The weights in what PyTorch saved, whatever they are wrapped in."""
    while isinstance(found, Mapping):
        inner = next((found[key] for key in WRAPPERS if isinstance(found.get(key), Mapping)), None)
        if inner is None:
            break
        found = inner
    keys = list(found) if isinstance(found, Mapping) else []
    weights = {str(key): found[key] for key in keys if isinstance(found[key], Tensor)}
    if not weights:
        what = f"the keys {', '.join(map(str, keys[:9]))}" if keys else f"a {type(found).__name__}"
        raise WeightsError(
            f"{path} has no weights but {what}: a state_dict is expected, or one under "
            f"{', '.join(WRAPPERS)}"
        )
    return weights


def _arrays(path: str | Path) -> dict[str, Tensor]:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: torch.from_numpy(file[name]) for name in file.files}
    except (ValueError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} has an array that is no tensor, or is cut: {error}") from None


def renamed(
    weights: Mapping[str, Tensor], own: Mapping[str, Any], source: str | Path
) -> dict[str, Tensor]:
    """Weights under timm's names, where they have the names of a wrapper or of another library.

    Args:
        weights: by name.
        own: names of the model's.
        source: what to call them in the log.

    Raises:
        WeightsError: the file holds several models.
    """
    found = _without_prefix(weights, own, source)
    if "patch_embed.proj.weight" in found:
        return found
    found = _without_prefix(found, [HUGGING_FACES], source)
    if HUGGING_FACES in found:
        unused = [name for name in found if name.startswith(UNUSED)]
        log.info("%s: Hugging Face's names; left out: %s", source, ", ".join(unused) or "none")
        found = {name: tensor for name, tensor in found.items() if name not in unused}
        return _joined(_translated(found, HUGGING_FACE))
    found = _without_prefix(found, [GOOGLES], source)
    if GOOGLES in found:
        log.info("%s: names and axes of Flax", source)
        turned = {name: _turned(name, tensor) for name, tensor in found.items()}
        return _joined(_translated(turned, GOOGLE))
    return found


def _without_prefix(
    weights: Mapping[str, Tensor], names: Collection[str], source: str | Path
) -> dict[str, Tensor]:
    """What stands under the prefix, if one does, under which most of some names are found."""

    def known(prefix: str) -> int:
        return sum(prefix + name in weights for name in names)

    starts = {of.removesuffix(name) for name in names for of in weights if of.endswith(name)}
    starts = {start for start in starts if start.endswith((".", "/"))}
    most = max(map(known, starts), default=0)
    if most <= known("") or 4 * most < len(names):
        return dict(weights)
    prefix, *others = sorted(start for start in starts if known(start) == most)
    if others:
        raise WeightsError(
            f"{source} holds several models, {' and '.join([prefix, *others])}: keep one of them"
        )
    found = {n.removeprefix(prefix): t for n, t in weights.items() if n.startswith(prefix)}
    rest = [name for name in weights if not name.startswith(prefix)]
    log.info("%s: %r taken off the names of %d weights", source, prefix, len(found))
    if rest:
        more = ", ..." if len(rest) > LOGGED else ""
        log.info("%s: left out without it: %s%s", source, ", ".join(rest[:LOGGED]), more)
    return found


def _translated(weights: Mapping[str, Tensor], words: Mapping[str, str]) -> dict[str, Tensor]:
    found = {}
    for name, tensor in weights.items():
        for pattern, word in words.items():
            name = re.sub(pattern, word, name)
        found[name] = tensor
    return found


def _joined(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """With query, key and value of a block as one layer, as timm has them."""
    found = dict(weights)
    for name in weights:
        if ".attn.query." in name:
            parts = [name.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
            if all(part in found for part in parts):
                joined = torch.cat([found.pop(part) for part in parts])
                found[name.replace(".query.", ".qkv.")] = joined
    return found


def _turned(name: str, tensor: Tensor) -> Tensor:
    """A weight of Flax with the axes of PyTorch; heads and their features are one axis there."""
    if "MultiHead" in name and not name.endswith("out/bias"):
        tensor = tensor.flatten(0, 1) if "/out/" in name else tensor.flatten(-2)
    if name.endswith("kernel"):
        tensor = tensor.permute(3, 2, 0, 1) if tensor.dim() == 4 else tensor.T
    return tensor
