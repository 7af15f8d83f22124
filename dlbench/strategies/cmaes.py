"""CMA-ES: moves and shapes a normal distribution over the numeric axes, generation by generation.

Hansen & Ostermeier 2001 (Evol. Comput. 9); Hansen 2016 (arXiv:1604.00772, §B). As Optuna has it, over the package
cmaes. Axes of choices, and those that do not always apply, are drawn at random. A candidate that breaks a constraint
is drawn again rather than ranked. Candidates that were not drawn by it (`first:`, `warm_start:`) do not move it.
"""

from collections.abc import Sequence

from optuna.distributions import BaseDistribution
from optuna.samplers import CmaEsSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from pydantic import Field

from dlbench.schema.base import Params as BaseParams
from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Point, Space
from dlbench.strategies._coding import Code
from dlbench.strategies._optuna import OptunaStrategy, quiet
from dlbench.strategies._scale import count

MANY = False
APART = False


class Params(BaseParams):
    """How generations are made."""

    population: int | None = Field(
        None, description="candidates of a generation; null: 4 + ⌊3 ln axes⌋ (Hansen 2016, table 1)", ge=3, le=10_000
    )
    startup: int = Field(1, description="candidates that are drawn at random first", ge=1, le=10_000)
    margin: bool = Field(
        False, description="keep steps of whole numbers within reach (Hamano et al. 2022, GECCO); for mixed axes"
    )


def complaint(params: Params, space: Space) -> str | None:
    """It needs two numeric axes that always apply."""
    found = len(_numeric(space))
    if found >= 2:
        return None
    return f"cmaes moves in two or more numeric axes without conditions; this space has {found or 'none'}"


def build(params: Params, space: Space, objectives: Sequence[Objective], seed: int) -> OptunaStrategy:
    """Optuna's `CmaEsSampler`."""
    with quiet():
        sampler = _Cma(
            n_startup_trials=params.startup,
            popsize=params.population,
            with_margin=params.margin,
            warn_independent_sampling=False,
        )
    sampler.axes = {axis.name: Code(axis).distribution for axis in _numeric(space)}
    return _CmaStrategy(sampler, space, objectives, constraints=False)


def _numeric(space: Space) -> list[Axis]:
    return [axis for axis in space.axes if axis.choices is None and not axis.when and count(axis) != 1]


class _Cma(CmaEsSampler):
    """Optuna's, over axes that are known beforehand: it goes back to random search for ever when these change."""

    axes: dict[str, BaseDistribution]

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The numeric axes that always apply."""
        return self.axes


class _CmaStrategy(OptunaStrategy):
    """Its sampler marks a candidate with its generation, and at times with the distribution, when it draws it."""

    def asked(self, number: int, point: Point, seed: int) -> None:
        """Draw it again, for the marks; what was not drawn by the sampler is taken in without any."""
        proposal = self.ask(number, seed)
        if proposal is None or proposal.point != point:
            self.study.tell(self._numbers[number], state=TrialState.FAIL)
            super().asked(number, point, seed)
