"""What a verdict can find: the smallest difference for so many seeds, and the seeds for a difference of some size.

A verdict of better needs two things: a significant paired t test, and three of four seeds won. The second is what many
seeds cannot buy: a difference below 0.67 standard deviations of the paired differences is real for many seeds, yet a
training of the better one loses to the other more often than one time in four, and the word stays *indistinguishable*.
"""

import math
from functools import lru_cache

from scipy import special

from dlbench.analyze.distributions import root, t_quantile
from dlbench.analyze.summary import ALPHA

LEAST_WINS = 0.75
"""Probability of improvement that a claim of better needs besides significance (Bouthillier et al. 2021, §5)."""
POWER = 0.8
"""Chance to find a difference that is there, behind every "so many more seeds"."""
MOST_SEEDS = 1000
"""Where counting needed seeds stops: nobody trains more."""


def power(effect: float, n: int, alpha: float = ALPHA) -> float:
    """Chance of the word *better* for a true effect of so many standard deviations with n > 1 normal pairs.

    The product of the chance of a significant t (noncentral t, exact) and of enough wins (binomial, exact): a lower
    bound, since both are more likely together.
    """
    critical, shift = t_quantile(1 - alpha / 2, n - 1), effect * math.sqrt(n)
    sure = shift > 2 * critical + 40  # beyond that the noncentral t cannot be computed, and need not be
    significant = 1.0 if sure else 1 - special.nctdtr(n - 1, shift, critical)
    enough = special.bdtrc(math.ceil(LEAST_WINS * n) - 1, n, special.ndtr(effect))
    return float(significant * enough)


@lru_cache(maxsize=4096)
def _resolvable_effect(n: int, alpha: float) -> float:
    top = 4.0
    while power(top, n, alpha) < POWER:  # two pairs in a large family need a lot
        top *= 2
    return root(lambda effect: power(effect, n, alpha) - POWER, 0.0, top)


def resolvable(sd: float, n: int, alpha: float = ALPHA) -> float:
    """Smallest difference that n > 1 pairs find with 80 % power or more.

    Args:
        sd: standard deviation of the paired differences; the answer has its unit.
    """
    return 0.0 if sd == 0 else _resolvable_effect(n, alpha) * sd


def seeds_needed(effect: float, alpha: float = ALPHA) -> int | None:
    """Fewest seeds that find a difference of `effect` standard deviations with 80 % power.

    None where that takes more than `MOST_SEEDS`, hence for every effect below 0.67.
    """
    # Three of four are exact at multiples of four: only among those does what is resolvable shrink with every step.
    low, high = 0, MOST_SEEDS // 4
    if _resolvable_effect(4 * high, alpha) > effect:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _resolvable_effect(4 * middle, alpha) <= effect else (middle, high)
    fewer = range(max(4 * high - 3, 2), 4 * high)
    return next((n for n in fewer if _resolvable_effect(n, alpha) <= effect), 4 * high)
