"""Batches of images: augmented for training, in order for measuring; made in worker processes.

All random numbers are functions of the seed and of a place in the stream of examples, so that a
training that is resumed, or shared by several processes, sees the images of one that is not.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, takewhile
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, get_worker_info
from torchvision import transforms as T

from talking_models.data.images import Examples, Pictures
from talking_models.models.files import Look
from talking_models.models.layers import Streams
from talking_models.training.shared import shuffled_rows

MEASURED = 256  # images at once, where nothing is learnt
KEPT = 2**29  # bytes of pictures that a training holds, as they are before anything random


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
    """Batches of examples by (row, seed of the augmentation); with `mirror` an odd seed mirrors.

    Of a `transform` what comes first and draws nothing is done once for a picture while there is
    `room` for it (bytes), and the last two steps, `ToTensor` and `Normalize`, for a batch at once.
    """

    def __init__(
        self, examples: Examples, transform: T.Compose, mirror: bool, room: int = 0
    ) -> None:
        self.room = room
        self.images, self.examples, self.mirror = examples.open(), examples, mirror
        *steps, _, self.normalise = transform.transforms
        self.still = list(takewhile(lambda step: isinstance(step, T.Resize), steps))
        self.drawn = T.Compose(steps[len(self.still) :])
        self.kept: dict[int, tuple[np.ndarray, int]] = {}
        self.size = 0

    def __getitem__(self, places: Sequence[tuple[int, int]]) -> ImageBatch:
        rows, seeds = zip(*places, strict=True)
        pictures, labels = zip(*self._pictures(rows), strict=True)
        if self.drawn.transforms:
            with torch.random.fork_rng(devices=[]):
                pictures = [self._drawn(*one) for one in zip(pictures, seeds, strict=True)]
        stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
        images = self.normalise(stacked.float().div(255))  # as ToTensor does
        mirrored = torch.tensor([self.mirror and seed % 2 == 1 for seed in seeds])
        images[mirrored] = images[mirrored].flip(-1)
        return ImageBatch(images, torch.tensor(labels), torch.tensor(rows), mirrored)

    def _pictures(self, rows: Sequence[int]) -> list[tuple[np.ndarray, int]]:
        """Pictures, (height, width, 3) uint8, before anything random, and labels."""
        new = [row for row in dict.fromkeys(rows) if row not in self.kept]
        read = self.images.read([self.examples.places[row] for row in new]) if new else []
        worker, found = get_worker_info(), {}
        room = self.room // (worker.num_workers if worker else 1)
        for row, (image, label) in zip(new, read, strict=True):
            if self.still:
                image = np.asarray(T.Compose(self.still)(Image.fromarray(image)))
            found[row] = (image, label)
            if self.size + image.nbytes <= room:
                self.kept[row] = found[row]
                self.size += image.nbytes
        return [found.get(row) or self.kept[row] for row in rows]

    def _drawn(self, picture: np.ndarray, seed: int) -> np.ndarray:
        # torchvision draws from this one; `torch.manual_seed` asks all other devices, too: 0.5 ms
        torch.default_generator.manual_seed(seed)
        return np.asarray(self.drawn(Image.fromarray(picture)))


def _load(data: Transformed, batches: Iterable, workers: int) -> Iterator[ImageBatch]:
    # Workers change nothing but the time: random numbers come with the places.
    fresh = "spawn" if workers > 0 and Pictures.opened_in == os.getpid() else None
    options = {"num_workers": workers, "multiprocessing_context": fresh}
    return iter(DataLoader(data, batch_size=None, sampler=batches, **options))


def in_order(
    examples: Examples,
    look: Look,
    workers: int,
    rank: int = 0,
    world: int = 1,
    mirror: bool = False,
    size: int = MEASURED,
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

    return _load(Transformed(examples, transform, mirror, KEPT), places(), workers)
