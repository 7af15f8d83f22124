"""NSGA-II: generations that keep the best fronts, and of a front the candidates with most room around them.

Deb et al. 2002 (IEEE Trans. Evol. Comput. 6, §III); with one objective it is an elitist genetic algorithm. As Optuna
has it: uniform crossover (Syswerda 1989), mutation by drawing anew.
"""

from collections.abc import Sequence

from optuna.samplers import NSGAIISampler

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
    """Optuna's `NSGAIISampler`."""
    return GeneticStrategy(NSGAIISampler, params, space, objectives)
