"""What a training step of each vision method costs, beside a plain fine-tuning loop with timm.

    make bench
    PYTHONPATH=workflow/scripts python benchmarks/vision.py [--steps 10] [--image-size 56] ...

All loops train the same student on the same random images in the same process, taking turns. The
plain loop is what one writes by hand: timm model, cross-entropy, SGD with momentum, clipping.
Costs are in images per second: of CPU time on a CPU, so that other work on the machine does not
count, and of wall time on a GPU. FLOPs are torch's count of the products of one step. What a job
does once in `log_every` steps (the gradient's norm for each part of the loss) is left out.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import time
from copy import deepcopy
from pathlib import Path

import torch
from machine import HERE, write_results
from torch.utils.flop_counter import FlopCounterMode

from talking_models import methods
from talking_models.config import read
from talking_models.models import MODELS
from talking_models.models.base import Frozen
from talking_models.models.images import with_classes
from talking_models.models.layers import Layers
from talking_models.models.transformer import LayeredViT
from talking_models.objectives import ClassObjective
from talking_models.report.markdown import grid
from talking_models.training.devices import fabric_of
from talking_models.training.image_loop import Learner, PlacedStreams, train
from talking_models.training.loader import ImageBatch
from talking_models.training.resume import Record

PLAIN = "timm, plain loop"
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


def plain(net, batches, training) -> None:
    """Fine-tune a timm model."""
    optimizer = torch.optim.SGD(
        net.parameters(), lr=training["learning_rate"], momentum=training["momentum"]
    )
    net.train()
    for batch in batches:
        loss = torch.nn.functional.cross_entropy(net(batch.images), batch.target)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), training["clip"])
        optimizer.step()


def learner_of(job, teachers, student) -> Learner:
    """A student and a method's modules, as a training job makes them."""
    layers = Layers(PlacedStreams([0], "method", stacked=False))
    model = deepcopy(student)
    frozen = {id: Frozen(teachers[id]) for id in job["teachers"]}
    method = methods.build(job, ClassObjective(layers), layers, model, frozen)
    return Learner(model, method, frozen, layers.draw)


def measure(arguments: argparse.Namespace) -> list[list[str]]:
    """Rows of the table: name, images per second, against plain, FLOPs against plain."""
    config = read(*arguments.config)
    experiments = arguments.experiments or [
        id
        for id in config.experiments
        if config.model_kind(config.experiment(id).student).family == "images"
    ]
    images = next(data for data in config.data if config.family(data) == "images")
    jobs = {id: config.training_job(id, images) for id in experiments}
    device = config.device.model_dump() | {"accelerator": arguments.accelerator}
    fabric = fabric_of(device)
    fabric.launch()
    torch.set_num_threads(device["threads"])
    look = {"name": arguments.model, "image_size": arguments.image_size, "options": {}}
    form = config.form(config.experiment(experiments[0]).student) | look
    student = MODELS.get(form["kind"]).student(form, CLASSES)
    teachers = {}
    for id in {id for job in jobs.values() for id in job["teachers"]}:
        taught = config.form(id) | look
        net = with_classes(MODELS.get(taught["kind"]).net(taught), CLASSES)
        teachers[id] = fabric.to_device(LayeredViT(net, *taught["cut"]))
    training = jobs[experiments[0]]["training"] | {
        "batch_size": arguments.batch_size,
        "micro_batch_size": None,
        "log_every": sys.maxsize,
        "evaluate_every": sys.maxsize,
        "checkpoint_every": sys.maxsize,
    }
    size = (arguments.batch_size, 3, arguments.image_size, arguments.image_size)
    batch = fabric.to_device(
        ImageBatch(torch.randn(size), torch.arange(arguments.batch_size) % CLASSES)
    )
    clock = Clock(fabric.device)

    def ours(experiment: str, steps: int) -> float:
        learner = learner_of(jobs[experiment], teachers, student)
        began = []

        def batches(wanted: range):
            for _ in wanted:
                began[:] = began or [clock()]  # setting up is no step
                yield batch

        def prepare() -> None:
            taught = learner.teachers.items()
            learner.method.prepare({id: iter([teacher(batch)]) for id, teacher in taught})

        train(
            fabric,
            learner,
            batches,
            lambda: 0.0,
            prepare,
            jobs[experiment] | {"training": training | {"steps": steps}, "seed": 0},
            Record("/nonexistent", ""),
            logging.getLogger("benchmark"),
        )
        return clock() - began[0]

    def theirs(steps: int) -> float:
        net = fabric.to_device(deepcopy(student.net))
        began = clock()
        with fabric.autocast():
            plain(net, [batch] * steps, training)
        return clock() - began

    loops = {PLAIN: theirs}
    for experiment in experiments:
        loops[experiment] = lambda steps, experiment=experiment: ours(experiment, steps)
    flops = {}
    for name, loop in loops.items():
        with FlopCounterMode(display=False) as counter:
            loop(1)  # also warms up
        flops[name] = counter.get_total_flops()
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(arguments.repeats):
        for name, loop in loops.items():
            seconds[name].append(loop(arguments.steps))
    cost = {name: statistics.median(found) for name, found in seconds.items()}
    images = arguments.steps * arguments.batch_size
    return [
        [
            name,
            f"{images / cost[name]:.1f}",
            f"{cost[name] / cost[PLAIN]:.2f}",
            f"{flops[name] / flops[PLAIN]:.2f}",
        ]
        for name in loops
    ]


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
    table = grid(["loop", "images/s", "time / plain", "FLOPs / plain"], measure(options))
    print(table)
    size, batch = options.image_size, options.batch_size
    about = f"{options.model}, {size} x {size} pixels, batch {batch}, on {options.accelerator}"
    title = "What a training step of vision costs"
    write_results(options.out, title, __doc__.split("\n\n")[2], {about: table})


if __name__ == "__main__":
    main()
