"""The distillation methods, one file each, in this package or in a plugin folder.

Methods are imported one by one, so that a job depends on its own method's file and on no other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from talking_models.methods.base import Each, Method
from talking_models.registry import Registry

if TYPE_CHECKING:
    from talking_models.models.layers import Layers
    from talking_models.objectives import Objective

METHODS = Registry("talking_models.methods", "Method")


def among(method: str, teachers: Collection[str], peers: Collection[str] = ()) -> str:
    """The method that runs where one is asked for: with several teachers, or peers, that which
    takes its place, see `Method.among`.
    """
    several = peers or len(teachers) > 1
    return (several and METHODS.get(method).among) or method


def build(
    config: Mapping[str, Any],
    objective: Objective,
    layers: Layers,
    student: Any,
    teachers: Mapping[str, Any],
    peers: Mapping[str, Any] | None = None,
) -> Method:
    """The method of a job, by its effective config, for models that have `widths`; see `among`.

    Where `of_each` is in it, that has settings of each model of a stack, see `base.Weights`.
    """
    peers = peers or {}
    cls = METHODS.get(among(config["method"], teachers, peers))
    widths = {name: teacher.widths for name, teacher in teachers.items()}
    weights = config.get("weights")
    settings = cls.Settings(**config["settings"]).of_each(config.get("of_each", {}))
    given = (settings, objective, layers, student.widths, widths)
    if len(teachers) > 1 and not cls.has_peers:
        return Each(cls, *given, weights)
    return cls(*given, peers, weights)
