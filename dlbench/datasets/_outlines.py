"""Outlines of plane shapes as signed distances: negative inside, positive outside, zero on the edge.

Each function takes coordinates (across, down) in which the shape fits the circle of radius 1 about the origin, and
returns about how far each point is from the edge (exactly so near straight edges). Knows no pixels and no colours.
"""

import math
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
"""Single precision; the type says less because numpy's own signatures do."""

# Rounded, so that no machine's last bit of a sine gets into an image.
_FIVE = [(round(math.cos(turn), 6), round(math.sin(turn), 6)) for turn in (math.tau * k / 5 for k in range(5))]
_THREE = [(round(math.cos(turn), 6), round(math.sin(turn), 6)) for turn in (math.tau * k / 3 for k in range(3))]


def circle(x: Floats, y: Floats) -> Floats:
    """Radius 0.9."""
    return _from(x, y) - 0.9


def triangle(x: Floats, y: Floats) -> Floats:
    """Equilateral, corners at radius 1."""
    return reduce(_both, _along(x, y, _THREE)) - 0.5


def square(x: Floats, y: Floats) -> Floats:
    """Sides of 1.4, corners at radius 0.99."""
    return _both(np.abs(x), np.abs(y)) - 0.7


def pentagon(x: Floats, y: Floats) -> Floats:
    """Regular, corners at radius 1."""
    return reduce(_both, _along(x, y, _FIVE)) - 0.809017


def star(x: Floats, y: Floats) -> Floats:
    """Pentagram, tips at radius 1: the points that lie beyond one of its five lines at most."""
    first, second, *others = _along(x, y, _FIVE)
    farthest, next_to_it = _both(first, second), _either(first, second)
    for other in others:
        next_to_it = _both(next_to_it, _either(farthest, other))
        farthest = _both(farthest, other)
    return next_to_it - 0.309017


def cross(x: Floats, y: Floats) -> Floats:
    """Two bars of 1.8 by 0.56."""
    x, y = np.abs(x), np.abs(y)
    return _either(_both(x - 0.9, y - 0.28), _both(x - 0.28, y - 0.9))


def ring(x: Floats, y: Floats) -> Floats:
    """From radius 0.5 to 0.9."""
    radius = _from(x, y)
    return _both(radius - 0.9, 0.5 - radius)


def crescent(x: Floats, y: Floats) -> Floats:
    """A circle of radius 0.95 less one of radius 0.75 about (0.45, 0)."""
    return _both(_from(x, y) - 0.95, 0.75 - _from(x - 0.45, y))


def heart(x: Floats, y: Floats) -> Floats:
    """A square of side 1, its tip at (0.5, 0.5), and circles about the middles of the two sides away from the tip."""
    return _either(_both(np.abs(x), np.abs(y)), _either(_from(x + 0.5, y), _from(x, y + 0.5))) - 0.5


def arrow(x: Floats, y: Floats) -> Floats:
    """Shaft from -0.95 to 0.1, and a head from 0 to the tip at (1, 0)."""
    y = np.abs(y)
    shaft = _both(np.abs(x + 0.425) - 0.525, y - 0.18)
    head = _both(-x, 0.573462 * (x - 1) + 0.819232 * y)  # its edges fall by 0.7 a unit
    return _either(shaft, head)


OUTLINES: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    outline.__name__: outline
    for outline in (circle, triangle, square, pentagon, star, cross, ring, crescent, heart, arrow)
}


def _from(x: Floats, y: Floats) -> Floats:
    """Distance from the origin."""
    distance: Floats = np.sqrt(x * x + y * y)
    return distance


def _along(x: Floats, y: Floats, directions: list[tuple[float, float]]) -> list[Floats]:
    """How far each point lies in each direction."""
    return [cosine * x + sine * y for cosine, sine in directions]


def _both(first: Floats, second: Floats) -> Floats:
    """What lies in both of two shapes."""
    distance: Floats = np.maximum(first, second)
    return distance


def _either(first: Floats, second: Floats) -> Floats:
    """What lies in either of two shapes."""
    distance: Floats = np.minimum(first, second)
    return distance
