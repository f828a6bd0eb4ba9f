"""The teacher's classifier: a linear probe on its frozen features, for methods that read logits."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from talking_models.data.images import Examples
from talking_models.io import write_csv
from talking_models.models import MODELS
from talking_models.models.files import Backbone, save
from talking_models.models.layers import Streams
from talking_models.training.batches import shuffled_rows
from talking_models.training.devices import launch
from talking_models.training.images import MEASURE_BATCH
from talking_models.training.loader import in_order

LOG_BATCHES = 20  # between two lines of progress


def features(
    fabric: Fabric, examples: Examples, form: Mapping[str, Any], backbone: Backbone, workers: int
) -> tuple[Tensor, Tensor]:
    """The backbone's pooled features (n, width) of whole images, and their labels (n,)."""
    model = MODELS.get(form["kind"]).teacher(form, backbone)
    model = fabric.to_device(model.eval())
    log = logging.getLogger("talking_models")
    found = []
    with torch.no_grad(), fabric.autocast():
        for batch in in_order(examples, backbone.look, MEASURE_BATCH, workers):
            output = model(fabric.to_device(batch)).output
            found.append((output.float().cpu(), batch.target))
            if len(found) % LOG_BATCHES == 0:
                done = len(found) * MEASURE_BATCH
                log.info("features of %d of %d %s images", done, len(examples), examples.slice)
    return tuple(map(torch.cat, zip(*found, strict=True)))


def fit_probe(
    x: Tensor,
    y: Tensor,
    classes: int,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    weight_decay: float,
) -> nn.Linear:
    """Softmax regression by AdamW on standardised features.

    Args:
        x: features (n, width).
        y: labels (n,).
        classes: C.
        epochs, batch_size, learning_rate, weight_decay: of the training, from zero weights.

    Returns:
        A layer that takes features as they are.
    """
    mean, std = x.mean(0), x.std(0).clamp(min=1e-6)
    layer = nn.Linear(x.shape[1], classes).to(x.device)
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=learning_rate, weight_decay=weight_decay)
    size = min(batch_size, len(x))
    steps = max(1, epochs * len(x) // size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order: Iterator[Tensor] = shuffled_rows(len(x), size, Streams([0], "probe", stacked=False))
    for _ in range(steps):
        rows = next(order).to(x.device)
        loss = nn.functional.cross_entropy(layer((x[rows] - mean) / std), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        layer.weight /= std
        layer.bias -= layer.weight @ mean
    return layer


def probe(
    fabric: Fabric,
    fit: Path,
    val: Path,
    backbone: Path,
    config: Mapping[str, Any],
    outputs: Mapping[str, Path],
) -> None:
    """Train and measure the probe of one data set."""
    log = logging.getLogger("talking_models")
    workers, form = config["device"]["workers"], config["settings"]
    examples, held_out = Examples.read(fit, "fit"), Examples.read(val, "val")
    loaded = Backbone.load(backbone)
    x, y = map(fabric.to_device, features(fabric, examples, form, loaded, workers))
    log.info("features of %d training images, %d wide", *x.shape)
    layer = fit_probe(x, y, len(examples.classes), **form["probe"])
    rows = []
    for name, (inputs, labels) in {
        "fit": (x, y),
        "val": map(fabric.to_device, features(fabric, held_out, form, loaded, workers)),
    }.items():
        share = float((layer(inputs).argmax(-1) == labels).float().mean())
        log.info("accuracy on %s: %.4f of %d images", name, share, len(labels))
        rows.append((name, len(labels), share))
    columns = ["slice", "images", "accuracy"]
    write_csv(outputs["accuracy"], pd.DataFrame(rows, columns=columns))
    save(outputs["probe"], "probe", layer.state_dict(), {"classes": examples.classes})


def run(
    fit: str | Path,
    val: str | Path,
    backbone: str | Path,
    config: Mapping[str, Any],
    outputs: Mapping[str, str | Path],
) -> None:
    """The probe of one data set, from files to files, on one device.

    Args:
        fit, val: slices of a data set; the second one only measures.
        backbone: the pre-trained teacher.
        config: `settings` of the teacher and `device`.
        outputs: files to write: `probe`, `accuracy`.
    """
    device = dict(config["device"]) | {"devices": 1}
    launch(device, probe, fit, val, backbone, dict(config), dict(outputs))
