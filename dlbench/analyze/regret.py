"""Strategies against one another: regret under a growing budget, and the budget to a good candidate.

The reference is the best candidate that any study of the task knows: with an exhaustive study, the best there is.
Medians over study seeds stand with a distribution-free interval between two of their order statistics
(`summarise_rounds`), which for fewer than six studies is their whole range.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dlbench.analyze.contenders import canonical
from dlbench.analyze.studies import Step, StudyGroup, better, history, value_of
from dlbench.analyze.summary import LEVEL, MedianSummary, summarise_rounds
from dlbench.schema.study import Study

By = Literal["candidates", "epochs"]

SHARE = 0.02
"""The best 2 % of all candidates count as found."""
MOST_POINTS = 200
"""Of a curve."""
RESAMPLES = 2000
_SEED = 20_260_101


@dataclass(frozen=True)
class Level:
    """Best so far of a strategy at one budget, over its studies."""

    budget: float
    median: float
    low: float
    high: float
    n: int


def best_so_far(group: StudyGroup, label: str, by: By, *, regret: bool = False) -> list[Level]:
    """Median and interval of the best so far, from where every study has one to the last budget that all reached.

    Args:
        regret: how far below the best known candidate instead of the value itself; 0 or more.
    """
    told = [steps for study in group.of(label) if (steps := history(study))]
    if not told or any(steps[-1].best is None for steps in told):
        return []
    first = max(next(_budget(step, by) for step in steps if step.best is not None) for steps in told)
    last = min(_budget(steps[-1], by) for steps in told)
    ends = sorted({_budget(step, by) for steps in told for step in steps if first <= _budget(step, by) <= last})
    ends = _thin(ends) or ([first] if first <= last else [])
    budgets = [[_budget(step, by) for step in steps] for steps in told]
    reference = group.ranked[0].value if group.ranked else None
    levels = []
    for end in ends:
        values = [steps[bisect_right(b, end) - 1].best for steps, b in zip(told, budgets, strict=True)]
        known = [value for value in values if value is not None]
        if regret and reference is not None:
            known = [abs(value - reference) for value in known]
        middle = summarise_rounds(known) if len(known) == len(told) else None
        if middle is not None:
            low = middle.median if middle.low is None else middle.low
            high = middle.median if middle.high is None else middle.high
            levels.append(Level(end, middle.median, low, high, middle.n))
    return _corners(levels)


def _budget(step: Step, by: By) -> float:
    return float(step.candidates) if by == "candidates" else step.epochs


def _thin(ends: list[float]) -> list[float]:
    if len(ends) <= MOST_POINTS:
        return ends
    return [ends[round(i)] for i in np.linspace(0, len(ends) - 1, MOST_POINTS)]


def _corners(levels: list[Level]) -> list[Level]:
    """Where something changes, and the end: between them lie steps."""
    ends = (0, len(levels) - 1)
    return [level for number, level in enumerate(levels) if number in ends or _said(level) != _said(levels[number - 1])]


def _said(level: Level) -> tuple[float, float, float]:
    return level.median, level.low, level.high


@dataclass(frozen=True)
class Target:
    """What counts as found.

    Attributes:
        value: of the objective, that a candidate must reach.
        known: distinct candidates with a value, of which it is the best share.
        enumerated: whether these are all that there are; else a better one may be unknown.
        keys: of the candidates that reach it.
    """

    value: float
    known: int
    enumerated: bool
    keys: frozenset[str]


@dataclass(frozen=True)
class Reach:
    """Budget that a strategy needed to reach the target, over its studies; infinite where it did not.

    Where random search did not get there, all that is known is that it needs more than it was given: ratios are then
    upper bounds, with its whole budget in place of what it would need.

    Attributes:
        reached: how many of the studies did.
        ratio: median epochs over those of random search; None without such a study, or where neither got there.
        low: lower end of the 95 % bootstrap interval of the ratio over study seeds; likewise `high`.
        ratio_candidates: the same of candidates.
        bound: whether the ratios are upper bounds, as random search did not get there in the median.
    """

    label: str
    reached: int
    candidates: MedianSummary
    epochs: MedianSummary
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    ratio_candidates: float | None = None
    bound: bool = False

    @property
    def half(self) -> bool | None:
        """Whether it needs at most half of random search's epochs; None if unknown."""
        if self.ratio is None or (self.bound and self.ratio > 0.5):
            return None
        return self.ratio <= 0.5


