"""What else the machine did while something was measured: a disturbed window is said to be one."""

import os

import psutil

FOREIGN_LOAD = 0.25
"""Cores kept busy by others above which a window counts as disturbed."""


class Watch:
    """Watches a region: processor time of other processes, time stolen by the host."""

    def __enter__(self) -> "Watch":
        self._before = self._read()
        return self

    def __exit__(self, *exc: object) -> None:
        self._after = self._read()

    def disturbances(self) -> list[str]:
        """What disturbed the region, in words; empty for a quiet one."""
        before, after = self._before, self._after
        wall_s = after["wall"] - before["wall"]
        if wall_s < 0.1:  # the kernel counts in hundredths of a second: shorter regions cannot be judged
            return []
        found = []
        foreign = (after["busy"] - before["busy"] - (after["own"] - before["own"])) / wall_s
        if foreign > FOREIGN_LOAD:
            found.append(f"other processes kept {foreign:.1f} cores busy")
        stolen = (after["steal"] - before["steal"]) / wall_s
        if stolen > FOREIGN_LOAD:
            found.append(f"the host took {stolen:.1f} cores away")
        return found

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
