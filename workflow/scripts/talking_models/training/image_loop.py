"""The training loop of images: SGD on micro-batches, on one device or several, resumable."""

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from talking_models.methods import Method
from talking_models.models.base import Frozen, LayeredModel
from talking_models.models.layers import Streams
from talking_models.training.devices import reduce_gradients
from talking_models.training.resume import Record
from talking_models.training.shared import Progress, check_finite, forget_untrained, gradient_norms

STILL = ("cls_token", "pos_embed")  # do not decay, as biases and the scales of norms


class Learner(nn.Module):
    """All that is trained, the student and the method's own modules, as one module whose forward
    pass is the loss: a wrapper for several devices sees every use of a weight.
    """

    def __init__(
        self,
        student: LayeredModel,
        method: Method,
        teachers: Mapping[str, Frozen],
        draws: Streams,
    ) -> None:
        super().__init__()
        self.student = student
        self.own = nn.ModuleDict(dict(method.modules()))
        self.method, self.teachers, self.draws = method, teachers, draws  # no modules

    def forward(self, batch: Any, step: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Parts of the loss, and monitors."""
        loss = self.method.loss(batch, self.student, self.teachers, step)
        self.parts = loss.parts  # Fabric lets no gradient but its own pass through what it returns
        return {name: part.clone() for name, part in loss.parts.items()}, loss.monitors


def micro_batches(training: Mapping[str, Any], rank: int, world: int) -> tuple[int, range]:
    """Images of a micro-batch, and which ones of a step are those of one of `world` processes.
    `ValueError` if the batch does not divide into whole micro-batches for each process.
    """
    batch, size = training["batch_size"], training["micro_batch_size"]
    size = size or batch // world
    if batch % (size * world):
        raise ValueError(
            f"a batch of {batch} images does not divide into micro-batches of {size} for "
            f"{world} processes"
        )
    return size, range(rank, batch // size, world)


def learning_rate(step: int, training: Mapping[str, Any]) -> float:
    """Of step 0, 1, ..., as a share of the highest: a linear warm-up, then half a cosine to 0."""
    warmup, steps = training["warmup_steps"], training["steps"]
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return 0.5 * (1 + math.cos(math.pi * progress))


def optimiser(
    student: nn.Module, own: nn.Module, training: Mapping[str, Any]
) -> torch.optim.Optimizer:
    """That of a student and a method's own modules, with the highest learning rate of each group.

    SGD has no weight decay (Dosovitskiy et al., 2021, Table 4); AdamW decays matrices alone.
    """
    rate = training["learning_rate"]
    rates = {student: rate, own: training["module_learning_rate"] or rate}
    groups = []
    for module, highest in rates.items():
        learn = {n: p for n, p in module.named_parameters() if p.requires_grad}
        # a method's biases and scales are of one row
        still = {n for n, p in learn.items() if p.shape[:-1].numel() == 1 or n.endswith(STILL)}
        for names, decay in ((learn.keys() - still, training["weight_decay"]), (still, 0.0)):
            if parameters := [p for n, p in learn.items() if n in names]:
                group = {"params": parameters, "weight_decay": decay}
                groups.append(group | {"lr": highest, "highest": highest})
    fused = next(student.parameters()).device.type in ("cpu", "cuda")  # XLA has none
    if training["optimiser"] == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=training["momentum"], fused=fused)
    return torch.optim.AdamW(groups, lr=rate, fused=fused)


def train(
    fabric: Fabric,
    learner: Learner,
    batches: Callable[[range], Iterator[Any]],
    accuracy: Callable[[], float],
    prepare: Callable[[], None],
    config: Mapping[str, Any],
    record: Record,
    log: logging.Logger,
) -> None:
    """Train `learner` in place, in every process, from the step that a killed job came to.

    `batches` gives this process's micro-batches of a range of steps, `accuracy` that of the student
    on the val slice; `prepare` is called once, when all is on its device.
    """
    student, own, method = learner.student, learner.own, learner.method
    training, seed = config["training"], config["seed"]
    learner.to(fabric.device)  # before the optimizer: XLA makes new parameters
    inner = optimiser(student, own, training)
    module, optimizer = fabric.setup(learner, inner)
    prepare()
    begun = record.load(learner, inner, log)
    steps = training["steps"]
    _, mine = micro_batches(training, fabric.global_rank, fabric.world_size)
    waiting = batches(range(begun, steps))
    module.train()
    progress = Progress(log, steps, begun, "images", training["batch_size"])
    for step in range(begun, steps):
        taken = step + 1
        last = taken == steps
        measured = taken % training["log_every"] == 0  # gradient norms cost a backward pass each
        for group in inner.param_groups:
            group["lr"] = group["highest"] * learning_rate(step, training)
        values: dict[str, list[Tensor]] = {}
        norms: dict[str, float] = {}
        wrong: dict[str, Tensor] = {}
        for number in mine:
            batch = fabric.to_device(next(waiting))
            learner.draws.seek(step, number)
            place = np.random.SeedSequence((seed, step, number))  # of what timm itself draws
            torch.manual_seed(int(place.generate_state(1, np.uint64)[0]))
            with fabric.no_backward_sync(module, enabled=number != mine[-1]):
                parts, monitors = module(batch, step)
                total = sum(parts.values())
                if not torch.isfinite(total):
                    wrong |= parts | {"total": total}
                    total = total * math.nan  # of all gradients, which all processes then see
                if measured and number == mine[-1]:
                    norms = gradient_norms(learner.parts, student)
                fabric.backward(total / len(mine))
            for name, value in (parts | monitors).items():
                values.setdefault(name, []).append(value.detach().float())
        forget_untrained(method, step, student, own)
        reduce_gradients(fabric, inner)
        for part, trained in {"student": student, "modules": own}.items():
            norm = nn.utils.clip_grad_norm_([*trained.parameters()], training["clip"])
            if not torch.isfinite(norm):
                check_finite(wrong | {f"gradient norm of {part}": norm}, step, (seed,), config)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if measured or last:  # the mean over the micro-batches of all processes
            found = torch.stack([torch.stack(each).mean() for each in values.values()])
            found = fabric.all_reduce(found, reduce_op="mean").tolist()
            means = dict(zip(values, found, strict=True))
            pace = progress.report(taken, means)
            record.add([(taken, n, v, norms.get(n)) for n, v in means.items()], [(taken, pace)])
        if taken % training["evaluate_every"] == 0 or last:
            module.eval()
            share = accuracy()
            module.train()
            record.add([(taken, "val_accuracy", share, None)])
            log.info("step %d/%d  val accuracy %.4f", taken, steps, share)
        if taken % training["checkpoint_every"] == 0 and not last and fabric.is_global_zero:
            record.save(taken, learner, inner)
    module.eval()
