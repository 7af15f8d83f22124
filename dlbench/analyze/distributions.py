"""Student's t and the binomial distribution, as intervals and tests ask for them thousands of times in a report.

From `scipy.special`: the same numbers as from `scipy.stats`, whose import takes half a second longer, of which
`dlbench results` has three, and whose calls take a hundred times as long.
"""

from collections.abc import Callable

from scipy import special


def t_quantile(probability: float, freedom: float) -> float:
    """The value below which Student's t with so many degrees of freedom lies with a probability."""
    return float(special.stdtrit(freedom, probability))


def t_tail(value: float, freedom: float) -> float:
    """The probability that Student's t lies above a value."""
    return float(special.stdtr(freedom, -value))


def at_most(successes: int, trials: int) -> float:
    """The probability of no more successes than that, each trial succeeding with probability one half."""
    return float(special.bdtr(successes, trials, 0.5))


def root(increasing: Callable[[float], float], low: float, high: float) -> float:
    """Where an increasing function crosses 0 between two values, by bisection to the last bit or so."""
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if increasing(middle) >= 0 else (middle, high)
    return (low + high) / 2
