"""SRD: a projector, normalisation and a logarithm (Miles and Mikolajczyk, 2024)."""

from pydantic import Field

from talking_models.methods.base import Method, MethodSettings, tuned


class SRDSettings(MethodSettings):
    """Hyper-parameters of "simple recipe" distillation."""

    weight: float = tuned(0.1, "Weight of the distance.", low=0.03, high=30)
    exponent: float = Field(4.0, ge=1, description="Exponent alpha.")


class SRD(Method):
    """L = L_label(y, y_g) + weight * log sum |BN(W_p e_g) - BN(e_h)|^alpha (section 3).

    Of the higher states, mean over tokens; W_p is linear, and BN, which learns nothing, is over the
    batch. The sum is over channels and the batch.
    """

    Settings = SRDSettings

    def build(self, layers, student, teachers):
        """W_p: (..., 64) -> (..., 256) on MovieLens."""
        self.axes, teacher = int(layers.stacked), self.only(teachers)
        self.projector = layers.linear(student.high, teacher.high)

    def terms(self, student, teacher):
        """See the class."""
        ours, theirs = student.high, teacher.high
        if ours.dim() - self.axes > 2:
            ours, theirs = (each.flatten(self.axes + 1, -2).mean(-2) for each in (ours, theirs))
        apart = self.standardised(self.projector(ours)) - self.standardised(theirs)
        total = apart.abs().pow(self.settings.exponent).flatten(self.axes).sum(-1)
        return {"projected": self.settings.weight * total.log()}
