"""One sample → its summary: mean with a t interval for seeds, median with a rank interval for rounds.

Knows nothing of records; a value that is missing is left out by the caller, who says so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlbench.analyze.distributions import at_most, t_quantile

LEVEL = 0.95
"""Confidence level of every interval in a report."""
ALPHA = 1 - LEVEL
"""Level of every test in a report."""


@dataclass(frozen=True)
class Summary:
    """A sample in short, in the unit of the sample.

    Attributes:
        n: number of observations.
        sd: standard deviation with n − 1; None for one observation.
        margin: half width of the 95 % t interval of the mean; None for one observation.
        q1: first quartile (linear interpolation).
        q3: third quartile.
        low: smallest observation.
        high: largest observation.
    """

    n: int
    mean: float
    sd: float | None
    margin: float | None
    median: float
    q1: float
    q3: float
    low: float
    high: float


def summarise(values: Sequence[float]) -> Summary | None:
    """Summary of a sample; None for an empty one. Values that are not finite are left out of it."""
    sample = np.array([value for value in values if math.isfinite(value)], dtype=np.float64)
    n = len(sample)
    if n == 0:
        return None
    sd = float(sample.std(ddof=1)) if n > 1 else None
    margin = t_quantile((1 + LEVEL) / 2, n - 1) * sd / math.sqrt(n) if sd is not None else None
    q1, median, q3 = (float(q) for q in np.quantile(sample, [0.25, 0.5, 0.75]))
    return Summary(n, float(sample.mean()), sd, margin, median, q1, q3, float(sample.min()), float(sample.max()))


@dataclass(frozen=True)
class MedianSummary:
    """The median of rounds, with an interval between two of its order statistics.

    Attributes:
        low: lower end of the interval; None where `n` is 1.
        high: upper end of the interval.
        coverage: probability that the interval holds the true median, whatever the distribution; 95 % is out of
            reach below 6 rounds, then the interval is the whole range.
    """

    n: int
    median: float
    low: float | None
    high: float | None
    coverage: float | None


def summarise_rounds(values: Sequence[float]) -> MedianSummary | None:
    """Median with its distribution-free interval (Hahn & Meeker 1991, §5.2); None for an empty sample.

    Infinite values count: a target that was never reached took for ever.
    """
    sample = sorted(value for value in values if not math.isnan(value))
    n = len(sample)
    if n == 0:
        return None
    median = _median(sample)
    if n == 1:
        return MedianSummary(1, median, None, None, None)
    best = 0
    for rank in range((n + 1) // 2):
        if _coverage(n, rank) >= LEVEL:
            best = rank
    return MedianSummary(n, median, sample[best], sample[n - 1 - best], _coverage(n, best))


def _median(ordered: Sequence[float]) -> float:
    """The middle, with infinite values allowed."""
    middle = len(ordered) // 2
    if len(ordered) % 2 or ordered[middle - 1] == ordered[middle]:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def _coverage(n: int, rank: int) -> float:
    """Probability that the median lies between the order statistics `rank` and `n − 1 − rank`, counted from 0."""
    return 1 - 2 * at_most(rank, n)
