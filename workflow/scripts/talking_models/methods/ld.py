"""LD: the student copies the teacher's outputs (Hinton et al., 2015)."""

from __future__ import annotations

from pydantic import Field

from talking_models.methods.base import Loss, Method, MethodSettings, tuned


class LDSettings(MethodSettings):
    """Hyper-parameters of label distillation."""

    weight: float = tuned(1.0, "Weight of L_logit.", low=0.1, high=10)
    temperature: float = Field(
        4.0,
        gt=0,
        description="Softmax temperature T of classification; a rating has none.",
    )


class LD(Method):
    """L = L_label(y, y_g) + weight * L_logit(y_g, y_h)."""

    Settings = LDSettings

    def logit_loss(self, student, teacher):
        """L_logit: squared difference of ratings, or T^2 KL of softened classes."""
        return self.objective.logit_loss(student.output, teacher.output, self.settings.temperature)

    def loss(self, batch, student, teachers, step):
        """See `Method.loss`."""
        states = student(batch)
        return Loss(
            {
                "label": self.objective.label_loss(states.output, batch.target),
                "logit": self.settings.weight * self.logit_loss(states, self.only(teachers)(batch)),
            },
            {},
        )
