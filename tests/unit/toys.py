"""Small data and models that the tests of the mathematics share.

`PlainMLP` is one model of a stack, written out with torch.nn.functional on the stack's own weights:
what it computes, gradients included, is what the stack must compute.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F

from talking_models import methods, objectives
from talking_models.models.base import LayeredModel, States, Widths
from talking_models.models.layers import Layers, Streams
from talking_models.models.network import RatingBatch, RatingMLP

torch.set_num_threads(1)

LOG = logging.getLogger("toys")
SIZES = {"user": 6, "item": 7, "title": 9, "categories": 4}
FEATURES = {"user": 4, "item": 3, "title": 3, "categories": 2}
STUDENT, TEACHER = [10, 8], [14, 12]
TRAINING = {
    "clip": 1.0,
    "steps": 12,
    "batch_size": 16,
    "learning_rate": 0.01,
    "weight_decay": 0.1,
    "dropout": 0.2,
    "id_dropout": 0.2,
}
SMALL_TD = {"message": 7, "hidden": 9}
EVERY_METHOD = {
    "scratch": {},
    "ld": {"weight": 0.5},
    "fd": {"weight": 0.5},
    "fitnet": {"weight": 0.5},
    "hybrid": {"logit_weight": 0.5, "feature_weight": 0.3},
    "hybrid-gated": {"logit_weight": 0.5, "feature_weight": 0.3, "gate": "grad_cos"},
    "dist": {"intra": 0.5},
    "rkd": {"weight": 0.5},
    "srd": {"weight": 0.5},
    "vid": {"weight": 0.5},
    "td": {"rounds": 2, "w1": 0.5, "w2": 0.4, "w3": 0.3, "noise": 0.1, **SMALL_TD},
    "group": {"rounds": 2, "w1": 0.5, "w2": 0.4, "w3": 0.3, "noise": 0.1, **SMALL_TD},
}
"""Settings of every method that needs no peers, with its random parts switched on; the name up to
`-` is the method."""


# --- MovieLens-like tables


def movielens(n: int = 120) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Training rows, later rows (some of their users and items are new), and the items."""
    draw = np.random.default_rng(7)
    items = pd.DataFrame(
        {
            "item": pd.Series([2, 3, 5, 8, 13, 21, 34, 55], dtype="int32"),
            "title": [
                "Long Night, The (1995)",
                "Night Train (1996)",
                "Toy Train 2 (1995)",
                "Heat (1995)",
                "Cold Heat (1997)",
                "The Toy (1982)",
                "Never Seen (1999)",
                "Night (1999)",
            ],
            "categories": [
                ["Drama"],
                ["Drama", "Thriller"],
                ["Comedy"],
                ["Action", "Drama", "Thriller"],
                ["Action"],
                [],
                ["War"],
                ["Comedy", "Drama"],
            ],
        }
    )

    def rows(n: int, users: range, places: range) -> pd.DataFrame:
        user, place = draw.choice(np.array(users), n), draw.choice(np.array(places), n)
        liked = 1 + (user + 3 * place) % 5  # as learnable as it is nonlinear
        return pd.DataFrame(
            {
                "user": user.astype("int32"),
                "item": items["item"].to_numpy()[place],
                "rating": np.clip(liked + draw.integers(-1, 2, n), 1, 5).astype("float32"),
                "time": np.arange(n, dtype="int64"),
            }
        )

    return rows(n, range(10, 19), range(6)), rows(40, range(15, 25), range(8)), items


def fit_config(
    method: str,
    settings: dict | None = None,
    seeds: int = 2,
    hidden: list[int] = STUDENT,
    **training,
) -> dict:
    """An effective config as `ratings.fit` takes it."""
    return {
        "seeds": seeds,
        "precision": "float32",
        "student": {"kind": "mlp", "features": FEATURES, "hidden": hidden},
        "training": TRAINING | training,
        "method": method,
        "settings": settings or {},
        "teacher_seed": "first",
    }


SEARCH = {
    "folds": 2,
    "seeds": 2,
    "precision": "float32",
    "steps": 6,
    "every": 3,
    "warm": False,
    "trials": 2,
}
"""How `FoldScores` and a whole search of toys are told to search."""


# --- rating models, without tables


