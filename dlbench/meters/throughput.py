"""Samples per second over windows of steps, with the device synchronised only at the ends of a window."""

import statistics
from typing import Any

from dlbench.contracts.meters import Rig
from dlbench.meters._windows import interquartile_range, settled
from dlbench.schema.metric import Metric

REVISION = 1
PHASES = ("train", "infer", "decode", "sample")
CLOCKED = True

WINDOW_S = 0.1
LEAST_WINDOWS = 5


class Throughput:
    """Windows of at least 0.1 s and one pass over the batches, until five agree within 5 %, or the limit is reached."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.windows: list[float] = []
        self._samples = 0
        self._steps = 0

    def __enter__(self) -> "Throughput":
        self.rig.synchronize()
        self._start = self._window_start = self.rig.clock()
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to put back."""

    def step(self, samples: int) -> bool:
        """Count the step; close the window where it is due."""
        self._samples += samples
        self._steps += 1
        elapsed_s = self.rig.clock() - self._window_start
        whole_pass = self._steps % len(self.rig.batches) == 0
        if elapsed_s < (WINDOW_S if whole_pass else self.rig.limit_s):  # a slow model's window need not be a whole pass
            return True
        self.rig.synchronize()
        now = self.rig.clock()
        self.windows.append(self._samples / (now - self._window_start))
        self._samples = 0
        if now - self._start >= self.rig.limit_s or self._enough():
            return False
        self._window_start = now
        return True

    def _enough(self) -> bool:
        return len(self.windows) >= LEAST_WINDOWS and settled(self.windows)

    def read(self) -> list[Metric]:
        """Median over windows, with the interquartile range as spread and every window as raw value."""
        detail: dict[str, Any] | None = None if self._enough() else {"unsettled": True}
        return [
            Metric(
                name="throughput",
                value=statistics.median(self.windows),
                unit="samples/s",
                better="higher",
                n=len(self.windows),
                spread=interquartile_range(self.windows),
                raw=tuple(self.windows),
                detail=detail,
            )
        ]


def build(rig: Rig) -> Throughput:
    """A meter for one phase."""
    return Throughput(rig)
