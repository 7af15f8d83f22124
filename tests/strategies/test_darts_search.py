"""DARTS names its supernet, waits, and names what the supernet has found."""

import pytest

from dlbench.errors import UsageError
from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Space
from dlbench.schema.study import Proposal, Told
from dlbench.strategies import darts

SCORE = (Objective(metric="val_accuracy", better="higher"),)
SPACE = Space(axes=tuple(Axis(name=f"model.edge_{to}_0", choices=("skip_connect", "none")) for to in (1, 2)))
GENOTYPE = {"edge_2_0": "none", "edge_1_0": "skip_connect"}
FOUND = {"model.edge_1_0": "skip_connect", "model.edge_2_0": "none"}


def test_a_supernet_then_its_genotype_then_nothing() -> None:
    strategy = darts.build(darts.Params(order="second"), SPACE, SCORE, 0)
    assert strategy.ask(0, 0) == Proposal(point={"model.supernet": "second"}, helper=True)
    assert strategy.ask(1, 0) is None
    strategy.tell(0, Told(state="ok", outputs={"genotype": GENOTYPE}))
    assert strategy.ask(1, 0) == Proposal(point=FOUND)
    assert strategy.ask(2, 0) is None
    strategy.tell(1, Told(state="ok", values=(0.9,)))
    assert strategy.ask(2, 0) is None


def test_a_supernet_may_train_longer_than_candidates_do() -> None:
    proposal = darts.build(darts.Params(epochs=50), SPACE, SCORE, 0).ask(0, 0)
    assert proposal == Proposal(point={"model.supernet": "first", "train.epochs": 50}, helper=True)


def test_a_supernet_that_failed_finds_nothing() -> None:
    strategy = darts.build(darts.Params(), SPACE, SCORE, 0)
    strategy.ask(0, 0)
    strategy.tell(0, Told(state="failed", reason="diverged"))
    assert strategy.ask(1, 0) is None


def test_it_goes_on_after_given_candidates() -> None:
    strategy = darts.build(darts.Params(), SPACE, SCORE, 0)
    strategy.asked(0, FOUND, 0)
    strategy.tell(0, Told(state="ok", values=(0.9,), outputs={"genotype": GENOTYPE}))
    strategy.asked(1, {"model.supernet": "first"}, 0)
    assert strategy.ask(2, 0) is None
    strategy.tell(1, Told(state="ok", outputs={"genotype": GENOTYPE}))
    strategy.asked(2, FOUND, 0)
    assert strategy.ask(3, 0) is None


@pytest.mark.parametrize("genotype", [None, {"edge_1_0": "none"}, {**GENOTYPE, "edge_1_0": "conv"}])
def test_a_genotype_that_is_none_of_the_space_is_refused(genotype: object) -> None:
    strategy = darts.build(darts.Params(), SPACE, SCORE, 0)
    strategy.ask(0, 0)
    with pytest.raises(UsageError, match="genotype is none of this space"):
        strategy.tell(0, Told(state="ok", outputs={} if genotype is None else {"genotype": genotype}))


def test_it_searches_cells_only() -> None:
    assert darts.complaint(darts.Params(), SPACE) is None
    for axis in (
        Axis(name="model.width", choices=(16, 32)),
        Axis(name="model.edge_3_0", low=0.0, high=1.0),
        Axis(name="model.edge_3_0", choices=("none",), when={"model.edge_1_0": ("none",)}),
    ):
        assert axis.name in str(darts.complaint(darts.Params(), Space(axes=(*SPACE.axes, axis))))
    assert darts.complaint(darts.Params(), Space(axes=())) is not None
