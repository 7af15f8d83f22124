"""How fast the processor runs right now, by a fixed piece of work: for what no counter of the system tells.

A virtual machine shares cores, caches and clocks with others that it cannot see. Where they take half a core's units,
nothing is counted as stolen, and only the work itself is slower.
"""

import time

import torch

SIZE = 384
REPEATS = 5
"""The quickest of so many counts: a moment's interruption is not what is looked for."""


class Pace:
    """Speeds of matrix products on the CPU, with as many threads as torch has, against the quickest seen so far."""

    def __init__(self) -> None:
        self._left, self._right = torch.ones(SIZE, SIZE), torch.ones(SIZE, SIZE)
        self._best_s = float("inf")
        self.probe()
        self.probe()

    def probe(self) -> float:
        """Speed now over the best so far, at most 1; takes some milliseconds."""
        quickest = float("inf")
        with torch.no_grad():
            for _ in range(REPEATS):
                began = time.perf_counter()
                torch.mm(self._left, self._right)
                quickest = min(quickest, time.perf_counter() - began)
        self._best_s = min(self._best_s, quickest)
        return self._best_s / quickest
