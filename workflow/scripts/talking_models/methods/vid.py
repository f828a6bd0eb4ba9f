"""VID: the student's states tell much of the teacher's (Ahn et al., 2019)."""

from pydantic import Field

from talking_models.methods.base import Method, MethodSettings, tuned

SMALL = 1e-5  # the least variance


class VIDSettings(MethodSettings):
    """Hyper-parameters of variational information distillation."""

    weight: float = tuned(0.1, "Weight lambda of both states' terms.", low=0.03, high=30)
    variance: float = Field(
        1.0,
        gt=0,
        description="Variance that each channel's prediction has at the start. 1 is that of the "
        "teacher's states: right of a student that knows nothing, and near enough to what is "
        "learnt, as it moves by no more than about the learning rate in a step.",
    )


class VID(Method):
    """L = L_label(y, y_g) - lambda * sum over both states of log q(t | s) (equations 4 and 5).

    q is normal, its mean mu(s) three linear layers with ReLU between them, its variance one learnt
    number for each channel, softplus(alpha_c). The mean over channels is taken, and the constant
    left out. The teacher's states are divided by their standard deviation, of each batch over all
    channels, so that `variance` means the same for every teacher, and starts at 1, where the
    authors' starts at 5 (ours).
    """

    Settings = VIDSettings

    def build(self, layers, student, teachers):
        """mu: (..., 128) -> (..., 512) and (..., 64) -> (..., 256) on MovieLens, and alpha."""
        import torch

        teacher, start = self.only(teachers), torch.tensor(self.settings.variance - SMALL)
        alpha = start.expm1().log()
        self.mean, self.stack = layers.mean, layers.init.shape
        widths = (student.low, teacher.low), (student.high, teacher.high)
        self.low, self.high = (self.predictor(layers, *each) for each in widths)
        self.alpha = torch.nn.ParameterDict(
            {
                name: torch.nn.Parameter(alpha.repeat(*self.stack, 1, theirs))
                for name, (_, theirs) in zip(("low", "high"), widths, strict=True)
            }
        )

    @staticmethod
    def predictor(layers, ours, theirs):
        """mu."""
        relu, linear = layers.relu_dropout(0.0), layers.linear
        sizes = (ours, theirs), (theirs, theirs), (theirs, theirs)
        first, second, third = (linear(*each) for each in sizes)
        return layers.sequential(first, relu, second, relu, third)

    def surprise(self, target, response, alpha):
        """- log q(t | s), mean over channels, without its constant."""
        import torch

        ones = (1,) * (target.dim() - len(self.stack) - 1)
        unit = self.variance(target).sqrt().view(*self.stack, *ones, 1)
        variance = (torch.nn.functional.softplus(alpha) + SMALL).view(*self.stack, *ones, -1)
        apart = (target / unit - response).square()
        return 0.5 * self.mean(apart / variance + variance.log())

    def terms(self, student, teacher):
        """See the class."""
        low = self.surprise(teacher.low, self.low(student.low), self.alpha["low"])
        high = self.surprise(teacher.high, self.high(student.high), self.alpha["high"])
        return {"information": self.settings.weight * (low + high)}
