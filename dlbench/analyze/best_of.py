"""Expected best of n candidates: what a search of any size would have found, from the candidates of one that was done.

Two models, or two strategies, tuned with different budgets cannot be compared by their best; their curves can, at every
budget (Dodge et al. 2019, "Show Your Work"). The candidates are taken in random order: that is exact for random search;
for a strategy that learns it says what its candidates are worth, not when it found them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dlbench.analyze.bootstrap import SEED, percentile
from dlbench.analyze.studies import StudyGroup, value_of
from dlbench.schema.study import Study, Trial

BLIND = ("random", "quasi_random", "grid")
"""Strategies whose candidates do not depend on what was told: only theirs say what a model is worth."""
MOST_SIZES = 60
"""Points of a curve."""
RESAMPLES = 400
"""Of a band: a study may have thousands of candidates, which every resample sorts."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Expected best of every number of candidates.

    Attributes:
        label: the strategy, or the model.
        candidates: how many there are, over all its studies.
        without: how many of them ended without a value; they count as the worst that is known of the task.
        sizes: (points,) numbers of candidates, up to what one study tried; `expected`, `low`, `high` likewise.
    """

    label: str
    candidates: int
    without: int
    sizes: NDArray[np.int64]
    expected: Floats
    low: Floats
    high: Floats


def expected_best(values: Floats, sizes: Sequence[int] | NDArray[np.int64]) -> Floats:
    """Expected maximum of so many values drawn without replacement; unbiased (Tang et al. 2020, equation 6).

    The i-th smallest of B values is the largest of n drawn ones with probability C(i − 1, n − 1) / C(B, n).

    Args:
        values: (B,) or, for several samples, (B, samples).
        sizes: numbers n, each from 1 to B.

    Returns:
        (sizes,) or (sizes, samples).
    """
    total = len(values)
    rank, n = np.arange(1, total + 1)[np.newaxis], np.asarray(sizes)[:, np.newaxis]
    chosen = _log_binomial(rank - 1, n - 1) - _log_binomial(total, n)
    weights = np.where(rank >= n, np.exp(np.where(rank >= n, chosen, 0.0)), 0.0)
    return np.asarray(weights @ np.sort(values, axis=0))


def _log_binomial(n: NDArray[np.int64] | int, k: NDArray[np.int64]) -> Floats:
    rest = np.maximum(np.asarray(n) - k, 0)
    return np.asarray(special.gammaln(np.asarray(n) + 1.0) - special.gammaln(k + 1.0) - special.gammaln(rest + 1.0))


def by_strategy(group: StudyGroup) -> tuple[Curve, ...]:
    """A curve for each strategy that searches; those with a value alone."""
    return _curves(group, {label: [_told(study) for study in group.of(label)] for label in group.searching})


def by_model(group: StudyGroup) -> tuple[Curve, ...]:
    """A curve for each model, where the space has several: of blind strategies' candidates, if there are any."""
    if not any(axis.name == "model" for axis in group.space.axes):
        return ()
    blind = tuple(study for study in group.studies if study.head.strategy.name in BLIND)
    told = [_told(study) for study in blind or group.studies]
    models = dict.fromkeys(str(trial.point.get("model")) for trials in told for trial in trials)
    of = {name: [[t for t in trials if str(t.point.get("model")) == name] for trials in told] for name in models}
    return _curves(group, of)


def _told(study: Study) -> list[Trial]:
    return [trial for trial in study.distinct if trial.told is not None]


def _curves(group: StudyGroup, wanted: Mapping[str, Sequence[Sequence[Trial]]]) -> tuple[Curve, ...]:
    """Of each label from its candidates, study by study."""
    known = [value for study in group.studies for t in study.distinct if (value := _worth(t)) is not None]
    if not known:
        return ()
    sign = 1.0 if group.goal.better == "higher" else -1.0
    worst = min(sign * value for value in known)
    found = []
    for label, told in wanted.items():
        worths = [_worth(trial) for trials in told for trial in trials]
        if any(worth is not None for worth in worths):
            values = np.array([worst if worth is None else sign * worth for worth in worths])
            found.append(_curve(label, values, sum(w is None for w in worths), max(map(len, told)), sign))
    return tuple(found)


def _worth(trial: Trial) -> float | None:
    """The first objective of a candidate, or the last that a pruner saw of it."""
    value = value_of(trial)
    if value is None and trial.told is not None and trial.told.state == "pruned" and trial.told.curve:
        value = trial.told.curve[-1][1]
    return value


def _curve(label: str, values: Floats, without: int, most: int, sign: float) -> Curve:
    sizes = np.unique(np.round(np.geomspace(1, most, MOST_SIZES)).astype(np.int64))
    drawn = np.random.default_rng(SEED).choice(values, (len(values), RESAMPLES))
    low, high = percentile(expected_best(drawn, sizes).T)
    expected = sign * expected_best(values, sizes)
    ends = (sign * low, sign * high) if sign > 0 else (sign * high, sign * low)
    return Curve(label, len(values), without, sizes, expected, *ends)
