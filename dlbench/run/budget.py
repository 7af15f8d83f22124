"""The budget of a run: whole groups of jobs are left out, so that what is compared has the same seeds and rounds.

A group is all train jobs of one seed, or all cost jobs of one round. Whether it fits is decided once, before its
first job; a group that was begun is finished. The first group of each kind always runs: without it there is nothing
to compare. Seeds are given up before rounds: what the cost jobs need is kept free for them.
"""

import math
from collections.abc import Sequence

from dlbench.run.estimate import Estimator
from dlbench.schema.job import Entry


class Budget:
    """Decides group by group.

    Args:
        budget_s: what the run may take; None: no limit.
        entries: all that the run will do, as far as it is known; sizes of groups are taken from it.
        estimator: how long jobs take.
        slots: how many train jobs run side by side.
    """

    def __init__(self, budget_s: float | None, entries: Sequence[Entry], estimator: Estimator, slots: int) -> None:
        self.budget_s = budget_s
        self._estimator, self._slots = estimator, slots
        self._left: dict[str, dict[str, Entry]] = {}
        for entry in entries if budget_s is not None else ():
            if entry.skipped is None:
                self._left.setdefault(_group(entry), {})[entry.job.id] = entry
        self._admitted: dict[str, bool] = {}

    @property
    def spent(self) -> str:
        """The reason of what is not run."""
        return f"the budget of {_duration(self.budget_s or math.inf)} is spent"

    def done(self, entry: Entry) -> None:
        """A job needs no more time."""
        self._left.get(_group(entry), {}).pop(entry.job.id, None)

    def admits(self, entry: Entry, elapsed_s: float) -> tuple[bool, str | None]:
        """Whether a job may start, and, when its group is refused just now, a line to say so."""
        if self.budget_s is None:
            return True, None
        group = _group(entry)
        if group in self._admitted:
            return self._admitted[group], None
        kind = entry.job.kind
        earlier = [fits for other, fits in self._admitted.items() if other.startswith(kind)]
        need_s = self._need_s(group)
        costs = [other for other in self._left if kind == "train" and other.startswith("cost")]
        kept_free_s = sum(self._need_s(other) or 0.0 for other in costs)
        fits = not earlier or (all(earlier) and elapsed_s + (need_s or 0.0) + kept_free_s <= self.budget_s)
        self._admitted[group] = fits
        if fits:
            return True, None
        need = f" (about {_duration(need_s)} more)" if need_s else ""
        return False, f"{self.spent}: {group}{need} is not run. Run again to go on, or raise the budget."

    def _need_s(self, group: str) -> float | None:
        seconds, unknown = self._estimator.total(self._left.get(group, {}).values(), self._slots)
        return None if unknown and not seconds else seconds


def _group(entry: Entry) -> str:
    cost = entry.job.cost
    if cost is None:
        return f"{entry.job.kind} seed {entry.job.seed}"
    return f"{entry.job.kind} {'of the largest batches' if cost.largest_batch else f'round {cost.round + 1}'}"


def _duration(seconds: float) -> str:
    """`45s`, `10m`, `1.5h`."""
    if seconds < 60:
        return f"{seconds:.3g}s"
    return f"{seconds / 60:.3g}m" if seconds < 3600 else f"{seconds / 3600:.3g}h"
