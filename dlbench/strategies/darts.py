"""DARTS: trains one supernet that mixes all operations, then names the architecture that its weights favour.

Liu, Simonyan & Yang 2019 (ICLR, §2). It does not sample: it names two candidates, the supernet, which is a helper, and
the genotype that the supernet's job gives out. The search itself happens in the supernet's training.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from dlbench.errors import UsageError
from dlbench.schema.base import Json
from dlbench.schema.base import Params as BaseParams
from dlbench.schema.search import Objective
from dlbench.schema.space import Point, Space
from dlbench.schema.study import Proposal, Told

MANY = False
APART = False
SUPERNET = "model.supernet"
EDGE = re.compile(r"model\.edge_\d+_\d+")


class Params(BaseParams):
    """How the supernet is trained."""

    order: Literal["first", "second"] = Field(
        "first", description="gradients of architecture weights: past the weights' next step (second) or not (first)"
    )
    epochs: float | None = Field(
        None, description="passes of the supernet's training over its half of the data; null: as the suite trains", gt=0
    )


def complaint(params: Params, space: Space) -> str | None:
    """It needs the edges of a cell, each with a choice of operations, and nothing else."""
    for axis in space.axes:
        if EDGE.fullmatch(axis.name) is None or axis.choices is None or axis.when:
            return (
                f"darts chooses operations of a cell's edges (model.edge_1_0, …) and nothing else, so not {axis.name}"
            )
    return None if space.axes else "darts chooses operations of a cell's edges, and this space has none"


def build(params: Params, space: Space, objectives: Sequence[Objective], seed: int) -> "_Darts":
    """A search that names two candidates; the randomness is in the supernet's job."""
    return _Darts(space, params)


class _Darts:
    """Waits for its supernet, then names what that has found."""

    def __init__(self, space: Space, params: Params) -> None:
        self.space = space
        self.helper: Point = {SUPERNET: params.order}
        self.helper |= {} if params.epochs is None else {"train.epochs": params.epochs}
        self._supernet: int | None = None
        self._found: Point | None = None

    def ask(self, number: int, seed: int) -> Proposal | None:
        """The supernet; None while it runs and when it failed; the genotype; None."""
        if self._supernet is None:
            self._supernet = number
            return Proposal(point=self.helper, helper=True)
        found, self._found = self._found, None
        return Proposal(point=found) if found is not None else None

    def asked(self, number: int, point: Point, seed: int) -> None:
        """Take in the supernet, or the genotype once that is known; others (`first:`) make no difference."""
        if SUPERNET in point:
            self._supernet = number
        elif point == self._found:
            self._found = None

    def tell(self, number: int, told: Told) -> None:
        """Read the genotype off the supernet; what becomes of the genotype makes no difference.

        Raises:
            UsageError: the supernet was trained, and its genotype is missing or is none of the space.
        """
        if number == self._supernet and told.state == "ok":
            self._found = self._read(told.outputs.get("genotype"))

    def _read(self, genotype: Json) -> Point:
        given = genotype if isinstance(genotype, Mapping) else {}
        point = {f"model.{name}": operation for name, operation in given.items()}
        wrong = self.space.complaint(point)
        if wrong is not None:
            raise UsageError(f"darts: the supernet's genotype is none of this space: {wrong}")
        return {axis.name: point[axis.name] for axis in self.space.axes}
