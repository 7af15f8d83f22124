"""Which axes decided how good a candidate was: PED-ANOVA as Optuna has it, conditional axes included.

Watanabe, Bansal & Hutter 2023 (IJCAI), arXiv:2304.10255; for conditional axes its extension of 2026,
arXiv:2601.20800. It asks how differently an axis is distributed among the best candidates and among all of them, and
draws nothing at random. Intervals come from a bootstrap over candidates with a fixed seed.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlbench.analyze.contenders import canonical
from dlbench.analyze.studies import Candidate, StudyGroup
from dlbench.analyze.summary import LEVEL
from dlbench.schema.base import Json
from dlbench.schema.space import Axis

LEAST = 10
"""Candidates with a value below which nothing is said."""
SURE = 50
"""Below this many candidates the text warns."""
MOST = 500
"""More candidates than this are thinned evenly by rank: they change nothing and take time."""
BEST = 0.2
"""Share of the candidates that are the best ones; at least five make sense of it."""
RESAMPLES = 40
_SEED = 20_260_101


@dataclass(frozen=True)
class Importance:
    """Share of an axis in all importance, with its 95 % percentile bootstrap interval over candidates."""

    axis: str
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Importances:
    """Importances of all axes that vary, the highest first.

    Attributes:
        method: how they were told, for the reader.
        n: candidates that they come from.
    """

    shares: tuple[Importance, ...]
    n: int
    method: str = "PED-ANOVA"


def importances(group: StudyGroup) -> Importances | None:
    """Importances of the axes for the first objective; None for too few candidates, or where nothing varies."""
    ranked = group.ranked
    if len(ranked) < LEAST:
        return None
    if len(ranked) > MOST:
        ranked = tuple(ranked[round(place)] for place in np.linspace(0, len(ranked) - 1, MOST))
    axes = [axis for axis in group.space.axes if _varies(axis, ranked)]
    losses = [(candidate.value or 0.0) * (-1 if group.goal.better == "higher" else 1) for candidate in ranked]
    if not axes or len(set(losses)) < 2:
        return None
    shares = _shares(axes, ranked, losses)
    rng = np.random.default_rng(_SEED)
    drawn: list[dict[str, float]] = []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(ranked), len(ranked))
        drawn.append(_shares(axes, [ranked[row] for row in rows], [losses[row] for row in rows]))
    found = []
    for axis in axes:
        low, high = np.quantile([one[axis.name] for one in drawn], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        found.append(Importance(axis.name, shares[axis.name], float(low), float(high)))
    return Importances(tuple(sorted(found, key=lambda one: -one.share)), len(group.ranked))


def _varies(axis: Axis, candidates: Sequence[Candidate]) -> bool:
    return len({canonical(c.point[axis.name]) for c in candidates if axis.name in c.point}) > 1


def _shares(axes: Sequence[Axis], candidates: Sequence[Candidate], losses: Sequence[float]) -> dict[str, float]:
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.importance import PedAnovaImportanceEvaluator
    from optuna.trial import FrozenTrial, TrialState

    spaces: dict[str, BaseDistribution] = {}
    for axis in axes:
        if axis.choices is not None:
            spaces[axis.name] = CategoricalDistribution([canonical(choice) for choice in axis.choices])
        elif axis.integer:
            step = 1 if axis.log or axis.step is None else int(axis.step)
            spaces[axis.name] = IntDistribution(int(axis.low or 0), int(axis.high or 0), log=axis.log, step=step)
        else:
            spaces[axis.name] = FloatDistribution(float(axis.low or 0), float(axis.high or 0), log=axis.log)
    told = []
    for number, (candidate, loss) in enumerate(zip(candidates, losses, strict=True)):
        own = {axis.name: axis for axis in axes if axis.name in candidate.point}
        told.append(
            FrozenTrial(
                number=number,
                trial_id=number,
                state=TrialState.COMPLETE,
                value=loss,
                datetime_start=None,
                datetime_complete=None,
                params={name: _encoded(axis, candidate.point[name]) for name, axis in own.items()},
                distributions={name: spaces[name] for name in own},
                user_attrs={},
                system_attrs={},
                intermediate_values={},
            )
        )

    class Finished(optuna.Study):
        """A study whose candidates are there already: a storage would copy each of them, for every resample."""

        def get_trials(self, deepcopy: bool = True, states: object = None) -> list[FrozenTrial]:
            return told

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            storage = optuna.storages.InMemoryStorage()
            storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "told")
            found = PedAnovaImportanceEvaluator(target_quantile=BEST).evaluate(Finished("told", storage))
    finally:
        optuna.logging.set_verbosity(before)
    total = sum(found.values())
    return {axis.name: found.get(axis.name, 0.0) / total if total else 0.0 for axis in axes}


def _encoded(axis: Axis, value: Json) -> Json:
    if axis.choices is not None:
        return canonical(value)
    return int(value) if axis.integer else float(value)
