"""Time of single steps, each synchronised at both ends: median, 90th and 99th percentile."""

from dlbench.contracts.meters import Rig
from dlbench.meters._windows import interquartile_range, quantile, wants_more
from dlbench.schema.metric import Metric

REVISION = 1
PHASES = ("infer", "decode", "sample")
CLOCKED = True

MOST_STEPS = 400
LIMIT_SHARE = 0.5
"""Of the limit: single steps need less time to agree than windows of many."""


class Latency:
    """Up to 400 steps or half the limit, whichever comes first, but at least 20 steps unless they take far longer."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.times_ms: list[float] = []

    def __enter__(self) -> "Latency":
        self.rig.synchronize()
        self._start = self._last = self.rig.clock()
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to put back."""

    def step(self, samples: int) -> bool:
        """Take the step's time."""
        self.rig.synchronize()
        now = self.rig.clock()
        self.times_ms.append((now - self._last) * 1e3)
        more = wants_more(len(self.times_ms), MOST_STEPS, now - self._start, LIMIT_SHARE * self.rig.limit_s)
        self._last = self.rig.clock()
        return more

    def read(self) -> list[Metric]:
        """`latency_p50_ms` with every time as raw value, `latency_p90_ms`, `latency_p99_ms`."""
        return [
            Metric(
                name=f"latency_p{percent}_ms",
                value=quantile(self.times_ms, percent / 100),
                unit="ms",
                better="lower",
                n=len(self.times_ms),
                spread=interquartile_range(self.times_ms) if percent == 50 else None,
                raw=tuple(round(t, 4) for t in self.times_ms) if percent == 50 else None,
            )
            for percent in (50, 90, 99)
        ]


def build(rig: Rig) -> Latency:
    """A meter for one phase."""
    return Latency(rig)
