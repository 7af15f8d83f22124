"""The most that tensors take at once while something runs, as torch's own allocators tell."""

from itertools import accumulate
from typing import Any

import torch
from torch.autograd.profiler import profile


class Allocated:
    """While it is entered, follows what tensors take on a device.

    Slow: the CPU's allocator tells through torch's profiler. Nothing may be timed meanwhile.

    Attributes:
        peak_bytes: most that was taken at once beyond what was taken at the start; known at the end.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._profile = profile(use_kineto=True, profile_memory=True) if device.type == "cpu" else None
        self.peak_bytes = 0

    def __enter__(self) -> "Allocated":
        if self._profile is not None:
            self._profile.__enter__()  # type: ignore[no-untyped-call]
        else:
            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._profile is None:
            torch.cuda.synchronize(self._device)
            self.peak_bytes = torch.cuda.max_memory_allocated(self._device) - self._before
            return
        self._profile.__exit__(*exc)  # type: ignore[no-untyped-call]
        results = self._profile.kineto_results
        assert results is not None
        told: list[Any] = [event for event in results.events() if event.name() == "[memory]"]
        told.sort(key=lambda event: event.start_ns())
        self.peak_bytes = max(accumulate((event.nbytes() for event in told), initial=0))