def rating_batch(stack: tuple[int, ...], n: int = 11, seed: int = 0) -> RatingBatch:
    """Random ratings, a different batch for each model of the stack."""
    draw = torch.Generator().manual_seed(seed)

    def ids(high: int, *shape: int) -> torch.Tensor:
        return torch.randint(0, high, (*stack, n, *shape), generator=draw)

    words = torch.rand(*stack, n, 3, generator=draw)
    words[..., -1] = 0  # padding
    return RatingBatch(
        rows=ids(1000),
        user=ids(SIZES["user"]),
        item=ids(SIZES["item"]),
        title=ids(SIZES["title"], 3),
        title_weight=words,
        categories=torch.rand(*stack, n, SIZES["categories"], generator=draw),
        target=1 + 4 * torch.rand(*stack, n, generator=draw),
    )


def doubled(batch: RatingBatch) -> RatingBatch:
    """The same batch in float64."""
    numbers = {k: v.double() for k, v in vars(batch).items() if v.is_floating_point()}
    return replace(batch, **numbers)


def one(batch: RatingBatch, i: int) -> RatingBatch:
    """The batch of model `i` of the stack."""
    return RatingBatch(**{name: tensor[i] for name, tensor in vars(batch).items()})


def rating_model(streams: Streams, hidden: list[int] = STUDENT, **options) -> RatingMLP:
    """A rating MLP of the toy sizes; large embeddings keep its units alive."""
    return RatingMLP(SIZES, FEATURES, hidden, streams, embedding_std=1.0, **options)


class Teacher:
    """A frozen model that answers without gradient and counts how often it is asked."""

    def __init__(self, model: LayeredModel, mute: bool = False) -> None:
        self.model = model.eval().requires_grad_(False)
        self.widths, self.mute, self.asked, self.interpreted = model.widths, mute, 0, 0

    def __call__(self, batch):
        assert not self.mute, "the teacher was shown the batch"
        self.asked += 1
        with torch.no_grad():
            return self.model(batch)

    def upper(self, low):
        self.interpreted += 1
        return self.model.upper(low)


@dataclass
class Problem:
    """A method with its student, its teacher and a batch."""

    method: methods.Method
    student: LayeredModel
    teacher: Teacher
    batch: object

    def loss(self, step: int = 0):
        return self.method.loss(self.batch, self.student, self.teachers, step)

    @property
    def teachers(self) -> dict[str, Teacher]:
        """The mapping that a method takes."""
        return {} if self.teacher is None else {"teacher": self.teacher}

    def own(self) -> dict[str, nn.Module]:
        """The method's modules."""
        return dict(self.method.modules())

    def parameters(self) -> dict[str, nn.Parameter]:
        """Of the student and of the method, by name."""
        parts = {"student": self.student, **self.own()}
        return {f"{n}.{k}": p for n, m in parts.items() for k, p in m.named_parameters()}

    def eval(self) -> Problem:
        for module in (self.student, *self.own().values()):
            module.eval()
        return self


def rating_problem(
    method: str | type[methods.Method],
    settings: dict,
    seeds: tuple[int, ...] = (0, 1, 2),
    double: bool = True,
    mute: bool = False,
    **options,
) -> Problem:
    """`method` on a stack of rating MLPs, taught by one rating MLP, on one random batch.

    `mute` is the teacher that must not be shown the batch; options are the student's.
    """
    teacher = rating_model(Streams([9], "teacher", stacked=False), TEACHER)
    batch = rating_batch((len(seeds),))
    student = rating_model(Streams(seeds, "student"), **options)
    layers = Layers(Streams(seeds, "method"))
    cls = methods.METHODS.get(method) if isinstance(method, str) else method
    talk = cls(
        cls.Settings(**settings),
        objectives.RatingObjective(layers),
        layers,
        student.widths,
        {"teacher": teacher.widths},
    )
    problem = Problem(talk, student, Teacher(teacher, mute), batch)
    if double:
        problem.batch = doubled(batch)
        for module in (student, teacher, *problem.own().values()):
            module.double()
    with torch.no_grad():
        states = (teacher(one(problem.batch, i)) for i in range(len(seeds)))
        problem.method.prepare({"teacher": states})
    return problem


def weights(module: nn.Module, i: int | None) -> SimpleNamespace:
    """Weight and bias of a layer as torch.nn.functional takes them, of model `i` of a stack.

    With `i` None the layer has no stack's axis. The tensors are views: gradients reach the layer.
    """
    weight, bias = (
        None if p is None else (p if i is None else p[i]) for p in (module.weight, module.bias)
    )
    return SimpleNamespace(weight=weight, bias=None if bias is None else bias.flatten())


def dense(x: torch.Tensor, module: nn.Module, i: int | None) -> torch.Tensor:
    """A linear layer, by torch.nn.functional."""
    w = weights(module, i)
    return F.linear(x, w.weight.T, w.bias)


