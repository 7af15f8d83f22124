"""Our TPE answers what Optuna's answers, and its groups of axes do not depend on who was told first."""

import numpy as np
import pytest
from optuna.samplers import TPESampler

from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Space
from dlbench.schema.study import Told
from dlbench.strategies import tpe
from dlbench.strategies._optuna import OptunaStrategy, quiet

LOSS = (Objective(metric="val_loss", better="lower"),)
SPACE = Space(
    axes=(
        Axis(name="kind", choices=("a", "b")),
        Axis(name="lr", low=1e-4, high=1.0, log=True),
        Axis(name="layers", low=1, high=6, integer=True),
        Axis(name="heads", choices=(1, 2, 4), when={"kind": ("a",)}),
        Axis(name="share", low=0.0, high=1.0, when={"kind": ("b",)}),
    )
)


def told(number: int, value: float) -> Told:
    match number % 5:
        case 1:
            return Told(state="pruned", curve=((1, value),))
        case 2:
            return Told(state="infeasible", violations={"ms": value})
        case 3:
            return Told(state="failed")
    return Told(state="ok", values=(value,))


@pytest.mark.parametrize("multivariate", [True, False])
def test_it_answers_as_optuna_does(multivariate: bool) -> None:
    ours = tpe.build(tpe.Params(multivariate=multivariate), SPACE, LOSS, 0)
    theirs = OptunaStrategy(TPESampler(multivariate=multivariate), SPACE, LOSS)
    rng = np.random.default_rng(0)
    running: list[int] = []
    for number in range(60):
        answers = [strategy.ask(number, number) for strategy in (ours, theirs)]
        assert answers[0] == answers[1]
        running.append(number)
        if len(running) == 3:
            ended = running.pop(int(rng.integers(3)))
            value = float(rng.random())
            for strategy in (ours, theirs):
                strategy.tell(ended, told(ended, value))


def test_groups_do_not_depend_on_who_was_told_first() -> None:
    """One sampler has seen its groups come about one by one, the other sees them all at once."""
    one, other = (tpe.build(tpe.Params(group=True, startup=2), SPACE, LOSS, 0) for _ in range(2))
    with quiet():
        points = [
            {"kind": "a", "lr": 0.1, "layers": 2, "heads": 2},
            {"kind": "b", "lr": 0.2, "layers": 3, "share": 0.5},
        ]
        for number, point in enumerate(points):
            one.asked(number, point, 0)
            other.asked(number, point, 0)
        for number in (1, 0):
            one.tell(number, Told(state="ok", values=(float(number),)))
            one.sampler.infer_relative_search_space(one.study, one.study.trials[0])
            other.tell(number, Told(state="ok", values=(float(number),)))
    for seed in range(5):
        assert one.ask(10 + seed, seed) == other.ask(10 + seed, seed)
