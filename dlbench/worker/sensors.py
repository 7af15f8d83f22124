"""What on this machine can be measured, and what it is doing right now: for `dlbench doctor`.

Nothing is probed twice: meters and the watch are asked what they can, so that what is said here is what jobs will find.
"""

import mmap
import os
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import psutil
import pynvml
import torch

from dlbench.meters import _nvml, energy, memory
from dlbench.worker.arrange import why_not_compile
from dlbench.worker.memory_limit import available_bytes, lift_limit, limit_memory
from dlbench.worker.warm import WAITING
from dlbench.worker.watch import FOREIGN_LOAD, Observation, Watch

LOOK_S = 0.5
"""So long the machine is looked at."""

LIMIT_GIB = 2**-4
"""To try whether memory can be limited."""

Ability = tuple[str, str | None, str]
"""What can be done; why it cannot (None: it can); how, where it can."""


def sensors(devices: list[str]) -> dict[str, Any]:
    """Abilities (`what`, `can`, `why`), the state of the machine now, and how threads wait for each other.

    Args:
        devices: `cpu`, `cuda:0`, …
    """
    found: list[Ability] = []
    now: dict[str, Any] = {"swap_bytes": psutil.swap_memory().used, "available_bytes": available_bytes()}
    for name in devices:
        device = torch.device(name)
        torch.zeros(1, device=device)  # only then is this process one of those that the driver names
        with Watch(device) as watch:
            time.sleep(LOOK_S)
        assert watch.seen is not None
        found += _of_cpu(watch.seen) if device.type == "cpu" else _of_gpu(name, device, watch.seen)
        now[name] = watch.seen.as_json() | {"disturbances": list(watch.seen.disturbances)}
    found += _of_software(devices)
    found.append(_memory_limit())
    told = [{"what": what, "can": why is None, "why": how if why is None else why} for what, why, how in found]
    return {
        "abilities": told,
        "now": now,
        "waiting": {name: os.environ.get(name) for name in WAITING},
    }


def _of_cpu(seen: Observation) -> Iterator[Ability]:
    counter, name = energy.source(torch.device("cpu"))
    clock = "this system does not tell its cores' clocks (cpufreq)" if seen.mhz is None else None
    throttle = "this system counts no throttling (thermal_throttle)" if seen.throttled is None else None
    steal = None if hasattr(psutil.cpu_times(), "steal") else "this system does not count it"
    yield "measure peak memory on the CPU", memory.resettable(), "the kernel's mark of the resident size can be reset"
    yield "measure energy of the processor", None if counter else name, name
    yield "read the clock of the processor", clock, f"{seen.mhz or 0:,.0f} MHz now"
    yield "see throttling of the processor", throttle, "counted by the kernel"
    yield "see the load of others", None, f"above {FOREIGN_LOAD:g} cores a region counts as disturbed"
    yield "see time that a host takes away (steal)", steal, "counted by the kernel, if the host tells it"
    yield "see involuntary context switches", None, "counted by the kernel for each process"


def _of_gpu(name: str, device: torch.device, seen: Observation) -> Iterator[Ability]:
    counter, source = energy.source(device)
    untold = "NVML does not tell it here"
    yield f"measure memory of {name}", _why_no_nvml(device), "torch's own marks, and NVML's figure for the process"
    yield f"measure energy of {name}", None if counter else source, source
    yield f"read the clock of {name}", None if seen.gpu_mhz is not None else untold, f"{seen.gpu_mhz} MHz now"
    yield f"see throttling of {name}", None if seen.throttled is not None else untold, "NVML"
    others = seen.foreign_gpu_processes
    yield f"see other processes on {name}", None if others is not None else untold, f"{others} now"


def _why_no_nvml(device: torch.device) -> str | None:
    try:
        pynvml.nvmlDeviceGetMemoryInfo(_nvml.handle(device))
    except pynvml.NVMLError as error:
        return f"NVML does not know this GPU: {error}"
    return None


def _of_software(devices: list[str]) -> Iterator[Ability]:
    for name in devices:
        yield f"compile models for {name} (torch.compile)", why_not_compile(torch.device(name)), "its compiler is here"
    try:
        yield "train in fp8", None, f"torchao {version('torchao')} is installed"
    except PackageNotFoundError:
        yield "train in fp8", "not installed: pip install 'dlbench[fp8]'", ""


def _memory_limit() -> Ability:
    """Whether a limit on this process is kept; tried, since some systems take it and do nothing."""
    what, how = "limit the memory of a job", "an allocation above it fails (RLIMIT_DATA)"
    try:
        if limit_memory(torch.device("cpu"), LIMIT_GIB) is None:
            return what, "only Linux has one that counts what is allocated", how
        mmap.mmap(-1, int(4 * LIMIT_GIB * 2**30), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError:
        return what, None, how
    finally:
        lift_limit()
    return what, "this system takes the limit (RLIMIT_DATA) and does not keep to it", how