class PlainMLP:
    """Model `i` of a stack of rating MLPs (None: a model alone), by torch.nn.functional."""

    def __init__(self, model: RatingMLP, i: int | None = None) -> None:
        self.model, self.i = model, i

    def __call__(self, batch: RatingBatch) -> States:
        """`batch` has no stack's axis."""
        table = {k: weights_of_table(e, self.i) for k, e in self.model.embeddings.items()}
        features = torch.cat(
            (
                table["user"][batch.user],
                table["item"][batch.item],
                (table["title"][batch.title] * batch.title_weight[..., None]).sum(-2),
                torch.einsum("bg,gf->bf", batch.categories, table["categories"]),
            ),
            -1,
        )
        low_pre = dense(features, self.model.hidden_low, self.i)
        high_pre = self.upper_pre(F.relu(low_pre))
        high = F.relu(high_pre)
        output = dense(high, self.model.output, self.i)[..., 0]
        return States(F.relu(low_pre), high, output, low_pre, high_pre)

    def upper_pre(self, low: torch.Tensor) -> torch.Tensor:
        return dense(low, self.model.hidden_high, self.i)

    def upper(self, low: torch.Tensor) -> torch.Tensor:
        return F.relu(self.upper_pre(low))


def weights_of_table(embedding: nn.Module, i: int | None) -> torch.Tensor:
    return embedding.weight if i is None else embedding.weight[i]


def assert_same_gradients(actual, expected, parameters: dict[str, nn.Parameter], **tolerance):
    """Compare the gradients of two losses over all parameters; None counts as zero."""
    both = [
        torch.autograd.grad(
            loss.sum(), list(parameters.values()), allow_unused=True, retain_graph=True
        )
        for loss in (actual, expected)
    ]
    for name, p, found, wanted in zip(parameters, parameters.values(), *both, strict=True):
        zero = torch.zeros_like(p)
        torch.testing.assert_close(
            zero if found is None else found,
            zero if wanted is None else wanted,
            msg=lambda text, name=name: f"gradient of {name}: {text}",
            **tolerance,
        )


# --- a token model: plain torch.nn, no stack, no ReLU, classification


@dataclass
class TokenBatch:
    """Tokens (B, N, 3) and classes (B,)."""

    x: torch.Tensor
    target: torch.Tensor


class TokenBlock(nn.Module):
    """A residual block that mixes the tokens with their mean."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.dense = nn.LayerNorm(width), nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        return x + self.dense(torch.cat((y, y.mean(-2, keepdim=True).expand_as(y)), -1)).tanh()


class TokenModel(LayeredModel):
    """Tokens through two residual blocks; the first token, a learned one, is classified."""

    def __init__(self, width: int, seed: int, classes: int = 4) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.embed = nn.Linear(3, width)
            self.first = nn.Parameter(torch.randn(1, 1, width))
            self.low_block, self.high_block = TokenBlock(width), TokenBlock(width)
            self.output = nn.Linear(width, classes)
        self.widths = Widths(width, width, nonnegative=False)

    def lower(self, batch: TokenBatch) -> torch.Tensor:
        first = self.first.expand(len(batch.x), -1, -1)
        return self.low_block(torch.cat((first, self.embed(batch.x)), 1))

    def upper(self, low: torch.Tensor) -> torch.Tensor:
        return self.high_block(low)

    def head(self, high: torch.Tensor) -> torch.Tensor:
        return self.output(high[:, 0])


def token_batch(n: int = 12, seed: int = 0) -> TokenBatch:
    """Random tokens whose class is told by their mean."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 4, 3, generator=draw)
    mean = x.mean(1)
    return TokenBatch(x, 2 * (mean[:, 0] > 0).long() + (mean[:, 1] > 0).long())


def token_problem(method: str, settings: dict) -> Problem:
    """`method` on a token student of width 6 with a token teacher of width 10."""
    student, teacher = TokenModel(6, seed=1), TokenModel(10, seed=2)
    layers = Layers(Streams([0], "method", stacked=False))
    cls = methods.METHODS.get(method)
    objective = objectives.ClassObjective(layers)
    widths = {"teacher": teacher.widths}
    talk = cls(cls.Settings(**settings), objective, layers, student.widths, widths)
    problem = Problem(talk, student, Teacher(teacher), token_batch())
    with torch.no_grad():
        problem.method.prepare({"teacher": [teacher(problem.batch)]})
    return problem
