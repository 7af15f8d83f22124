"""What else the machine did while something was measured: a disturbed region is said to be one.

It sees what the system counts: processor time of others and of the host, switches that the process did not ask for,
clocks, throttling, other processes on the GPU. Where there is no counter the observation holds None.
"""

import os
import resource
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from dlbench.meters import _nvml
from dlbench.schema.record import WHILE_MEASURED
from dlbench.worker.pace import Pace

FOREIGN_LOAD = 0.25
"""Cores kept busy by others above which a region counts as disturbed."""

STOLEN = 0.05
"""Cores taken by the host above which a region counts as disturbed."""

SHORTEST_S = 0.1
"""The kernel counts in hundredths of a second: shorter regions cannot be judged."""

SWITCHES_PER_S = 200.0
"""Involuntary context switches a second above which something else ran on our cores, whoever it was."""

SLOW = 0.85
"""Speed of a fixed piece of work, over the best in this process, below which a region counts as disturbed."""

SYSFS = Path("/sys/devices/system/cpu")

THROTTLED = 0x8 | 0x20 | 0x40 | 0x80
"""NVML's reasons of a lowered clock that are none of our doing: hardware slowdown, software thermal slowdown,
hardware thermal slowdown, power brake. A power cap (0x4) is how a GPU runs at full load."""


@dataclass(frozen=True)
class Observation:
    """What happened to the machine in a region.

    Attributes:
        seconds: length of the region.
        foreign_cores: cores that other processes kept busy, on average; None, as for the three below, in a region too
            short to tell.
        stolen_cores: cores that the host of a virtual machine took away, on average.
        switches_per_s: involuntary context switches of this process, per second.
        pace: speed of a fixed piece of work before and after the region, over the best seen in this process.
        mhz: clock of the processor at the end, mean over the cores; None where the system does not tell.
        throttled: times that the processor was throttled for heat or power in the region; of a GPU 1 if it was at the
            region's end.
        gpu_mhz: clock of the GPU's multiprocessors at the end.
        foreign_gpu_processes: other processes that compute on the GPU.
    """

    seconds: float
    foreign_cores: float | None
    stolen_cores: float | None
    switches_per_s: float | None
    pace: float | None = None
    mhz: float | None = None
    throttled: int | None = None
    gpu_mhz: int | None = None
    foreign_gpu_processes: int | None = None

    @property
    def disturbances(self) -> tuple[str, ...]:
        """What disturbed the region, in words; empty for a quiet one."""
        found = []
        if (self.foreign_cores or 0.0) > FOREIGN_LOAD:
            found.append("other processes kept cores busy")
        elif (self.switches_per_s or 0.0) > SWITCHES_PER_S:
            found.append("other work pushed this process off its cores")
        if (self.stolen_cores or 0.0) > STOLEN:
            found.append("the host took processor time away")
        if not found and self.pace is not None and self.pace < SLOW:
            found.append("the processor was slower than at other times (nothing that the system counts)")
        if self.throttled:
            found.append("the device was throttled")
        if self.foreign_gpu_processes:
            found.append("other processes computed on the GPU")
        return tuple(found)

    @property
    def severity(self) -> tuple[bool, float]:
        """To choose the least disturbed of several regions: whether this one was, then how much was taken from it."""
        taken = (self.foreign_cores or 0.0) + (self.stolen_cores or 0.0) + (self.switches_per_s or 0.0) / 1000
        taken += 1.0 - (1.0 if self.pace is None else self.pace)
        return bool(self.disturbances), taken + (self.throttled or 0) + (self.foreign_gpu_processes or 0)

    def as_json(self) -> dict[str, Any]:
        """Rounded, for a line of `windows.jsonl`."""
        return {key: round(v, 4) if isinstance(v, float) else v for key, v in asdict(self).items() if v is not None}


