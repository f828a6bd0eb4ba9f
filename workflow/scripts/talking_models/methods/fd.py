"""FD: feature distillation by margin ReLU and partial L2 (Heo et al., 2019)."""

from typing import Literal

from pydantic import Field

from talking_models.methods.base import Method, MethodSettings, tuned


class FDSettings(MethodSettings):
    """Hyper-parameters of feature distillation."""

    weight: float = tuned(0.1, "Weight of L_feature.", low=0.03, high=30)
    distance: Literal["partial_l2", "l2"] = Field(
        "partial_l2",
        description="`partial_l2` with a margin ReLU on the teacher, or plain `l2` without.",
    )


def counted(target, response):
    """What the partial L2 distance d_p counts of a response: d_p = (target - counted)^2.

    d_p is 0 where r <= t <= 0, else (t - r)^2. So where t <= 0, a response below t counts as t.
    """
    return response.maximum(target.masked_fill(target > 0, -float("inf")))


class Channels:
    """Margin and standard deviation of a feature's channels, from one batch after the other."""

    def __init__(self):
        self.n = self.total = self.squares = self.negative = self.negatives = 0

    def add(self, flat, stacked):
        """Count (..., n, C)."""
        self.dtype, flat = flat.dtype, flat.double()
        self.n += flat.shape[-2]
        self.total += flat.sum(-2, keepdim=stacked)
        self.squares += flat.square().sum(-2, keepdim=stacked)
        self.negative += flat.clamp(max=0).sum(-2, keepdim=stacked)
        self.negatives += (flat < 0).sum(-2, keepdim=stacked)

    def margin_and_scale(self):
        """m_c and the standard deviation."""
        margin = self.negative / self.negatives.clamp(min=1)
        scale = (self.squares / self.n - (self.total / self.n).square()).clamp(min=0).sqrt()
        return margin.to(self.dtype), scale.masked_fill(scale == 0, 1.0).to(self.dtype)


class FD(Method):
    """L = L_label(y, y_g) + weight * (1/2 d_p at the lower state + d_p at the higher).

    Features are taken before their ReLU. The teacher's are raised to a margin m_c, the mean of the
    negative values of channel c, and divided by the channel's standard deviation; the student's
    pass a connector: linear without bias, batch norm.
    """

    Settings = FDSettings

    def build(self, layers, student, teachers):
        """Connectors 128 -> 512 and 64 -> 256 on MovieLens."""
        teacher = self.only(teachers)
        self.stacked, self.channels = teacher.stacked, None
        self.connect_low = layers.linear(student.low, teacher.low, bias=False)
        self.connect_high = layers.linear(student.high, teacher.high, bias=False)
        self.norm_low = layers.batch_norm(teacher.low)
        self.norm_high = layers.batch_norm(teacher.high)

    def prepare(self, states):
        """m_c = E[F_c | F_c < 0] over the training rows, 0 for a channel that is never negative,
        and the standard deviation of F_c, 1 for a channel that is constant.

        (C,), or (S, 1, C) of a stack of teachers, at the lower state and at the higher.
        """
        found = [Channels(), Channels()]
        for taught in self.only(states):
            for channels, features in zip(found, (taught.low_pre, taught.high_pre), strict=True):
                channels.add(features.flatten(int(self.stacked), -2), self.stacked)
        self.channels = [channels.margin_and_scale() for channels in found]

    def distance(self, target, channels, response):
        """Distance of one connected student feature to one teacher feature."""
        margin, scale = channels
        if self.settings.distance == "l2":
            return self.mean_squared(target / scale, response)
        target = target.maximum(margin) / scale
        return self.mean_squared(target, counted(target, response))

    def terms(self, student, teacher):
        """See the class."""
        if self.channels is None:
            raise RuntimeError("call `prepare` with the teacher's states before the first step")
        of_low, of_high = self.channels
        low = self.norm_low(self.connect_low(student.low_pre))
        high = self.norm_high(self.connect_high(student.high_pre))
        low = self.distance(teacher.low_pre, of_low, low)
        high = self.distance(teacher.high_pre, of_high, high)
        return {"feature": self.settings.weight * (0.5 * low + high)}
