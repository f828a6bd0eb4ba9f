"""What a training step of each vision method costs, beside a plain fine-tuning loop with timm.

    make bench
    PYTHONPATH=workflow/scripts python benchmarks/vision.py [--steps 10] [--image-size 56] ...

All loops train the same student on the same random images in the same process, taking turns. The
plain loop is what one writes by hand: timm model, cross-entropy, SGD with momentum, clipping.
Costs are in images per second: of CPU time on a CPU, so that other work on the machine does not
count, and of wall time on a GPU. FLOPs are torch's count of the products of one step. With kept
states a teacher's answers to the batch are read from files, as where training sees whole images.
What a job does once in `log_every` steps (the gradient's norm for each part of the loss) is left
out.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import tempfile
import time
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from machine import HERE, write_results
from torch.utils.flop_counter import FlopCounterMode

from talking_models import methods
from talking_models.config import Config, read
from talking_models.models import MODELS
from talking_models.models.base import Frozen
from talking_models.models.images import with_classes
from talking_models.models.layers import Layers, Streams
from talking_models.models.transformer import LayeredViT
from talking_models.objectives import ClassObjective
from talking_models.report.markdown import grid
from talking_models.training.devices import choose_attention, fabric_of
from talking_models.training.image_loop import Learner, train
from talking_models.training.image_teacher import PARTS, Kept
from talking_models.training.loader import ImageBatch
from talking_models.training.resume import Record

PLAIN = "timm, plain loop"
PRECISIONS = ("float32", "bfloat16")
HEAD = [
    "loop", "float32, images/s", "time / plain", "bfloat16, images/s", "time / plain",
    "float32 / bfloat16", "states kept, images/s", "time / plain", "FLOPs / plain",
]  # fmt: skip
CLASSES = 10


class Clock:
    """Seconds of CPU time, or of wall time where a GPU works."""

    def __init__(self, device: torch.device) -> None:
        self.cuda = device.type == "cuda"

    def __call__(self) -> float:
        """Now."""
        if self.cuda:
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()


def plain(fabric, net, batches, training) -> None:
    """Fine-tune a timm model."""
    optimizer = torch.optim.SGD(
        net.parameters(), lr=training["learning_rate"], momentum=training["momentum"]
    )
    net.train()
    for batch in batches:
        with fabric.autocast():
            loss = torch.nn.functional.cross_entropy(net(batch.images), batch.target)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), training["clip"])
        optimizer.step()


def learner_of(job, teachers, student) -> Learner:
    """A student and a method's modules, as a training job makes them."""
    layers = Layers(Streams([0], "method", stacked=False))
    model = deepcopy(student)
    method = methods.build(job, ClassObjective(layers), layers, model, teachers)
    return Learner(model, method, teachers, layers.draw)


@dataclass
class Loops:
    """Training loops of one precision on one batch, by what is trained and how."""

    arguments: argparse.Namespace
    config: Config
    precision: str

    def __post_init__(self) -> None:
        config, arguments = self.config, self.arguments
        self.experiments = arguments.experiments or [
            id
            for id in config.experiments
            if config.model_kind(config.experiment(id).student).family == "images"
        ]
        images = next(data for data in config.data if config.family(data) == "images")
        self.jobs = {id: config.training_job(id, images) for id in self.experiments}
        device = config.device.model_dump() | {
            "accelerator": arguments.accelerator,
            "precision": self.precision,
        }
        self.fabric = fabric_of(device)
        self.fabric.launch()
        torch.set_num_threads(device["threads"])
        choose_attention(self.fabric, self.precision)
        look = {"name": arguments.model, "image_size": arguments.image_size, "options": {}}
        form = config.form(config.experiment(self.experiments[0]).student) | look
        self.student = MODELS.get(form["kind"]).student(form, CLASSES)
        self.teachers = {}
        for id in {id for job in self.jobs.values() for id in job["teachers"]}:
            taught = config.form(id) | look
            net = with_classes(MODELS.get(taught["kind"]).net(taught), CLASSES)
            self.teachers[id] = self.fabric.to_device(LayeredViT(net, *taught["cut"]))
        self.training = self.jobs[self.experiments[0]]["training"] | {
            "batch_size": arguments.batch_size,
            "micro_batch_size": None,
            "log_every": sys.maxsize,
            "evaluate_every": sys.maxsize,
            "checkpoint_every": sys.maxsize,
        }
        n, size = arguments.batch_size, arguments.image_size
        self.batch = self.fabric.to_device(
            ImageBatch(
                torch.randn((n, 3, size, size)),
                torch.arange(n) % CLASSES,
                torch.arange(n),
                torch.zeros(n, dtype=torch.bool),
            )
        )
        self.clock = Clock(self.fabric.device)

    def kept(self, folder: Path) -> dict[str, Frozen]:
        """The teachers, with their states on the batch in files."""
        found = {}
        for id, teacher in self.teachers.items():
            files = [folder / f"{self.precision}-{id}-{part}.npy" for part in PARTS]
            with self.fabric.autocast():
                states = Frozen(teacher)(self.batch)
            for part, file in zip(PARTS, files, strict=True):
                np.save(file, getattr(states, part).unsqueeze(1).half().cpu().numpy())
            found[id] = Kept.of(teacher, files)
        return found

    def ours(self, experiment: str, steps: int, frozen: dict[str, Frozen]) -> float:
        """Seconds of some steps of a job of ours."""
        job, began = self.jobs[experiment], []
        learner = learner_of(job, {id: frozen[id] for id in job["teachers"]}, self.student)

        def batches(wanted: range):
            for _ in wanted:
                began[:] = began or [self.clock()]  # setting up is no step
                yield self.batch

        def prepare() -> None:
            taught = learner.teachers.items()
            learner.method.prepare({id: iter([teacher(self.batch)]) for id, teacher in taught})

        train(
            self.fabric,
            learner,
            batches,
            lambda: 0.0,
            prepare,
            job | {"training": self.training | {"steps": steps, "warmup_steps": 0}, "seed": 0},
            Record("/nonexistent", ""),
            logging.getLogger("benchmark"),
        )
        return self.clock() - began[0]

    def theirs(self, steps: int) -> float:
        """Seconds of some steps of the plain loop."""
        net = self.fabric.to_device(deepcopy(self.student.net))
        for block in net.blocks:
            block.attn.fused_attn = True  # as timm has it
        began = self.clock()
        plain(self.fabric, net, [self.batch] * steps, self.training)
        return self.clock() - began


