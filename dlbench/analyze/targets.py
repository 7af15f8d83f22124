"""Time to a target, failures as infinite: who has reached it by when, and over several tasks who is never far behind.

A training that ended without a score (diverged, out of memory, timed out, failed) has not reached its target either;
one that has not run says nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlbench.analyze.contenders import Arena, Contender
from dlbench.analyze.summary import MedianSummary, summarise_rounds
from dlbench.schema.record import Status

FAILED: frozenset[Status] = frozenset({"failed", "oom", "diverged", "timeout"})
"""Ends of a training that count as a missed target."""


@dataclass(frozen=True, eq=False)
class Reaching:
    """How long the seeds of a contender took to the target.

    Attributes:
        times: seed → time (or steps), infinite where the target was missed.
        median: with its distribution-free interval; both may be infinite.
    """

    contender: Contender
    times: Mapping[int, float]
    median: MedianSummary

    @property
    def reached(self) -> int:
        """How many seeds did."""
        return int(np.isfinite(list(self.times.values())).sum())


def reaching(arena: Arena, metric: str) -> tuple[Reaching, ...]:
    """Every contender that had a target, in the suite's order."""
    found = []
    for contender in arena.contenders:
        times = times_to(contender, metric)
        median = summarise_rounds(list(times.values()))
        if median is not None:
            found.append(Reaching(contender, times, median))
    return tuple(found)


def times_to(contender: Contender, metric: str) -> dict[int, float]:
    """Seed → time (or steps) to the target of those that had one, infinite where it was missed."""
    times = dict(contender.reached(metric))
    for result in contender.train:
        if result.status in FAILED and result.entry.job.train.target is not None:
            times.setdefault(result.entry.job.seed or 0, np.inf)
    return times


def share_reached(times: Sequence[float]) -> list[tuple[float, float]]:
    """(time, share that has reached the target by then), wherever it grows: the empirical distribution function."""
    ends, counts = np.unique([time for time in times if np.isfinite(time)], return_counts=True)
    return [(float(end), float(share)) for end, share in zip(ends, np.cumsum(counts) / len(times), strict=True)]


def performance_ratios(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many times the fastest's time each one took on each task (Dolan & Moré 2002, §2).

    Args:
        times: (contenders, tasks), infinite where missed.

    Returns:
        The same shape; infinite where missed. Where nobody got there, all are. Beside a fastest that took no time at
        all, whoever took some has an infinite one.
    """
    fastest = times.min(axis=0)
    ratios = np.where((times == fastest) & np.isfinite(times), 1.0, np.inf)
    return np.asarray(np.divide(times, fastest, out=ratios, where=np.isfinite(times) & (fastest > 0)))


def targets(found: Iterable[Reaching]) -> tuple[float, ...]:
    """All targets that these trainings had, ascending."""
    jobs = [result.entry.job for one in found for result in one.contender.train]
    return tuple(sorted({job.train.target or 0.0 for job in jobs}))


@dataclass(frozen=True, eq=False)
class Profile:
    """Performance profiles over tasks (Dolan & Moré 2002; for training algorithms: Dahl et al. 2023, AlgoPerf, §4.3).

    Attributes:
        names: of contenders that had a target in every arena, with the same seeds as all others there.
        arenas: those that count.
        left_out: those that do not, for their contenders had different targets.
        ratios: (names, arenas): median time over that of the fastest.
    """

    names: tuple[str, ...]
    arenas: tuple[Arena, ...]
    left_out: tuple[Arena, ...]
    ratios: NDArray[np.float64]


def profile(arenas: Sequence[Arena], metric: str) -> Profile | None:
    """Over all arenas with one target; None for fewer than two arenas or contenders that can be compared."""
    found = {arena: reached for arena in arenas if (reached := reaching(arena, metric))}
    left_out = tuple(arena for arena, reached in found.items() if len(targets(reached)) > 1)
    tables = {
        arena: {one.contender.name: one for one in reached} for arena, reached in found.items() if arena not in left_out
    }
    if len(tables) < 2:
        return None
    names = [
        name
        for name in next(iter(tables.values()))
        if all(name in table and table[name].times.keys() == _seeds(table) for table in tables.values())
    ]
    if len(names) < 2:
        return None
    times = np.array([[table[name].median.median for table in tables.values()] for name in names])
    return Profile(tuple(names), tuple(tables), left_out, performance_ratios(times))


def _seeds(table: Mapping[str, Reaching]) -> frozenset[int]:
    return frozenset(seed for one in table.values() for seed in one.times)
