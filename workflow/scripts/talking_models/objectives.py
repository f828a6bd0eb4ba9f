"""What is learnt: the label loss, and how far a student's output is from a teacher's."""

from torch import Tensor, nn

from talking_models.models.layers import Layers, wide


class RatingObjective:
    """Regression on one number per example: outputs and targets of shape (*stack, B)."""

    def __init__(self, layers: Layers) -> None:
        self.d = layers.mean_squared

    def label_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """L_label(y, y_g): mean squared error, one value per model."""
        return self.d(output, target)

    def logit_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """L_logit(y_g, y_h): mean squared difference, the limit of soft labels at high T."""
        return self.d(student, teacher)


class ClassObjective:
    """One of C classes: outputs (*stack, B, C), targets (*stack, B) int64."""

    def __init__(self, layers: Layers) -> None:
        self.mean = layers.mean

    def label_loss(self, output: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy."""
        losses = nn.functional.cross_entropy(
            output.flatten(0, -2), target.flatten(), reduction="none"
        )
        return self.mean(losses.view(target.shape))

    def logit_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """T^2 KL(softmax(z_h / T) || softmax(z_g / T)) (Hinton et al., 2015)."""
        log_student = (wide(student) / temperature).log_softmax(-1)
        log_teacher = (wide(teacher) / temperature).log_softmax(-1)
        divergence = (log_teacher.exp() * (log_teacher - log_student)).sum(-1)
        return temperature**2 * self.mean(divergence)


Objective = RatingObjective | ClassObjective  # the two losses that depend on what the output means
