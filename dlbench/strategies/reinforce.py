"""Reinforcement learning: a recurrent controller names candidates and is rewarded by their score.

Zoph & Le 2017 (ICLR, §3.1-3.2): REINFORCE with a moving average of rewards as the baseline. Different here: one layer
instead of two, and a learning rate for tens of candidates (theirs, 0.0006, is for thousands of them); Adam, as theirs;
a bonus for entropy; and rewards by rank, so that no scale of an objective matters. A candidate that was named before
others were told is credited to the controller of the moment at which it is told.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from dlbench.schema.base import Json
from dlbench.schema.base import Params as BaseParams
from dlbench.schema.metric import Direction
from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Point, Space
from dlbench.strategies._controller import Adam, Controller
from dlbench.strategies._optuna import OptunaStrategy
from dlbench.strategies._sampling import PointSampler
from dlbench.strategies._scale import at, count, nth, place, where

MANY = False
APART = False


class Params(BaseParams):
    """The controller and how it learns; the defaults are for some sixty candidates."""

    lr: float = Field(0.01, description="Adam's learning rate", gt=0, le=1)
    hidden: int = Field(32, description="size of the controller's state", ge=1, le=1024)
    baseline: float = Field(0.9, description="share of its last value that the baseline keeps", ge=0, lt=1)
    entropy: float = Field(0.2, description="weight of the bonus for undecided distributions", ge=0, le=10)
    levels: int = Field(8, description="bins of a range with more values than that", ge=2, le=1024)


def complaint(params: Params, space: Space) -> str | None:
    """It can search everything."""
    return None


def build(params: Params, space: Space, objectives: Sequence[Objective], seed: int) -> OptunaStrategy:
    """A controller whose first weights depend on the study's seed."""
    return OptunaStrategy(_Reinforce(params, space, objectives[0].better, seed), space, objectives)


class _Reinforce(PointSampler):
    """Its weights are what the told candidates, in their order, have made of them."""

    def __init__(self, params: Params, space: Space, better: Direction, seed: int) -> None:
        super().__init__(space, better)
        self.params = params
        self._numbers = {axis.name: number for number, axis in enumerate(space.axes)}
        self._levels = [_levels(axis, params.levels) for axis in space.axes]
        self.controller = Controller(self._levels, params.hidden, seed)
        self._adam = Adam(self.controller.weights, params.lr)
        self._scores: list[float] = []
        self._baseline: float | None = None

    def name(self, rng: np.random.RandomState) -> Point:
        """A candidate drawn from the controller, uniform within the bins that it decides on."""
        walk = self.controller.begin()

        def choose(axis: Axis) -> Json:
            number = self._numbers[axis.name]
            level = int(rng.choice(self._levels[number], p=walk.chances(number)))
            walk.decide(number, level)
            if count(axis) == self._levels[number]:
                return nth(axis, level)
            return at(axis, (level + rng.random_sample()) / self._levels[number])

        return self.space.walk(choose)

    def hear(self, point: Point, score: float | None) -> None:
        """Learn from a candidate."""
        decisions = [(self._numbers[name], self._level(name, value)) for name, value in point.items()]
        reward = self._reward(score)
        baseline = reward if self._baseline is None else self._baseline
        _, gradient = self.controller.gradient(decisions, reward - baseline, self.params.entropy)
        self._adam.step(gradient)
        self._baseline = self.params.baseline * baseline + (1 - self.params.baseline) * reward

    def _level(self, name: str, value: Json) -> int:
        axis, levels = self.space.axes[self._numbers[name]], self._levels[self._numbers[name]]
        return place(axis, value) if count(axis) == levels else int(where(axis, value) * levels)

    def _reward(self, score: float | None) -> float:
        """From -1, worse than all before, to 1, better than all before; without a score it is -1."""
        if score is None:
            return -1.0
        below = bisect_left(self._scores, score) + bisect_right(self._scores, score)
        reward = below / len(self._scores) - 1.0 if self._scores else 0.0
        insort(self._scores, score)
        return reward


def _levels(axis: Axis, most: int) -> int:
    many = count(axis)
    return many if many is not None and (many <= most or axis.choices is not None) else most
