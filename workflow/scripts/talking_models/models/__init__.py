"""Models: a kind is a file with a `ModelKind`; every model is lower, upper and head (`base`)."""

from talking_models.registry import Registry

MODELS = Registry("talking_models.models", "ModelKind")
