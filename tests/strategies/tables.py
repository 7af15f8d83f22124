"""A table of 3 decisions with 5 choices each, and how many asks a strategy needs to find its best entry."""

import itertools

import numpy as np

from dlbench.catalog import Catalog
from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Space
from dlbench.schema.study import Told

CHOICES = "vwxyz"
SPACE = Space(axes=tuple(Axis(name=f"a{number}", choices=tuple(CHOICES)) for number in range(3)))


def asks_to_the_best(name: str, seed: int, most: int = 150) -> int:
    """Asks, one at a time, until the best of 125 candidates is named; scores have effects of one and of two axes."""
    rng = np.random.default_rng(seed)
    alone = rng.normal(size=(3, 5))
    together = 0.5 * rng.normal(size=(2, 5, 5))

    def score(a: int, b: int, c: int) -> float:
        return float(alone[0, a] + alone[1, b] + alone[2, c] + together[0, a, b] + together[1, b, c])

    best = max(score(*levels) for levels in itertools.product(range(5), repeat=3))
    module = Catalog().load("strategies", name)
    strategy = module.build(module.Params(), SPACE, (Objective(metric="val_accuracy", better="higher"),), seed)
    for number in range(most):
        point = strategy.ask(number, 1000 * seed + number).point
        value = score(*(CHOICES.index(point[axis.name]) for axis in SPACE.axes))
        if value == best:
            return number + 1
        strategy.tell(number, Told(state="ok", values=(value,)))
    return most
