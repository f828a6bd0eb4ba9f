"""FD: feature distillation by margin ReLU and partial L2 (Heo et al., 2019)."""

from typing import Literal

from pydantic import Field

from talking_models.methods.base import Method, MethodSettings, tuned


class FDSettings(MethodSettings):
    """Hyper-parameters of feature distillation."""

    weight: float = tuned(0.1, "Weight of L_feature.", low=0.01, high=1)
    distance: Literal["partial_l2", "l2"] = Field(
        "partial_l2",
        description="`partial_l2` with a margin ReLU on the teacher, or plain `l2` without.",
    )


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
        self.stacked, self.margins = teacher.stacked, (None, None)
        self.connect_low = layers.linear(student.low, teacher.low, bias=False)
        self.connect_high = layers.linear(student.high, teacher.high, bias=False)
        self.norm_low = layers.batch_norm(teacher.low)
        self.norm_high = layers.batch_norm(teacher.high)

    def prepare(self, states):
        """m_c = E[F_c | F_c < 0] over the training rows; 0 for a channel that is never negative.

        (C,), or (S, 1, C) of a stack of teachers, at the lower state and at the higher.
        """
        if self.settings.distance == "l2":
            return
        sums, counts = [0, 0], [0, 0]
        for taught in self.only(states):
            pair = taught.low_pre, taught.high_pre
            for i, features in enumerate(pair):
                flat = features.flatten(int(self.stacked), -2)
                sums[i] += flat.clamp(max=0).double().sum(-2, keepdim=self.stacked)
                counts[i] += (flat < 0).sum(-2, keepdim=self.stacked)
        self.margins = [
            (total / n.clamp(min=1)).to(features.dtype)
            for total, n, features in zip(sums, counts, pair, strict=True)
        ]

    def distance(self, target, margin, response):
        """Distance of one connected student feature to one teacher feature."""
        if self.settings.distance == "l2":
            return self.d(target, response)
        if margin is None:
            raise RuntimeError("call `prepare` with the teacher's states before the first step")
        target = target.maximum(margin)
        return self.d(target, counted(target, response))

    def terms(self, student, teacher):
        """See the class."""
        margin_low, margin_high = self.margins
        low = self.norm_low(self.connect_low(student.low_pre))
        high = self.norm_high(self.connect_high(student.high_pre))
        low = self.distance(teacher.low_pre, margin_low, low)
        high = self.distance(teacher.high_pre, margin_high, high)
        return {"feature": self.settings.weight * (0.5 * low + high)}
