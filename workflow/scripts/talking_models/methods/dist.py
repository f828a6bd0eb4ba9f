"""DIST: the student's outputs correlate with the teacher's (Huang et al., 2022)."""

from pydantic import Field

from talking_models.methods.base import NO_CLASSES, Method, MethodSettings, tuned

SMALL = 1e-6  # of what varies less nothing can be said


class DISTSettings(MethodSettings):
    """Hyper-parameters of DIST."""

    inter: float = tuned(1.0, "Weight beta of L_inter, of classes alone.", low=0.03, high=30)
    intra: float = tuned(1.0, "Weight gamma of L_intra.", low=0.03, high=30)
    temperature: float = Field(
        1.0, gt=0, description="Softmax temperature of classification; a rating has none."
    )

    def idle(self, family, others):
        """L_inter is of classes, too."""
        found = super().idle(family, others)
        return found | ({"inter": NO_CLASSES} if family == "ratings" else {})


def correlation(a, b, axis):
    """Pearson's, along an axis, which goes; 0, also its gradient, where one of them does not vary,
    as the outputs of a new classifier.
    """
    a, b = (x - x.mean(axis, keepdim=True) for x in (a, b))
    norms = a.norm(dim=axis) * b.norm(dim=axis)
    return (a * b).sum(axis) / norms.where(norms > SMALL, float("inf"))


class DIST(Method):
    """L = L_label(y, y_g) + beta * L_inter + gamma * L_intra (equations 7, 9 and 10).

    L_intra is 1 - rho over the examples of a batch, mean over classes; L_inter is 1 - rho over the
    classes, mean over examples, both of softened classes and times T^2. A rating is as one class
    that is not softened: it has no L_inter.
    """

    Settings = DISTSettings

    def build(self, layers, student, teachers):
        """No modules."""
        self.stacked, self.mean = layers.stacked, layers.mean

    def terms(self, student, teacher):
        """See the class."""
        s = self.settings
        ours, theirs = student.output.float(), teacher.output.float()
        if ours.dim() - self.stacked == 1:
            return {"intra": s.intra * (1 - correlation(ours, theirs, -1))}
        t = s.temperature
        ours, theirs = ((each / t).softmax(-1) for each in (ours, theirs))
        inter, intra = (1 - self.mean(correlation(ours, theirs, axis)) for axis in (-1, -2))
        return {"inter": s.inter * t**2 * inter, "intra": s.intra * t**2 * intra}
