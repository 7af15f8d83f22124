"""Random search: every candidate is drawn anew, evenly over the space; the yardstick for everything else.

Bergstra & Bengio 2012 (JMLR 13, §2); for architectures Li & Talwalkar 2019 (UAI).
"""

from collections.abc import Sequence

from optuna.samplers import RandomSampler

from dlbench.schema.base import Params as BaseParams
from dlbench.schema.search import Objective
from dlbench.schema.space import Space
from dlbench.strategies._optuna import OptunaStrategy

MANY = True
APART = False


class Params(BaseParams):
    """There is nothing to set."""


def complaint(params: Params, space: Space) -> str | None:
    """It can search everything."""
    return None


def build(params: Params, space: Space, objectives: Sequence[Objective], seed: int) -> OptunaStrategy:
    """Optuna's `RandomSampler`; what was told makes no difference to it."""
    return OptunaStrategy(RandomSampler(), space, objectives)