def measure(arguments: argparse.Namespace, folder: Path) -> list[list[str]]:
    """Rows of the table: images per second in each precision, of those with kept states, too."""
    config, loops = read(*arguments.config), {}
    for precision in PRECISIONS:
        of = Loops(arguments, config, precision)
        anew = {id: Frozen(teacher) for id, teacher in of.teachers.items()}
        loops[PLAIN, precision, False] = of.theirs
        for experiment in of.experiments:
            loops[experiment, precision, False] = partial(of.ours, experiment, frozen=anew)
            if of.jobs[experiment]["teachers"]:
                known = partial(of.ours, experiment, frozen=of.kept(folder))
                loops[experiment, precision, True] = known
    flops = {}
    for name, loop in loops.items():
        with FlopCounterMode(display=False) as counter:
            loop(steps=1)  # also warms up
        flops[name] = counter.get_total_flops()
    seconds: dict[tuple, list[float]] = {name: [] for name in loops}
    for _ in range(arguments.repeats):
        for name, loop in loops.items():
            seconds[name].append(loop(steps=arguments.steps))
    cost = {name: statistics.median(found) for name, found in seconds.items()}
    images = arguments.steps * arguments.batch_size
    wide, narrow = PRECISIONS
    rows = []
    for name in dict.fromkeys(name for name, _, _ in loops):
        row = [name]
        for precision in PRECISIONS:
            own, plainly = cost[name, precision, False], cost[PLAIN, precision, False]
            row += [f"{images / own:.1f}", f"{own / plainly:.2f}"]
        row.append(f"{cost[name, wide, False] / cost[name, narrow, False]:.2f}")
        if (name, narrow, True) in cost:
            own, plainly = cost[name, narrow, True], cost[PLAIN, narrow, False]
            row += [f"{images / own:.1f}", f"{own / plainly:.2f}"]
            row.append(f"{flops[name, narrow, True] / flops[PLAIN, narrow, False]:.2f}")
        else:
            row += ["", "", f"{flops[name, narrow, False] / flops[PLAIN, narrow, False]:.2f}"]
        rows.append(row)
    return rows


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    paper = [f"config/{name}.yaml" for name in ("config", "experiments", "tables")]
    parser.add_argument("--config", nargs="+", default=paper, help="configuration files")
    parser.add_argument("--experiments", nargs="*", help="ids; else those of a table")
    parser.add_argument("--model", default="vit_small_patch14_dinov2", help="a name of timm")
    parser.add_argument("--image-size", type=int, default=56)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--accelerator", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--out", type=Path, default=HERE / "RESULTS-vision.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = grid(HEAD, measure(options, Path(folder)))
    print(table)
    size, batch = options.image_size, options.batch_size
    about = f"{options.model}, {size} x {size} pixels, batch {batch}, on {options.accelerator}"
    title = "What a training step of vision costs"
    write_results(options.out, title, __doc__.split("\n\n")[2], {about: table})


if __name__ == "__main__":
    main()
