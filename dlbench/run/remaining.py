"""How long the rest of a run will take, while its jobs come and go."""

import time
from collections.abc import Callable, Sequence

from dlbench.run.estimate import Estimator
from dlbench.schema.job import Entry


class Remaining:
    """What is left of a run.

    Args:
        entries: all that is to be run.
        estimator: how long jobs take; it may learn meanwhile.
        slots: how many run side by side, exclusive ones apart.
        clock: in seconds.
    """

    def __init__(
        self, entries: Sequence[Entry], estimator: Estimator, slots: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._left = {entry.job.id: entry for entry in entries}
        self._began: dict[str, float] = {}
        self._estimator, self._slots, self._clock = estimator, slots, clock

    def start(self, entry: Entry) -> None:
        """A job starts."""
        self._began[entry.job.id] = self._clock()

    def end(self, entry: Entry) -> None:
        """A job has ended."""
        self._left.pop(entry.job.id, None)
        self._began.pop(entry.job.id, None)

    @property
    def seconds(self) -> float | None:
        """How long the rest will take; None where nothing is known of some job."""
        rest_s, unknown = self._estimator.total(self._left.values(), self._slots)
        if unknown:
            return None
        for job_id, began in self._began.items():
            if (entry := self._left.get(job_id)) is not None:
                done_s = min(self._clock() - began, self._estimator.seconds(entry) or 0.0)
                rest_s -= done_s if entry.job.exclusive else done_s / self._slots
        return max(rest_s, 0.0)
