"""A strategy over Optuna's genetic samplers, which mark every candidate with its generation when they draw it.

Axes that do not always apply are drawn at random, and not inherited.
"""

from collections.abc import Sequence
from typing import cast

from optuna.samplers import NSGAIIISampler, NSGAIISampler
from pydantic import Field

from dlbench.schema.base import Params as BaseParams
from dlbench.schema.search import Objective
from dlbench.schema.space import Point, Space
from dlbench.strategies._optuna import OptunaStrategy, quiet


class Params(BaseParams):
    """How generations are made."""

    population: int = Field(20, description="candidates of a generation; the first one is random", ge=2, le=10_000)
    crossover: float = Field(0.9, description="probability that a child has two parents instead of one", ge=0, le=1)
    swapping: float = Field(
        0.5, description="probability that a child of two has an axis of its second parent", ge=0, le=1
    )
    mutation: float | None = Field(
        None, description="probability that an axis of a child is drawn anew; null: 1 / axes", ge=0, le=1
    )


class GeneticStrategy(OptunaStrategy):
    """A strategy with generations.

    Args:
        kind: Optuna's sampler, which decides who survives.
    """

    def __init__(
        self,
        kind: type[NSGAIISampler | NSGAIIISampler],
        params: Params,
        space: Space,
        objectives: Sequence[Objective],
    ) -> None:
        with quiet():
            sampler = kind(
                population_size=params.population,
                crossover_prob=params.crossover,
                swapping_prob=params.swapping,
                mutation_prob=params.mutation,
            )
        super().__init__(sampler, space, objectives)

    def asked(self, number: int, point: Point, seed: int) -> None:
        """Take in a candidate and mark it with the generation of this moment, whoever named it."""
        super().asked(number, point, seed)
        sampler = cast(NSGAIISampler | NSGAIIISampler, self.sampler)
        with quiet():
            self.seed(seed)
            generation = sampler.get_trial_generation(self.study, self.storage.get_trial(self._id(number)))
            sampler.get_parent_population(self.study, generation)
