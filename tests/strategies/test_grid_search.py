"""Grid search names every candidate once, and says when it cannot."""

from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Space
from dlbench.strategies import grid

LOSS = (Objective(metric="val_loss", better="lower"),)
SPACE = Space(
    axes=(
        Axis(name="op", choices=(True, 1)),
        Axis(name="heads", choices=(1, 2), when={"op": (True,)}),
        Axis(name="dropout", low=0.0, high=0.5, step=0.25),
    )
)


def test_everything_once_in_order_but_what_was_asked() -> None:
    strategy = grid.build(grid.Params(), SPACE, LOSS, 0)
    wanted = list(SPACE.points())
    strategy.asked(0, wanted[4], 0)
    found = []
    while (proposal := strategy.ask(len(found) + 1, 0)) is not None:
        found.append(proposal.point)
    assert found == [point for point in wanted if point is not wanted[4]]
    assert strategy.ask(99, 0) is None


def test_what_it_cannot_search() -> None:
    assert grid.complaint(grid.Params(), SPACE) is None
    endless = Space(axes=(*SPACE.axes, Axis(name="lr", low=0.0, high=1.0)))
    assert "lr has endlessly many" in str(grid.complaint(grid.Params(), endless))
    huge = Space(axes=tuple(Axis(name=f"x{number}", low=1, high=400, integer=True) for number in range(2)))
    assert "more than 100,000" in str(grid.complaint(grid.Params(), huge))
