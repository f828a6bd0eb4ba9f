"""What a method is: settings with a search space, modules of its own, and one loss.

Nothing here or in a method's file imports torch at the top: the workflow reads the settings while
it builds its DAG, where torch would cost seconds on every call. Tensors bring their own operations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from talking_models.strict import tuned

if TYPE_CHECKING:
    from torch import Tensor, nn

    from talking_models.models.base import LayeredModel, States, Widths
    from talking_models.models.layers import Layers
    from talking_models.objectives import Objective


__all__ = ["Each", "Loss", "Method", "MethodSettings", "Once", "Parts", "tuned"]


class NotAFactor(TypeError):
    """A weight of each model of a stack was asked for more than a factor can be."""


class Weights(float):
    """A weight of each model of a stack, in `weight * part` of a loss; as a number, the first's.

    So a method's file is the same for one weight and for many. `NotAFactor` where it is no factor.
    """

    values: tuple[float, ...]

    def __new__(cls, values: Iterable[float]) -> Weights:
        """Of values of which all are 0, or none: a method may ask whether there is a weight."""
        values = tuple(values)
        self = super().__new__(cls, values[0])
        self.values = values
        return self

    def __mul__(self, part: Any) -> Tensor:
        if not hasattr(part, "new_tensor"):
            self._refuse()
        return part.new_tensor(self.values) * part

    __rmul__ = __mul__

    @staticmethod
    def _refuse(*_: Any, **__: Any) -> Any:
        raise NotAFactor("a weight of each model of a stack can be a factor of a loss alone")

    __add__ = __radd__ = __sub__ = __rsub__ = __truediv__ = __rtruediv__ = _refuse
    __pow__ = __rpow__ = __neg__ = __float__ = _refuse

    __torch_function__ = _refuse  # else torch would take it for a number


NO_CLASSES = "on ratings, which have no classes"


class MethodSettings(BaseModel):
    """Hyper-parameters of a method; subclasses add fields, most of them with `tuned`."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def of_each(self, values: Mapping[str, Iterable[float]]) -> MethodSettings:
        """The same with a weight of each model of a stack for some names."""
        return self.model_copy(update={name: Weights(own) for name, own in values.items()})

    def contradiction(self, training: Mapping[str, Any], family: str) -> str | None:
        """What of the settings can have no effect in a training like this one, of a model of
        `ratings` or `images`, in words.
        """
        return None

    def idle(self, family: str, others: int) -> dict[str, str]:
        """Settings that have no effect beside the others, on `ratings` or `images`, with so many
        teachers and peers; by name, and why, in words that follow "no effect".
        """
        classes = {"temperature"} & type(self).model_fields.keys()
        return dict.fromkeys(classes, NO_CLASSES) if family == "ratings" else {}


@dataclass(frozen=True)
class Loss:
    """The loss of one step; values have one number per model of the stack, (S,), or are scalars."""

    parts: dict[str, Tensor]  # named terms, already weighted, whose sum is minimised
    monitors: dict[str, Tensor] = field(default_factory=dict)  # others, worth a look in the log

    @property
    def total(self) -> Tensor:
        """The sum of the parts."""
        return sum(self.parts.values())


class Parts:
    """Something made of modules, and of other such things: knows its modules by name."""

    def modules(self) -> Iterator[tuple[str, nn.Module]]:
        """The modules, by name; those of a part, or in a dict, come with its name before theirs."""
        yield from _modules(vars(self))


def _modules(parts: Mapping[str, Any]) -> Iterator[tuple[str, nn.Module]]:
    for name, value in parts.items():
        inner = vars(value) if isinstance(value, Parts) else value
        if isinstance(inner, dict):
            yield from ((f"{name}_{own}", module) for own, module in _modules(inner))
        elif hasattr(value, "parameters"):
            yield name, value


