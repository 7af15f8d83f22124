"""An axis as a scale from 0 to 1: which value lies at a share of it, and at which share a value lies.

Choices and whole numbers have cells of equal width; a logarithmic range is even in the logarithm, its whole numbers
from half a step below to half a step above. Knows nothing of samplers.
"""

import math
from typing import cast

from dlbench.schema.base import Json
from dlbench.schema.space import Axis

BELOW_ONE = math.nextafter(1.0, 0.0)


def step_of(axis: Axis) -> float | int | None:
    """Distance of neighbouring values of a range; None for choices and for a range of endlessly many values."""
    if axis.choices is not None:
        return None
    return 1 if axis.integer and axis.step is None else axis.step


def count(axis: Axis) -> int | None:
    """How many values an axis has; None: endlessly many."""
    if axis.choices is not None:
        return len(axis.choices)
    low, high, step = *ends(axis), step_of(axis)
    if step is None:
        return 1 if low == high else None
    return math.floor((high - low) / step + 1e-9) + 1


def ends(axis: Axis) -> tuple[float | int, float | int]:
    """Both ends of a range."""
    return cast(float | int, axis.low), cast(float | int, axis.high)


def nth(axis: Axis, number: int) -> Json:
    """The value at a place, from 0, of an axis with so many values at least."""
    if axis.choices is not None:
        return axis.choices[number]
    low, high = ends(axis)
    value = min(low + number * (step_of(axis) or 0), high)
    return int(value) if axis.integer else value


def place(axis: Axis, value: Json) -> int:
    """The place of a value on an axis that has places; between two of a range, the nearer one.

    Raises:
        StopIteration: it is none of the choices.
    """
    if axis.choices is not None:
        return next(i for i, choice in enumerate(axis.choices) if same(choice, value))
    steps: float = (value - ends(axis)[0]) / (step_of(axis) or 1)
    return round(steps)


def same(one: Json, other: Json) -> bool:
    """Whether two values are equal and of one kind: 1, 1.0 and true differ, within lists too."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and bool(one == other)


def at(axis: Axis, share: float) -> Json:
    """The value at a share in [0, 1)."""
    many = count(axis)
    if many is not None and not axis.log:
        return nth(axis, min(int(share * many), many - 1))
    bottom, top = _ends_of_log(axis) if axis.log else ends(axis)
    number = bottom + share * (top - bottom)
    number = math.exp(number) if axis.log else number
    if many is not None:
        return nth(axis, min(max(place(axis, number), 0), many - 1))
    low, high = ends(axis)
    return float(min(max(number, low), high))


def where(axis: Axis, value: Json) -> float:
    """The share in [0, 1) at which a value lies; the middle of its cell where it has one."""
    many = count(axis)
    if many is not None and not axis.log:
        return (place(axis, value) + 0.5) / many
    bottom, top = _ends_of_log(axis) if axis.log else ends(axis)
    number = math.log(value) if axis.log else value
    return min(max((number - bottom) / (top - bottom), 0.0), BELOW_ONE) if top > bottom else 0.0


def _ends_of_log(axis: Axis) -> tuple[float, float]:
    low, high = ends(axis)
    half = (step_of(axis) or 0) / 2
    return math.log(low - half if low > half else low / 2), math.log(high + half)
