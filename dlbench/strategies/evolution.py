"""Regularised evolution: the best of a few changes one axis; the population forgets its oldest, not its worst.

Real et al. 2019 (AAAI, algorithm 1 and fig. 2). The population are the last candidates that were told with a score;
what failed, was pruned or breaks a constraint never joins it.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from dlbench.schema.base import Json
from dlbench.schema.base import Params as BaseParams
from dlbench.schema.metric import Direction
from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Point, Space
from dlbench.strategies._optuna import OptunaStrategy
from dlbench.strategies._sampling import PointSampler
from dlbench.strategies._scale import BELOW_ONE, at, count, nth, place, where

MANY = False
APART = False
REACH = 0.1
"""How far a neighbour in a range of endlessly many values is at most, as a share of the range."""


class Params(BaseParams):
    """How parents are found and changed; the paper's 100 and 25 are for thousands of candidates."""

    population: int = Field(20, description="candidates that may become parents: the last so many", ge=2, le=10_000)
    sample: int = Field(5, description="of these, how many are drawn, the best becoming the parent", ge=1, le=10_000)
    neighbour: float = Field(
        0.5, description="probability that a number moves to a neighbour instead of anywhere else", ge=0, le=1
    )


def complaint(params: Params, space: Space) -> str | None:
    """It can search everything."""
    return None


def build(params: Params, space: Space, objectives: Sequence[Objective], seed: int) -> OptunaStrategy:
    """A population that ages."""
    return OptunaStrategy(_Ageing(params, space, objectives[0].better), space, objectives)


class _Ageing(PointSampler):
    def __init__(self, params: Params, space: Space, better: Direction) -> None:
        super().__init__(space, better)
        self.params = params
        self._alive: deque[tuple[float, Point]] = deque(maxlen=params.population)

    def hear(self, point: Point, score: float | None) -> None:
        """The youngest joins, the oldest dies."""
        if score is not None:
            self._alive.append((score, point))

    def name(self, rng: np.random.RandomState) -> Point:
        """A child; a random candidate until the population is full."""
        if len(self._alive) < self.params.population:
            return self.space.walk(lambda axis: at(axis, rng.random_sample()))
        drawn = rng.randint(len(self._alive), size=self.params.sample)
        _, parent = max((self._alive[number] for number in drawn), key=lambda one: one[0])
        changeable = [axis.name for axis in self.space.axes if axis.name in parent and count(axis) != 1]
        changed = changeable[rng.randint(len(changeable))] if changeable else None

        def choose(axis: Axis) -> Json:
            if axis.name == changed:
                return self._another(axis, parent[axis.name], rng)
            return parent[axis.name] if axis.name in parent else at(axis, rng.random_sample())

        return self.space.walk(choose)

    def _another(self, axis: Axis, value: Json, rng: np.random.RandomState) -> Json:
        """Another value of an axis that has one."""
        near = axis.choices is None and rng.random_sample() < self.params.neighbour
        many = count(axis)
        if many is None:
            share = where(axis, value) + rng.uniform(-REACH, REACH) if near else rng.random_sample()
            return at(axis, min(max(share, 0.0), BELOW_ONE))
        here = place(axis, value)
        if near:
            return nth(axis, int(rng.choice([there for there in (here - 1, here + 1) if 0 <= there < many])))
        return nth(axis, (here + 1 + rng.randint(many - 1)) % many)
