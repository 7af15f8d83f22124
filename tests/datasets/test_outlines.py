"""Areas against geometry, and signs at points that anyone can check with a pencil."""

import math

import numpy as np
import pytest

from dlbench.datasets._outlines import OUTLINES

MOON = 0.95**2 * math.acos((0.45**2 + 0.95**2 - 0.75**2) / (2 * 0.45 * 0.95))
BITE = 0.75**2 * math.acos((0.45**2 + 0.75**2 - 0.95**2) / (2 * 0.45 * 0.75))
KITE = math.sqrt((-0.45 + 1.7) * (0.45 + 0.2) * (0.45 - 0.2) * (0.45 + 1.7)) / 2
AREAS = {
    "circle": math.pi * 0.9**2,
    "triangle": 3 * math.sqrt(3) / 4,
    "square": 1.4**2,
    "pentagon": 5 / 2 * math.sin(math.tau / 5),
    "star": 10 / 2 * math.sin(math.pi / 5) * math.cos(2 * math.pi / 5) / math.cos(math.pi / 5),
    "cross": 2 * 1.8 * 0.56 - 0.56**2,
    "ring": math.pi * (0.9**2 - 0.5**2),
    "crescent": math.pi * 0.95**2 - (MOON + BITE - KITE),  # less what two circles share
    "heart": 1 + math.pi * 0.5**2,
    "arrow": 0.7 + 0.95 * 0.36,  # a head 1 long and 1.4 wide; the shaft ends where the head begins
}


@pytest.mark.parametrize("name", OUTLINES)
def test_it_has_its_area_within_the_circle_of_radius_one(name: str) -> None:
    cells = 1500
    ticks = ((np.arange(cells) + 0.5) * (2.2 / cells) - 1.1).astype(np.float32)
    x, y = np.meshgrid(ticks, ticks)
    inside = OUTLINES[name](x, y) <= 0
    assert inside.mean() * 2.2**2 == pytest.approx(AREAS[name], rel=2e-3)
    assert not inside[np.hypot(x, y) > 1.01].any()


@pytest.mark.parametrize("name", OUTLINES)
def test_it_grows_no_faster_than_the_distance(name: str) -> None:
    """One unit of it is at most one unit of length, so that an edge is about a pixel wide wherever it runs."""
    ticks = np.linspace(-1.5, 1.5, 301, dtype=np.float32)
    distance = OUTLINES[name](*np.meshgrid(ticks, ticks))
    assert distance.dtype == np.float32
    for axis in (0, 1):
        assert np.abs(np.diff(distance, axis=axis)).max() < 0.01 * 1.01
    assert np.abs(np.diff(distance, axis=1)).max() > 0.005


@pytest.mark.parametrize(
    ("name", "x", "y", "inside"),
    [
        ("ring", 0, 0, False),
        ("ring", 0, 0.7, True),
        ("crescent", 0.2, 0, False),
        ("crescent", -0.7, 0, True),
        ("star", 0.95, 0, True),
        ("star", -0.5, 0, False),
        ("cross", 0.5, 0.5, False),
        ("cross", 0, 0.8, True),
        ("arrow", 0.9, 0, True),
        ("arrow", -0.9, 0.3, False),
        ("heart", 0.45, 0.45, True),
        ("heart", -0.6, -0.6, False),
        ("square", 0.65, 0.65, True),
        ("circle", 0.65, 0.65, False),
    ],
)
def test_points(name: str, x: float, y: float, inside: bool) -> None:
    distance = OUTLINES[name](np.array([x], np.float32), np.array([y], np.float32))
    assert (distance[0] < 0) == inside
