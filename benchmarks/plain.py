"""The same training as one would write it first: one model at a time, in plain PyTorch.

It is what the library's stacks are measured against. The teacher runs on every batch, decoders
write all that Algorithm 1 names, and nothing is cached or shared between models. Equations and
widths are those of `talking_models.methods`; see there for their sources.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from talking_models.models.network import RatingBatch


class PlainMLP(nn.Module):
    """The rating MLP, see `talking_models.models.network.RatingMLP`."""

    def __init__(self, sizes, features, hidden, dropout, id_dropout) -> None:
        super().__init__()
        self.id_dropout = id_dropout
        self.user = nn.Embedding(sizes["user"], features["user"])
        self.item = nn.Embedding(sizes["item"], features["item"])
        self.title = nn.EmbeddingBag(sizes["title"], features["title"], mode="sum")
        self.categories = nn.Linear(sizes["categories"], features["categories"], bias=False)
        self.low = nn.Linear(sum(features.values()), hidden[0])
        self.high = nn.Linear(hidden[0], hidden[1])
        self.output = nn.Linear(hidden[1], 1)
        self.dropout = nn.Dropout(dropout)

    def known(self, ids: Tensor) -> Tensor:
        """Ids, some of them replaced by the unknown one in training."""
        if not self.training:
            return ids
        return ids.masked_fill(torch.rand(ids.shape) < self.id_dropout, 0)

    def upper_pre(self, low: Tensor) -> Tensor:
        """The higher state before its ReLU."""
        return self.high(self.dropout(low))

    def upper(self, low: Tensor) -> Tensor:
        """The higher state."""
        return self.upper_pre(low).relu()

    def forward(self, batch: RatingBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Both states before their ReLU, and the rating."""
        inputs = torch.cat(
            (
                self.user(self.known(batch.user)),
                self.item(self.known(batch.item)),
                self.title(self.known(batch.title), per_sample_weights=batch.title_weight),
                self.categories(batch.categories),
            ),
            -1,
        )
        low = self.low(self.dropout(inputs))
        high = self.upper_pre(low.relu())
        return low, high, self.output(self.dropout(high.relu())).squeeze(-1)


def encoder(states: int) -> nn.Sequential:
    """Both states of one model, side by side, to a message."""
    return nn.Sequential(
        nn.LayerNorm(states), nn.Linear(states, 256), nn.ReLU(), nn.Dropout(0.1),
        nn.Linear(256, 128),
    )  # fmt: skip


def decoder(states: int) -> nn.Sequential:
    """A message to both states of one model."""
    return nn.Sequential(
        nn.LayerNorm(128), nn.Linear(128, 256), nn.ReLU(), nn.Dropout(0.1), nn.Linear(256, states)
    )


class PlainLoss(nn.Module):
    """The loss of one method; its modules are trained with the student.

    Args:
        method: its name.
        student, teacher: the two hidden widths of each.
        rounds: of TD.
    """

    def __init__(self, method: str, student: list[int], teacher: list[int], rounds: int) -> None:
        super().__init__()
        self.method, self.rounds, self.cut = method, rounds, (student, teacher)
        if method in ("fd", "hybrid"):
            self.connect = nn.ModuleList(
                nn.Sequential(nn.Linear(s, t, bias=False), nn.BatchNorm1d(t))
                for s, t in zip(student, teacher, strict=True)
            )
        if method == "fitnet":
            self.regressor = nn.Linear(student[0], teacher[0])
        if method == "td":
            self.encoder_g, self.decoder_g = encoder(sum(student)), decoder(sum(student))
            self.encoder_h, self.decoder_h = encoder(sum(teacher)), decoder(sum(teacher))

    def forward(self, batch: RatingBatch, student: PlainMLP, teacher: PlainMLP | None) -> Tensor:
        """A scalar."""
        low, high, output = student(batch)
        loss = nn.functional.mse_loss(output, batch.target)
        if self.method == "scratch":
            return loss
        with torch.no_grad():
            taught_low, taught_high, taught = teacher(batch)
        if self.method in ("ld", "hybrid"):
            loss = loss + nn.functional.mse_loss(output, taught)
        if self.method in ("fd", "hybrid"):
            for weight, connect, own, other in zip(
                (0.05, 0.1), self.connect, (low, high), (taught_low, taught_high), strict=True
            ):
                response, target = connect(own), other.maximum(other.new_zeros(()) - 0.1)
                counts = (response > target) | (target > 0)
                loss = loss + weight * ((target - response).square() * counts).mean()
        if self.method == "fitnet":
            hint = self.regressor(low.relu()).relu()
            loss = loss + 1000 * nn.functional.mse_loss(hint, taught_low.relu())
        if self.method == "td":
            states_h = torch.cat((taught_low.relu(), taught_high.relu()), -1)
            loss = loss + self.talk(student, teacher, low.relu(), high.relu(), states_h)
        return loss

    def talk(self, student, teacher, low, high, states_h) -> Tensor:
        """Algorithm 1, all of it."""
        d = nn.functional.mse_loss
        student_widths, teacher_widths = self.cut
        states_g = torch.cat((low, high), -1)
        message, message_h = self.encoder_g(states_g), self.encoder_h(states_h)
        loss = d(message, message_h)
        for states, written, widths in (
            (states_h, self.decoder_h(message), teacher_widths),
            (states_g, self.decoder_g(message_h), student_widths),
        ):
            pairs = zip(states.split(widths, -1), written.split(widths, -1), strict=True)
            loss = loss + 10 * sum(d(a, b) for a, b in pairs)
        for _ in range(self.rounds):
            low_h, _ = self.decoder_h(message).split(teacher_widths, -1)
            reply = self.encoder_h(torch.cat((low_h, teacher.upper(low_h)), -1))
            response = self.decoder_g(reply).split(student_widths, -1)
            loss = loss + 10 * (d(low, response[0]) + d(high, response[1]))
            low, high = response[0], student.upper(response[0])
            message = self.encoder_g(torch.cat((low, high), -1))
        return loss


def train(batches, student, teacher, loss: PlainLoss, steps: int) -> None:
    """`steps` steps of AdamW on the batches that an iterator gives."""
    optimizer = torch.optim.AdamW([*student.parameters(), *loss.parameters()], lr=1e-3)
    student.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss(next(batches), student, teacher).backward()
        optimizer.step()
