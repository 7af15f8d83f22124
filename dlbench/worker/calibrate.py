"""One device of this machine calibrated: matrix rates, copy bandwidths and, if asked, the harness's own overhead.

The caller holds the machine's lock. A disturbed measurement is made again, up to twice, then flagged. Noise is no
matter of one process: whole cost jobs tell it (`dlbench.cli.calibrate`).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import torch

from dlbench.schema.calibration import Rate
from dlbench.worker.allocator import keep_freed_memory
from dlbench.worker.build import pick_device, set_threads
from dlbench.worker.ceiling import COPY_BYTES, KINDS, copy_bandwidth, matrix_rate, transfer_bandwidths
from dlbench.worker.overhead import PAIRS, WINDOW_S, step_overhead
from dlbench.worker.watch import Observation, Watch, flags

T = TypeVar("T")

QUICK_S, FULL_S = 0.3, 2.0
"""Seconds for each dtype, and for each copy."""

AGAIN = 2
"""So often a disturbed measurement is made again."""


def calibrate(request: dict[str, Any]) -> dict[str, Any]:
    """What `dlbench.schema.calibration.Calibration` says of a device, but for hardware, torch and noise, as JSON.

    Args:
        request: `device`, `threads`, `quick` (without the overhead); for tests also `limit_s`, `sizes`, `copy_bytes`,
            `pairs`, `window_s`.

    Raises:
        Unsupported: this machine has no such device.
    """
    device = pick_device(request["device"])
    set_threads(request["threads"])
    keep_freed_memory()  # as in jobs
    limit_s = request.get("limit_s", QUICK_S if request["quick"] else FULL_S)
    copy_bytes = request.get("copy_bytes", COPY_BYTES)
    ceilings = _Quietly(device)
    rates = {
        name: max(ceilings.measure(name, _rate_of(name, device, limit_s, request.get("sizes"))), key=_worth)
        for name in KINDS
    }
    copies = ceilings.measure("copy", lambda: copy_bandwidth(device, limit_s, copy_bytes))
    answer: dict[str, Any] = {
        "measured_at": datetime.now(UTC).isoformat(),
        "rates": {name: rate.model_dump(mode="json") for name, rate in rates.items()},
        "copy_bytes_per_s": max(copies),
    }
    if device.type == "cuda":
        there, back = zip(
            *ceilings.measure("transfer", lambda: transfer_bandwidths(device, limit_s, copy_bytes)), strict=True
        )
        answer |= {"to_device_bytes_per_s": max(there), "from_device_bytes_per_s": max(back)}
    answer["flags"] = flags(ceilings.seen)
    if not request["quick"]:
        pairs, window_s = request.get("pairs", PAIRS), request.get("window_s", WINDOW_S)
        steps = _Quietly(device)
        *_, overhead = steps.measure("step", lambda: step_overhead(device, pairs, window_s))
        answer["overhead"] = overhead.model_copy(update={"flags": tuple(flags(steps.seen))}).model_dump(mode="json")
    return answer


class _Quietly:
    """Measures again while something disturbs.

    Attributes:
        seen: of the last time of each measurement.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seen: list[tuple[str, Observation]] = []

    def measure(self, name: str, measure: Callable[[], T]) -> list[T]:
        """What was found, each time; the last time was quiet, or there were enough."""
        found: list[T] = []
        while True:
            with Watch(self.device) as watch:
                found.append(measure())
            assert watch.seen is not None
            if not watch.seen.disturbances or len(found) > AGAIN:
                self.seen.append((name, watch.seen))
                return found


def _rate_of(name: str, device: torch.device, limit_s: float, sizes: tuple[int, ...] | None) -> Callable[[], Rate]:
    return lambda: matrix_rate(name, device, limit_s, sizes)


def _worth(rate: Rate) -> float:
    return rate.flops_per_s or 0.0
