"""Pre-trained weights as others keep them: on the Hugging Face hub, in other forms of file, under
other names.

python -m talking_models.models.weights FILE OUT.safetensors

makes a file that jobs read of one of PyTorch (.pth, .pt, .bin) or NumPy (.npz): jobs read
safetensors files only, which hold nothing that could run.
"""

import logging
import re
import shlex
import shutil
import sys
import zipfile
from argparse import Namespace
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from talking_models.errors import SourceError, explained
from talking_models.io import atomic
from talking_models.models.transformer import adapted

SAFETENSORS, TORCH, NUMPY = "a safetensors file", "a file of PyTorch", "a file of NumPy"
COMMAND = "python -m talking_models.models.weights"
WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "net", "weights")
LISTED = 5  # names of what is left out, or does not fit
HUGGING_FACES = "embeddings.patch_embeddings.projection.weight"  # a name that tells whose it is
HUGGING_FACE = {
    r"\bembeddings\.cls_token$": "cls_token",
    r"\bembeddings\.distillation_token$": "dist_token",
    r"\bembeddings\.position_embeddings$": "pos_embed",
    r"\bembeddings\.patch_embeddings\.projection\.": "patch_embed.proj.",
    r"\bencoder\.layer\.(\d+)\.": r"blocks.\1.",
    r"\.attention\.attention\.(query|key|value)\.": r".attn.\1.",
    r"\.attention\.output\.dense\.": ".attn.proj.",
    r"\.intermediate\.dense\.": ".mlp.fc1.",
    r"\.output\.dense\.": ".mlp.fc2.",
    r"\.layernorm_before\.": ".norm1.",
    r"\.layernorm_after\.": ".norm2.",
    r"\blayernorm\.": "norm.",
    r"^(cls_)?classifier\.": "head.",
}
UNUSED = r"\b(pooler\.|embeddings\.mask_token$)"  # no part of a transformer as it is cut here
log = logging.getLogger("talking_models")


class WeightsError(ValueError):
    """Weights cannot be read, or are not those of a model."""


def download(name: str, path: str | Path) -> None:
    """Copy a timm model's weights from the hub; a `SourceError` if they are not to be had."""
    from huggingface_hub import hf_hub_download

    known = timm.get_pretrained_cfg(name)
    if known is None or not known.hf_hub_id:
        raise SourceError(
            f"timm knows no weights of {name!r} on the hub",
            expected="a model with the tag of its weights, as timm.list_pretrained() names them",
            found="no such name" if known is None else "a model whose weights are elsewhere",
            advice="set the model's name, or its weights to a safetensors file",
        )
    advice = f"put its model.safetensors into {path}, or set the model's weights to a file"
    expected = f"{known.hf_hub_id} on the Hugging Face hub"
    with explained(f"the weights of {name} cannot be downloaded", expected, advice):
        found = hf_hub_download(known.hf_hub_id, known.hf_hub_filename or "model.safetensors")
    with atomic(path) as temporary:
        shutil.copyfile(found, temporary)


def form_of(path: str | Path) -> str:
    """What a file is, by its content: one of the three forms, or else in words with what to do."""
    if Path(path).is_dir():
        return "a folder: name the file of weights in it"
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
        return f"an archive of {_listed(names)}: unpack it, and name the file of weights in it"
    if head.startswith(b"\x80"):  # a pickle, as PyTorch wrote before it took to archives
        return TORCH
    if len(head) < 9 or head.startswith(b"PK"):
        what = "a cut archive of PyTorch or NumPy" if len(head) > 8 else "cut" if head else "empty"
        return f"{what}: download it again"
    if head.startswith(b"version https://git-lfs"):
        return "a pointer of git-lfs, not what it points to: run `git lfs pull`, or download it"
    return (
        f"no file of weights, as it begins with {head[:24]!r}: is it what you meant to download? "
        "safetensors files are read, and made of those of PyTorch or NumPy"
    )


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file; a `WeightsError` if it is something else, or cut."""
    form = form_of(path)
    if form in (TORCH, NUMPY):
        output = Path(path).with_name(f"{Path(path).stem}-converted.safetensors")
        raise WeightsError(
            f"{path} is {form}, and weights are read from safetensors files. Convert it with "
            f"`{COMMAND} {shlex.join([str(path), str(output)])}` (with workflow/scripts on "
            "PYTHONPATH), and name the new file"
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
    `WeightsError` if the file is something else, or holds no weights; the new one exists.
    """
    form = form_of(path)
    if Path(output).exists():
        raise WeightsError(f"{output} exists already: remove it, or name another file")
    if form not in (TORCH, NUMPY):
        more = " already: take it as it is" if form == SAFETENSORS else ""
        raise WeightsError(f"{path} is {form}{more}")
    weights = _state_dict(path) if form == TORCH else _arrays(path)
    if odd := [n for n, t in weights.items() if t.is_quantized or t.layout != torch.strided]:
        raise WeightsError(f"{path} has quantized or sparse tensors: {_listed(odd)}")
    with atomic(output) as temporary:
        save_file({name: t.contiguous().clone() for name, t in weights.items()}, temporary)
    return len(weights)


