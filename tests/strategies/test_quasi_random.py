"""The sequence leaves smaller gaps than chance, on every kind of axis, whatever was told."""

from collections import Counter

import numpy as np
from scipy.stats import qmc

from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Point, Space
from dlbench.schema.study import Told
from dlbench.strategies import quasi_random, random

LOSS = (Objective(metric="val_loss", better="lower"),)
SPACE = Space(
    axes=(
        Axis(name="op", choices=("a", "b", "c", "d")),
        Axis(name="lr", low=1e-4, high=1.0, log=True),
        Axis(name="layers", low=1, high=8, integer=True),
        Axis(name="dropout", low=0.0, high=0.75, step=0.25),
        Axis(name="heads", choices=(1, 2), when={"op": ("a", "b")}),
    )
)


def points(space: Space, seed: int, count: int = 64) -> list[Point]:
    strategy = quasi_random.build(quasi_random.Params(), space, LOSS, seed)
    found = []
    for number in range(count):
        proposal = strategy.ask(number, 0)
        assert proposal is not None
        found.append(proposal.point)
    return found


def test_every_cell_has_its_share() -> None:
    """64 points of a scrambled sequence have exactly as many in each of 2^k equal parts of an axis (Owen 1998)."""
    found = points(SPACE, 1)
    for name, cells in (("op", 4), ("layers", 8), ("dropout", 4)):
        assert set(Counter(point[name] for point in found).values()) == {64 // cells}
    assert Counter(int(-np.log10(point["lr"])) for point in found) == dict.fromkeys(range(4), 16)
    assert all(("heads" in point) == (point["op"] in "ab") for point in found)


def test_gaps_are_smaller_than_by_chance() -> None:
    space = Space(axes=tuple(Axis(name=f"x{number}", low=0.0, high=1.0) for number in range(3)))
    for seed in range(5):
        chance = random.build(random.Params(), space, LOSS, seed)
        drawn = [chance.ask(number, 100 * seed + number) for number in range(64)]
        by_chance = np.array([[*proposal.point.values()] for proposal in drawn if proposal is not None])
        ours = np.array([[*point.values()] for point in points(space, seed)])
        assert qmc.discrepancy(ours) < 0.5 * qmc.discrepancy(by_chance)


def test_a_number_has_its_point_whatever_happened() -> None:
    wanted = points(SPACE, 2, 300)
    strategy = quasi_random.build(quasi_random.Params(), SPACE, LOSS, 2)
    strategy.asked(0, wanted[5], 0)
    strategy.tell(0, Told(state="failed"))
    for number in (299, 3):
        proposal = strategy.ask(number, number)
        assert proposal is not None
        assert proposal.point == wanted[number]
    assert points(SPACE, 3, 5) != wanted[:5]
