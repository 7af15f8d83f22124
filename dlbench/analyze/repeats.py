"""How far measurements of one configuration are apart when nothing but chance is between them."""

import math
import statistics
from collections.abc import Sequence

from dlbench.analyze.distributions import t_quantile

COVERED = 0.95
"""Share of pairs whose difference stays below the noise floor."""


def noise_floor(values: Sequence[float]) -> float:
    """The relative difference that two more rounds of the same stay below in 95 % of cases, as a fraction.

    `exp(t · √2 · s) − 1`: s is the standard deviation of the logarithms over n rounds, √2 since both sides of a pair
    vary, t the two-sided 95 % point of Student's t with n − 1 degrees of freedom since s is itself estimated. It is
    exact for independent rounds with normal logarithms, and includes whatever drift there was from the first round to
    the last. It is the floor of one round against one; means over k rounds of independent noise differ √k times less.

    Args:
        values: one a round, positive, at least two.
    """
    spread = statistics.stdev(math.log(value) for value in values)
    point = t_quantile((1 + COVERED) / 2, len(values) - 1)
    return math.expm1(point * math.sqrt(2) * spread)


def even_against_odd(values: Sequence[float]) -> float:
    """Median of the even rounds over that of the odd ones, less 1: a configuration compared with itself.

    Args:
        values: one a round, in order, positive, at least two.
    """
    return statistics.median(values[::2]) / statistics.median(values[1::2]) - 1
