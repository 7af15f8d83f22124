"""Ratio of two costs by the logarithms of their rounds, with interval and p value: paired, or by Welch's t.

Costs are multiplied by what slows a machine down, so a ratio of geometric means is what stays (Welch 1947 for samples
that need not vary alike). Pure functions over numbers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from dlbench.analyze.compare import compare_cost
from dlbench.analyze.drift import welch_ratio

_ROUNDING = 1e-12
"""Spread of logarithms that is rounding, not variation."""


@dataclass(frozen=True)
class LogRatio:
    """A cost over another, as the ratio of their geometric means with its 95 % interval.

    Attributes:
        low: None where too few rounds tell nothing of the spread.
    """

    ratio: float
    low: float | None
    high: float | None


def paired_logs(
    values: Mapping[int, float], others: Mapping[int, float]
) -> tuple[LogRatio, float | None] | tuple[None, None]:
    """Rounds paired by number: what they share, such as a slow minute of the machine, is nobody's.

    Returns:
        The ratio and its two-sided p value; the latter None for one pair; both None without a pair of positive values.
    """
    ratio = compare_cost(values, others)
    if ratio is None:
        return None, None
    pairs = [key for key in sorted(values.keys() & others.keys()) if values[key] > 0 and others[key] > 0]
    ours, theirs = np.log([values[key] for key in pairs]), np.log([others[key] for key in pairs])
    differences = ours - theirs
    found = LogRatio(ratio.ratio, ratio.low, ratio.high)
    if len(pairs) < 2:
        return found, None
    if float(differences.std(ddof=1)) <= _ROUNDING:
        return found, float(abs(differences.mean()) <= _ROUNDING)
    return found, float(stats.ttest_1samp(differences, 0.0).pvalue)


def welch_logs(values: Sequence[float], others: Sequence[float]) -> tuple[LogRatio, float | None] | tuple[None, None]:
    """Independent rounds, such as those of two stores: no round of the one belongs to one of the other.

    Returns:
        As `paired_logs`; None too where a value is not positive.
    """
    if not values or not others or min(*values, *others) <= 0:
        return None, None
    ours, theirs = np.log(values), np.log(others)
    ratio, low, high = welch_ratio(values, others)
    found = LogRatio(ratio, low, high)
    if len(ours) < 2 or len(theirs) < 2:
        return found, None
    if max(float(ours.std(ddof=1)), float(theirs.std(ddof=1))) <= _ROUNDING:
        return found, float(abs(math.log(ratio)) <= _ROUNDING)
    return found, float(stats.ttest_ind(ours, theirs, equal_var=False).pvalue)
