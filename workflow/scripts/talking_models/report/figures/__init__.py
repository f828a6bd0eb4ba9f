"""The figures, one file each; see `talking_models.report.figures.base`."""

from talking_models.registry import Registry

FIGURES = Registry("talking_models.report.figures", "Figure")
