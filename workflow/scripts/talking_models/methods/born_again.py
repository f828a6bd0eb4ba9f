"""Born-again: a student learns from one of its own kind (Furlanello et al., 2018)."""

from pydantic import Field

from talking_models.methods.base import Loss, Method, MethodSettings, tuned


class BornAgainSettings(MethodSettings):
    """Hyper-parameters of born-again networks, of one generation."""

    weight: float = tuned(1.0, "Weight of L_logit.", low=0.1, high=30)
    first_steps: int = Field(
        200, ge=1, description="First steps, in which the peer learns alone, from the labels."
    )
    temperature: float = Field(
        1.0, gt=0, description="Softmax temperature T of classification; a rating has none."
    )

    def contradiction(self, training, family):
        """A first generation that takes all steps."""
        if self.first_steps >= training["steps"]:
            return (
                f"first_steps {self.first_steps} leave nothing of steps {training['steps']} in "
                "which the student learns"
            )
        return None


class BornAgain(Method):
    """First the peer, L_label(y, y_p); then the student, L_label(y, y_g) + weight *
    L_logit(y_g, y_p), with the peer as it is by then (section 3, "KD + label").
    """

    Settings = BornAgainSettings
    has_teacher, has_peers, together = False, True, False

    def trains(self, step):
        """The peer, then the student."""
        first = step < self.settings.first_steps
        return not first, first

    def loss(self, batch, student, teachers, step):
        """See the class."""
        s, peer = self.settings, self.only(self.peers)
        if self.trains(step)[1]:
            return Loss({"label": self.objective.label_loss(peer(batch).output, batch.target)})
        import torch

        peer.eval()
        with torch.no_grad():
            taught = peer(batch).output
        output = student(batch).output
        logit = self.objective.logit_loss(output, taught, s.temperature)
        label = self.objective.label_loss(output, batch.target)
        return Loss({"label": label, "logit": s.weight * logit})
