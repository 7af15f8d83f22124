"""Gaussian process: fits a surface to what was told and asks where most improvement is expected.

Jones, Schonlau & Welch 1998 (J. Global Optim. 13); the logarithm of the expected improvement Ament et al. 2023
(NeurIPS); several objectives Daulton et al. 2020 (NeurIPS); constraints Gardner et al. 2014 (ICML). As Optuna has it,
in torch: slow when many have been told. Axes that do not always apply are drawn at random.
"""

import copy
from collections.abc import Sequence
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import GPSampler
from optuna.study import Study
from optuna.trial import FrozenTrial
from pydantic import Field

from dlbench.schema.base import Params as BaseParams
from dlbench.schema.search import Objective
from dlbench.schema.space import Space
from dlbench.strategies._optuna import OptunaStrategy, quiet

MANY = True
APART = True
NOTE = "gp:relative_params:0"


class Params(BaseParams):
    """How the surface is fitted."""

    startup: int = Field(10, description="candidates that are drawn at random before the first fit", ge=1, le=10_000)
    noiseless: bool = Field(False, description="take it that a candidate trained again would score exactly the same")


def complaint(params: Params, space: Space) -> str | None:
    """It can search everything."""
    return None


def build(params: Params, space: Space, objectives: Sequence[Objective], seed: int) -> OptunaStrategy:
    """Optuna's `GPSampler`; importing this module does not import torch, asking does."""
    with quiet():
        sampler = _Gp(
            n_startup_trials=params.startup,
            deterministic_objective=params.noiseless,
            warn_independent_sampling=False,
        )
    return OptunaStrategy(sampler, space, objectives)


class _Gp(GPSampler):
    """Optuna's, without memory between answers, and for candidates that were told of different constraints."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As Optuna's; fits begin from the same place whether or not there was one before in this process."""
        self._gprs_cache_list = None
        self._constraints_gprs_cache_list = None
        return super().infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As Optuna's, without its note of what was drawn for axes that may turn out not to apply.

        A candidate that is brought back from a log would not have it.
        """
        drawn = super().sample_relative(study, trial, search_space)
        study._storage.set_trial_system_attr(trial._trial_id, NOTE, "")
        return drawn

    def _sample_relative_impl(
        self,
        study: Study,
        completed_trials: list[FrozenTrial],
        running_trials: list[FrozenTrial],
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        """As Optuna's, which asks for the same constraints, in the same order, of every trial.

        One that a candidate was not told of counts as just kept.
        """
        names = sorted({name for trial in completed_trials for name in trial.constraints})
        if any(list(trial.constraints) != names for trial in completed_trials):
            completed_trials = [_with_constraints(trial, names) for trial in completed_trials]
        return super()._sample_relative_impl(study, completed_trials, running_trials, search_space)


def _with_constraints(trial: FrozenTrial, names: Sequence[str]) -> FrozenTrial:
    known = trial.constraints
    changed = copy.copy(trial)
    changed.system_attrs = {}
    for name in names:
        changed.set_constraint(name, known.get(name, 0.0))
    return changed
