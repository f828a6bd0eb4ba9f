"""The distillation methods, one file each.

A module of this package whose name does not start with an underscore is a method of that name. It
holds one subclass of `Method` with its `Settings`; writing the file is all it takes to use it in
`config/experiments.yaml`. Methods are imported one by one, so that a job depends on its own
method's file and on no other.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from talking_models.methods._base import Method, MethodSettings

if TYPE_CHECKING:
    from talking_models.models.base import WithWidths
    from talking_models.models.layers import Layers
    from talking_models.tasks import Task

__all__ = ["Method", "MethodSettings", "build", "method_class", "names", "settings_class"]


def names() -> list[str]:
    """The methods there are, sorted by name."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def method_class(name: str) -> type[Method]:
    """The `Method` subclass that `methods/<name>.py` defines.

    Raises:
        KeyError: no such file; the message lists the methods there are.
        TypeError: the file defines no method, or more than one.
    """
    if name not in names():
        raise KeyError(f"no method {name!r}; there are {', '.join(names())}")
    module = importlib.import_module(f"{__name__}.{name}")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Method)
        and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} must define one subclass of Method, not {len(found)}")
    return found[0]


def settings_class(name: str) -> type[MethodSettings]:
    """The hyper-parameters of method `name`; raises as `method_class`."""
    return method_class(name).Settings


def build(
    config: Mapping[str, Any],
    task: Task,
    layers: Layers,
    student: WithWidths,
    teacher: WithWidths | None,
) -> Method:
    """The method of a job, `config` being its effective config: `method` and `settings`.

    A method without a teacher is built with the student's widths for both.
    """
    cls = method_class(config["method"])
    settings = cls.Settings(**config["settings"])
    widths = (student if teacher is None else teacher).widths
    return cls(settings, task, layers, student.widths, widths)
