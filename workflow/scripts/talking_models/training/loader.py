"""Batches of images: augmented for training, in order for measuring; made in worker processes.

All random numbers are functions of the seed and of a place in the stream of examples, so that a
training that is resumed, or shared by several processes, sees the images of one that is not.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms as T

from talking_models.data.images import Examples, Pictures
from talking_models.models.files import Look
from talking_models.models.layers import Streams
from talking_models.training.batches import shuffled_rows


class ImageBatch(NamedTuple):
    """Normalised images (B, 3, R, R) float32, and labels (B,) int64; where they lie among their
    slice, (B,) int64, and whether they are mirrored as wholes, (B,) bool.
    """

    images: Tensor
    target: Tensor
    rows: Tensor | None = None
    mirrored: Tensor | None = None


def plain(look: Look) -> T.Compose:
    """Resize the whole image to R x R and normalise it."""
    return T.Compose([T.Resize((look.size, look.size)), T.ToTensor(), T.Normalize(*look[1:])])


def augmented(look: Look, area: float, flip: bool, shift: int = 0) -> T.Compose:
    """Crop a random part, `area` at least, to R x R, and `flip` half (Dosovitskiy et al.); or take
    the whole image, shifted by `shift` pixels at most, which `shuffled` mirrors.
    """
    if area < 1:
        cropped = [T.RandomResizedCrop(look.size, scale=(area, 1.0))]
        cropped += [T.RandomHorizontalFlip()] if flip else []
    else:
        cropped = [T.Resize((look.size, look.size))]
        if shift:
            cropped.append(T.RandomCrop(look.size, padding=shift, padding_mode="reflect"))
    return T.Compose([*cropped, T.ToTensor(), T.Normalize(*look[1:])])


class Transformed(Dataset):
    """Batches of examples by (row, seed of the augmentation); with `mirror` an odd seed mirrors."""

    def __init__(self, examples: Examples, transform: Callable, mirror: bool) -> None:
        self.images, self.examples, self.transform = examples.open(), examples, transform
        self.mirror = mirror

    def __getitem__(self, places: Sequence[tuple[int, int]]) -> ImageBatch:
        images, labels = [], []
        mirrored = torch.tensor([self.mirror and seed % 2 == 1 for _, seed in places])
        with torch.random.fork_rng(devices=[]):
            read = self.images.read([self.examples.place(row) for row, _ in places])
            for (image, label), (_, seed) in zip(read, places, strict=True):
                torch.manual_seed(seed)  # torchvision draws from torch's global generator
                images.append(self.transform(Image.fromarray(image)))
                labels.append(label)
        stacked = torch.stack(images)
        stacked[mirrored] = stacked[mirrored].flip(-1)
        rows = torch.tensor([row for row, _ in places])
        return ImageBatch(stacked, torch.tensor(labels), rows, mirrored)


def _load(data: Transformed, batches: Iterable, workers: int) -> Iterator[ImageBatch]:
    # Workers change nothing but the time: random numbers come with the places.
    fresh = "spawn" if workers > 0 and Pictures.opened_in == os.getpid() else None
    options = {"num_workers": workers, "multiprocessing_context": fresh}
    return iter(DataLoader(data, batch_size=None, sampler=batches, **options))


def in_order(
    examples: Examples,
    look: Look,
    size: int,
    workers: int,
    rank: int = 0,
    world: int = 1,
    mirror: bool = False,
) -> Iterator[ImageBatch]:
    """All examples once, in order, as they are or mirrored; of them the share of process `rank`."""
    rows = range(len(examples))[rank::world]
    batches = [
        [(row, int(mirror)) for row in rows[i : i + size]] for i in range(0, len(rows), size)
    ]
    return _load(Transformed(examples, plain(look), mirror), batches, workers)


def shuffled(
    examples: Examples,
    transform: Callable,
    steps: range,
    *,
    seed: int,
    batch_size: int,
    micro: int,
    workers: int,
    rank: int = 0,
    world: int = 1,
    mirror: bool = False,
) -> Iterator[ImageBatch]:
    """Micro-batches of process `rank` for some steps of the training: of those of `micro` images
    that make a step's `batch_size`, the rank-th and every world-th after it. With `mirror` half of
    the images are mirrored after the transform.
    """

    def places() -> Iterator[list[tuple[int, int]]]:
        order = Streams([seed], "order", stacked=False)
        batches = shuffled_rows(len(examples), batch_size, order)
        for step, rows in zip(steps, islice(batches, steps.start, None)):  # noqa: B905 - endless
            drawn = np.random.SeedSequence([seed, step]).generate_state(batch_size, np.uint64)
            whole = list(zip(rows.tolist(), drawn.tolist(), strict=True))
            for start in range(rank * micro, batch_size, world * micro):
                yield whole[start : start + micro]

    return _load(Transformed(examples, transform, mirror), places(), workers)
