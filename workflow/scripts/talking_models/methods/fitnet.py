"""FitNet: the student's lower state predicts the teacher's (Romero et al., 2014).

The joint form: hint loss beside the label loss in one stage, with a tuned weight, as the paper
tunes "the weight of L_fitnet".
"""

from talking_models.methods.base import Method, MethodSettings, tuned


class FitNetSettings(MethodSettings):
    """Hyper-parameters of FitNet."""

    weight: float = tuned(0.1, "Weight of L_fitnet.", low=0.03, high=30)


class FitNet(Method):
    """L = L_label(y, y_g) + weight * d(s_h, r(s_g)), d relative to the variance of s_h.

    The regressor r is linear from the student's lower width to the teacher's, with a ReLU where
    the teacher's states are never negative (on the signed residual stream of a ViT it has none).
    """

    Settings = FitNetSettings

    def build(self, layers, student, teachers):
        """r: (..., 128) -> (..., 512) on MovieLens."""
        teacher = self.only(teachers)
        self.regressor = layers.linear(student.low, teacher.low)
        self.nonnegative = teacher.nonnegative

    def terms(self, student, teacher):
        """See the class."""
        predicted = self.regressor(student.low)
        if self.nonnegative:
            predicted = predicted.relu()
        return {"hint": self.settings.weight * self.d(teacher.low, predicted)}
