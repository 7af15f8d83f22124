"""How throughput grows with the batch: from which batch on a larger one is hardly faster."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

LITTLE = 0.1
"""Gain of a doubled batch below which it is hardly worth its memory."""
LEAST_SIZES = 3
"""Batch sizes that make a curve."""


@dataclass(frozen=True)
class Knee:
    """Where a curve of throughput flattens.

    Attributes:
        batch: from this measured batch size on, doubling it gains less than 10 %; None where even the last step gains
            more, so that the knee lies beyond what was measured.
        last: the largest measured batch size.
    """

    batch: int | None
    last: int


def knee(throughput: Mapping[int, float]) -> Knee | None:
    """The knee of throughput over batch size; None for fewer than three sizes.

    Between two sizes the gain of a doubling is the ratio of their throughputs to the power of one over the doublings
    between them. A later step that gains more moves the knee behind itself: what flattens and grows again has not
    flattened.
    """
    sizes = sorted(size for size, value in throughput.items() if value > 0)
    if len(sizes) < LEAST_SIZES:
        return None
    found = None
    for small, large in pairwise(sizes):
        gain = (throughput[large] / throughput[small]) ** (1 / math.log2(large / small)) - 1
        if gain >= LITTLE:
            found = None
        elif found is None:
            found = small
    return Knee(found, sizes[-1])
