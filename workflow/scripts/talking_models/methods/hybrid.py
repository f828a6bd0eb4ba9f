"""Hybrid: label and feature distillation together (Zhu & Wang, 2021)."""

from typing import Literal

from pydantic import Field

from talking_models.methods.base import Method, MethodSettings, tuned
from talking_models.methods.fd import FD, FDSettings
from talking_models.methods.ld import LD, LDSettings


class HybridSettings(MethodSettings):
    """Hyper-parameters of hybrid distillation."""

    logit_weight: float = tuned(1.0, "Weight a of L_logit.", low=0.1, high=30)
    feature_weight: float = tuned(0.1, "Weight b of L_feature.", low=0.03, high=30)
    temperature: float = LDSettings.model_fields["temperature"]
    distance: Literal["partial_l2", "l2"] = FDSettings.model_fields["distance"]
    gate: Literal["off", "grad_cos"] = Field(
        "off",
        description="`grad_cos` drops a distillation loss in a step where the cosine between its "
        "gradient and the label loss's, over the student, is below `phi`.",
    )
    phi: float = Field(0.0, ge=-1, le=1, description="Threshold of the gate.")

    def idle(self, family, others):
        """Without a gate it has no threshold."""
        found = super().idle(family, others)
        return found | ({"phi": "beside gate off"} if self.gate == "off" else {})


class Hybrid(Method):
    """L = L_label(y, y_g) + a * L_logit + b * L_feature, each optionally behind a gate.

    The paper describes the weighted sum; Zhu & Wang's own method is the gate.
    """

    Settings = HybridSettings

    def build(self, layers, student, teachers):
        """The modules of FD; LD has none."""
        s = self.settings
        # taken as they are: they are valid, and a weight may be one of each model
        ld = LDSettings.model_construct(weight=s.logit_weight, temperature=s.temperature)
        fd = FDSettings.model_construct(weight=s.feature_weight, distance=s.distance)
        self.ld = LD(ld, self.objective, layers, student, teachers)
        self.fd = FD(fd, self.objective, layers, student, teachers)

    def prepare(self, states):
        """FD's margins."""
        self.fd.prepare(states)

    def terms(self, student, teacher):
        """Those of LD and of FD."""
        return self.ld.terms(student, teacher) | self.fd.terms(student, teacher)

    def loss(self, batch, student, teachers, step):
        """See `Method.loss`."""
        loss = super().loss(batch, student, teachers, step)
        if self.settings.gate == "grad_cos":
            label = loss.parts["label"]
            for name in ("logit", "feature"):
                cosine = gradient_cosine(label, loss.parts[name], student.backbone())
                loss.monitors[f"{name}_cosine"] = cosine
                loss.parts[name] = loss.parts[name] * (cosine >= self.settings.phi)
        return loss


def gradient_cosine(a, b, parameters):
    """Cosine between the gradients of two losses (S,), or scalars, over `parameters`, tensors
    whose first axis is the stack's if a and b have one: as `a`; 0 where a gradient vanishes.
    """
    import torch

    def gradients(loss):
        found = torch.autograd.grad(
            loss.sum(), parameters, retain_graph=True, materialize_grads=True
        )
        return torch.cat([g.to_dense().reshape(*loss.shape, -1) for g in found], -1)

    return torch.cosine_similarity(gradients(a), gradients(b), dim=-1)
