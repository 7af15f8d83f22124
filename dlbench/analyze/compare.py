"""Who beats whom: paired differences over common seeds, a word for each, and Holm's correction over all of them.

Pure functions over numbers; which pairs are compared is declared by the caller.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dlbench.analyze.distributions import t_quantile, t_tail
from dlbench.analyze.power import LEAST_WINS, resolvable, seeds_needed
from dlbench.analyze.summary import ALPHA, LEVEL

Word = Literal["better", "worse", "indistinguishable", "too few seeds"]

LEAST_SEEDS = 5
"""Below this many pairs no verdict is given."""
_ROUNDING = 1e-12
"""Relative size below which the spread of differences is rounding, not variation."""


@dataclass(frozen=True)
class Paired:
    """A contender against another over the pairs (seeds or rounds) that both have.

    `difference` is contender minus other, in the unit of the metric; `wins` counts ties as half.

    Attributes:
        pairs: the common seeds or rounds.
        unpaired: how many values of either side have no partner and were left out.
        low: lower end of the uncorrected 95 % interval of the difference; None for one pair.
        p: two-sided p value of the paired t test; None for fewer than two pairs.
        p_holm: the same after Holm's correction over all declared comparisons.
        wins: share of pairs that the contender wins: its probability of improvement.
        more_seeds: seeds still needed to find a difference of the observed size; None if that needs none, is out of
            reach (`dlbench.analyze.power`), or is unknown.
        resolvable: smallest difference that this many pairs find with 80 % power; None if unknown.
    """

    pairs: tuple[int, ...]
    unpaired: int
    mean: float
    other_mean: float
    difference: float
    sd: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    wins: float
    word: Word
    more_seeds: int | None
    resolvable: float | None

    @property
    def n(self) -> int:
        """Number of pairs."""
        return len(self.pairs)


def compare(values: Mapping[int, float], others: Mapping[int, float], *, higher_is_better: bool) -> Paired | None:
    """Compare two samples paired by seed; None if they have no seed in common.

    The word is that of this comparison alone; `correct` replaces it by that of the whole family.
    """
    pairs = tuple(sorted(key for key in values.keys() & others.keys() if _finite(values[key], others[key])))
    if not pairs:
        return None
    ours, theirs = np.array([values[key] for key in pairs]), np.array([others[key] for key in pairs])
    differences = ours - theirs
    n, mean = len(pairs), float(differences.mean())
    sd = _sd(differences, scale=float(np.abs([ours, theirs]).max()))
    better = differences if higher_is_better else -differences
    paired = Paired(
        pairs=pairs,
        unpaired=len(values.keys() | others.keys()) - n,
        mean=float(ours.mean()),
        other_mean=float(theirs.mean()),
        difference=mean,
        sd=sd,
        low=None if sd is None else mean - _margin(sd, n),
        high=None if sd is None else mean + _margin(sd, n),
        p=None if sd is None else _p_value(mean, sd, n),
        p_holm=None,
        wins=float(np.mean((better > 0) + 0.5 * (better == 0))),
        word="too few seeds",
        more_seeds=None,
        resolvable=None,
    )
    return _judged(paired, paired.p, ALPHA, higher_is_better)


def correct(family: Sequence[Paired], directions: Sequence[bool]) -> list[Paired]:
    """The same comparisons with p values and words corrected by Holm (1979) over those that give a verdict.

    Args:
        directions: of each comparison, whether higher is better.
    """
    tested = [index for index, paired in enumerate(family) if paired.n >= LEAST_SEEDS and paired.p is not None]
    adjusted: dict[int, float] = dict(zip(tested, holm([family[index].p or 0.0 for index in tested]), strict=True))
    alpha = ALPHA / max(len(tested), 1)
    return [
        _judged(replace(paired, p_holm=adjusted.get(index)), adjusted.get(index), alpha, direction)
        for index, (paired, direction) in enumerate(zip(family, directions, strict=True))
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down p values (Holm 1979), in the order given."""
    order = np.argsort(p_values, kind="stable")
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _judged(paired: Paired, p: float | None, alpha: float, higher_is_better: bool) -> Paired:
    """With the word for a p value, and what more seeds would tell at level `alpha`."""
    paired = replace(
        paired,
        word="too few seeds",
        more_seeds=None,
        resolvable=None if paired.sd is None else resolvable(paired.sd, paired.n, alpha),
    )
    if paired.n < LEAST_SEEDS or p is None:
        return paired
    if p < ALPHA and paired.difference != 0:
        improves = (paired.difference > 0) == higher_is_better
        if improves and paired.wins >= LEAST_WINS:
            return replace(paired, word="better")
        if not improves and paired.wins <= 1 - LEAST_WINS:
            return replace(paired, word="worse")
    more = None
    if paired.sd and paired.difference:
        needed = seeds_needed(abs(paired.difference) / paired.sd, alpha)
        more = needed - paired.n if needed is not None and needed > paired.n else None
    return replace(paired, word="indistinguishable", more_seeds=more)


def _finite(*values: float) -> bool:
    return all(math.isfinite(value) for value in values)


def _sd(differences: NDArray[np.float64], scale: float) -> float | None:
    if len(differences) < 2:
        return None
    sd = float(differences.std(ddof=1))
    return sd if sd > _ROUNDING * scale else 0.0


def _margin(sd: float, n: int, among: int = 1) -> float:
    return t_quantile(1 - (1 - LEVEL) / (2 * among), n - 1) * sd / math.sqrt(n)


def _p_value(mean: float, sd: float, n: int) -> float:
    if sd == 0:
        return 1.0 if mean == 0 else 0.0
    return 2 * t_tail(abs(mean) / (sd / math.sqrt(n)), n - 1)


@dataclass(frozen=True)
class Ratio:
    """A cost against another over the rounds that both have.

    Attributes:
        ratio: geometric mean of the paired ratios, contender over other.
        low: lower end of its 95 % interval (t on the logarithms); None for one round.
        floor: by how much a cost of this machine differs from itself, as a fraction; 0 where that is not known.
        drifted: whether the machine has drifted between the one's measurements and the other's.
    """

    n: int
    ratio: float
    low: float | None
    high: float | None
    floor: float = 0.0
    drifted: bool = False

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 1 out."""
        return self.low is not None and self.high is not None and not self.low <= 1 <= self.high

    @property
    def large(self) -> bool:
        """Whether it is further from 1 than the noise floor, and the machine the same for both."""
        return not self.drifted and max(self.ratio, 1 / self.ratio) > 1 + self.floor

    @property
    def told(self) -> bool:
        """Whether one may be called faster or slower, larger or smaller, than the other: clear and large."""
        return self.clear and self.large


def compare_cost(values: Mapping[int, float], others: Mapping[int, float], *, among: int = 1) -> Ratio | None:
    """Ratio of two costs, rounds paired by number; None without a common round of positive values.

    Args:
        among: so many ratios are looked at together; the intervals of all hold at once (Bonferroni).
    """
    pairs = [key for key in sorted(values.keys() & others.keys()) if values[key] > 0 and others[key] > 0]
    if not pairs:
        return None
    logs = np.log([values[key] / others[key] for key in pairs])
    mean, n = float(logs.mean()), len(pairs)
    if n == 1:
        return Ratio(1, math.exp(mean), None, None)
    margin = _margin(float(logs.std(ddof=1)), n, among)
    return Ratio(n, math.exp(mean), math.exp(mean - margin), math.exp(mean + margin))
