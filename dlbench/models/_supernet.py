"""All cells of NAS-Bench-201 in one network, and DARTS, which learns in two turns which of them is best.

Liu, Simonyan & Yang 2019, DARTS, §2.2, equation 2: every edge carries the mixture of all operations, weighted by a
softmax over its row of α (edges × operations), which all cells share and which starts at 10⁻³ times standard normal
numbers. Weights w learn on one half of the training split (the main turn, with the suite's optimiser), α on the other
(Adam, learning rate 3·10⁻⁴ unless told, β (0.5, 0.999), decay 10⁻³, no schedule, no clipping; the authors' code), each
on the batch of its own (algorithm 1: α first, then w). First order takes ∇α L_val(w, α) (§2.3, ξ = 0); second order
differentiates through one step of gradient descent of w, equations 6 to 8, with ξ the current learning rate of w:
whatever the suite's optimiser is, that step has no momentum and no decay.

As in the authors' search, batch norms on edges have no scale and shift, which would undo α. All batch norms use the
statistics of the batch at hand, in evaluation too, because single cells, which are scored with the shared weights,
have other statistics than the mixture; scores therefore depend a little on the size of the evaluation's batches.

Maps are (B, C, H, W): examples, channels, height, width; O = operations, E = edges.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from dlbench.contracts.batches import Batch
from dlbench.contracts.models import Turn
from dlbench.models import _nas_bench
from dlbench.models._nas_bench import OPERATIONS, edge_name, edges

ALPHA_STD = 1e-3
HALVES = ((0, 2), (1, 2))
MOST_ALTERNATIVES = 125
"""All cells of 3 nodes; of 4 a sample is scored."""

SAMPLE = 64
DIFFERENCE = 0.01
"""ε of equation 8 is this over the norm of the vector along which w is moved (§2.3)."""


def edge_norm(channels: int) -> nn.Module:
    """Without scale and shift, with the statistics of each batch."""
    return nn.BatchNorm2d(channels, affine=False, track_running_stats=False)


def other_norm(channels: int) -> nn.Module:
    """With scale and shift, with the statistics of each batch."""
    return nn.BatchNorm2d(channels, track_running_stats=False)


class MixedCell(nn.Module):
    """Nodes that are sums of mixtures of all operations, or of single ones.

    What edges from one node have in common, ReLU and pooling, is computed once.

    Args:
        nodes: input and output included.
        channels: of all maps.
    """

    def __init__(self, nodes: int, channels: int) -> None:
        super().__init__()
        self.nodes = nodes
        self.convolutions = nn.ModuleDict(
            {
                f"{edge_name(edge)}_{operation}": nn.Sequential(
                    nn.Conv2d(channels, channels, kernel, padding=kernel // 2, bias=False), edge_norm(channels)
                )
                for edge in edges(nodes)
                for operation, kernel in _nas_bench.KERNELS.items()
            }
        )
        self.relu, self.pool = nn.ReLU(), _nas_bench.average_3x3()

    def forward(self, maps: Tensor, weight_EO: Tensor, choice: tuple[str, ...] | None = None) -> Tensor:
        """The last node, same shape.

        Args:
            maps: the first node.
            weight_EO: of each operation on each edge.
            choice: the operation of each edge; None: the mixture.
        """
        sources: list[dict[str, Tensor]] = []
        state = maps
        rows = iter(range(len(weight_EO)))
        for to in range(self.nodes):
            if to > 0:
                state = torch.zeros_like(maps)
                for start in range(to):
                    row = next(rows)
                    if choice is None:
                        state = self._mixture((to, start), sources[start], weight_EO[row], state)
                    elif choice[row] != "none":
                        state = state + self._carry((to, start), choice[row], sources[start])
            sources.append({"skip_connect": state})
        return state

    def _mixture(self, edge: _nas_bench.Edge, source: dict[str, Tensor], weight_O: Tensor, state: Tensor) -> Tensor:
        """The state with what the edge adds to it."""
        for weight, operation in zip(weight_O.unbind(), OPERATIONS, strict=True):
            if operation != "none":
                state = torch.addcmul(state, self._carry(edge, operation, source), weight)
        return state

    def _carry(self, edge: _nas_bench.Edge, operation: str, source: dict[str, Tensor]) -> Tensor:
        if operation in _nas_bench.KERNELS:
            if "relu" not in source:
                source["relu"] = self.relu(source["skip_connect"])
            carried: Tensor = self.convolutions[f"{edge_name(edge)}_{operation}"](source["relu"])
            return carried
        if operation not in source:
            source[operation] = self.pool(source["skip_connect"])
        return source[operation]


class Supernet(_nas_bench.Skeleton):
    """The network of mixed cells; trains by turns, and knows what was found.

    Args:
        size: of everything but the cells.
        nodes: of a cell.
        second_order: whether α looks one step of w ahead.
        alpha_lr: learning rate of α.
        keep_none: whether `none` may be in the genotype.
    """

    def __init__(
        self, size: _nas_bench.Size, *, nodes: int, second_order: bool, alpha_lr: float, keep_none: bool
    ) -> None:
        super().__init__(size, cell=lambda channels: MixedCell(nodes, channels), norm=other_norm)
        self.nodes, self.second_order, self.alpha_lr, self.keep_none = nodes, second_order, alpha_lr, keep_none
        self.alpha = nn.Parameter(ALPHA_STD * torch.randn(len(edges(nodes)), len(OPERATIONS)))
        self._choice: tuple[str, ...] | None = None

    def through(self, block: nn.Module, maps: Tensor) -> Tensor:
        """What leaves a block; cells are told the weights of their operations."""
        cell = isinstance(block, MixedCell)
        after: Tensor = block(maps, self.alpha.softmax(1), self._choice) if cell else block(maps)
        return after

    def turns(self) -> tuple[Turn, Turn]:
        """The weights on the first half of the training split, α on the second."""
        weights = [parameter for parameter in self.parameters() if parameter is not self.alpha]
        moved: list[Tensor] = [*weights]

        def ahead(loss: Callable[[Batch], Tensor], batch: Batch, main_batch: Batch, main_lr: float) -> Tensor:
            return unrolled_gradient([self.alpha], moved, loss, batch, main_batch, main_lr)

        alpha_settings = {
            "optimizer": "adam", "lr": self.alpha_lr, "betas": (0.5, 0.999), "weight_decay": 1e-3, "clip_norm": None,
            "label_smoothing": 0.0,
        }  # fmt: skip
        return (
            Turn("weights", weights, part=HALVES[0]),
            Turn(
                "alpha",
                [self.alpha],
                part=HALVES[1],
                settings=alpha_settings,
                scheduled=False,
                gradient=ahead if self.second_order else None,
            ),
        )

    def outputs(self) -> dict[str, Any]:
        """`genotype`: the likeliest operation of each edge (§2.2, without the pruning of edges); `alpha`, (E, O).

        Both are those of the weights that training kept. Whether `none` may be the likeliest is up to `keep_none`.
        """
        alpha_EO = self.alpha.detach().float().cpu()
        allowed = [number for number, name in enumerate(OPERATIONS) if self.keep_none or name != "none"]
        likeliest = [OPERATIONS[allowed[best]] for best in alpha_EO[:, allowed].argmax(1).tolist()]
        return {"genotype": self._named(tuple(likeliest)), "alpha": alpha_EO.tolist()}

    def alternatives(self) -> Iterator[tuple[dict[str, Any], AbstractContextManager[None]]]:
        """Single cells with the shared weights: all of 3 nodes, of 4 always the same random 64."""
        count = len(self.alpha)
        if len(OPERATIONS) ** count <= MOST_ALTERNATIVES:
            choices = list(itertools.product(OPERATIONS, repeat=count))
        else:
            numbers = random.Random(0).sample(range(len(OPERATIONS) ** count), SAMPLE)
            digits = [
                [number // len(OPERATIONS) ** place % len(OPERATIONS) for place in range(count)] for number in numbers
            ]
            choices = [tuple(OPERATIONS[digit] for digit in row) for row in digits]
        for choice in choices:
            yield self._named(choice), self._single(choice)

    def _named(self, choice: tuple[str, ...]) -> dict[str, Any]:
        return {edge_name(edge): operation for edge, operation in zip(edges(self.nodes), choice, strict=True)}

    @contextmanager
    def _single(self, choice: tuple[str, ...]) -> Iterator[None]:
        """Within it the network is one of its cells, each operation with weight 1."""
        self._choice = choice
        try:
            yield
        finally:
            self._choice = None


def unrolled_gradient(
    outer: list[Tensor],
    inner: list[Tensor],
    loss: Callable[[Batch], Tensor],
    batch: Batch,
    main_batch: Batch,
    lr: float,
) -> Tensor:
    """Fill `grad` of the outer parameters with ∇α L_val(w - ξ ∇w L_train(w, α), α), and leave w as it was.

    Equations 7 and 8: the product with the Hessian is a difference of two gradients around w, along the gradient of
    L_val there, with a step that is set on the device, so that nothing waits for it. Where the step crosses kinks of
    rectifiers, that differs from what differentiating twice would give.

    Args:
        outer: α.
        inner: w.
        loss: of a batch.
        batch: of L_val.
        main_batch: of L_train.
        lr: ξ.

    Returns:
        L_val after the step, a detached scalar.
    """
    descent = torch.autograd.grad(loss(main_batch), inner, allow_unused=True, materialize_grads=True)
    with torch.no_grad():
        before = [weight.detach().clone() for weight in inner]
        torch._foreach_add_(inner, descent, alpha=-lr)
    value = loss(batch)
    gradients = torch.autograd.grad(value, [*outer, *inner], allow_unused=True, materialize_grads=True)
    direct, along = gradients[: len(outer)], gradients[len(outer) :]
    norm = torch.stack(torch._foreach_norm(along)).norm()
    step = DIFFERENCE / norm.clamp(min=torch.finfo(norm.dtype).tiny ** 0.5)
    sides = []
    for sign in (1, -1):
        with torch.no_grad():
            for weight, origin, direction in zip(inner, before, along, strict=True):
                torch.addcmul(origin, direction, sign * step, out=weight)
        sides.append(torch.autograd.grad(loss(main_batch), outer, allow_unused=True, materialize_grads=True))
    with torch.no_grad():
        torch._foreach_copy_(inner, before)
        for parameter, gradient, above, below in zip(outer, direct, *sides, strict=True):
            parameter.grad = gradient - lr * (above - below) / (2 * step)
    return value.detach()
