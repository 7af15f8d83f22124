"""Has the machine drifted? Anchors, rounds of a cached contender that were measured again, against its first rounds.

Costs are multiplied by what slows a machine down, so the ratio is that of geometric means, and its 95 % interval comes
from Welch's t on the logarithms (Welch 1947): the two groups need not vary alike, and no anchor belongs to one of the
first rounds. A machine has drifted where the interval leaves 1 out and the ratio lies beyond the noise floor.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.distributions import t_quantile
from dlbench.analyze.floors import USUAL
from dlbench.analyze.quantities import SPEEDS
from dlbench.analyze.summary import LEVEL
from dlbench.schema.record import Record

METRICS = (*SPEEDS, "infer_latency_p50_ms")


@dataclass(frozen=True, eq=False)
class Drift:
    """A contender's anchors of one plan against its first rounds, in one metric at one batch size.

    Attributes:
        ratio: speed of the anchors over that of the first rounds: below 1 the machine has become slower.
        low: lower end of the 95 % interval; None where there are too few rounds to know.
        floor: noise floor of the metric, as a fraction.
        before: contenders that were measured when this one was for the first time, itself included.
        after: those that were measured beside the anchors.
    """

    contender: Contender
    metric: str
    batch_size: int
    ratio: float
    low: float | None
    high: float | None
    floor: float
    before: tuple[Contender, ...]
    after: tuple[Contender, ...]

    @property
    def drifted(self) -> bool:
        """Whether the machine is another one since: clearly, and by more than its noise."""
        clear = self.low is not None and self.high is not None and not self.low <= 1 <= self.high
        return clear and self.size > self.floor

    @property
    def size(self) -> float:
        """How far from 1 the ratio is, whichever way, as a fraction."""
        return max(self.ratio, 1 / self.ratio) - 1

    def separates(self, one: Contender, other: Contender) -> bool:
        """Whether the machine has drifted between the costs of the one and those of the other."""
        apart = (one in self.before and other in self.after) or (other in self.before and one in self.after)
        return self.drifted and apart


@dataclass(frozen=True, eq=False)
class _Plan:
    """The anchors that one plan had measured."""

    contender: Contender
    anchors: tuple[tuple[int, Record], ...]

    @property
    def began(self) -> datetime:
        return min(record.started_at for _, record in self.anchors)


def drifts(arenas: Sequence[Arena], floors: Mapping[str, float]) -> tuple[Drift, ...]:
    """Every comparison of anchors with first rounds, drifted or not.

    A suite has one anchor a plan, in one of its arenas; it speaks for all contenders on its device. What was measured
    beside an earlier plan's anchors is told from what was measured at first, but not from a third plan's newcomers.

    Args:
        floors: metric → noise floor; 5 % for a metric that it lacks.
    """
    plans = sorted((plan for arena in arenas for c in arena.contenders for plan in _plans(c)), key=lambda p: p.began)
    once = {tuple(record.id for _, record in plan.anchors): plan for plan in reversed(plans)}  # contenders share jobs
    plans = sorted(once.values(), key=lambda plan: plan.began)
    begins = [plan.began for plan in plans]
    found: list[Drift] = []
    for number, plan in enumerate(plans, start=1):
        same = [c for arena in arenas for c in arena.contenders if c.device == plan.contender.device]
        epochs = {c: bisect_right(begins, max(record.started_at for record in _first(c))) for c in same if _first(c)}
        own = epochs.get(plan.contender)
        before = tuple(contender for contender, epoch in epochs.items() if epoch == own)
        after = tuple(contender for contender, epoch in epochs.items() if epoch == number and epoch != own)
        found += _compared(plan, floors, before, after)
    return tuple(found)


def worst(found: Sequence[Drift]) -> tuple[Drift, ...]:
    """Of the drifts between the same contenders, the largest; comparisons without a drift are out."""
    largest: dict[tuple[Contender, tuple[Contender, ...]], Drift] = {}
    for drift in found:
        key = (drift.contender, drift.after)
        if drift.drifted and (key not in largest or drift.size > largest[key].size):
            largest[key] = drift
    return tuple(largest.values())


def welch_ratio(values: Sequence[float], others: Sequence[float]) -> tuple[float, float | None, float | None]:
    """Ratio of the geometric means of two independent samples of positive values, and its 95 % interval.

    The ends are None where either sample has one value alone.
    """
    ours, theirs = np.log(values), np.log(others)
    mean = float(ours.mean() - theirs.mean())
    if len(ours) < 2 or len(theirs) < 2:
        return math.exp(mean), None, None
    a, b = float(ours.var(ddof=1)) / len(ours), float(theirs.var(ddof=1)) / len(theirs)
    if a + b == 0:
        return math.exp(mean), math.exp(mean), math.exp(mean)
    freedom = (a + b) ** 2 / (a**2 / (len(ours) - 1) + b**2 / (len(theirs) - 1))
    margin = t_quantile((1 + LEVEL) / 2, freedom) * math.sqrt(a + b)
    return math.exp(mean), math.exp(mean - margin), math.exp(mean + margin)


def _first(contender: Contender) -> list[Record]:
    return [record for point, record in contender.measured if not point.anchor]


def _plans(contender: Contender) -> list[_Plan]:
    """Its anchors by plan: each takes as many new numbers as there are rounds."""
    count = 1 + max((point.round for point, _ in contender.measured if not point.anchor), default=-1)
    groups: dict[int, list[tuple[int, Record]]] = {}
    for point, record in contender.measured:
        if point.anchor and count:
            groups.setdefault(point.round // count, []).append((point.batch_size, record))
    return [_Plan(contender, tuple(anchors)) for anchors in groups.values()]


def _compared(
    plan: _Plan, floors: Mapping[str, float], before: tuple[Contender, ...], after: tuple[Contender, ...]
) -> list[Drift]:
    found = []
    for size in sorted({size for size, _ in plan.anchors}):
        again = [record for at, record in plan.anchors if at == size]
        for metric in METRICS:
            old = [value for value in plan.contender.rounds(metric, size).values() if value > 0]
            new = [one.value for record in again if (one := record.metric(metric)) is not None and one.value]
            if old and new:
                ratio = welch_ratio(old, new) if metric.endswith("_ms") else welch_ratio(new, old)
                found.append(Drift(plan.contender, metric, size, *ratio, floors.get(metric, USUAL), before, after))
    return found
