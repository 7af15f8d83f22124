"""Tree-structured Parzen estimator: asks where good candidates are dense and bad ones are rare.

Bergstra et al. 2011 (NIPS, §4); over several axes at once Falkner et al. 2018 (ICML, §3.2); several objectives Ozaki et
al. 2022 (JAIR 73); constraints Watanabe & Hutter 2023 (IJCAI). As Optuna has it.
"""

from bisect import insort
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe.sampler import (
    _get_infeasible_trial_score,
    _get_pruned_trial_score,
    _split_trials,
    default_gamma,
    default_gamma_multiobjective,
)
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from pydantic import Field, model_validator

from dlbench.schema.base import Params as BaseParams
from dlbench.schema.search import Objective
from dlbench.schema.space import Space
from dlbench.strategies._coding import Code
from dlbench.strategies._optuna import OptunaStrategy, quiet

MANY = True
APART = False


class Params(BaseParams):
    """How densities are made and used."""

    startup: int = Field(
        10, description="candidates that are drawn at random before any density is made", ge=1, le=10_000
    )
    candidates: int = Field(24, description="draws from the good density, of which the best is named", ge=1, le=10_000)
    multivariate: bool | None = Field(
        None, description="one density over all axes instead of one for each; null: with one objective"
    )
    group: bool = Field(False, description="one density for each set of axes that always apply together")
    liar: bool = Field(True, description="treat candidates that still run as bad, so that slots do not crowd together")

    @model_validator(mode="after")
    def _grouped_are_multivariate(self) -> "Params":
        if self.group and self.multivariate is False:
            raise ValueError("group asks for multivariate: true")
        return self


def complaint(params: Params, space: Space) -> str | None:
    """It can search everything."""
    return None


def build(params: Params, space: Space, objectives: Sequence[Objective], seed: int) -> OptunaStrategy:
    """Optuna's `TPESampler`."""
    with quiet():
        sampler = _Tpe(
            {axis.name: Code(axis).distribution for axis in space.axes},
            n_startup_trials=params.startup,
            n_ei_candidates=params.candidates,
            multivariate=True if params.group else params.multivariate,
            group=params.group,
            constant_liar=params.liar,
        )
    return OptunaStrategy(sampler, space, objectives)


class _Tpe(TPESampler):
    """Optuna's, with groups of axes in an order that does not depend on who was told first, and a memory of numbers.

    Without the memory every answer would read every parameter of every trial again.
    """

    def __init__(self, axes: Mapping[str, BaseDistribution], **options: Any) -> None:
        super().__init__(**options)
        self.axes = axes
        self._split_for = -1
        self._halves: tuple[list[FrozenTrial], list[FrozenTrial]] = ([], [])
        self._table = np.empty((0, len(axes)))
        self._ranked: set[int] = set()
        self._ranks: list[tuple[int, tuple[float, ...], int]] = []

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As Optuna's."""
        axes = super().infer_relative_search_space(study, trial)
        if self._search_space_group is not None:
            self._search_space_group.search_spaces.sort(key=min)
        return axes

    def _sample(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        """As Optuna's, but candidates are split into good and bad ones once for all axes of an answer."""
        below, above = self._split(study, trial)
        good = self._build_parzen_estimator(study, search_space, below, handle_below=True)
        bad = self._build_parzen_estimator(study, search_space, above, handle_below=False)
        draws = good.sample(self._rng.rng, self._n_ei_candidates)
        best = TPESampler._compare(draws, self._compute_acquisition_func(draws, good, bad))
        return {name: axis.to_external_repr(best[name]) for name, axis in search_space.items()}

    def _split(self, study: Study, trial: FrozenTrial) -> tuple[list[FrozenTrial], list[FrozenTrial]]:
        """Good and bad trials for the answer about one trial; between its axes nothing is told."""
        if self._split_for != trial.number:
            states = [TrialState.COMPLETE, TrialState.PRUNED]
            states += [TrialState.RUNNING] if self._constant_liar else []
            trials = [t for t in study.get_trials(deepcopy=False, states=states) if t.number != trial.number]
            ended = sum(t.state != TrialState.RUNNING for t in trials)
            if self._gamma is None:
                self._gamma = default_gamma if len(study.directions) == 1 else default_gamma_multiobjective
            split = self._split_by_rank if len(study.directions) == 1 else _split_trials
            self._halves, self._split_for = split(study, trials, self._gamma(ended)), trial.number
        return self._halves

    def _split_by_rank(
        self, study: Study, trials: list[FrozenTrial], best: int
    ) -> tuple[list[FrozenTrial], list[FrozenTrial]]:
        """As Optuna's `_split_trials` of one objective: the best so many and the others; ranks a trial only once."""
        for trial in trials:
            if trial.number not in self._ranked and trial.state != TrialState.RUNNING:
                self._ranked.add(trial.number)
                insort(self._ranks, (*_rank(study, trial), trial.number))
        good = {number for *_, number in self._ranks[:best]}
        return [t for t in trials if t.number in good], [t for t in trials if t.number not in good]

    def _get_internal_repr(
        self, trials: list[FrozenTrial], search_space: dict[str, BaseDistribution], study: Study
    ) -> dict[str, NDArray[np.float64]]:
        """As Optuna's: axis → numbers of those trials that have all of these axes; reads each trial only once."""
        table = self._table
        rows = np.fromiter((trial.number for trial in trials), np.intp, len(trials))
        if len(rows) and rows.max() >= len(table):
            table = np.concatenate([table, np.full((len(table) + rows.max() + 1, len(self.axes)), np.inf)])
            self._table = table
        for row in np.flatnonzero(np.isinf(table[rows, 0])):
            table[rows[row]] = [
                axis.to_internal_repr(trials[row].params[name]) if name in trials[row].params else np.nan
                for name, axis in self.axes.items()
            ]
        names = list(self.axes)
        found = table[rows][:, [names.index(name) for name in search_space]]
        found = found[~np.isnan(found).any(axis=1)]
        return {name: np.ascontiguousarray(found[:, column]) for column, name in enumerate(search_space)}


def _rank(study: Study, trial: FrozenTrial) -> tuple[int, tuple[float, ...]]:
    """Where an ended trial stands among others: finished ones by value, pruned ones, what breaks a constraint."""
    broken = _get_infeasible_trial_score(trial)
    if broken > 0:
        return 2, (broken,)
    if trial.state == TrialState.PRUNED:
        return 1, _get_pruned_trial_score(trial, study)
    assert trial.value is not None
    return 0, (trial.value if study.direction == StudyDirection.MINIMIZE else -trial.value,)
