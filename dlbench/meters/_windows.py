"""When repeated timings agree well enough to stop, and what they then say."""

import statistics
from collections.abc import Sequence

SETTLED = 0.05
"""Interquartile range over median below which repeating stops (DESIGN: measuring, rule 2)."""


LEAST_STEPS = 20
FEWEST_STEPS = 3
PATIENCE = 4
"""Times of its share of the limit after which a meter of single steps makes do with the fewest."""


def wants_more(steps: int, most: int, spent_s: float, share_s: float) -> bool:
    """Whether a meter of single steps, all of which it keeps, wants another.

    Args:
        steps: taken so far.
        most: so many are enough.
        spent_s: seconds since the first.
        share_s: seconds that they should take; at least 20 steps are, unless they take far longer.
    """
    if steps < LEAST_STEPS:
        return steps < FEWEST_STEPS or spent_s < PATIENCE * share_s
    return steps < most and spent_s < share_s


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
