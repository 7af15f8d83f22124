"""Every strategy keeps the contract: its candidates are of the space, and a log brings it back as it was."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest

from dlbench.catalog import Catalog
from dlbench.contracts.strategies import Strategy
from dlbench.schema.base import Json
from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Point, Space
from dlbench.schema.study import Proposal, Told
from dlbench.strategies._scale import at, where

NAMES = Catalog().names("strategies")
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
MIXED = Space(
    axes=(
        Axis(name="model", choices=("gru", "transformer")),
        Axis(name="train.lr", low=1e-4, high=1.0, log=True),
        Axis(name="odd", choices=(True, 1, None, [1, 2], {"size": 1}, 2.5)),
        Axis(name="model.heads", low=1, high=8, integer=True, log=True, when={"model": ("transformer",)}),
        Axis(name="model.scale", choices=("none", "root"), when={"model": ("transformer",), "model.heads": (1, 2)}),
        Axis(name="model.layers", low=1, high=4, integer=True),
        Axis(name="dropout", low=0.0, high=0.5, step=0.125),
        Axis(name="train.decay", low=0.0, high=0.25),
        Axis(name="fixed", choices=("only",)),
        Axis(name="width", low=32, high=256, step=32, integer=True, log=True, when={"odd": (None,)}),
    )
)
FINITE = Space(axes=tuple(axis for axis in MIXED.axes if axis.values is not None))
CELL = Space(axes=tuple(Axis(name=f"model.edge_{to}_0", choices=OPERATIONS) for to in (1, 2, 3)))
OBJECTIVES = (Objective(metric="val_accuracy", better="higher"), Objective(metric="parameters", better="lower"))
SMALL: Mapping[str, int] = {"startup": 3, "population": 4, "sample": 2}
"""Parameters that make a strategy begin its own work within a few candidates."""


def space_of(module: Any) -> Space:
    return next(space for space in (MIXED, FINITE, CELL) if module.complaint(module.Params(), space) is None)


def build(name: str, objectives: int = 1, **params: Json) -> tuple[Strategy, Space, int]:
    """A strategy, its space, and for how many candidates a test of it may run."""
    module = Catalog().load("strategies", name)
    space = space_of(module)
    small = {key: value for key, value in SMALL.items() if key in module.Params.model_fields}
    params = {**small, **params}
    strategy = module.build(module.Params(**params), space, OBJECTIVES[:objectives], 7)
    return strategy, space, 9 if module.APART else 40


def outcome(space: Space, number: int, proposal: Proposal, objectives: int) -> Told:
    """All that can become of a candidate, by its number; where there are values they depend on the point alone."""
    if proposal.helper:
        return Told(state="ok", outputs={"genotype": {axis.name[6:]: axis.choices[2] for axis in CELL.axes}})  # type: ignore[index]
    shares = [where(space.axis(name), value) for name, value in proposal.point.items()]
    values = (sum(shares), sum(share**2 for share in shares))[:objectives]
    match number % 7:
        case 1:
            return Told(state="pruned", curve=((1, 0.2), (2, 0.3)))
        case 2:
            return Told(state="infeasible", violations={"parameters": 0.5, "flops": -0.1})
        case 3:
            return Told(state="infeasible", values=values, violations={"parameters": 0.25, "flops": -0.2})
        case 4:
            return Told(state="failed", reason="out of memory")
        case 5:
            return Told(state="ok", values=values, violations={"parameters": -0.3})
    return Told(state="ok", values=values)


Log = list[tuple[int, Point | None, Told | None]]


@cache
def drive(name: str, objectives: int = 1, slots: int = 3, **params: Json) -> tuple[Log, Space]:
    """A study with a given first candidate and so many slots; who is told next is a matter of chance."""
    strategy, space, most = build(name, objectives, **params)
    rng = np.random.default_rng(3)
    log: Log = []
    running: dict[int, Proposal] = {}
    first = space.walk(lambda axis: at(axis, 0.6))
    strategy.asked(0, first, 0)
    log.append((0, first, None))
    running[0] = Proposal(point=first)
    number = 1
    while number < most:
        proposal = strategy.ask(number, 1000 + number) if len(running) < slots else None
        if proposal is not None:
            log.append((number, proposal.point, None))
            running[number] = proposal
            number += 1
        elif running:
            ended = int(rng.choice(sorted(running)))
            told = outcome(space, ended, running.pop(ended), objectives)
            strategy.tell(ended, told)
            log.append((ended, None, told))
        else:
            break
    return log, space


@pytest.mark.parametrize("name", NAMES)
def test_params_have_defaults_and_descriptions(name: str) -> None:
    module = Catalog().load("strategies", name)
    assert module.Params() == module.Params.model_validate(module.Params().model_dump())
    assert all(field.description for field in module.Params.model_fields.values())
    assert isinstance(module.MANY, bool)
    assert isinstance(module.APART, bool)
    assert Catalog().summary("strategies", name)


@pytest.mark.parametrize("name", NAMES)
def test_candidates_are_of_the_space(name: str) -> None:
    log, space = drive(name)
    asked = [point for number, point, told in log if told is None and point is not None]
    named = [point for point in asked if "model.supernet" not in point]
    assert len(named) >= (2 if space is CELL else 9)
    for point in named:
        assert space.complaint(point) is None, point
        assert list(point) == [axis.name for axis in space.axes if axis.name in point]
        assert json.loads(json.dumps(point)) == point


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("share", [0.4, 0.8])
def test_a_log_brings_it_back(name: str, share: float) -> None:
    """A fresh one takes in the first part of a log, and is asked for the rest of it."""
    log, _ = drive(name)
    again, _, _ = build(name)
    for place, (number, point, told) in enumerate(log):
        if told is not None:
            again.tell(number, told)
        elif number == 0 or place < share * len(log):
            again.asked(number, point or {}, 1000 + number if number else 0)
        else:
            proposal = again.ask(number, 1000 + number)
            assert proposal is not None
            assert proposal.point == point


@pytest.mark.parametrize("name", [name for name in NAMES if Catalog().load("strategies", name).MANY])
def test_many_objectives(name: str) -> None:
    log, space = drive(name, objectives=2, slots=1)
    assert all(space.complaint(point) is None for _, point, told in log if told is None and point is not None)
    again, _, _ = build(name, objectives=2)
    for number, point, told in log[:-1]:
        if told is not None:
            again.tell(number, told)
        else:
            again.asked(number, point or {}, 1000 + number if number else 0)
    if log[-1][2] is None:
        proposal = again.ask(log[-1][0], 1000 + log[-1][0])
        assert proposal is not None
        assert proposal.point == log[-1][1]


def test_answers_depend_on_no_process_and_bring_no_torch() -> None:
    """A study goes on in another process, whose strings have other hashes."""
    names = [name for name in NAMES if not Catalog().load("strategies", name).APART]
    code = (
        "import json, sys; from contracts.test_strategies import drive\n"
        "from dlbench.catalog import Catalog\n"
        f"found = [drive(name)[0] for name in {names}] + [drive('tpe', group=True)[0]]\n"
        "[Catalog().load('strategies', name) for name in Catalog().names('strategies')]\n"
        "print(json.dumps([[(n, p) for n, p, _ in log] for log in found])); print('torch' in sys.modules)"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd="tests",
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        ).stdout
        for seed in ("1", "2")
    ]
    assert answers[0] == answers[1]
    assert answers[0].splitlines()[1] == "False"
