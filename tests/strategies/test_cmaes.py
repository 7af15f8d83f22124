"""CMA-ES closes in on an optimum, although other axes come and go, and asks for two numeric axes."""

import math

from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Space
from dlbench.schema.study import Told
from dlbench.strategies import cmaes

LOSS = (Objective(metric="val_loss", better="lower"),)
NUMBERS = (Axis(name="x", low=0.0, high=1.0), Axis(name="y", low=1e-4, high=1.0, log=True))
KIND = (
    Axis(name="kind", choices=tuple(range(12))),
    Axis(name="z", low=0.0, high=1.0, when={"kind": tuple(range(11))}),
)


def test_it_closes_in_although_axes_come_and_go() -> None:
    """The first generations have the conditional axis, so that it seems to belong to all of them."""
    strategy = cmaes.build(cmaes.Params(population=4), Space(axes=(*NUMBERS, *KIND)), LOSS, 0)
    distances: list[float] = []
    kinds = []
    for number in range(90):
        proposal = strategy.ask(number, 300 + number)
        assert proposal is not None
        point = proposal.point
        kinds.append(point["kind"])
        distances.append(math.dist((point["x"], math.log10(point["y"]) / 4), (0.3, -0.7)))
        strategy.tell(number, Told(state="ok", values=(distances[-1],)))
    assert 11 not in kinds[:10]
    assert 11 in kinds[10:40]
    assert sum(distances[-12:]) / 12 < 0.1  # by chance 0.4


def test_what_it_cannot_search() -> None:
    assert cmaes.complaint(cmaes.Params(), Space(axes=(*NUMBERS, *KIND))) is None
    assert "this space has 1" in str(cmaes.complaint(cmaes.Params(), Space(axes=(NUMBERS[0], *KIND))))
