"""Train from scratch: the label loss alone. The student that every method starts from."""

from __future__ import annotations

from talking_models.methods.base import Loss, Method


class Scratch(Method):
    """L = L_label(y, y_g)."""

    has_teacher = False

    def loss(self, batch, student, teachers, step):
        """See `Method.loss`."""
        output = student(batch).output
        return Loss({"label": self.objective.label_loss(output, batch.target)}, {})
