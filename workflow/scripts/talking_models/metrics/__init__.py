"""The metrics, one file each; see `talking_models.metrics.base`."""

from talking_models.registry import Registry

METRICS = Registry("talking_models.metrics", "Metric")
