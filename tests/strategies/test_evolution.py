"""Regularised evolution: who may be a parent, how a child differs, and that it gets somewhere."""

import statistics

import pytest
from tables import asks_to_the_best

from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Point, Space
from dlbench.schema.study import Told
from dlbench.strategies import evolution
from dlbench.strategies._optuna import OptunaStrategy

SCORE = (Objective(metric="val_accuracy", better="higher"),)
SPACE = Space(axes=tuple(Axis(name=f"x{number}", choices=("a", "b", "c")) for number in range(6)))
OLD: Point = dict.fromkeys((axis.name for axis in SPACE.axes), "a")
YOUNG: Point = dict.fromkeys(OLD, "b")


def search(space: Space = SPACE, **params: float) -> OptunaStrategy:
    return evolution.build(evolution.Params.model_validate(params), space, SCORE, 0)


def children(strategy: OptunaStrategy, count: int = 20) -> list[Point]:
    found = []
    for number in range(count):
        proposal = strategy.ask(1000 + number, number)
        assert proposal is not None
        found.append(proposal.point)
    return found


def tell(strategy: OptunaStrategy, number: int, point: Point, told: Told) -> None:
    strategy.asked(number, point, 0)
    strategy.tell(number, told)


def distance(one: Point, other: Point) -> int:
    return sum(one[name] != other[name] for name in one)


def test_the_oldest_dies_although_it_is_the_best() -> None:
    strategy = search(population=3, sample=60)
    tell(strategy, 0, OLD, Told(state="ok", values=(1.0,)))
    for number in (1, 2):
        tell(strategy, number, YOUNG, Told(state="ok", values=(0.1,)))
    assert [distance(child, OLD) for child in children(strategy)] == [1] * 20
    tell(strategy, 3, YOUNG, Told(state="ok", values=(0.1,)))
    assert [distance(child, YOUNG) for child in children(strategy)] == [1] * 20


@pytest.mark.parametrize(
    "told",
    [
        Told(state="infeasible", values=(1.0,), violations={"ms": 0.5}),
        Told(state="ok", values=(1.0,), violations={"ms": 0.5}),
        Told(state="pruned", curve=((1, 1.0),)),
        Told(state="failed"),
    ],
    ids=lambda told: told.state,
)
def test_what_has_no_score_is_no_parent_and_kills_nobody(told: Told) -> None:
    strategy = search(population=2, sample=40)
    for number in (0, 1):
        tell(strategy, number, YOUNG, Told(state="ok", values=(0.1,)))
    for number in (2, 3):
        tell(strategy, number, OLD, told)
    assert [distance(child, YOUNG) for child in children(strategy)] == [1] * 20


def test_random_until_the_population_is_full() -> None:
    strategy = search(population=2, sample=1)
    tell(strategy, 0, YOUNG, Told(state="ok", values=(0.1,)))
    assert max(distance(child, YOUNG) for child in children(strategy)) >= 4


def test_lower_can_be_better() -> None:
    strategy = evolution.build(
        evolution.Params(population=2, sample=60), SPACE, (Objective(metric="val_loss", better="lower"),), 0
    )
    tell(strategy, 0, YOUNG, Told(state="ok", values=(0.1,)))
    tell(strategy, 1, OLD, Told(state="ok", values=(0.9,)))
    assert [distance(child, YOUNG) for child in children(strategy)] == [1] * 20


def test_numbers_move_to_neighbours_or_anywhere() -> None:
    space = Space(axes=(Axis(name="layers", low=1, high=50, integer=True), Axis(name="lr", low=0.0, high=1.0)))
    point: Point = {"layers": 1, "lr": 0.5}
    moved = []
    for neighbour in (1.0, 0.0):
        strategy = search(space, population=2, sample=1, neighbour=neighbour)
        for number in (0, 1):
            tell(strategy, number, point, Told(state="ok", values=(0.5,)))
        moved.append(children(strategy, 40))
    assert {child["layers"] for child in moved[0]} == {1, 2}
    assert max(abs(child["lr"] - 0.5) for child in moved[0]) <= 0.1
    assert max(child["layers"] for child in moved[1]) > 10
    assert max(abs(child["lr"] - 0.5) for child in moved[1]) > 0.25


def test_axes_come_and_go_with_their_condition() -> None:
    space = Space(
        axes=(
            Axis(name="kind", choices=("a", "b")),
            Axis(name="only_a", choices=(1, 2), when={"kind": ("a",)}),
            Axis(name="only_b", choices=(3, 4), when={"kind": ("b",)}),
        )
    )
    strategy = search(space, population=2, sample=1)
    for number in (0, 1):
        tell(strategy, number, {"kind": "a", "only_a": 1}, Told(state="ok", values=(0.5,)))
    found = children(strategy, 30)
    assert {"kind": "a", "only_a": 2} in found
    assert {"kind": "b", "only_b": 3} in found
    assert {"kind": "b", "only_b": 4} in found


def test_it_finds_the_best_of_a_table_sooner_than_chance() -> None:
    medians = {
        name: statistics.median(asks_to_the_best(name, seed) for seed in range(12)) for name in ("evolution", "random")
    }
    assert medians["evolution"] < medians["random"]
