"""Energy of a step: of the GPU by NVML's counter of total energy, of the processor by RAPL's, idle power included.

RAPL counts whole processor packages, and cost jobs run alone: what it counts is theirs, and the idle machine's.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from dlbench.contracts.meters import Rig
from dlbench.meters import _nvml
from dlbench.schema.metric import Metric

REVISION = 1
PHASES = ("train", "infer", "decode", "sample")
CLOCKED = True

SHARE = 1.0
"""Of the limit: the counters are refreshed every 1 ms (RAPL) to 100 ms (NVML), so a region must be long."""

POWERCAP = Path("/sys/class/powercap")

Counter = Callable[[], float]
"""Joules since some moment."""


def source(device: torch.device) -> tuple[Counter | None, str]:
    """The energy counter of a device and its name; None and why there is none."""
    return _gpu(device) if device.type == "cuda" else _packages(POWERCAP)


def _gpu(device: torch.device) -> tuple[Counter | None, str]:
    import pynvml

    try:
        handle = _nvml.handle(device)
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError as error:
        return None, f"NVML counts no energy on this GPU: {error}"
    return lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3, "NVML"


def _packages(powercap: Path) -> tuple[Counter | None, str]:
    """RAPL's counters of all packages; `intel-rapl:0` is one on AMD, too, `intel-rapl:0:1` a part of one."""
    found = sorted(powercap.glob("intel-rapl:?"))
    if not found:
        return None, "this system has no RAPL counter (/sys/class/powercap): a virtual machine seldom has one"
    try:
        counters = [_Package(folder) for folder in found]
    except OSError as error:
        return None, f"RAPL's counter cannot be read: {error.strerror} ({found[0].name}/energy_uj); root can allow it"
    return lambda: sum(counter.joules() for counter in counters), "RAPL"


class _Package:
    """One package's counter, which starts again from 0 at its end."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "energy_uj"
        self._range = int((folder / "max_energy_range_uj").read_text())
        self._last = int(self._file.read_text())
        self._wrapped = 0

    def joules(self) -> float:
        """Joules since some moment; asked at least once in each turn of the counter, some minutes."""
        now = int(self._file.read_text())
        self._wrapped += now < self._last
        self._last = now
        return (now + self._wrapped * self._range) / 1e6


class Energy:
    """Steps for as long as the limit allows; a single one where there is no counter."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.counter, self.name = source(rig.device)
        self._samples = 0
        self.joules = self.seconds = 0.0

    def __enter__(self) -> "Energy":
        self.rig.synchronize()
        self._joules = self.counter() if self.counter else 0.0
        self._start = self.rig.clock()
        return self

    def __exit__(self, *exc: object) -> None:
        self.rig.synchronize()
        self.seconds = self.rig.clock() - self._start
        self.joules = self.counter() - self._joules if self.counter else 0.0

    def step(self, samples: int) -> bool:
        """Count the step."""
        self._samples += samples
        return self.counter is not None and self.rig.clock() - self._start < SHARE * self.rig.limit_s

    def read(self) -> list[Metric]:
        """`energy_per_sample_j`, with the mean power as detail; None and why where nothing counts energy."""
        found = self.counter is not None and self.joules > 0
        reason = self.name if self.counter is None else "the counter did not move while this was measured"
        return [
            Metric(
                name="energy_per_sample_j",
                value=self.joules / self._samples if found else None,
                unit="J",
                better="lower",
                n=self._samples if found else None,
                reason=None if found else reason,
                detail={"counter": self.name, "power_w": self.joules / self.seconds} if found else None,
            )
        ]


def build(rig: Rig) -> Energy:
    """A meter for one phase."""
    return Energy(rig)
