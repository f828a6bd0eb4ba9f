"""DML: students that learn from each other's outputs (Zhang et al., 2018)."""

from pydantic import Field

from talking_models.methods.base import Loss, Method, MethodSettings, tuned


class MutualSettings(MethodSettings):
    """Hyper-parameters of deep mutual learning."""

    weight: float = tuned(1.0, "Weight of each one's L_logit.", low=0.1, high=10)
    temperature: float = Field(
        1.0, gt=0, description="Softmax temperature T of classification; a rating has none."
    )


class Mutual(Method):
    """L = sum over who learns a of [L_label(a) + weight * mean over b of L_logit(y_a, y_b)]
    (equations 5 to 8), y_b without gradient. The student's share of it is its own.
    """

    Settings = MutualSettings
    has_teacher, has_peers = False, True

    def loss(self, batch, student, teachers, step):
        """All of them at once, where the paper has them take turns."""
        s, models = self.settings, {"": student, **self.peers}
        outputs = {id: model(batch).output for id, model in models.items()}
        parts = {}
        for id, own in outputs.items():
            after = f"_{id}" if id else ""
            parts[f"label{after}"] = self.objective.label_loss(own, batch.target)
            others = {b: self.weights.get(b, 1.0) for b in outputs if b != id}
            parts[f"logit{after}"] = s.weight * sum(
                weight
                / sum(others.values())
                * self.objective.logit_loss(own, outputs[b].detach(), s.temperature)
                for b, weight in others.items()
            )
        return Loss(parts)
