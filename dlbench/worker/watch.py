"""What else the machine did while something was measured: a disturbed window is said to be one."""

import os
from collections.abc import Sequence

import psutil

FOREIGN_LOAD = 0.25
"""Cores kept busy by others above which a window counts as disturbed."""


SHORTEST_S = 0.1
"""The kernel counts in hundredths of a second: shorter regions cannot be judged."""


class Watch:
    """Watches a region: processor time of other processes, time stolen by the host."""

    def __enter__(self) -> "Watch":
        self._before = self._read()
        return self

    def __exit__(self, *exc: object) -> None:
        self._after = self._read()

    def foreign_cores(self) -> float:
        """Cores that other processes kept busy, on average."""
        return self._cores("busy") - self._cores("own")

    def stolen_cores(self) -> float:
        """Cores that the host of this virtual machine took away, on average."""
        return self._cores("steal")

    def _cores(self, what: str) -> float:
        wall_s = self._after["wall"] - self._before["wall"]
        if wall_s < SHORTEST_S:
            return 0.0
        return (self._after[what] - self._before[what]) / wall_s

    @staticmethod
    def _read() -> dict[str, float]:
        times = psutil.cpu_times()
        own = os.times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        steal = getattr(times, "steal", 0.0)
        guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted in user as well
        return {
            "wall": own.elapsed,
            "busy": sum(times) - idle - steal - guest,
            "steal": steal,
            "own": own.user + own.system + own.children_user + own.children_system,
        }


def disturbances(watches: Sequence[Watch]) -> list[str]:
    """What disturbed the regions, in words; empty for quiet ones."""
    found = []
    foreign = max((watch.foreign_cores() for watch in watches), default=0.0)
    if foreign > FOREIGN_LOAD:
        found.append(f"other processes kept up to {foreign:.1f} cores busy while this was measured")
    stolen = max((watch.stolen_cores() for watch in watches), default=0.0)
    if stolen > FOREIGN_LOAD:
        found.append(f"the host took up to {stolen:.1f} cores away while this was measured")
    return found
