"""A recurrent controller in numpy: an LSTM that decides axis after axis, and its gradient by hand.

Zoph & Le 2017 (ICLR, §3.1-3.2): each decision is a softmax over one axis' levels and the next step's input. In numpy
because the process that asks has no torch, and because a network of this size takes a millisecond. Knows nothing of
spaces: decisions are numbers.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = dict[str, Array]


class Controller:
    """Distributions over sequences of decisions; a sequence may pass over axes.

    Args:
        levels: how many decisions there are at each axis.
        hidden: size of the LSTM's state, H.
        seed: of the initial weights, uniform in ±0.08 (Zoph & Le 2017, §4.1).
    """

    def __init__(self, levels: Sequence[int], hidden: int, seed: int) -> None:
        rng = np.random.default_rng(seed)

        def uniform(*shape: int) -> Array:
            return rng.uniform(-0.08, 0.08, shape)

        self.hidden = hidden
        self.weights: Weights = {
            "start": uniform(hidden),
            "input": uniform(4 * hidden, hidden),
            "state": uniform(4 * hidden, hidden),
            "bias": np.zeros(4 * hidden),
        }
        for axis, many in enumerate(levels):
            self.weights[f"decision{axis}"] = uniform(many, hidden)
            self.weights[f"head{axis}"] = uniform(many, hidden)
            self.weights[f"offset{axis}"] = np.zeros(many)

    def begin(self) -> "Walk":
        """A sequence, before its first decision."""
        return Walk(self)

    def gradient(self, decisions: Sequence[tuple[int, int]], advantage: float, entropy: float) -> tuple[float, Weights]:
        """Loss of a sequence, and its gradient by backpropagation through time.

        The loss is -advantage · Σ log p(decision) - entropy · Σ H(distribution): REINFORCE (Williams 1992) with a
        bonus for entropy (Mnih et al. 2016, ICML, §4).

        Args:
            decisions: (axis, level) pairs, in the order in which they were made.
        """
        walk = self.begin()
        loss = 0.0
        to_logits: list[Array] = []
        for axis, level in decisions:
            chances = walk.chances(axis)
            logs = np.log(np.maximum(chances, 1e-300))
            uncertainty = -float(chances @ logs)
            loss -= advantage * float(logs[level]) + entropy * uncertainty
            wanted = np.eye(len(chances))[level]
            to_logits.append(advantage * (chances - wanted) + entropy * chances * (logs + uncertainty))
            walk.decide(axis, level)
        return loss, self._backward(walk, to_logits)

    def _backward(self, walk: "Walk", to_logits: Sequence[Array]) -> Weights:
        weights, size = self.weights, self.hidden
        gradient = {name: np.zeros_like(value) for name, value in weights.items()}
        to_state, to_cell = np.zeros(size), np.zeros(size)
        for step, to_logit in zip(reversed(walk.steps), reversed(to_logits), strict=True):
            gradient[f"head{step.axis}"] += np.outer(to_logit, step.state)
            gradient[f"offset{step.axis}"] += to_logit
            to_state = to_state + weights[f"head{step.axis}"].T @ to_logit
            squashed = np.tanh(step.cell)
            to_cell = to_cell + to_state * step.out * (1 - squashed**2)
            to_gates = np.concatenate(
                [
                    to_cell * step.new * step.take * (1 - step.take),
                    to_cell * step.cell_before * step.keep * (1 - step.keep),
                    to_state * squashed * step.out * (1 - step.out),
                    to_cell * step.take * (1 - step.new**2),
                ]
            )
            gradient["input"] += np.outer(to_gates, step.input)
            gradient["state"] += np.outer(to_gates, step.state_before)
            gradient["bias"] += to_gates
            to_input = weights["input"].T @ to_gates
            if step.before is None:
                gradient["start"] += to_input
            else:
                axis, level = step.before
                gradient[f"decision{axis}"][level] += to_input
            to_state = weights["state"].T @ to_gates
            to_cell = to_cell * step.keep
        return gradient


class Step:
    """One step of the LSTM, with all that its gradient needs; vectors have size H."""

    def __init__(
        self, weights: Weights, axis: int, before: tuple[int, int] | None, state_before: Array, cell_before: Array
    ) -> None:
        self.axis = axis
        self.before = before
        self.state_before = state_before
        self.cell_before = cell_before
        self.input = weights["start"] if before is None else weights[f"decision{before[0]}"][before[1]]
        gates = weights["input"] @ self.input + weights["state"] @ state_before + weights["bias"]
        take, keep, out, new = np.split(gates, 4)
        self.take, self.keep, self.out = _sigmoid(take), _sigmoid(keep), _sigmoid(out)
        self.new = np.tanh(new)
        self.cell = self.keep * cell_before + self.take * self.new
        self.state = self.out * np.tanh(self.cell)


class Walk:
    """A sequence of decisions while it is made: `chances` of an axis, then `decide`, axis after axis."""

    def __init__(self, controller: Controller) -> None:
        self.weights = controller.weights
        self.steps: list[Step] = []
        self._before: tuple[int, int] | None = None
        self._state = np.zeros(controller.hidden)
        self._cell = np.zeros(controller.hidden)

    def chances(self, axis: int) -> Array:
        """Probabilities of the axis' levels, (levels,)."""
        step = Step(self.weights, axis, self._before, self._state, self._cell)
        self.steps.append(step)
        self._state, self._cell = step.state, step.cell
        logits = self.weights[f"head{axis}"] @ step.state + self.weights[f"offset{axis}"]
        powers = np.exp(logits - logits.max())
        chances: Array = powers / powers.sum()
        return chances

    def decide(self, axis: int, level: int) -> None:
        """What the last axis was given."""
        self._before = (axis, level)


class Adam:
    """Kingma & Ba 2015 (ICLR, algorithm 1), with the paper's β; changes the weights in place."""

    def __init__(self, weights: Weights, lr: float) -> None:
        self.weights = weights
        self.lr = lr
        self.steps = 0
        self._mean = {name: np.zeros_like(value) for name, value in weights.items()}
        self._square = {name: np.zeros_like(value) for name, value in weights.items()}

    def step(self, gradient: Weights) -> None:
        """One step against the gradient."""
        self.steps += 1
        for name, slope in gradient.items():
            mean, square = self._mean[name], self._square[name]
            mean += 0.1 * (slope - mean)
            square += 0.001 * (slope**2 - square)
            unbiased = mean / (1 - 0.9**self.steps)
            self.weights[name] -= self.lr * unbiased / (np.sqrt(square / (1 - 0.999**self.steps)) + 1e-8)


def _sigmoid(x: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * x))
