"""How much memory a job may take: it is refused more, instead of being killed together with its neighbours.

On the CPU the limit is one on the process's data (`RLIMIT_DATA`), so that an allocation that cannot be served fails and
can be told of. Without one, Linux promises more than it has, and kills whom it likes when the promise falls due.
"""

import resource
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import torch

RESERVE_BYTES = 2**28
"""Left to the rest of the machine."""

CGROUP = Path("/sys/fs/cgroup")
STATUS = Path("/proc/self/status")


def limit_memory(device: torch.device, gib: float | None) -> int | None:
    """Limit this process from now on; bytes that it may take on the device, None where no limit can be set.

    Args:
        device: where the job's tensors live.
        gib: at most so much; None: what is free.
    """
    wanted = None if gib is None else int(gib * 2**30)
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        if wanted is not None:
            torch.cuda.set_per_process_memory_fraction(min(1.0, wanted / total), device)
        return min(free, wanted or free)
    if sys.platform != "linux":
        return None
    allowed = min(available_bytes(), wanted or sys.maxsize)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = _data_bytes() + allowed
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    return allowed


def lift_limit() -> None:
    """Take the limit on this process's data away again: a debugger's process works several jobs."""
    if sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def available_bytes() -> int:
    """Memory that a process can still get here: what the system has free, and what its control group allows."""
    free = psutil.virtual_memory().available
    with suppress(OSError, ValueError):  # no control groups, or no limit ("max")
        group = CGROUP / Path("/proc/self/cgroup").read_text().strip().rpartition(":")[2].lstrip("/")
        used = int((group / "memory.current").read_text())
        free = min(free, int((group / "memory.max").read_text()) - used)
    return max(0, int(free) - RESERVE_BYTES)


def _data_bytes() -> int:
    """What counts against the limit now."""
    for line in STATUS.read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0
