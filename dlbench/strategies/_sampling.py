"""The base of our own Optuna samplers: whole candidates named at once, and told in the order in which they ended."""

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.samplers._lazy_random_state import LazyRandomState
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from dlbench.schema.metric import Direction
from dlbench.schema.space import Point, Space
from dlbench.strategies._coding import Codes


class PointSampler(BaseSampler, abc.ABC):
    """A sampler over points; one objective.

    Args:
        better: which way the objective is better.
    """

    def __init__(self, space: Space, better: Direction) -> None:
        self.space = space
        self.sign = 1.0 if better == "higher" else -1.0
        self._codes = Codes(space)
        self._rng = LazyRandomState()
        self._others = RandomSampler()

    @abc.abstractmethod
    def name(self, rng: np.random.RandomState) -> Point:
        """The next candidate, random in `rng` only."""

    @abc.abstractmethod
    def hear(self, point: Point, score: float | None) -> None:
        """A candidate has ended.

        Args:
            score: its objective, higher being better; None: it failed, was pruned or breaks a constraint.
        """

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Everything that there is to choose."""
        return self._codes.distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next candidate as Optuna's parameters."""
        parameters = self._codes.parameters(self.name(self._rng.rng))
        return {name: parameter for name, parameter in parameters.items() if name in search_space}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Never asked: a named candidate has all axes that apply to it."""
        return self._others.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Optuna tells what became of a candidate."""
        feasible = state is TrialState.COMPLETE and all(value <= 0 for value in trial.constraints.values())
        score = self.sign * values[0] if feasible and values is not None else None
        self.hear(self._codes.point(trial.params), score)