class Watch:
    """Watches a region; `seen` is there when it has ended.

    Args:
        device: where the region's work runs.
        pace: is asked before and after; None: nobody knows how fast the processor could be.
    """

    def __init__(self, device: torch.device | None = None, pace: Pace | None = None) -> None:
        self._pace = pace
        self._gpu = device if device is not None and device.type == "cuda" else None
        self.seen: Observation | None = None

    def __enter__(self) -> "Watch":
        self._throttled = _throttle_count()
        self._began_at = self._pace.probe() if self._pace is not None else None
        self._before = _counters()
        return self

    def __exit__(self, *exc: object) -> None:
        after = _counters()
        pace = None if self._pace is None or self._began_at is None else (self._began_at + self._pace.probe()) / 2
        spent = {key: after[key] - self._before[key] for key in after}
        seconds = spent["wall"]
        long_enough = seconds >= SHORTEST_S
        throttled = _throttle_count()
        gpu = {} if self._gpu is None else _gpu(self._gpu)
        if self._gpu is None and throttled is not None and self._throttled is not None:
            gpu["throttled"] = throttled - self._throttled
        self.seen = Observation(
            seconds=seconds,
            foreign_cores=max(0.0, (spent["busy"] - spent["own"]) / seconds) if long_enough else None,
            stolen_cores=spent["steal"] / seconds if long_enough else None,
            switches_per_s=spent["switches"] / seconds if long_enough else None,
            pace=pace if long_enough else None,
            mhz=_mhz(),
            **gpu,
        )


def _counters() -> dict[str, float]:
    times = psutil.cpu_times()
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    idle = times.idle + getattr(times, "iowait", 0.0)
    steal = getattr(times, "steal", 0.0)
    guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted in user as well
    return {
        "wall": time.monotonic(),
        "busy": sum(times) - idle - steal - guest,
        "steal": steal,
        "own": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
        "switches": float(own.ru_nivcsw),
    }


def _mhz() -> float | None:
    """Clock of the cores that this process may use, as the frequency driver says."""
    clocks = []
    for core in os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ():
        with suppress(OSError, ValueError):
            clocks.append(int((SYSFS / f"cpu{core}/cpufreq/scaling_cur_freq").read_text()) / 1e3)
    return sum(clocks) / len(clocks) if clocks else None


def _throttle_count() -> int | None:
    """How often the processor was throttled since it started, over all cores; None where nothing counts it."""
    counts = []
    for path in SYSFS.glob("cpu[0-9]*/thermal_throttle/core_throttle_count"):
        with suppress(OSError, ValueError):
            counts.append(int(path.read_text()))
    return sum(counts) if counts else None


def _gpu(device: torch.device) -> dict[str, Any]:
    """What NVML says of a GPU now; what it does not tell is left out."""
    import pynvml

    found: dict[str, Any] = {}
    with suppress(pynvml.NVMLError):
        handle = _nvml.handle(device)
        with suppress(pynvml.NVMLError):
            found["gpu_mhz"] = int(pynvml.nvmlDeviceGetClockInfo(handle, pynvml.NVML_CLOCK_SM))
        with suppress(pynvml.NVMLError):
            found["throttled"] = int(bool(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle) & THROTTLED))
        with suppress(pynvml.NVMLError):
            others = pynvml.nvmlDeviceGetComputeRunningProcesses(handle)
            # In a container process ids are another world's: one process is then taken for our own.
            found["foreign_gpu_processes"] = sum(process.pid != os.getpid() for process in others)
            if others and all(process.pid != os.getpid() for process in others):
                found["foreign_gpu_processes"] -= 1
    return found


def flags(observed: Sequence[tuple[str, Observation]]) -> list[str]:
    """What disturbed a job's regions, in a line for each kind of disturbance; empty for a quiet job.

    Args:
        observed: name of the region (`train throughput`), and what was seen in it.
    """
    places: dict[str, list[str]] = {}
    for name, seen in observed:
        for what in seen.disturbances:
            places.setdefault(what, []).append(name)
    return [f"{what}{WHILE_MEASURED}{', '.join(dict.fromkeys(names))}" for what, names in places.items()]
