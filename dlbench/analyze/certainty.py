"""How sure a comparison is: intervals of the difference, of the probability of improvement and of the effect size.

Pure functions over paired differences. They inform; the word is that of `dlbench.analyze.compare` alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from dlbench.analyze.bootstrap import Floats, Interval, bca, draws, percentile
from dlbench.analyze.compare import LEAST_SEEDS
from dlbench.analyze.distributions import root
from dlbench.analyze.results import Comparison
from dlbench.analyze.summary import LEVEL

_LARGE = 100.0
"""Of a t statistic: beyond it all that the noncentral t knows is the chi-square of the spread."""


@dataclass(frozen=True)
class Certainty:
    """What surrounds a paired difference. Intervals are of 95 %; None below five pairs, and where nothing varies.

    Attributes:
        difference: BCa bootstrap interval of the mean difference, over pairs.
        improvement: probability that the contender is the better one of a pair; ties count as half.
        effect: Cohen's d of paired differences with Hedges' correction, of the same sign as the difference.
    """

    n: int
    difference: Interval | None
    improvement: float
    improvement_interval: Interval | None
    effect: float | None
    effect_interval: Interval | None


def certainty(differences: Floats, *, higher_is_better: bool) -> Certainty:
    """All of it for paired differences (contender minus other), (n,)."""
    n, enough = len(differences), len(differences) >= LEAST_SEEDS
    won = wins(differences, higher_is_better=higher_is_better)
    effect = effect_size(differences)
    return Certainty(
        n=n,
        difference=bca(differences, lambda array: array.mean(axis=-1)) if enough else None,
        improvement=float(won.mean()),
        improvement_interval=improvement_interval([won]) if enough else None,
        effect=effect if enough else None,
        effect_interval=effect_interval(differences) if enough else None,
    )


def differences_of(comparison: Comparison) -> Floats:
    """Its paired differences in the arena's score, in the order of its pairs; none without a score."""
    score = comparison.arena.score
    if score is None:
        return np.empty(0)
    ours, theirs = comparison.contender.values(score.name), comparison.baseline.values(score.name)
    return np.array([ours[seed] - theirs[seed] for seed in comparison.paired.pairs])


def wins(differences: Floats, *, higher_is_better: bool) -> Floats:
    """1 for each pair that the contender wins, ½ for a tie, 0 else."""
    return (1 + np.sign(differences if higher_is_better else -differences)) / 2


def improvement_interval(strata: Sequence[Floats]) -> Interval:
    """Percentile bootstrap of the mean over strata of the share of wins (Bouthillier et al. 2021; Agarwal et al. 2021).

    Pairs are drawn within their stratum. Where each stratum's pairs agree no resample can differ from them: then the
    exact binomial interval of all pairs stands in its place (Clopper & Pearson 1934), which for strata of equal size
    is on the safe side (Hoeffding 1956).

    Args:
        strata: of each the wins of its pairs: 1, ½ or 0.
    """
    if all(np.ptp(won) == 0 for won in strata):
        n = sum(len(won) for won in strata)
        return exact_share(n * float(np.mean([won.mean() for won in strata])), n)
    resampled = np.mean([won[draws(len(won), number)].mean(axis=1) for number, won in enumerate(strata)], axis=0)
    low, high = percentile(resampled)
    return float(low), float(high)


def exact_share(hits: float, n: int) -> Interval:
    """The 95 % interval of a binomial share (Clopper & Pearson 1934); hits need not be whole."""
    tail = (1 - LEVEL) / 2
    low = float(special.betaincinv(hits, n - hits + 1, tail)) if hits > 0 else 0.0
    high = float(special.betaincinv(hits + 1, n - hits, 1 - tail)) if hits < n else 1.0
    return low, high


def effect_size(differences: Floats) -> float | None:
    """Mean over standard deviation of paired differences, corrected for few of them (Hedges 1981); None if no spread.

    The correction is the exact one, Γ(f/2) / (√(f/2) · Γ((f−1)/2)) with f = n − 1.
    """
    n = len(differences)
    sd = _sd(differences)
    return None if sd is None or n < 3 else _hedges(n - 1) * float(differences.mean()) / sd


def effect_interval(differences: Floats) -> Interval | None:
    """The 95 % interval of the same, from the noncentral t distribution (Goulet-Pelletier & Cousineau 2018)."""
    n = len(differences)
    sd = _sd(differences)
    if sd is None or n < 3:
        return None
    t = float(differences.mean()) / sd * math.sqrt(n)
    scale = _hedges(n - 1) / math.sqrt(n)
    return scale * _noncentrality(t, n - 1, (1 + LEVEL) / 2), scale * _noncentrality(t, n - 1, (1 - LEVEL) / 2)


def _sd(differences: Floats) -> float | None:
    """None where differences do not vary beyond rounding."""
    if len(differences) < 2:
        return None
    sd = float(differences.std(ddof=1))
    return sd if sd > 1e-12 * float(np.abs(differences).max()) else None


def _hedges(freedom: int) -> float:
    return math.exp(special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2)) / math.sqrt(freedom / 2)


def _noncentrality(t: float, freedom: int, share: float) -> float:
    """The noncentrality at which a noncentral t lies below t with this probability."""
    if t < 0:
        return -_noncentrality(-t, freedom, 1 - share)
    spread = t * math.sqrt(float(special.chdtri(freedom, share)) / freedom)
    if t > _LARGE:
        return spread
    low, high = min(spread, t) - 10, max(spread, t) + 10
    return root(lambda centre: share - float(special.nctdtr(freedom, centre, t)), low, high)
