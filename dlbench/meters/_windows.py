"""When repeated timings agree well enough to stop, and what they then say."""

import statistics
from collections.abc import Sequence

SETTLED = 0.05
"""Interquartile range over median below which repeating stops (DESIGN: measuring, rule 2)."""


def quantile(values: Sequence[float], q: float) -> float:
    """Linear interpolation between order statistics, q from 0 to 1 (Hyndman & Fan 1996, type 7)."""
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def interquartile_range(values: Sequence[float]) -> float:
    """Third quartile less the first."""
    return quantile(values, 0.75) - quantile(values, 0.25)


def settled(values: Sequence[float]) -> bool:
    """Whether the interquartile range is a small part of the median."""
    return interquartile_range(values) <= SETTLED * statistics.median(values)
