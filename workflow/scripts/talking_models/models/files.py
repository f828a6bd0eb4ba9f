"""Models on disk: safetensors files that say what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from talking_models.io import atomic

KEY = "talking_models"  # one key: safetensors does not keep the order of several


def save(path: str | Path, kind: str, tensors: Mapping[str, Tensor], about: Any) -> None:
    """Write tensors with plain values about them; the same content gives the same bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    metadata = {KEY: json.dumps({"kind": kind, "about": about})}
    with atomic(path) as temporary:
        save_file(tensors, temporary, metadata=metadata)


def kind_of(path: str | Path) -> str | None:
    """What a file says it holds; None if it says nothing.

    Raises:
        ValueError: it is no safetensors file, or it is cut.
    """
    return _about(path).get("kind")


def read(path: str | Path, kind: str) -> tuple[dict[str, Tensor], Any]:
    """Read what `save` wrote.

    Raises:
        ValueError: the file is of another kind, no safetensors file, or cut.
    """
    found = _about(path)
    if found.get("kind") != kind:
        raise ValueError(f"{path} holds {found.get('kind', 'no model of ours')}, not {kind}")
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, found["about"]  # noqa: SIM118


def _about(path: str | Path) -> dict[str, Any]:
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads((file.metadata() or {}).get(KEY, "{}"))
    except SafetensorError as error:
        raise ValueError(
            f"{path} is no whole safetensors file ({error}): remove it and run again"
        ) from None
