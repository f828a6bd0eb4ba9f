"""RKD: examples are as far apart for the student as for the teacher (Park et al., 2019)."""

from talking_models.methods.base import Method, MethodSettings, tuned

SMALL = 1e-12


class RKDSettings(MethodSettings):
    """Hyper-parameters of relational knowledge distillation."""

    weight: float = tuned(1.0, "Weight lambda of the distances' term.", low=0.03, high=300)


class RKD(Method):
    """L = L_label(y, y_g) + lambda * L_D (equations 4 to 6, the distance-wise term).

    L_D is Huber's loss between psi_D of the teacher and of the student, over all pairs of a batch;
    psi_D is the Euclidean distance of two higher states, in units of its mean over the pairs.
    """

    Settings = RKDSettings

    def build(self, layers, student, teachers):
        """No modules."""
        self.axes, self.mean = int(layers.stacked), layers.mean

    def distances(self, high):
        """psi_D: (*stack, B, ...) -> (*stack, B, B); all tokens of an example are one vector."""
        import torch

        flat = high.float().flatten(self.axes + 1)
        squares = flat.square().sum(-1)
        with torch.autocast(flat.device.type, enabled=False):
            products = flat @ flat.mT
        apart = squares.unsqueeze(-1) + squares.unsqueeze(-2) - 2 * products
        others = ~torch.eye(flat.shape[-2], dtype=torch.bool, device=flat.device)
        apart = torch.where(others, apart.clamp(min=SMALL), 1).sqrt() * others
        pairs = others.sum()
        return apart / (apart.sum((-2, -1), keepdim=True) / pairs)

    def terms(self, student, teacher):
        """See the class."""
        from torch.nn.functional import smooth_l1_loss

        ours, theirs = self.distances(student.high), self.distances(teacher.high)
        apart = self.mean(smooth_l1_loss(ours, theirs, reduction="none"))
        return {"distances": self.settings.weight * apart}
