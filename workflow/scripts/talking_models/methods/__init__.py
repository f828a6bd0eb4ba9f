"""The distillation methods, one file each, in this package or in a plugin folder.

Methods are imported one by one, so that a job depends on its own method's file and on no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from talking_models.methods.base import Each, Method
from talking_models.registry import Registry

if TYPE_CHECKING:
    from talking_models.models.layers import Layers
    from talking_models.objectives import Objective

METHODS = Registry("talking_models.methods", "Method")


def build(
    config: Mapping[str, Any],
    objective: Objective,
    layers: Layers,
    student: Any,
    teachers: Mapping[str, Any],
    peers: Mapping[str, Any] | None = None,
) -> Method:
    """The method of a job, by its effective config, for models that have `widths`; with several
    teachers, or peers, the one that takes its place, see `Method.among`.
    """
    cls, peers = METHODS.get(config["method"]), peers or {}
    widths = {name: teacher.widths for name, teacher in teachers.items()}
    weights = config.get("weights")
    if cls.among and (peers or len(teachers) > 1):
        cls = METHODS.get(cls.among)
    given = (cls.Settings(**config["settings"]), objective, layers, student.widths, widths)
    if len(teachers) > 1 and not cls.has_peers:
        return Each(cls, *given, weights)
    return cls(*given, peers, weights)
