"""Fixed cuts of numbered rows into splits."""

import numpy as np
from numpy.typing import NDArray


def cuts(total: int, *sizes: int, seed: int = 0) -> list[NDArray[np.int64]]:
    """Disjoint random sets of rows, each in ascending order.

    `numpy.random.RandomState` is frozen by numpy, so the same rows come for ever; a set does not depend on the sizes
    of those behind it.

    Args:
        total: rows there are.
        sizes: rows in each set; together no more than there are.
        seed: of the permutation.
    """
    if sum(sizes) > total:
        raise ValueError(f"{total:,} rows cannot be cut into {sizes}")
    order = np.random.RandomState(seed).permutation(total)
    ends = np.cumsum(sizes)
    return [np.sort(order[end - size : end]) for end, size in zip(ends, sizes, strict=True)]
