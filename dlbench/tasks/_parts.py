"""Fixed, disjoint parts of a split, for models that train in turns. Knows no task."""

import numpy as np
from numpy.typing import NDArray

from dlbench.contracts.batches import Part


def part_rows(size: int, part: Part) -> NDArray[np.int64]:
    """Rows of one part of a split, in order, (ceil((size - k) / n),) for part (k, n).

    All parts together are the split. Which row lies in which part is drawn once and for all: rows of a dataset may
    take turns in some way of their own, so that every second one would be no fair half.

    Raises:
        ValueError: there is no such part.
    """
    number, parts = part
    if not 0 <= number < parts:
        raise ValueError(f"part {number} of {parts}: parts are counted from 0 to {parts - 1}")
    return np.sort(np.random.default_rng(0).permutation(size)[number::parts]).astype(np.int64)
