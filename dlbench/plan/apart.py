"""A strategy that is asked elsewhere: it needs torch, and the parent process has none.

Everything that was asked and told goes along with each question: the other side begins from nothing.
"""

from typing import Any

from dlbench.plan.ask import Ask
from dlbench.schema.base import Json
from dlbench.schema.search import Objective, StrategyEntry
from dlbench.schema.space import Point, Space
from dlbench.schema.study import Proposal, Told


class Apart:
    """A strategy in a child of the warm process (`dlbench.worker.propose`).

    Args:
        ask: asks the warm process, keeping nothing.
        entry: which strategy, with its parameters.
        plugins: of the suite.
    """

    def __init__(
        self,
        ask: Ask,
        entry: StrategyEntry,
        space: Space,
        objectives: tuple[Objective, ...],
        seed: int,
        plugins: dict[str, Any],
    ) -> None:
        self._ask = ask
        self._request: dict[str, Json] = {
            "what": "propose",
            "name": entry.name,
            "params": entry.params,
            "space": space.model_dump(mode="json"),
            "objectives": [objective.model_dump(mode="json") for objective in objectives],
            "seed": seed,
            "plugins": plugins,
        }
        self._history: list[list[Json]] = []

    def ask(self, number: int, seed: int) -> Proposal | None:
        """The next candidate, or None."""
        (answer,) = self._ask([{**self._request, "history": self._history, "number": number, "now": seed}])
        if "error" in answer:
            raise RuntimeError(f"the strategy {self._request['name']!r} broke: {answer['error']}")
        if answer["proposal"] is None:
            return None
        proposal = Proposal.model_validate(answer["proposal"])
        self.asked(number, proposal.point, seed)
        return proposal

    def asked(self, number: int, point: Point, seed: int) -> None:
        """Take in a candidate that has its number."""
        self._history.append(["asked", number, point, seed])

    def tell(self, number: int, told: Told) -> None:
        """What became of a candidate."""
        kept = told.model_dump(mode="json", exclude={"metrics", "jobs"})
        self._history.append(["told", number, kept])
