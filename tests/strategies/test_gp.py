"""Our Gaussian process keeps no notes and no memory that a study from a log would not have."""

from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Space
from dlbench.schema.study import Told
from dlbench.strategies import gp

LOSS = (Objective(metric="val_loss", better="lower"),)
SPACE = Space(
    axes=(
        Axis(name="kind", choices=("a", "b")),
        Axis(name="x", low=0.0, high=1.0),
        Axis(name="only_a", low=0.0, high=1.0, when={"kind": ("a",)}),
    )
)


def test_what_was_drawn_in_vain_leaves_no_trace() -> None:
    """`only_a` is drawn, as all before had it, and does not apply; the next one must not depend on it."""
    strategy = gp.build(gp.Params(startup=4), SPACE, LOSS, 0)
    for number in range(4):
        strategy.asked(number, {"kind": "a", "x": number / 4, "only_a": 0.5}, 0)
        strategy.tell(number, Told(state="ok", values=(number / 4,)))
    proposal = strategy.ask(4, 0)
    assert proposal is not None
    assert not any(strategy.study.trials[-1].system_attrs.values())


def test_it_finds_the_low_end() -> None:
    space = Space(axes=(Axis(name="x", low=0.0, high=1.0), Axis(name="y", low=0.0, high=1.0)))
    strategy = gp.build(gp.Params(startup=4), space, LOSS, 0)
    found = []
    for number in range(9):
        proposal = strategy.ask(number, number)
        assert proposal is not None
        found.append(sum(proposal.point.values()))
        strategy.tell(number, Told(state="ok", values=(found[-1],)))
    assert min(found[:4]) > 0.3
    assert min(found[4:]) < 0.05
