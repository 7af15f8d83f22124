"""How much memory a job may take: it is refused more, instead of being killed, perhaps with its neighbours.

Each may take what is free when it starts; several that start together can still take too much between them. On the CPU
the limit is one on the process's data (`RLIMIT_DATA`), so that an allocation that cannot be served fails and can be
told of. Without one, Linux promises more than it has, and kills whom it likes when the promise falls due.
"""

import resource
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import torch

RESERVE_BYTES = 2**28
"""Left to the rest of the machine."""

CGROUP = Path("/sys/fs/cgroup")
GROUPS = Path("/proc/self/cgroup")
FILES = {"": ("memory.max", "memory.current"), "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes")}
"""Controllers (none: version 2 of control groups) → files of the limit and of what is used."""

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
        torch.cuda.set_per_process_memory_fraction(min(1.0, (wanted or total) / total), device)
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
    """Memory that a process can still get here: what the system has free, and what its control groups allow."""
    return max(0, min([psutil.virtual_memory().available, *_left_in_groups()]) - RESERVE_BYTES)


def _left_in_groups() -> Iterator[int]:
    """What is left in each control group of this process that has a limit; what files are cached can be given back."""
    with suppress(OSError):
        for line in GROUPS.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in ("", "memory"):
                base = CGROUP / controllers
                limit, used = FILES[controllers]
                group = base / path.lstrip("/")
                for folder in (group, *group.parents):
                    with suppress(OSError, ValueError):  # no limit here ("max"), or not shown to us
                        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                        cached = int(stat.get("inactive_file", 0)) + int(stat.get("active_file", 0))
                        yield int((folder / limit).read_text()) - int((folder / used).read_text()) + cached
                    if folder == base:
                        break


def _data_bytes() -> int:
    """What counts against the limit now."""
    for line in STATUS.read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0