class Method(Parts):
    """Base of every method: its modules come from `build`, its loss from `terms` or `loss`.

    `objective` has the label loss and the logit distance. `d(target, response)` is the distance of
    two states, relative to the target's variance, and `mean_squared` the plain one: one value per
    model of the stack. `layers` makes what is trained besides the student. `peers` are models that
    learn beside it, and are dropped as all other modules; `weights` are those of teachers and peers
    where there are several, by id.
    """

    Settings: ClassVar[type[MethodSettings]] = MethodSettings
    has_teacher: ClassVar[bool] = True
    has_peers: ClassVar[bool] = False  # whether models can learn beside the student, in its job
    together: ClassVar[bool] = True  # whether they learn in the same steps
    among: ClassVar[str | None] = None  # the method of several teachers or peers; None: `Each`

    def __init__(
        self,
        settings: MethodSettings,
        objective: Objective,
        layers: Layers,
        student: Widths,
        teachers: Mapping[str, Widths],
        peers: Mapping[str, LayeredModel] | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.settings, self.objective = settings, objective
        self.peers = dict(peers or {})
        self.weights = dict.fromkeys((*teachers, *self.peers), 1.0) | (weights or {})
        self.d, self.mean_squared = layers.relative, layers.mean_squared
        self.standardised, self.variance = layers.standardised, layers.variance
        self.spread = layers.spread
        self.build(layers, student, teachers)

    @staticmethod
    def only(teachers: Mapping[str, Any]) -> Any:
        """The teacher of a method that has one; a ValueError where there are none, or several."""
        if len(teachers) != 1:
            raise ValueError(f"this method has one teacher, not {', '.join(teachers) or 'none'}")
        return next(iter(teachers.values()))

    def build(self, layers: Layers, student: Widths, teachers: Mapping[str, Widths]) -> None:
        """Make the modules that are trained with the student and dropped at inference."""

    def prepare(self, states: Mapping[str, Iterable[States]]) -> None:
        """Look at each teacher's states on the training rows once, before the first step.

        The iterables are lazy: a method that does not read one costs no teacher forward.
        """

    def trains(self, step: int) -> tuple[bool, bool]:
        """Whether the student and the method's own modules are trained at `step` (0, 1, ...)."""
        return True, True

    def terms(self, student: States, teacher: States) -> dict[str, Tensor]:
        """What the states of student and only teacher add to the label loss, weighted: terms by
        name, each (S,) of a stack or a scalar of a single model.
        """
        raise NotImplementedError

    def loss(
        self, batch: Any, student: LayeredModel, teachers: Mapping[str, LayeredModel], step: int
    ) -> Loss:
        """The loss on one batch: L_label(y, y_g), and where there is a teacher, `terms`.

        Args:
            batch: inputs, which are the models' business, and `target`.
            student: `student(batch)` gives its `States`; gradients flow.
            teachers: by id; `teacher(batch)` gives its `States` without gradient,
                `teacher.upper(low)` lets gradients through to `low`. Its weights are frozen.
            step: number of steps taken before.
        """
        states = student(batch)
        parts = {"label": self.objective.label_loss(states.output, batch.target)}
        if self.has_teacher:
            parts |= self.terms(states, self.only(teachers)(batch))
        return Loss(parts)


class Once:
    """A model whose states of one batch are computed once, whoever asks."""

    def __init__(self, model: LayeredModel) -> None:
        self.model, self.states = model, None

    def __call__(self, batch: Any) -> States:
        """The states of the batch, which is always the same."""
        if self.states is None:
            self.states = self.model(batch)
        return self.states

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


class Each(Method):
    """A method of one teacher with several: modules for each, and of what they add to the label
    loss the weighted mean.
    """

    def __init__(
        self,
        method: type[Method],
        settings: MethodSettings,
        objective: Objective,
        layers: Layers,
        student: Widths,
        teachers: Mapping[str, Widths],
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(settings, objective, layers, student, teachers, weights=weights)
        self.each = {
            id: method(settings, objective, layers, student, {id: widths})
            for id, widths in teachers.items()
        }

    def prepare(self, states: Mapping[str, Iterable[States]]) -> None:
        """Each with its teacher."""
        for id, method in self.each.items():
            method.prepare({id: states[id]})

    def trains(self, step: int) -> tuple[bool, bool]:
        """As one of them: the settings are the same."""
        return next(iter(self.each.values())).trains(step)

    def loss(
        self, batch: Any, student: LayeredModel, teachers: Mapping[str, LayeredModel], step: int
    ) -> Loss:
        """See `Method.loss`."""
        once, total = Once(student), sum(self.weights.values())
        found = [
            (method.loss(batch, once, {id: teachers[id]}, step), self.weights[id] / total)
            for id, method in self.each.items()
        ]
        first = found[0][0]
        parts, monitors = (
            {
                name: sum(share * getattr(loss, kind)[name] for loss, share in found)
                for name in getattr(first, kind)
                if name != "label"
            }
            for kind in ("parts", "monitors")
        )
        label = {"label": first.parts["label"]} if "label" in first.parts else {}
        return Loss(label | parts, monitors)
