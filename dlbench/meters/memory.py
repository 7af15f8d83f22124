"""Peak memory of a phase above what was in use before the model was built.

CUDA: torch's own peaks of allocated and of reserved bytes, and what NVML says that the process holds, its CUDA context
and libraries included. Linux CPU: the kernel's high-water mark of the resident size, reset when the region begins, with
that of every child process that is there at the end of a step. Elsewhere the peak cannot be reset, and the metric says
so instead of giving a figure. Nothing samples: the marks are kept by who hands out the memory.
"""

import os
from contextlib import suppress
from pathlib import Path

import psutil
import pynvml
import torch

from dlbench.contracts.meters import Rig
from dlbench.meters import _nvml
from dlbench.schema.metric import Metric

REVISION = 3
PHASES = ("train", "infer", "decode", "sample")
CLOCKED = False

STEPS = 2
"""The second one finds memory as the first has left it."""

PROC = Path("/proc")


def resettable() -> str | None:
    """Why the peak of this process's resident size cannot be measured; None if it can."""
    if os.access(PROC / "self/clear_refs", os.W_OK):
        return None
    return "this system has no resettable peak of the resident size (/proc/self/clear_refs)"


def reset_resident_peak() -> None:
    """Begin a new high-water mark of this process's resident size."""
    (PROC / "self/clear_refs").write_text("5")  # proc(5): resets the peak resident set size


def resident_peak_bytes(pid: int | str = "self") -> int:
    """The high-water mark of a process's resident size.

    Raises:
        OSError: the process is gone, or the system does not tell.
    """
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"no VmHWM in /proc/{pid}/status")


def peak_bytes(device: torch.device) -> int | None:
    """The peak since it was last reset: allocated on a CUDA device, resident on the CPU; None where nobody keeps it."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resident_peak_bytes() if resettable() is None else None


def reset_peak(device: torch.device) -> None:
    """Begin a new peak, where there is one."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif resettable() is None:
        reset_resident_peak()


class PeakMemory:
    """Two steps of the largest batch, with the high-water mark reset before them."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.metrics: list[Metric] = []
        self._steps = 0
        self._children_bytes = 0

    def __enter__(self) -> "PeakMemory":
        self.rig.synchronize()
        self.rig.trim()
        reset_peak(self.rig.device)
        return self

    def __exit__(self, *exc: object) -> None:
        self.rig.synchronize()
        if self.rig.device.type == "cuda":
            self._read_cuda()
        else:
            peak = peak_bytes(self.rig.device)
            above = None if peak is None else max(0, peak - self.rig.baseline_bytes) + self._children_bytes
            self.metrics = [_metric("peak_memory_bytes", above, resettable())]

    def _read_cuda(self) -> None:
        device = self.rig.device
        self.metrics = [
            _metric("peak_memory_bytes", max(0, torch.cuda.max_memory_allocated(device) - self.rig.baseline_bytes)),
            _metric("peak_reserved_bytes", torch.cuda.max_memory_reserved(device)),
            _metric("peak_process_bytes", *_process_bytes(device)),
        ]

    def step(self, samples: int) -> bool:
        """Take in what child processes hold."""
        self._steps += 1
        if self.rig.device.type == "cpu":
            children = 0
            for child in psutil.Process().children(recursive=True):
                with suppress(OSError):  # it ended just now
                    children += resident_peak_bytes(child.pid)
            self._children_bytes = max(self._children_bytes, children)
        return self._steps < STEPS

    def read(self) -> list[Metric]:
        """`peak_memory_bytes` above the baseline; on CUDA also `peak_reserved_bytes` and `peak_process_bytes`."""
        return self.metrics


def _process_bytes(device: torch.device) -> tuple[int | None, str | None]:
    """What NVML says that this process holds on a GPU, and why it says nothing."""
    try:
        processes = pynvml.nvmlDeviceGetComputeRunningProcesses(_nvml.handle(device))
    except pynvml.NVMLError as error:
        return None, f"NVML names no processes: {error}"
    # In a container process ids are another world's; a single process is then our own.
    own = [p for p in processes if p.pid == os.getpid()] or (processes if len(processes) == 1 else [])
    if not own or own[0].usedGpuMemory is None:
        return None, "NVML does not tell the memory of single processes here"
    return int(own[0].usedGpuMemory), None


def _metric(name: str, value: int | None, reason: str | None = None) -> Metric:
    return Metric(name=name, value=value, unit="bytes", better="lower", reason=reason if value is None else None)


def build(rig: Rig) -> PeakMemory:
    """A meter for one phase."""
    return PeakMemory(rig)
