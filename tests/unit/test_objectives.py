import numpy as np
import pytest
import torch
import toys  # noqa: F401  one thread
from torch.nn import functional as F

from talking_models.models.layers import Layers, Streams
from talking_models.objectives import ClassObjective, RatingObjective


def layers_of(stacked: bool) -> Layers:
    return Layers(Streams((0, 1, 2) if stacked else (0,), "test", stacked))


def logits(stacked: bool, seed: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    shape = (3, 8, 5) if stacked else (8, 5)
    return 4 * torch.randn(*shape, generator=draw, dtype=torch.float64)


def per_model(stacked: bool, loss, *tensors) -> torch.Tensor:
    """`loss` of each model of the stack on its own."""
    return (
        torch.stack([loss(*t) for t in zip(*tensors, strict=True)]) if stacked else loss(*tensors)
    )


@pytest.mark.parametrize("stacked", [True, False])
def test_the_loss_of_a_rating_is_the_mean_squared_error(stacked):
    objective, y, z = RatingObjective(layers_of(stacked)), logits(stacked, 0), logits(stacked, 1)
    torch.testing.assert_close(objective.label_loss(y, z), per_model(stacked, F.mse_loss, y, z))


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("stacked", [True, False])
def test_the_logit_loss_of_a_rating_is_the_mean_squared_error_at_any_temperature(
    stacked, temperature
):
    objective, y, z = RatingObjective(layers_of(stacked)), logits(stacked, 0), logits(stacked, 1)
    found = objective.logit_loss(y, z, temperature)
    torch.testing.assert_close(found, per_model(stacked, F.mse_loss, y, z))


@pytest.mark.parametrize("stacked", [True, False])
def test_the_label_loss_of_classes_is_cross_entropy(stacked):
    objective, z = ClassObjective(layers_of(stacked)), logits(stacked, 0)
    target = torch.randint(0, 5, z.shape[:-1], generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(
        objective.label_loss(z, target), per_model(stacked, F.cross_entropy, z, target)
    )


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("stacked", [True, False])
def test_the_logit_loss_of_classes_is_t_squared_kl_from_the_teacher(stacked, temperature):
    objective = ClassObjective(layers_of(stacked))
    student, teacher = logits(stacked, 0), logits(stacked, 1)

    def kl(student, teacher):
        return temperature**2 * F.kl_div(
            F.log_softmax(student / temperature, -1),
            F.softmax(teacher / temperature, -1),
            reduction="batchmean",
        )

    found = objective.logit_loss(student, teacher, temperature)
    torch.testing.assert_close(found, per_model(stacked, kl, student, teacher))


def test_the_logit_loss_of_classes_by_hand():
    """Student 1/2 and 1/2, teacher 3/4 and 1/4: KL(teacher || student) = ln 2 - H(teacher)."""
    objective = ClassObjective(layers_of(False))
    student = torch.zeros(1, 2, dtype=torch.float64)
    teacher = torch.tensor([[np.log(3.0), 0.0]], dtype=torch.float64)
    wanted = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    assert objective.logit_loss(student, teacher, 1.0).item() == pytest.approx(wanted, rel=1e-12)
    swapped = objective.logit_loss(teacher, student, 1.0).item()
    assert swapped == pytest.approx(0.5 * np.log(2 / 3) + 0.5 * np.log(2), rel=1e-12)


def test_at_a_high_temperature_the_logit_loss_is_half_the_variance_of_the_difference():
    """T^2 KL tends to Var(z_h - z_g) / 2, the variance over the classes."""
    objective = ClassObjective(layers_of(False))
    student, teacher = logits(False, 0), logits(False, 1)
    wanted = (teacher - student).var(-1, correction=0).mean() / 2
    torch.testing.assert_close(
        objective.logit_loss(student, teacher, 1e4), wanted, rtol=1e-3, atol=0
    )


def test_a_loss_of_other_shapes_is_refused():
    with pytest.raises(ValueError, match="shapes"):
        RatingObjective(layers_of(False)).label_loss(torch.zeros(4, 1), torch.zeros(4))
