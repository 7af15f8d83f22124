"""The axes of a space as Optuna's distributions, and values as the parameters of these.

Optuna compares choices by `==`, warns of lists and of ranges that a step does not divide, and has no steps in a
logarithmic range. So it is given the places of choices and of steps as whole numbers: nothing of this can go wrong
then, and samplers see the same distances. Knows nothing of samplers and studies.
"""

from collections.abc import Mapping

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from dlbench.schema.base import Json
from dlbench.schema.space import Axis, Point, Space
from dlbench.strategies._scale import count, ends, nth, place, step_of


class Code:
    """One axis for Optuna.

    Attributes:
        first: the parameter of a stepped range's lowest value: 0, or in a logarithmic range so many steps as its low
            end is from 0, which makes parameters proportional to values.
    """

    def __init__(self, axis: Axis) -> None:
        self.axis = axis
        self.first = 0
        self.distribution: BaseDistribution
        step, many = step_of(axis), count(axis)
        if axis.choices is not None:
            self.distribution = CategoricalDistribution(tuple(range(len(axis.choices))))
        elif step is None or many is None:
            low, high = ends(axis)
            self.distribution = FloatDistribution(low, high, log=axis.log)
        else:
            self.first = max(1, round(ends(axis)[0] / step)) if axis.log else 0
            self.distribution = IntDistribution(self.first, self.first + many - 1, log=axis.log)

    def parameter(self, value: Json) -> int | float:
        """What Optuna is told of a value."""
        if isinstance(self.distribution, FloatDistribution):
            return float(value)
        return self.first + place(self.axis, value)

    def value(self, parameter: int | float) -> Json:
        """The value that Optuna's parameter stands for."""
        if isinstance(self.distribution, FloatDistribution):
            return float(parameter)
        return nth(self.axis, int(parameter) - self.first)


class Codes:
    """All axes of a space for Optuna."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self.codes = {axis.name: Code(axis) for axis in space.axes}

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        """Axis → distribution, of those with more than one value: Optuna itself fills in the others."""
        return {name: code.distribution for name, code in self.codes.items() if not code.distribution.single()}

    def parameters(self, point: Mapping[str, Json]) -> dict[str, int | float]:
        """A candidate as Optuna's parameters."""
        return {name: self.codes[name].parameter(value) for name, value in point.items()}

    def point(self, parameters: Mapping[str, int | float]) -> Point:
        """Optuna's parameters as a candidate, in the order of the space."""
        return {name: code.value(parameters[name]) for name, code in self.codes.items() if name in parameters}
