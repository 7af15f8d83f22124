"""Grid search: every candidate of a finite space once, in order, the last axis varying fastest."""

import json
from collections.abc import Sequence

from dlbench.schema.base import Params as BaseParams
from dlbench.schema.search import Objective
from dlbench.schema.space import Point, Space
from dlbench.schema.study import Proposal, Told

MANY = True
APART = False
MOST = 100_000


class Params(BaseParams):
    """There is nothing to set."""


def complaint(params: Params, space: Space) -> str | None:
    """It needs an end to the candidates, and one that can be reached."""
    if not space.finite:
        endless = next(axis.name for axis in space.axes if axis.values is None)
        return f"grid tries every candidate, and {endless} has endlessly many values: give it a step or a list"
    if space.size(MOST) is None:
        return f"grid tries every candidate, and this space has more than {MOST:,}"
    return None


def build(params: Params, space: Space, objectives: Sequence[Objective], seed: int) -> "_Grid":
    """A grid; no seed makes a difference."""
    return _Grid(space)


class _Grid:
    """Names what has not been asked, whoever asked it."""

    def __init__(self, space: Space) -> None:
        self._points = space.points()
        self._asked: set[str] = set()

    def ask(self, number: int, seed: int) -> Proposal | None:
        """The first candidate that has not been asked; None after the last."""
        for point in self._points:
            if _key(point) not in self._asked:
                self._asked.add(_key(point))
                return Proposal(point=point)
        return None

    def asked(self, number: int, point: Point, seed: int) -> None:
        """One candidate less to name."""
        self._asked.add(_key(point))

    def tell(self, number: int, told: Told) -> None:
        """Makes no difference."""


def _key(point: Point) -> str:
    return json.dumps(point, sort_keys=True)
