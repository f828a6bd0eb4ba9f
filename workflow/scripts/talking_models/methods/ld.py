"""LD: the student copies the teacher's outputs (Hinton et al., 2015)."""

from pydantic import Field

from talking_models.methods.base import Method, MethodSettings, tuned


class LDSettings(MethodSettings):
    """Hyper-parameters of label distillation."""

    weight: float = tuned(1.0, "Weight of L_logit.", low=0.1, high=30)
    temperature: float = Field(
        4.0,
        gt=0,
        description="Softmax temperature T of classification; a rating has none.",
    )
    standardise: bool = Field(
        False,
        description="Whether each example's logits are given mean 0 and variance 1 over the "
        "classes first (Sun et al., 2024).",
    )

    def contradiction(self, training, family):
        """A rating has no classes."""
        if self.standardise and family == "ratings":
            return "standardise is of the logits of classes, and a rating has none"
        return None


def standardised(logits):
    """(..., C) -> (..., C), mean 0 and variance 1 over the classes."""
    apart = logits - logits.mean(-1, keepdim=True)
    return apart / (1e-7 + logits.std(-1, keepdim=True))


class LD(Method):
    """L = L_label(y, y_g) + weight * L_logit(y_g, y_h).

    L_logit is the squared difference of ratings, or T^2 KL of softened classes.
    """

    Settings = LDSettings

    def terms(self, student, teacher):
        """See the class."""
        s = self.settings
        outputs = student.output, teacher.output
        if s.standardise:
            outputs = map(standardised, outputs)
        logit = self.objective.logit_loss(*outputs, s.temperature)
        return {"logit": s.weight * logit}
