"""Times to a target of which some were missed, B against A over common seeds: a miss is infinite, hence the worst.

Two questions, each with a test of its own. Who misses more: Barnard's exact test (Barnard 1945, *Nature* 156:177), for
which the sides are independent; that both have the same seeds makes it cautious. Who is first on more seeds, where what
misses is last: the sign test (Dixon & Mood 1946, *J. Am. Stat. Assoc.* 41:557). No mean over the seeds that got there
is ever taken: it would praise who drops the hard ones. Pure functions over numbers.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from dlbench.analyze.compare import LEAST_SEEDS, Paired
from dlbench.analyze.summary import summarise_rounds

Tie = Callable[[float, float], bool]
"""Whether two finite times, B's and A's, are as good as equal."""


@dataclass(frozen=True)
class Missed:
    """What the common seeds of two sides say, where a target was missed.

    Attributes:
        n: number of common seeds.
        unpaired: seeds that one side alone has.
        misses: of A and of B, among the common seeds.
        medians: of A and of B; may be infinite.
        more: B against A in the share of seeds that miss.
        later: B against A in the share of seeds on which it is later than the other.
    """

    n: int
    unpaired: int
    misses: tuple[int, int]
    medians: tuple[float, float]
    more: Paired
    later: Paired

    @property
    def complete(self) -> bool:
        """Whether one side misses all that the other reaches, on enough seeds.

        Two equal sides do so in at most 2 · 4⁻ⁿ of cases (q (1 − q) ≤ 1/4 whatever the probability q of a miss), which
        is 0.2 % of five seeds: as a job that fails where it did not, it needs no correction.
        """
        return self.n >= LEAST_SEEDS and sorted(self.misses) == [0, self.n]


def missed(times: Mapping[int, float], others: Mapping[int, float], tie: Tie) -> Missed | None:
    """B's times against A's; None where no common seed has missed, so that the times themselves can be compared.

    Args:
        times: of B: seed → time, infinite where the target was missed.
        others: of A.
    """
    seeds = tuple(sorted(times.keys() & others.keys()))
    b, a = [times[seed] for seed in seeds], [others[seed] for seed in seeds]
    if not seeds or all(map(math.isfinite, (*a, *b))):
        return None
    unpaired = len(times.keys() | others.keys()) - len(seeds)
    lost, left = np.isinf(b), np.isinf(a)
    equal = np.array(
        [x == y or (math.isfinite(x) and math.isfinite(y) and tie(x, y)) for x, y in zip(b, a, strict=True)]
    )
    late, early = ~equal & (np.array(b) > a), ~equal & (np.array(b) < a)
    misses = int(left.sum()), int(lost.sum())
    medians = [found.median for found in map(summarise_rounds, (a, b)) if found is not None]
    return Missed(
        n=len(seeds),
        unpaired=unpaired,
        misses=misses,
        medians=(medians[0], medians[1]),
        more=_shares(
            seeds, unpaired, int((lost & ~left).sum()), int((left & ~lost).sum()), _barnard(misses, len(seeds))
        ),
        later=_shares(seeds, unpaired, int(late.sum()), int(early.sum()), _sign(int(late.sum()), int(early.sum()))),
    )


def _shares(seeds: tuple[int, ...], unpaired: int, against: int, by: int, p: float) -> Paired:
    """B against A on seeds where one alone has something bad: `against` B, `by` A; `wins` is of these seeds alone."""
    n = len(seeds)
    return Paired(
        pairs=seeds,
        unpaired=unpaired,
        mean=against / n,
        other_mean=by / n,
        difference=(against - by) / n,
        sd=None,
        low=None,
        high=None,
        p=p,
        p_holm=None,
        wins=by / (against + by) if against + by else 0.5,
        word="too few seeds",
        more_seeds=None,
        resolvable=None,
    )


def _barnard(misses: tuple[int, int], n: int) -> float:
    """Two-sided p value of misses of two sides of n; 1 where they are equal."""
    if misses[0] == misses[1]:
        return 1.0
    return float(stats.barnard_exact([list(misses), [n - some for some in misses]]).pvalue)


def _sign(late: int, early: int) -> float:
    return float(stats.binomtest(late, late + early).pvalue) if late + early else 1.0