def _state_dict(path: str | Path) -> dict[str, Tensor]:
    """The weights in what PyTorch saved, whatever they are wrapped in."""
    try:
        # many keep their arguments in a Namespace; of a path torch would believe the suffix
        with torch.serialization.safe_globals([Namespace]), open(path, "rb") as file:
            found: Any = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # of pickle, zipfile and torch, none of them with the file
        raise WeightsError(
            f"{path} is cut, or holds more than weights, which could run: save the model's "
            f"state_dict() alone ({' '.join([type(error).__name__, *str(error).split()[:20]])})"
        ) from None
    inner = found
    while isinstance(inner, Mapping):
        found = inner
        inner = next((found[key] for key in WRAPPERS if isinstance(found.get(key), Mapping)), None)
    keys = list(found) if isinstance(found, Mapping) else []
    if weights := {str(key): found[key] for key in keys if isinstance(found[key], Tensor)}:
        return weights
    what = f"the keys {_listed(map(str, keys))}" if keys else f"a {type(found).__name__}"
    raise WeightsError(
        f"{path} has no weights but {what}: a state_dict is expected, or one under "
        f"{', '.join(WRAPPERS)}"
    )


def _arrays(path: str | Path) -> dict[str, Tensor]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
            native = {n: a.astype(a.dtype.newbyteorder("="), copy=False) for n, a in arrays.items()}
            return {name: torch.from_numpy(array) for name, array in native.items()}
    except (ValueError, TypeError, OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} has an array that is no tensor, or is cut: {error}") from None


def renamed(
    weights: Mapping[str, Tensor], own: Collection[str], source: str | Path
) -> dict[str, Tensor]:
    """Weights by a model's `own` names, whoever named them; a WeightsError if of several models."""
    if any(name.endswith(HUGGING_FACES) for name in weights):
        unused = [name for name in weights if re.search(UNUSED, name)]
        log.info("%s: Hugging Face's names; left out: %s", source, _listed(unused))
        weights = _translated({n: t for n, t in weights.items() if n not in unused})
    starts = Counter(
        name.removesuffix(wanted) for wanted in own for name in weights if name.endswith(wanted)
    )
    known = {start: n for start, n in starts.items() if not start or start.endswith((".", "/"))}
    most = max(known.values(), default=0)
    # some names alone may be another model's
    if most <= known.get("", 0) or 4 * most < len(own):
        return dict(weights)
    prefix, *others = sorted(start for start, n in known.items() if n == most)
    if others:
        raise WeightsError(
            f"{source} holds several models, {' and '.join([prefix, *others])}: keep one of them"
        )
    found = {n.removeprefix(prefix): t for n, t in weights.items() if n.startswith(prefix)}
    rest = _listed([name for name in weights if not name.startswith(prefix)])
    said = "%s: %r taken off the names of %d weights; left out without it: %s"
    log.info(said, source, prefix, len(found), rest)
    return found


def _listed(names: Iterable[str], by: str = ", ") -> str:
    names = list(names)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return by.join(names[:LISTED]) + more if names else "none"


def _translated(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of Hugging Face's names; query, key and value of a block are one layer of timm's."""
    found = {}
    for name, tensor in weights.items():
        for pattern, word in HUGGING_FACE.items():
            name = re.sub(pattern, word, name)
        found[name] = tensor
    for name in [name for name in found if ".attn.query." in name]:
        parts = [name.replace(".query.", f".{part}.") for part in ("query", "key", "value")]
        if all(part in found for part in parts):
            joined = torch.cat([found.pop(part) for part in parts])
            found[name.replace(".query.", ".qkv.")] = joined
    return found


def pretrained(net: nn.Module, path: str | Path) -> nn.Module:
    """`net`, which has no classifier, with the weights of a safetensors file, in float32.
    `WeightsError` if the file is none, or a weight is missing, unexpected or of another shape.
    """
    found = {n: t.float() if t.is_floating_point() else t for n, t in read_weights(path).items()}
    found = renamed(found, net.state_dict(), path)
    if isinstance(net, VisionTransformer):
        try:
            found = adapted(net, found)
        except (RuntimeError, ValueError, AssertionError) as error:
            raise WeightsError(f"{path} does not fit the model: {error}") from error
    classifier = f"{net.pretrained_cfg.get('classifier') or 'head'}."  # each data set has its own
    return load(net, {n: t for n, t in found.items() if not n.startswith(classifier)}, path)


def load(net: nn.Module, weights: Mapping[str, Tensor], source: str | Path) -> Any:
    """`net` with `weights`, every one of which must fit; raises `WeightsError`."""
    own = net.state_dict()
    names = {
        "missing": [name for name in own if name not in weights],
        "unexpected": [name for name in weights if name not in own],
    }
    problems = [f"{word}: {_listed(found)}" for word, found in names.items() if found]
    both = [(name, weights[name], tensor) for name, tensor in own.items() if name in weights]
    misfits = [
        f"{name} is {tuple(found.shape)}, not {tuple(tensor.shape)}"
        for name, found, tensor in both
        if found.shape != tensor.shape
    ]
    # 8-bit weights need scales that nothing here knows
    misfits += [
        f"{name} is {found.dtype}, not {tensor.dtype}"
        for name, found, tensor in both
        if found.is_floating_point() != tensor.is_floating_point()
    ]
    misfits += [
        f"{name} has values that are NaN or infinite"
        for name, found, _ in both
        if not torch.isfinite(found).all()
    ]
    if problems or misfits:
        problems += [_listed(misfits, "; ")] if misfits else []
        raise WeightsError(f"{source} does not fit the model: {'; '.join(problems)}")
    net.load_state_dict(weights)
    return net


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
