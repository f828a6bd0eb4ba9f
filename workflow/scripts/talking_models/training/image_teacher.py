"""A teacher of images: what it is made of, and its answers to the training images, computed once.

Where training sees whole images, mirrored or not, a teacher is asked the same again in every epoch,
by every seed and method. Its states and logits are then kept on disk in float16, and read through a
memory map; it is in memory itself, too, to interpret what others write.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from talking_models.data.images import Examples
from talking_models.io import atomic
from talking_models.models.base import Frozen, LayeredModel, LazyStates
from talking_models.models.files import teacher_of
from talking_models.models.images import PARTS
from talking_models.training.devices import launch
from talking_models.training.loader import MEASURED, ImageBatch, in_order

LOG = logging.getLogger("talking_models")


class Kept(Frozen):
    """A teacher whose answers to the training images are kept, (N, views, ...) of each of `PARTS`.

    View 0 is the image as it is, view 1 its mirror image.
    """

    def __init__(self, model: LayeredModel, answers: Mapping[str, np.ndarray]) -> None:
        super().__init__(model)
        self.answers = answers

    @classmethod
    def of(cls, model: LayeredModel, files: Sequence[str | Path]) -> Frozen:
        """With what `keep` left in files, one for each of `PARTS`; a plain one without it."""
        answers = {
            part: np.load(file, mmap_mode="r")
            for part, file in zip(PARTS, files, strict=bool(files))
        }
        return cls(model, answers) if answers and len(answers["output"]) else Frozen(model)

    def __call__(self, batch: ImageBatch) -> LazyStates:
        """The states of a batch of training images, in float32."""
        places = batch.rows.cpu().numpy(), batch.mirrored.long().cpu().numpy()
        device = batch.images.device

        def read_back(name: str) -> Tensor:
            part = name.removesuffix("_pre")  # no ReLU follows a block
            if part not in PARTS:
                raise AttributeError(name)
            return torch.from_numpy(self.answers[part][places]).to(device).float()

        return LazyStates(read_back)


def _keep(
    fabric: Fabric,
    fit: Path,
    files: Sequence[Path],
    config: Mapping[str, Any],
    outputs: Mapping[str, Path],
) -> None:
    examples, views = Examples.read(fit, "fit"), 1 + config["flip"]
    workers, room = config["device"]["workers"], config["states_gb"]
    model, look = teacher_of(config["settings"], *files)
    teacher = Frozen(fabric.to_device(model))
    with ExitStack() as stack, fabric.autocast():
        blank = ImageBatch(torch.zeros(1, 3, look.size, look.size), torch.zeros(1))
        states = teacher(fabric.to_device(blank))
        of_one = {part: getattr(states, part).shape[1:] for part in PARTS}
        size = 2 * len(examples) * views * sum(map(math.prod, of_one.values()))  # bytes
        LOG.info("%.2f GB of states, %g allowed", size / 1e9, room)
        fits, kept = size <= room * 1e9, {}
        for part, shape in of_one.items():
            path = stack.enter_context(atomic(outputs[part]))
            whole = (len(examples), views, *shape) if fits else (0, views)
            kept[part] = np.lib.format.open_memmap(path, "w+", np.float16, whole)
        for view in range(views if fits else 0):
            done = 0
            for batch in in_order(examples, look, workers, mirror=bool(view)):
                states = teacher(fabric.to_device(batch))
                for part, array in kept.items():
                    values = getattr(states, part).half().cpu().numpy()
                    array[done : done + len(values), view] = values
                done += len(batch.target)
                if done % (20 * MEASURED) == 0:
                    LOG.info("view %d of %d: %d of %d images", view + 1, views, done, len(examples))
        for array in kept.values():
            array.flush()


def keep(
    fit: str | Path,
    files: Sequence[str | Path],
    config: Mapping[str, Any],
    outputs: Mapping[str, str | Path],
) -> None:
    """Ask a teacher all training images in every view, from files to files, on one device.

    Args:
        fit: the slice of the training images.
        files: its weights and a probe, or a model trained on the set.
        config: `settings`, its form, `device`, whether half of the images are mirrored, `flip`, and
            the most that is kept, `states_gb`.
        outputs: a file for each of `PARTS`; empty ones if they would be larger.
    """
    files = [*map(Path, files)]
    launch(config["device"], _keep, Path(fit), files, dict(config), dict(outputs))
