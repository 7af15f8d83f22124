"""What each varied setting does to the score of a grid: main effects, and how much of all differences each explains.

Only contenders that differ in nothing else are set against one another, so that an effect is not that of another
setting. What belongs to an arena or to the machine (dataset, task, precision, device) is no setting here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import fmean

from dlbench.analyze.compare import Paired, compare, correct
from dlbench.analyze.contenders import OWN_AXES, Arena, Contender, canonical
from dlbench.analyze.varied import entry_of
from dlbench.schema.base import Json

MODEL = "model"
"""The factor that says which model it is, where several are varied in the same way."""

Cell = tuple[str, ...]


@dataclass(frozen=True)
class ValueEffect:
    """A value of a setting.

    Attributes:
        value: as the suite writes it; of the factor `model`, the model's name.
        mean: over all settings and seeds that have it, in the unit of the score.
        paired: against the first value, over seeds, each a mean over the settings that have both values; None for the
            first value itself, and where nothing can be paired.
    """

    value: Json
    mean: float
    paired: Paired | None


@dataclass(frozen=True)
class Effect:
    """A setting of a grid.

    Attributes:
        share: of the variance between the grid's cells that the setting explains by itself (a first-order index of
            Sobol 1993, by analysis of variance); None where the grid has holes. The shares of all settings and of
            their interplay add up to 1; seeds' noise is a part of the interplay.
        values: in the suite's order.
    """

    key: str
    share: float | None
    values: tuple[ValueEffect, ...]


@dataclass(frozen=True, eq=False)
class Grid:
    """Contenders of an arena that vary in the same settings, at one precision on one device.

    Attributes:
        effects: the settings, the one that explains most first.
        cells: the value of each setting, in the order of `keys` and as the suite writes it, with the mean score.
    """

    arena: Arena
    precision: str
    device: str
    keys: tuple[str, ...]
    effects: tuple[Effect, ...]
    cells: tuple[tuple[tuple[Json, ...], float], ...]

    @property
    def interplay(self) -> float | None:
        """Share of the variance that no setting explains by itself; None where the grid has holes."""
        shares = [effect.share for effect in self.effects]
        known = [share for share in shares if share is not None]
        return max(0.0, 1 - sum(known)) if len(known) == len(shares) else None


def grids(arenas: Sequence[Arena]) -> tuple[Grid, ...]:
    """Every grid with at least one setting of two values that have scores; words corrected by Holm over each grid."""
    found: list[Grid] = []
    for arena in arenas:
        groups: dict[tuple[tuple[str, ...], str, str], list[Contender]] = {}
        for contender in arena.contenders:
            keys = tuple(key for key in entry_of(contender).varied if not key.startswith(OWN_AXES))
            if keys and arena.score is not None and contender.values(arena.score.name):
                groups.setdefault((keys, contender.precision, contender.device), []).append(contender)
        found += [grid for (keys, *_), members in groups.items() if (grid := _grid(arena, keys, members)) is not None]
    return tuple(found)


def _grid(arena: Arena, varied: tuple[str, ...], members: Sequence[Contender]) -> Grid | None:
    assert arena.score is not None
    written: dict[Cell, tuple[Json, ...]] = {}
    scores: dict[Cell, dict[int, float]] = {}
    for contender in members:
        values = (*(entry_of(contender).varied[key] for key in varied), _model(contender))
        cell = tuple(canonical(value) for value in values)
        written[cell], scores[cell] = values, contender.values(arena.score.name)
    keys = (*varied, MODEL)
    factors = [place for place in range(len(keys)) if len({cell[place] for cell in scores}) > 1]
    if not factors:
        return None
    means = {cell: fmean(values.values()) for cell, values in scores.items()}
    higher = arena.score.better != "lower"
    effects = [
        Effect(keys[place], _share(means, place), _value_effects(scores, written, place, higher)) for place in factors
    ]
    effects.sort(key=lambda effect: -(effect.share or 0.0))
    cells = tuple((tuple(written[cell][place] for place in factors), mean) for cell, mean in means.items())
    return Grid(
        arena,
        members[0].precision,
        members[0].device,
        tuple(keys[place] for place in factors),
        tuple(_corrected(effects, higher)),
        cells,
    )


def _model(contender: Contender) -> str:
    """Which model it is: its label without what is varied."""
    entry = entry_of(contender)
    words = [word for word in entry.label.split() if "=" not in word]
    return " ".join(words) or entry.job.model.name


def _share(means: Mapping[Cell, float], place: int) -> float | None:
    """Variance of the marginal means over that of the cells; None where a combination is missing."""
    levels = [list(dict.fromkeys(cell[at] for cell in means)) for at in range(len(next(iter(means))))]
    if any(cell not in means for cell in product(*levels)):
        return None
    grand = fmean(means.values())
    total = fmean((mean - grand) ** 2 for mean in means.values())
    marginal = [fmean(mean for cell, mean in means.items() if cell[place] == level) for level in levels[place]]
    return fmean((mean - grand) ** 2 for mean in marginal) / total if total > 0 else None


def _value_effects(
    scores: Mapping[Cell, Mapping[int, float]], written: Mapping[Cell, tuple[Json, ...]], place: int, higher: bool
) -> tuple[ValueEffect, ...]:
    levels = {cell[place]: written[cell][place] for cell in scores}
    first = next(iter(levels))
    effects = []
    for level, value in levels.items():
        own = [score for cell, values in scores.items() if cell[place] == level for score in values.values()]
        paired = None if level == first else _against(scores, place, level, first, higher)
        effects.append(ValueEffect(value, fmean(own), paired))
    return tuple(effects)


def _against(
    scores: Mapping[Cell, Mapping[int, float]], place: int, level: str, first: str, higher: bool
) -> Paired | None:
    """A value against the first one: for each seed the mean over the settings that have both with that seed."""
    ours: dict[int, list[float]] = {}
    theirs: dict[int, list[float]] = {}
    for cell, values in scores.items():
        partner = scores.get((*cell[:place], first, *cell[place + 1 :]))
        if cell[place] != level or partner is None:
            continue
        for seed in values.keys() & partner.keys():
            ours.setdefault(seed, []).append(values[seed])
            theirs.setdefault(seed, []).append(partner[seed])
    complete = max((len(found) for found in ours.values()), default=0)
    seeds = [seed for seed, found in ours.items() if len(found) == complete]
    return compare(
        {seed: fmean(ours[seed]) for seed in seeds},
        {seed: fmean(theirs[seed]) for seed in seeds},
        higher_is_better=higher,
    )


def _corrected(effects: Sequence[Effect], higher: bool) -> list[Effect]:
    family = [one.paired for effect in effects for one in effect.values if one.paired is not None]
    words = iter(correct(family, [higher] * len(family)))
    return [
        replace(
            effect,
            values=tuple(one if one.paired is None else replace(one, paired=next(words)) for one in effect.values),
        )
        for effect in effects
    ]
