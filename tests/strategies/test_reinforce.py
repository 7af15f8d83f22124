"""The controller's gradient is autograd's; it learns, whatever the scale of the objective."""

import math
import statistics
from collections.abc import Callable

import numpy as np
import pytest
import torch
from tables import asks_to_the_best

from dlbench.schema.metric import Direction
from dlbench.schema.search import Objective
from dlbench.schema.space import Axis, Point, Space
from dlbench.schema.study import Told
from dlbench.strategies import reinforce
from dlbench.strategies._controller import Adam, Controller

SPACE = Space(axes=(Axis(name="op", choices=("a", "b", "c")), Axis(name="lr", low=1e-4, high=1.0, log=True)))


def by_autograd(
    controller: Controller, decisions: list[tuple[int, int]], advantage: float, entropy: float
) -> tuple[float, dict[str, torch.Tensor]]:
    """The same loss with torch's own LSTM cell, whose gates are in the order input, forget, cell, output."""
    size = controller.hidden
    weights = {name: torch.tensor(value, requires_grad=True) for name, value in controller.weights.items()}
    order = torch.cat(
        [torch.arange(size), torch.arange(size) + size, torch.arange(size) + 3 * size, torch.arange(size) + 2 * size]
    )
    state, cell = torch.zeros(1, size, dtype=torch.float64), torch.zeros(1, size, dtype=torch.float64)
    given, loss = weights["start"], torch.zeros((), dtype=torch.float64)
    for axis, level in decisions:
        state, cell = torch._VF.lstm_cell(  # type: ignore[attr-defined]
            given[None],
            (state, cell),
            weights["input"][order],
            weights["state"][order],
            weights["bias"][order],
            torch.zeros_like(weights["bias"]),
        )
        chosen = torch.distributions.Categorical(logits=weights[f"head{axis}"] @ state[0] + weights[f"offset{axis}"])
        loss = loss - advantage * chosen.log_prob(torch.tensor(level)) - entropy * chosen.entropy()
        given = weights[f"decision{axis}"][level]
    loss.backward()
    return float(loss.detach()), {n: w.grad if w.grad is not None else torch.zeros_like(w) for n, w in weights.items()}


@pytest.mark.parametrize(("advantage", "entropy"), [(0.7, 0.0), (-1.3, 0.2), (0.0, 1.0)])
def test_the_gradient_is_autograds(advantage: float, entropy: float) -> None:
    controller = Controller([3, 5, 2, 4], 6, 0)
    for name, weight in controller.weights.items():
        weight += np.random.default_rng(len(name)).normal(size=weight.shape)
    decisions = [(0, 1), (1, 4), (3, 0)]
    loss, gradient = controller.gradient(decisions, advantage, entropy)
    wanted_loss, wanted = by_autograd(controller, decisions, advantage, entropy)
    assert math.isclose(loss, wanted_loss, rel_tol=1e-12)
    assert gradient.keys() == wanted.keys()
    for name, slope in gradient.items():
        np.testing.assert_allclose(slope, wanted[name].numpy(), rtol=1e-9, atol=1e-12, err_msg=name)


def test_adam_is_torchs() -> None:
    rng = np.random.default_rng(0)
    weights = {"a": rng.normal(size=(3, 2))}
    theirs = torch.tensor(weights["a"].copy(), requires_grad=True)
    adam, wanted = Adam(weights, 0.1), torch.optim.Adam([theirs], 0.1)
    for _ in range(5):
        slope = rng.normal(size=(3, 2))
        adam.step({"a": slope})
        theirs.grad = torch.tensor(slope)
        wanted.step()
    np.testing.assert_allclose(weights["a"], theirs.detach().numpy(), rtol=1e-10)


def named(change: Callable[[float], float], better: Direction = "higher") -> list[Point]:
    strategy = reinforce.build(reinforce.Params(lr=0.05), SPACE, (Objective(metric="score", better=better),), 3)
    points = []
    for number in range(25):
        proposal = strategy.ask(number, number)
        assert proposal is not None
        points.append(proposal.point)
        score = "abc".index(proposal.point["op"]) + math.log10(proposal.point["lr"])
        strategy.tell(number, Told(state="ok", values=(change(score),)))
    return points


def test_only_the_order_of_scores_matters() -> None:
    wanted = named(lambda score: score)
    assert named(lambda score: 1e6 * math.exp(score)) == wanted
    assert named(lambda score: -score, "lower") == wanted
    assert named(lambda score: -score) != wanted


def test_it_turns_to_what_is_rewarded_and_away_from_what_fails() -> None:
    strategy = reinforce.build(reinforce.Params(), SPACE, (Objective(metric="score", better="higher"),), 0)
    ends = {
        "a": Told(state="failed"),
        "b": Told(state="infeasible", values=(9.0,), violations={"ms": 1.0}),
        "c": Told(state="ok", values=(0.0,)),
    }
    operations = []
    for number in range(80):
        proposal = strategy.ask(number, number)
        assert proposal is not None
        operations.append(proposal.point["op"])
        strategy.tell(number, ends[operations[-1]])
    assert operations[:20].count("c") <= 12
    assert operations[-20:].count("c") >= 16


def test_it_finds_the_best_of_a_table_sooner_than_chance() -> None:
    medians = {
        name: statistics.median(asks_to_the_best(name, seed) for seed in range(12)) for name in ("reinforce", "random")
    }
    assert medians["reinforce"] < medians["random"]
