"""Which arenas and contenders can be looked at together, and why the others cannot.

Everyone in a field has every seed in each of its arenas. Where arenas do not all have the same contenders, the field is
as large as can be: the most arenas times contenders, and of equally many that with more arenas.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dlbench.analyze.bootstrap import Floats
from dlbench.analyze.compare import LEAST_SEEDS
from dlbench.analyze.contenders import Arena
from dlbench.analyze.left_out import unranked
from dlbench.analyze.quantities import listed
from dlbench.analyze.results import Results


@dataclass(frozen=True, eq=False)
class Field:
    """Arenas with contenders that can be ranked in each of them.

    Attributes:
        names: those with every seed in every arena, in the suite's order.
        left_out: the arenas' other contenders → why.
        arenas_left_out: titles of the suite's arenas that are in no field → why.
    """

    arenas: tuple[Arena, ...]
    names: tuple[str, ...]
    left_out: Mapping[str, str]
    arenas_left_out: Mapping[str, str]

    @cached_property
    def scores(self) -> tuple[Floats, ...]:
        """Of each arena (names, seeds), higher is better."""
        return tuple(_scores(arena, self.names) for arena in self.arenas)

    @property
    def enough(self) -> bool:
        """Whether every arena has the seeds that an interval needs."""
        return all(scores.shape[1] >= LEAST_SEEDS for scores in self.scores)

    @property
    def unit(self) -> str | None:
        """Of all scores; None where they differ."""
        units = {arena.score.unit for arena in self.arenas if arena.score is not None}
        return units.pop() if len(units) == 1 else None


def _scores(arena: Arena, names: Sequence[str]) -> Floats:
    assert arena.score is not None
    by_name = {contender.name: contender.values(arena.score.name) for contender in arena.ranked}
    table = np.array([[by_name[name][seed] for seed in sorted(by_name[name])] for name in names])
    return table if arena.score.better == "higher" else -table


def fields(results: Results) -> tuple[Field, ...]:
    """The largest field of two arenas and two contenders or more, then that of the arenas which are not in it, …"""
    found: list[tuple[Arena, ...]] = []
    rest = [arena for arena in results.arenas if arena.ranked]
    while group := _largest(rest):
        found.append(group)
        rest = [arena for arena in rest if arena not in group]
    alone = [arena for arena in results.arenas if not any(arena in group for group in found)]
    found.sort(key=lambda group: results.arenas.index(group[0]))
    return tuple(_field(group, alone) for group in found)


def _largest(arenas: Sequence[Arena]) -> tuple[Arena, ...]:
    """From each arena on, the arena that costs the fewest contenders is added, and again; empty if nothing goes."""
    fair = {arena: {contender.name for contender in arena.ranked} for arena in arenas}
    best: tuple[tuple[int, int], tuple[Arena, ...]] = ((0, 0), ())
    for first in arenas:
        group, names = [first], fair[first]
        while others := [arena for arena in arenas if arena not in group and len(names & fair[arena]) > 1]:
            nearest = max(others, key=lambda arena: len(names & fair[arena]))  # the first of equal ones
            group, names = [*group, nearest], names & fair[nearest]
            size = (len(group) * len(names), len(group))
            best = max(best, (size, tuple(group)), key=lambda one: one[0])
    return tuple(arena for arena in arenas if arena in best[1])


def _field(group: tuple[Arena, ...], alone: Sequence[Arena]) -> Field:
    everyone = list(dict.fromkeys(contender.name for arena in group for contender in arena.contenders))
    why = {name: _contender_left_out(name, group) for name in everyone}
    names = tuple(name for name in everyone if not why[name])
    return Field(
        arenas=group,
        names=names,
        left_out={name: reason for name, reason in why.items() if reason},
        arenas_left_out={arena.title: _arena_left_out(arena, names) for arena in alone},
    )


def _contender_left_out(name: str, arenas: Sequence[Arena]) -> str:
    """`4 of 5 seeds on sst2`, `not on mnist`; empty for one that can be ranked everywhere."""
    where: dict[str, list[str]] = {}
    for arena in arenas:
        reason = _why(arena, name)
        if reason:
            where.setdefault(reason, []).append(arena.title)
    if "emulated precision" in where:
        return "emulated precision"
    return ", ".join(f"{reason} on {listed(titles)}" for reason, titles in where.items())


def _arena_left_out(arena: Arena, names: Sequence[str]) -> str:
    """`gru: 4 of 5 seeds`, `without cnn`."""
    if arena.score is None:
        return "nothing is trained there" if arena.measured_only else "no training has finished"
    if arena.score.better == "neither":
        return "its score has no better and worse"
    reasons = {name: reason for name in names if (reason := _why(arena, name))}
    absent = [name for name, reason in reasons.items() if reason == "not"]
    if len(absent) == len(names):
        return "other contenders"
    parts = [f"{name}: {reason}" for name, reason in reasons.items() if reason != "not"]
    return ", ".join([*([f"without {listed(absent)}"] if absent else []), *parts]) or "other contenders"


def _why(arena: Arena, name: str) -> str:
    """`4 of 5 seeds`, or `not` for one that the arena does not have; empty for one that can be ranked."""
    contender = next((one for one in arena.contenders if one.name == name), None)
    return "not" if contender is None else unranked(arena, contender)
