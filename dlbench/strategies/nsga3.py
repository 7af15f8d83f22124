"""NSGA-III: generations that keep the best fronts, and of a front an even spread over directions; for many objectives.

Deb & Jain 2014 (IEEE Trans. Evol. Comput. 18, §IV). As Optuna has it: uniform crossover (Syswerda 1989), mutation by
drawing anew.
"""

from collections.abc import Sequence

from optuna.samplers import NSGAIIISampler

from dlbench.schema.search import Objective
from dlbench.schema.space import Space
from dlbench.strategies._genetic import GeneticStrategy, Params

__all__ = ["APART", "MANY", "Params", "build", "complaint"]

MANY = True
APART = False


def complaint(params: Params, space: Space) -> str | None:
    """It can search everything."""
    return None


def build(params: Params, space: Space, objectives: Sequence[Objective], seed: int) -> GeneticStrategy:
    """Optuna's `NSGAIIISampler`."""
    return GeneticStrategy(NSGAIIISampler, params, space, objectives)