def target(group: StudyGroup) -> Target | None:
    """The value of the worst of the best 2 % of all known candidates, at least of one; None without any."""
    ranked = group.ranked
    if not ranked:
        return None
    last = ranked[max(1, math.floor(SHARE * len(ranked))) - 1].value
    assert last is not None
    keys = frozenset(c.key for c in ranked if c.value is not None and not better(last, c.value, group.goal))
    return Target(last, len(ranked), group.enumerated, keys)


def baseline(group: StudyGroup) -> str | None:
    """Label of random search with the plain budget; None if no study is one."""
    plain = [s.head.strategy for s in group.studies if s.head.strategy.name == "random"]
    return min(plain, key=lambda strategy: abs(math.log(strategy.times))).label if plain else None


def reaches(group: StudyGroup) -> tuple[Reach, ...]:
    """A line for each strategy that searches, in order."""
    goal, random = target(group), baseline(group)
    if goal is None:
        return ()
    needed = {label: np.array([_needed(s, goal) for s in group.of(label)]) for label in group.searching}
    lines = []
    for label, ours in needed.items():
        candidates, epochs = (summarise_rounds([float(one) for one in ours[:, place]]) for place in (0, 1))
        assert candidates is not None
        assert epochs is not None
        line = Reach(label, int(np.isfinite(ours[:, 0]).sum()), candidates, epochs)
        if random in needed and label != random:
            theirs = needed[random]
            given = np.array([_given(study) for study in group.of(random)])
            least = np.where(np.isfinite(theirs), theirs, given)
            bound = bool(np.isinf(_median(theirs[:, 1])))
            if not (bound and math.isinf(epochs.median)):
                low, high = _ratio_interval(ours[:, 1], least[:, 1])
                ratios = [_ratio(ours[:, place], least[:, place]) for place in (0, 1)]
                line = replace(line, ratio=ratios[1], low=low, high=high, ratio_candidates=ratios[0], bound=bound)
        lines.append(line)
    return tuple(lines)


def _given(study: Study) -> tuple[float, float]:
    """(candidates, epochs) that a study has had."""
    steps = history(study)
    return (float(steps[-1].candidates), steps[-1].epochs) if steps else (0.0, 0.0)


def _needed(study: Study, goal: Target) -> tuple[float, float]:
    """(candidates, epochs) until one that reaches the target was told; infinite if none was."""
    for step in history(study):
        if value_of(step.trial) is not None and canonical(step.trial.point) in goal.keys:
            return float(step.candidates), step.epochs
    return math.inf, math.inf


def _ratio(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float | None:
    a, b = _median(ours), _median(theirs)
    return None if b == 0 else a / b


def _median(sample: NDArray[np.float64]) -> float:
    return float(_medians(np.sort(sample)[np.newaxis])[0])


def _ratio_interval(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Percentile bootstrap over study seeds; None for fewer than two studies on either side."""
    if min(len(ours), len(theirs)) < 2:
        return None, None
    rng = np.random.default_rng(_SEED)
    drawn = [np.sort(rng.choice(side, (RESAMPLES, len(side))), axis=1) for side in (ours, theirs)]
    a, b = (_medians(side) for side in drawn)
    if (b == 0).any():
        return None, None
    ratios = np.sort(a / b)
    low, high = (float(ratios[round(q * (len(ratios) - 1))]) for q in ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return low, high


def _medians(ordered: NDArray[np.float64]) -> NDArray[np.float64]:
    n = ordered.shape[1]
    low, high = ordered[:, (n - 1) // 2], ordered[:, n // 2]
    return np.asarray(np.where(low == high, low, (low + high) / 2))
