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
from dlbench.analyze.tuning import model_of
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
        settings: how many combinations have it.
        paired: against the first value, over seeds, each a mean over the settings that have both values; None for the
            first value itself, and where nothing can be paired.
    """

    value: Json
    mean: float
    settings: int
    paired: Paired | None


@dataclass(frozen=True)
class Effect:
    """A setting of a grid.

    Attributes:
        share: of the variance between the grid's cells that the setting explains by itself (a first-order index of
            Sobol 1993, by analysis of variance); None where the grid has holes, or all its means are equal. The
            shares of all settings and of their interplay add up to 1; seeds' noise is a part of the interplay.
        values: in the suite's order.
    """

    key: str
    share: float | None
    values: tuple[ValueEffect, ...]


@dataclass(frozen=True, eq=False)
class Grid:
    """Contenders of an arena that vary in the same settings, at one precision on one device.

    Attributes:
        models: names of the models that it is of.
        seeds: how many seeds every cell has.
        left_out: names of contenders that lack a seed that others have: they are in no mean.
        whole: whether every combination of the settings' values is there.
        effects: the settings, the one that explains most first.
        cells: the value of each setting, in the order of `keys` and as the suite writes it, with the mean score.
    """

    arena: Arena
    precision: str
    device: str
    models: tuple[str, ...]
    keys: tuple[str, ...]
    seeds: int
    left_out: tuple[str, ...]
    whole: bool
    effects: tuple[Effect, ...]
    cells: tuple[tuple[tuple[Json, ...], float], ...]

    @property
    def interplay(self) -> float | None:
        """Share of the variance that no setting explains by itself; None where the shares are not known."""
        shares = [effect.share for effect in self.effects]
        known = [share for share in shares if share is not None]
        return max(0.0, 1 - sum(known)) if len(known) == len(shares) else None


def grids(arenas: Sequence[Arena]) -> tuple[Grid, ...]:
    """Every grid with at least one setting of two values that have scores; words corrected by Holm over each grid.

    A cell counts with all seeds that any cell has, or not at all. A score without a direction has no grid.
    """
    found: list[Grid] = []
    for arena in arenas:
        if arena.score is None or arena.score.better == "neither":
            continue
        groups: dict[tuple[tuple[str, ...], str, str], list[Contender]] = {}
        for contender in arena.contenders:
            keys = tuple(key for key in entry_of(contender).varied if not key.startswith(OWN_AXES))
            if keys and not contender.emulated and contender.values(arena.score.name):
                groups.setdefault((keys, contender.precision, contender.device), []).append(contender)
        found += [grid for (keys, *_), members in groups.items() if (grid := _grid(arena, keys, members)) is not None]
    return tuple(found)


def _grid(arena: Arena, varied: tuple[str, ...], members: Sequence[Contender]) -> Grid | None:
    assert arena.score is not None
    everything = {seed for contender in members for seed in contender.values(arena.score.name)}
    fair = [contender for contender in members if contender.values(arena.score.name).keys() == everything]
    written: dict[Cell, tuple[Json, ...]] = {}
    scores: dict[Cell, dict[int, float]] = {}
    for contender in fair:
        values = (*(entry_of(contender).varied[key] for key in varied), model_of(contender))
        cell = tuple(canonical(value) for value in values)
        written[cell], scores[cell] = values, contender.values(arena.score.name)
    keys = (*varied, MODEL)
    factors = [place for place in range(len(keys)) if len({cell[place] for cell in scores}) > 1]
    if not factors:
        return None
    means = {cell: fmean(values.values()) for cell, values in scores.items()}
    levels = [list(dict.fromkeys(cell[place] for cell in means)) for place in range(len(keys))]
    whole = all(cell in means for cell in product(*levels))
    higher = arena.score.better == "higher"
    effects = [
        Effect(keys[place], _share(means, place) if whole else None, _value_effects(scores, written, place, higher))
        for place in factors
    ]
    effects.sort(key=lambda effect: -(effect.share or 0.0))
    return Grid(
        arena=arena,
        precision=fair[0].precision,
        device=fair[0].device,
        models=tuple(dict.fromkeys(str(values[-1]) for values in written.values())),
        keys=tuple(keys[place] for place in factors),
        seeds=len(everything),
        left_out=tuple(contender.name for contender in members if contender not in fair),
        whole=whole,
        effects=tuple(_corrected(effects, higher)),
        cells=tuple((tuple(written[cell][place] for place in factors), mean) for cell, mean in means.items()),
    )


def _share(means: Mapping[Cell, float], place: int) -> float | None:
    """Variance of the marginal means over that of the cells, of a whole grid; None where all cells are equal."""
    grand = fmean(means.values())
    total = fmean((mean - grand) ** 2 for mean in means.values())
    levels = dict.fromkeys(cell[place] for cell in means)
    marginal = [fmean(mean for cell, mean in means.items() if cell[place] == level) for level in levels]
    return fmean((mean - grand) ** 2 for mean in marginal) / total if total > 1e-24 * grand**2 else None


def _value_effects(
    scores: Mapping[Cell, Mapping[int, float]], written: Mapping[Cell, tuple[Json, ...]], place: int, higher: bool
) -> tuple[ValueEffect, ...]:
    levels = {cell[place]: written[cell][place] for cell in scores}
    first = next(iter(levels))
    effects = []
    for level, value in levels.items():
        own = [fmean(values.values()) for cell, values in scores.items() if cell[place] == level]
        paired = None if level == first else _against(scores, place, level, first, higher)
        effects.append(ValueEffect(value, fmean(own), len(own), paired))
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
        for seed in values:
            ours.setdefault(seed, []).append(values[seed])
            theirs.setdefault(seed, []).append(partner[seed])
    return compare(
        {seed: fmean(found) for seed, found in ours.items()},
        {seed: fmean(found) for seed, found in theirs.items()},
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
