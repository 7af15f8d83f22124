"""What a file in `strategies/` must look like, and the search that it builds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from dlbench.schema.base import Params
from dlbench.schema.search import Objective
from dlbench.schema.space import Point, Space
from dlbench.schema.study import Proposal, Told

if TYPE_CHECKING:
    pass


class Strategy(Protocol):
    """One study's search: names candidates, hears what became of them.

    A pure function of (study seed, number, all that was told so far), spelled as an object so that it may remember
    what it has already worked out: after the same calls of `ask` and `tell` in the same order it gives the same answer,
    whether it was asked just now or is being brought back from a log.
    """

    def ask(self, number: int, seed: int) -> Proposal | None:
        """The next candidate, or None: nothing more until another candidate has been told (or at all).

        Args:
            number: of the candidate, counted up by the study.
            seed: of all that is random in this one answer; depends on study seed, number and what was told.
        """

    def asked(self, number: int, point: Point, seed: int) -> None:
        """Take in a candidate that has its number already: from the log, from `first:`, from earlier records.

        A strategy that leaves marks of its own on a candidate when it is asked for one makes them again here.
        """

    def tell(self, number: int, told: Told) -> None:
        """What became of a candidate."""


class StrategyModule(Protocol):
    """A file in `strategies/`: a way to search.

    Attributes:
        MANY: whether it can search for several objectives at once.
        APART: whether it needs torch, and is therefore asked in a child of the warm process.
    """

    MANY: bool
    APART: bool
    Params: type[Params]

    def complaint(self, params: Any, space: Space) -> str | None:
        """Why it cannot search a space; None if it can."""

    def build(self, params: Any, space: Space, objectives: Sequence[Objective], seed: int) -> Strategy:
        """A study's strategy; `seed` is the study's."""
