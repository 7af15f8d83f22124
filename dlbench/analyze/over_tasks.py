"""The same contenders on several tasks: ranks, words, chances to be better, and how far runs are behind.

Nothing here adds up scores of different tasks (Agarwal et al. 2021, "Deep RL at the Edge of the Statistical Precipice",
whose stratified bootstrap this is: seeds are drawn within their task, the same for all contenders). Who is looked at
together, `dlbench.analyze.fields` says.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlbench.analyze.bootstrap import Floats, Interval, draws, percentile, resampled_means
from dlbench.analyze.certainty import differences_of, improvement_interval, wins
from dlbench.analyze.compare import Word
from dlbench.analyze.fields import Field
from dlbench.analyze.results import Comparison, Results

MOST_POINTS = 60
"""Of a profile."""
BAND_RESAMPLES = 1000
"""Of a profile's band, which is only looked at."""


@dataclass(frozen=True)
class Standing:
    """A contender over all arenas.

    Attributes:
        ranks: in each arena by mean score, 1 is the best; equal means share the mean of their ranks.
        mean_rank: with a 95 % interval over resampled seeds, None below five seeds of an arena.
        words: how often it is what against the baseline; empty for the baseline.
        improvement: mean over arenas of the probability to beat the baseline; None for the baseline.
    """

    name: str
    ranks: tuple[float, ...]
    mean_rank: float
    rank_interval: Interval | None
    words: Mapping[Word, int]
    improvement: float | None
    improvement_interval: Interval | None


@dataclass(frozen=True, eq=False)
class Profile:
    """What share of a contender's runs is how close to the best mean of their arena; each arena counts the same.

    Attributes:
        gaps: how far behind, ascending from 0: in the scores' unit where all arenas have the same, else as a fraction
            of the best mean.
        shares: at each gap, with a 95 % band over resampled seeds.
    """

    name: str
    gaps: Floats
    shares: Floats
    low: Floats
    high: Floats


def ranks(means: Floats) -> Floats:
    """Ranks along the last axis, 1 for the highest; equal ones share the mean of their ranks."""
    columns = [
        1 + (means > means[..., [k]]).sum(axis=-1) + ((means == means[..., [k]]).sum(axis=-1) - 1) / 2
        for k in range(means.shape[-1])
    ]
    return np.stack(columns, axis=-1)


def standings(results: Results, field: Field) -> tuple[Standing, ...]:
    """Every contender, the best mean rank first."""
    observed = np.stack([ranks(scores.mean(axis=1)) for scores in field.scores])  # (arenas, names)
    low, high = percentile(_resampled_ranks(field)) if field.enough else (None, None)
    against = {name: _against_baseline(results, field, name) for name in field.names}
    found = []
    for place, name in enumerate(field.names):
        comparisons = against[name]
        chance, interval = _improvement(comparisons, field)
        found.append(
            Standing(
                name=name,
                ranks=tuple(map(float, observed[:, place])),
                mean_rank=float(observed[:, place].mean()),
                rank_interval=None if low is None or high is None else (float(low[place]), float(high[place])),
                words=Counter(comparison.paired.word for comparison in comparisons),
                improvement=chance,
                improvement_interval=interval,
            )
        )
    return tuple(sorted(found, key=lambda standing: standing.mean_rank))


def _resampled_ranks(field: Field) -> Floats:
    """Mean rank over arenas, (RESAMPLES, names)."""
    each = [ranks(resampled_means(list(scores), number)) for number, scores in enumerate(field.scores)]
    return np.asarray(np.mean(each, axis=0))


def _against_baseline(results: Results, field: Field, name: str) -> list[Comparison]:
    """Its declared comparison in each arena; none unless it has one in all of them, with the same other."""
    found = [
        comparison
        for comparison in results.comparisons
        if comparison.arena in field.arenas and comparison.contender.name == name
    ]
    others = {comparison.baseline.name for comparison in found}
    return found if len(found) == len(field.arenas) and len(others) == 1 else []


def _improvement(comparisons: Sequence[Comparison], field: Field) -> tuple[float | None, Interval | None]:
    if not comparisons:
        return None, None
    strata = []
    for comparison in comparisons:
        higher = comparison.arena.score is not None and comparison.arena.score.better == "higher"
        strata.append(wins(differences_of(comparison), higher_is_better=higher))
    chance = float(np.mean([won.mean() for won in strata]))
    return chance, improvement_interval(strata) if field.enough else None


def profiles(field: Field) -> tuple[Profile, ...]:
    """How close runs are to the best mean of their arena; that best is not resampled."""
    gaps = [_gaps(scores, relative=field.unit is None) for scores in field.scores]
    grid = _grid(np.concatenate([gap.ravel() for gap in gaps]))
    weights = np.hstack([_drawn(gap.shape[1], number)[:BAND_RESAMPLES] for number, gap in enumerate(gaps)]) / len(gaps)
    found = []
    for place, name in enumerate(field.names):
        within = [(gap[place][:, np.newaxis] <= grid).astype(np.float64) for gap in gaps]  # of each arena (seeds, grid)
        shares = np.mean([one.mean(axis=0) for one in within], axis=0)
        low, high = percentile(weights @ np.concatenate(within)) if field.enough else (shares, shares)
        found.append(Profile(name, grid, shares, low, high))
    return tuple(found)


def _gaps(scores: Floats, *, relative: bool) -> Floats:
    best = scores.mean(axis=1).max()
    gaps = np.maximum(best - scores, 0.0)
    return np.asarray(gaps / abs(best) if relative and best else gaps)


def _grid(gaps: Floats) -> Floats:
    """0 and gaps that occur, evenly by rank, so that steps stand where runs are."""
    known = np.unique(np.append(gaps, 0.0))
    return known[np.unique(np.round(np.linspace(0, len(known) - 1, MOST_POINTS)).astype(np.int64))]


def _drawn(n: int, stream: int) -> Floats:
    """Share of each of n seeds in every resample, (RESAMPLES, n)."""
    return np.asarray((draws(n, stream)[:, :, np.newaxis] == np.arange(n)).mean(axis=1))
