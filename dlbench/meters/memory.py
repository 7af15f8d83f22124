"""Peak memory of a phase above what was in use before the model was built.

CUDA: torch's own peak of allocated bytes. Linux CPU: the kernel's high-water mark of the resident size, reset when the
region begins. Elsewhere the peak cannot be reset, and the metric says so instead of giving a figure.
"""

import os
from pathlib import Path

import torch

from dlbench.contracts import Rig
from dlbench.schema.metric import Metric

REVISION = 1
PHASES = ("train", "infer", "decode", "sample")

_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def _resident_peak_bytes() -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("no VmHWM in /proc/self/status")


class PeakMemory:
    """One pass over the batches with the high-water mark reset at its start."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.peak_bytes: int | None = None
        self.reason: str | None = None
        self._steps = 0

    def __enter__(self) -> "PeakMemory":
        self.rig.synchronize()
        if self.rig.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.rig.device)
        elif not os.access(_CLEAR_REFS, os.W_OK):
            self.reason = "this system has no resettable peak of the resident size"
        else:
            _CLEAR_REFS.write_text("5")  # proc(5): resets the peak resident set size
        return self

    def __exit__(self, *exc: object) -> None:
        self.rig.synchronize()
        if self.reason is not None:
            return
        cuda = self.rig.device.type == "cuda"
        peak = torch.cuda.max_memory_allocated(self.rig.device) if cuda else _resident_peak_bytes()
        self.peak_bytes = max(0, peak - self.rig.baseline_bytes)

    def step(self, samples: int) -> bool:
        """One step for each batch is enough: the peak is the largest batch's."""
        self._steps += 1
        return self._steps < len(self.rig.batches)

    def read(self) -> list[Metric]:
        """`peak_memory_bytes` above the baseline."""
        return [
            Metric(name="peak_memory_bytes", value=self.peak_bytes, unit="bytes", better="lower", reason=self.reason)
        ]


def build(rig: Rig) -> PeakMemory:
    """A meter for one phase."""
    return PeakMemory(rig)
