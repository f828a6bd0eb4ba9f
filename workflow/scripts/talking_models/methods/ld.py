"""LD: the student copies the teacher's outputs (Hinton et al., 2015)."""

from pydantic import Field

from talking_models.methods.base import Method, MethodSettings, tuned


class LDSettings(MethodSettings):
    """Hyper-parameters of label distillation."""

    weight: float = tuned(1.0, "Weight of L_logit.", low=0.1, high=10)
    temperature: float = Field(
        4.0,
        gt=0,
        description="Softmax temperature T of classification; a rating has none.",
    )


class LD(Method):
    """L = L_label(y, y_g) + weight * L_logit(y_g, y_h).

    L_logit is the squared difference of ratings, or T^2 KL of softened classes.
    """

    Settings = LDSettings

    def terms(self, student, teacher):
        """See the class."""
        s = self.settings
        logit = self.objective.logit_loss(student.output, teacher.output, s.temperature)
        return {"logit": s.weight * logit}
