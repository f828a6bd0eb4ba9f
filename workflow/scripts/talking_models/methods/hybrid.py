"""Hybrid: label and feature distillation together (Zhu & Wang, 2021)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from talking_models.methods.base import Loss, Method, MethodSettings, tuned
from talking_models.methods.fd import FD, FDSettings
from talking_models.methods.ld import LD, LDSettings


class HybridSettings(MethodSettings):
    """Hyper-parameters of hybrid distillation."""

    logit_weight: float = tuned(1.0, "Weight a of L_logit.", low=0.1, high=10)
    feature_weight: float = tuned(0.1, "Weight b of L_feature.", low=0.01, high=1)
    temperature: float = LDSettings.model_fields["temperature"]
    distance: Literal["partial_l2", "l2"] = FDSettings.model_fields["distance"]
    gate: Literal["off", "grad_cos"] = Field(
        "off",
        description="`grad_cos` drops a distillation loss in a step where the cosine between its "
        "gradient and the label loss's, over the student, is below `phi`.",
    )
    phi: float = Field(0.0, ge=-1, le=1, description="Threshold of the gate.")


class Hybrid(Method):
    """L = L_label(y, y_g) + a * L_logit + b * L_feature, each optionally behind a gate.

    The paper describes the weighted sum; Zhu & Wang's own method is the gate.
    """

    Settings = HybridSettings

    def build(self, layers, student, teachers):
        """The modules of FD; LD has none."""
        s = self.settings
        ld = LDSettings(weight=s.logit_weight, temperature=s.temperature)
        fd = FDSettings(weight=s.feature_weight, distance=s.distance)
        self.ld = LD(ld, self.objective, layers, student, teachers)
        self.fd = FD(fd, self.objective, layers, student, teachers)

    def prepare(self, states):
        """FD's margins."""
        self.fd.prepare(states)

    def loss(self, batch, student, teachers, step):
        """See `Method.loss`."""
        states, taught = student(batch), self.only(teachers)(batch)
        label = self.objective.label_loss(states.output, batch.target)
        terms = {
            "logit": self.settings.logit_weight * self.ld.logit_loss(states, taught),
            "feature": self.settings.feature_weight * self.fd.feature_loss(states, taught),
        }
        monitors = {}
        if self.settings.gate == "grad_cos":
            for name, term in terms.items():
                cosine = gradient_cosine(label, term, student.backbone())
                monitors[f"{name}_cosine"] = cosine
                terms[name] = term * (cosine >= self.settings.phi)
        return Loss({"label": label, **terms}, monitors)


def gradient_cosine(a, b, parameters):
    """Cosine between the gradients of two losses over the student's backbone.

    Args:
        a, b: losses of shape (S,), or scalars.
        parameters: tensors whose first axis is the stack's, if a and b have one.

    Returns:
        Shape of `a`; 0 where a gradient vanishes.
    """
    import torch

    def gradients(loss):
        found = torch.autograd.grad(
            loss.sum(), parameters, retain_graph=True, materialize_grads=True
        )
        return torch.cat([g.to_dense().reshape(*loss.shape, -1) for g in found], -1)

    return torch.cosine_similarity(gradients(a), gradients(b), dim=-1)
