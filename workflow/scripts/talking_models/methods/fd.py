"""FD: feature distillation by margin ReLU and partial L2 (Heo et al., 2019)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from talking_models.methods.base import Loss, Method, MethodSettings, tuned


class FDSettings(MethodSettings):
    """Hyper-parameters of feature distillation."""

    weight: float = tuned(0.1, "Weight of L_feature.", low=0.01, high=1)
    distance: Literal["partial_l2", "l2"] = Field(
        "partial_l2",
        description="`partial_l2` with a margin ReLU on the teacher, or plain `l2` without.",
    )


class NegativeMean:
    """The mean of each channel's negative values, over batches of features ([S,] ..., C).

    Args:
        stacked: whether the first axis is a stack's, each of whose models has its own.
    """

    def __init__(self, stacked=False):
        self.stacked, self.sums, self.counts = stacked, 0, 0

    def add(self, features):
        """Count one batch."""
        flat = features.flatten(int(self.stacked), -2)
        self.dtype = flat.dtype
        self.sums = self.sums + flat.clamp(max=0).double().sum(-2, keepdim=self.stacked)
        self.counts = self.counts + (flat < 0).sum(-2, keepdim=self.stacked)

    def value(self):
        """(C,) or (S, 1, C); 0 for a channel that was never negative."""
        return (self.sums / self.counts.clamp(min=1)).to(self.dtype)


def margin_relu(features, margin):
    """max(F, m) per channel: features (..., C), negative margins (C,)."""
    return features.maximum(margin)


def counted(target, response):
    """What the partial L2 distance d_p counts of a response: d_p = (target - counted)^2.

    d_p is 0 where r <= t <= 0, else (t - r)^2. So where t <= 0, a response below t counts as t.
    """
    return response.maximum(target.masked_fill(target > 0, -float("inf")))


class FD(Method):
    """L = L_label(y, y_g) + weight * (1/2 d_p at the lower state + d_p at the higher).

    Features are taken before their ReLU. The teacher's are raised to a margin m_c, the mean of the
    negative values of channel c; the student's pass a connector: linear without bias, batch norm.
    """

    Settings = FDSettings

    def build(self, layers, student, teachers):
        """Connectors 128 -> 512 and 64 -> 256 on MovieLens."""
        teacher = self.only(teachers)
        self.stacked, self.margin_low, self.margin_high = teacher.stacked, None, None
        self.connect_low = layers.linear(student.low, teacher.low, bias=False)
        self.connect_high = layers.linear(student.high, teacher.high, bias=False)
        self.norm_low = layers.batch_norm(teacher.low)
        self.norm_high = layers.batch_norm(teacher.high)

    def prepare(self, states):
        """m_c = E[F_c | F_c < 0] over the training rows; 0 for a channel that is never negative."""
        if self.settings.distance == "partial_l2":
            low, high = NegativeMean(self.stacked), NegativeMean(self.stacked)
            for taught in self.only(states):
                low.add(taught.low_pre)
                high.add(taught.high_pre)
            self.margin_low, self.margin_high = low.value(), high.value()

    def distance(self, target, margin, response):
        """Distance of one connected student feature to one teacher feature."""
        if self.settings.distance == "l2":
            return self.d(target, response)
        if margin is None:
            raise RuntimeError("call `prepare` with the teacher's states before the first step")
        target = margin_relu(target, margin)
        return self.d(target, counted(target, response))

    def feature_loss(self, student, teacher):
        """L_feature between two models' states."""
        low = self.norm_low(self.connect_low(student.low_pre))
        high = self.norm_high(self.connect_high(student.high_pre))
        return 0.5 * self.distance(teacher.low_pre, self.margin_low, low) + self.distance(
            teacher.high_pre, self.margin_high, high
        )

    def loss(self, batch, student, teachers, step):
        """See `Method.loss`."""
        states = student(batch)
        return Loss(
            {
                "label": self.objective.label_loss(states.output, batch.target),
                "feature": self.settings.weight
                * self.feature_loss(states, self.only(teachers)(batch)),
            },
            {},
        )
