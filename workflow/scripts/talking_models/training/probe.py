"""The teacher's classifier: a linear probe on its frozen features, for methods that read logits."""

import logging
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from talking_models.data.images import Examples
from talking_models.io import write_csv
from talking_models.models.files import save, teacher_of
from talking_models.models.layers import Streams
from talking_models.training.devices import launch
from talking_models.training.loader import MEASURED, in_order
from talking_models.training.shared import shuffled_rows

LOG = logging.getLogger("talking_models")


def fit_probe(x: Tensor, y: Tensor, classes: int, settings: Mapping[str, Any]) -> nn.Linear:
    """Softmax regression of labels y (n,) by AdamW on standardised features x (n, width), from zero
    weights: a layer that takes features as they are. `settings` are `config`'s of a probe.
    """
    mean, std = x.mean(0), x.std(0).clamp(min=1e-6)
    layer = nn.Linear(x.shape[1], classes).to(x.device)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    rates = {"lr": settings["learning_rate"], "weight_decay": settings["weight_decay"]}
    optimizer = torch.optim.AdamW(layer.parameters(), **rates)
    size = min(settings["batch_size"], len(x))
    steps = max(1, settings["epochs"] * len(x) // size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order = shuffled_rows(len(x), size, Streams([0], "probe", stacked=False))
    for rows in islice(order, steps):
        rows = rows.to(x.device)
        loss = nn.functional.cross_entropy(layer((x[rows] - mean) / std), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        layer.weight /= std
        layer.bias -= layer.weight @ mean
    return layer


def _run(
    fabric: Fabric, slices: Mapping[str, Path], backbone: Path, config: Any, outputs: Any
) -> None:
    model, look = teacher_of(config["settings"], backbone)
    model, rows = fabric.to_device(model), []
    for name, path in slices.items():
        examples, found = Examples.read(path, name), []
        with torch.no_grad(), fabric.autocast():
            batches = in_order(examples, look, config["device"]["workers"])
            for number, batch in enumerate(map(fabric.to_device, batches), 1):
                found.append((model(batch).output.float(), batch.target))
                if number % 20 == 0:
                    LOG.info("%d of %d images seen", number * MEASURED, len(examples))
        x, y = map(torch.cat, zip(*found, strict=True))  # pooled features (n, width), labels
        if name == "fit":
            LOG.info("features of %d training images, %d wide", *x.shape)
            layer = fit_probe(x, y, len(examples.classes), config["settings"]["probe"])
        share = float((layer(x).argmax(-1) == y).float().mean())
        LOG.info("accuracy on %s: %.4f of %d images", name, share, len(y))
        rows.append((name, len(y), share))
    write_csv(outputs["accuracy"], pd.DataFrame(rows, columns=["slice", "images", "accuracy"]))
    save(outputs["probe"], "probe", layer.state_dict(), {"classes": examples.classes})


def run(
    fit: str | Path,
    val: str | Path,
    backbone: str | Path,
    config: Mapping[str, Any],
    outputs: Mapping[str, str | Path],
) -> None:
    """The probe of one data set, from files to files, on one device; `val` only measures.

    `backbone` is the pre-trained teacher, whose `settings` are in the config beside `device`;
    `outputs` are the files `probe` and `accuracy`.
    """
    slices = {"fit": fit, "val": val}
    launch(config["device"], _run, slices, backbone, dict(config), dict(outputs))
