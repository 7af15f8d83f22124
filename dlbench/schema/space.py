"""A search space: axes with their ranges or choices, some only where others have certain values. Pure values."""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from pydantic import model_validator

from dlbench.schema.base import Json, Value

Point = dict[str, Json]
"""A candidate: axis → value, of the axes that apply to it, in the order of the space."""


def shown(value: Json) -> str:
    """A value as a suite would say it, with no more digits than a person needs."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


class Axis(Value):
    """One dimension: a list of choices, or a range of numbers.

    Attributes:
        name: what it sets, as in `vary:`: `train.lr`, `model.layers`, `precision`; or `model`, a contender's label.
        choices: the values of a list; None for a range.
        low: lower end of a range, included.
        high: upper end, included.
        log: whether the range is searched evenly in the logarithm.
        step: distance of neighbouring values from `low` on; None: every number in between.
        integer: whether the range holds whole numbers only.
        when: other axis → the values of it with which this one applies; all must hold.
    """

    name: str
    choices: tuple[Json, ...] | None = None
    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    step: float | int | None = None
    integer: bool = False
    when: dict[str, tuple[Json, ...]] = {}

    @model_validator(mode="after")
    def _one_kind(self) -> "Axis":
        if (self.choices is None) == (self.low is None or self.high is None):
            raise ValueError("an axis has either choices, or low and high")
        return self

    @property
    def values(self) -> tuple[Json, ...] | None:
        """Every value in order; None where there are endlessly many."""
        if self.choices is not None:
            return self.choices
        assert self.low is not None
        assert self.high is not None
        if self.integer and self.step is None:
            return tuple(range(int(self.low), int(self.high) + 1))
        if self.step is None:
            return (self.low,) if self.low == self.high else None
        steps = math.floor((self.high - self.low) / self.step + 1e-9)
        return tuple(min(self.low + number * self.step, self.high) for number in range(steps + 1))  # rounding

    def holds(self, value: Json) -> bool:
        """Whether a value lies on the axis."""
        if self.choices is not None:
            return any(value == choice and type(value) is type(choice) for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        assert self.low is not None
        assert self.high is not None
        whole = not self.integer or value == int(value)
        return whole and self.low <= value <= self.high

    def applies(self, point: Mapping[str, Json]) -> bool:
        """Whether the axis is part of a candidate whose earlier axes are known."""
        return all(name in point and point[name] in allowed for name, allowed in self.when.items())


class Space(Value):
    """Axes, each behind those that its condition names."""

    axes: tuple[Axis, ...]

    @model_validator(mode="after")
    def _parents_first(self) -> "Space":
        seen: set[str] = set()
        for axis in self.axes:
            if not axis.when.keys() <= seen:
                raise ValueError(f"{axis.name} depends on an axis that does not stand before it")
            seen.add(axis.name)
        return self

    def walk(self, choose: Callable[[Axis], Json]) -> Point:
        """A candidate, its axes chosen one after another; those that do not apply are left out."""
        point: Point = {}
        for axis in self.axes:
            if axis.applies(point):
                point[axis.name] = choose(axis)
        return point

    def axis(self, name: str) -> Axis:
        """The axis of that name."""
        return next(axis for axis in self.axes if axis.name == name)

    @cached_property
    def finite(self) -> bool:
        """Whether there is an end to its candidates."""
        return all(axis.values is not None for axis in self.axes)

    def points(self) -> Iterator[Point]:
        """Every candidate of a finite space, the last axis varying fastest."""
        yield from self._below({}, self.axes)

    def _below(self, point: Point, axes: tuple[Axis, ...]) -> Iterator[Point]:
        if not axes:
            yield dict(point)
            return
        axis, *rest = axes
        if not axis.applies(point):
            yield from self._below(point, tuple(rest))
            return
        for value in axis.values or ():
            yield from self._below({**point, axis.name: value}, tuple(rest))

    def size(self, most: int = 100_000) -> int | None:
        """How many candidates there are; None for endlessly many, or for more than `most`."""
        if not self.finite:
            return None
        if not any(axis.when for axis in self.axes):
            count = math.prod(len(axis.values or ()) for axis in self.axes)
            return count if count <= most else None
        count = sum(1 for _ in itertools.islice(self.points(), most + 1))
        return count if count <= most else None

    def complaint(self, point: Mapping[str, Json]) -> str | None:
        """Why a candidate is not of this space; None if it is."""
        seen: Point = {}
        for axis in self.axes:
            if not axis.applies(seen):
                if axis.name in point:
                    return f"{axis.name} does not apply here"
                continue
            if axis.name not in point:
                return f"{axis.name} is missing"
            if not axis.holds(point[axis.name]):
                return f"{axis.name} cannot be {point[axis.name]!r}"
            seen[axis.name] = point[axis.name]
        strange = [name for name in point if name not in seen]
        return f"{strange[0]} is not searched" if strange else None
