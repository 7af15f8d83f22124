"""BLEU from what each sentence adds to it, and how sure a difference is of two systems over the same sentences.

A sentence's statistics are ten counts: length of what was written, length of the reference, then for n = 1 … 4 the
n-grams that the two share, then for n = 1 … 4 those that were written. A corpus has the sums of its sentences.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dlbench.analyze.bootstrap import Interval, percentile
from dlbench.analyze.summary import LEVEL

COUNTS = 10
"""Statistics of a sentence."""
DRAWS = 2000
"""Of signs, and of test sets: a p value of 0.05 varies by 0.005 from generator to generator."""
SEED = 20_260_102
MOST_NUMBERS = 4_000_000
"""Random numbers that are held at once."""

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def bleu(counts: NDArray[np.generic], *, effective_order: bool = False) -> Floats:
    """BLEU from 0 to 100 (Papineni et al. 2002), as sacrebleu has it with its smoothing `exp` (Chen & Cherry 2014, 3).

    Args:
        counts: statistics of a corpus, or of many, (…, 10).
        effective_order: leave out n-grams that are longer than what was written, as for single sentences.
    """
    numbers = np.asarray(counts, dtype=np.float64)
    written, reference, right, total = numbers[..., 0], numbers[..., 1], numbers[..., 2:6], numbers[..., 6:10]
    there = total > 0
    # The k-th n-gram of which none is right counts as if half of one, a quarter of one, … were.
    halvings = np.cumsum(there & (right == 0), axis=-1)
    shared = np.where(right > 0, right, 0.5**halvings)
    logs = np.log(np.where(there, shared, 1)) - np.log(np.where(there, total, 1))
    orders = there.sum(axis=-1)
    score = 100 * np.exp(logs.sum(axis=-1) / np.maximum(orders, 1))
    brevity = np.exp(np.minimum(0.0, 1 - reference / np.maximum(written, 1)))
    scored = right.any(axis=-1) & ((orders == 4) | effective_order)
    return np.asarray(np.where(scored, score * brevity, 0.0))


def randomisation(ours: Counts, theirs: Counts) -> float:
    """Two-sided p value of a difference in BLEU by approximate randomisation (Noreen 1989; Riezler & Maxwell 2005).

    If the systems are alike, who wrote which of two sentences does not matter: in each draw a coin for each pair says
    whether they change places, for all seeds at once; the statistic is the mean over seeds of the differences.

    Args:
        ours: statistics, (seeds, sentences, 10).
        theirs: of the other system's sentences, in the same order.
    """
    seen = abs(_gap(ours.sum(axis=1), theirs.sum(axis=1)))
    apart = _side_by_side(theirs - ours)
    extreme = 0
    for coins in _drawn(ours.shape[1], _coins):
        moved = (coins @ apart).reshape(len(coins), -1, COUNTS)
        extreme += int(np.sum(np.abs(_gap(ours.sum(axis=1) + moved, theirs.sum(axis=1) - moved)) >= seen - 1e-9))
    return (extreme + 1) / (DRAWS + 1)


def gap_interval(ours: Counts, theirs: Counts) -> Interval:
    """95 % interval of the difference in BLEU, mean over seeds, over test sets of the same size (Koehn 2004).

    The same sentences are drawn, with replacement, for both systems and all seeds; arguments as of `randomisation`.
    """
    both = np.concatenate([ours, theirs])
    found = [_gap(*np.split(sums, 2, axis=1)) for sums in _resampled(both)]
    low, high = percentile(np.concatenate(found))
    return float(low), float(high)


def bleu_interval(counts: Counts) -> Interval:
    """95 % interval of BLEU, mean over seeds, over test sets of the same size (Koehn 2004).

    Args:
        counts: statistics, (seeds, sentences, 10).
    """
    low, high = percentile(np.concatenate([bleu(sums).mean(axis=1) for sums in _resampled(counts)]))
    return float(low), float(high)


def share_interval(share: float, n: float) -> Interval:
    """95 % interval of the share of n sentences that are right (Wilson 1927): never empty, not even at all or none."""
    z = float(special.ndtri((1 + LEVEL) / 2))
    middle, half = share + z * z / (2 * n), z * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return max(low, 0.0), min(high, 1.0)  # but for rounding they are never outside


def _gap(ours: NDArray[np.generic], theirs: NDArray[np.generic]) -> Floats:
    """Difference in BLEU, mean over seeds, the last axis but one."""
    return np.asarray((bleu(ours) - bleu(theirs)).mean(axis=-1))


def _side_by_side(counts: Counts) -> NDArray[np.float64]:
    """(seeds, sentences, 10) → (sentences, seeds · 10): a draw of sentences is then one row of a matrix product."""
    return counts.transpose(1, 0, 2).reshape(counts.shape[1], -1).astype(np.float64)


def _resampled(counts: Counts) -> Iterator[Floats]:
    """Summed statistics of drawn test sets, (draws, seeds, 10), as many at once as fit."""
    for times in _drawn(counts.shape[1], _times):
        yield (times @ _side_by_side(counts)).reshape(len(times), -1, COUNTS)


def _drawn(n: int, how: Callable[[np.random.Generator, int, int], Floats]) -> Iterator[Floats]:
    """`DRAWS` rows of n numbers, as many at once as fit; the same at every call."""
    rng = np.random.default_rng(SEED)
    rows = max(1, MOST_NUMBERS // n)
    for start in range(0, DRAWS, rows):
        yield how(rng, min(rows, DRAWS - start), n)


def _coins(rng: np.random.Generator, rows: int, n: int) -> Floats:
    return rng.integers(0, 2, (rows, n), dtype=np.int8).astype(np.float64)


def _times(rng: np.random.Generator, rows: int, n: int) -> Floats:
    """How often each of n sentences is in a test set of n that are drawn with replacement."""
    places = rng.integers(0, n, (rows, n)) + n * np.arange(rows)[:, None]
    return np.bincount(places.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)
