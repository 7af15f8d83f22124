"""Quasi-random search: a scrambled Sobol sequence, which leaves smaller gaps than chance does.

Sobol 1967 (USSR Comput. Math. Math. Phys. 7); scrambled as in Owen 1998 (J. Complexity 14), for search Bousquet et al.
2017 (arXiv:1706.03200). Every axis has a dimension of its own, also where it does not apply.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from dlbench.schema.base import Params as BaseParams
from dlbench.schema.search import Objective
from dlbench.schema.space import Point, Space
from dlbench.schema.study import Proposal, Told
from dlbench.strategies._scale import at

if TYPE_CHECKING:
    from scipy.stats.qmc import Sobol

MANY = True
APART = False
MOST = 21_201
BLOCK = 256


class Params(BaseParams):
    """There is nothing to set."""


def complaint(params: Params, space: Space) -> str | None:
    """The sequence is known for so many dimensions only."""
    axes = len(space.axes)
    return f"quasi_random has {MOST:,} dimensions; this space has {axes:,} axes" if axes > MOST else None


def build(params: Params, space: Space, objectives: Sequence[Objective], seed: int) -> "_QuasiRandom":
    """A sequence that the study's seed scrambles."""
    return _QuasiRandom(space, seed)


class _QuasiRandom:
    """The candidate of a number is the sequence's point of that number, whatever was asked and told before."""

    def __init__(self, space: Space, seed: int) -> None:
        self.space = space
        self._seed = seed
        self._shares: list[list[float]] = []

    def ask(self, number: int, seed: int) -> Proposal | None:
        """The point of that number, each of its coordinates a share of its axis."""
        while len(self._shares) <= number:
            self._shares.extend(self._sequence.random(BLOCK).tolist())
        shares = dict(zip((axis.name for axis in self.space.axes), self._shares[number], strict=True))
        return Proposal(point=self.space.walk(lambda axis: at(axis, shares[axis.name])))

    def asked(self, number: int, point: Point, seed: int) -> None:
        """Makes no difference."""

    def tell(self, number: int, told: Told) -> None:
        """Makes no difference."""

    @cached_property
    def _sequence(self) -> "Sobol":
        from scipy.stats.qmc import Sobol

        return Sobol(len(self.space.axes), scramble=True, rng=self._seed)
