"""NAS-Bench-201's cell: what stands on each edge of a small graph is a parameter, or learned by DARTS.

Dong & Yang 2020, NAS-Bench-201, §2.1–2.2 and figure 1: a cell is a graph of 4 nodes with an edge from each to every
later one. Node 0 is the cell's input; every other node is the sum of what its edges carry to it; the last is the
output. An edge carries one of five operations, so there are 5⁶ = 15,625 cells; with 3 nodes there are 5³ = 125. The
network around the cells is `_nas_bench`'s. Published for CIFAR-10: 73,306 to 1,531,546 parameters.

With `supernet` the model is not one cell but all of them at once (`_supernet`): DARTS of first or second order learns
which, leaves it as the record's output `genotype`, and scores single cells with the shared weights. What the edges say
is then not used.

Maps are (B, C, H, W): examples, channels, height, width.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from dlbench.models import _image, _nas_bench, _supernet
from dlbench.models._nas_bench import OPERATIONS, Operation, edge_name, edges
from dlbench.schema.base import Params as BaseParams
from dlbench.schema.signature import Classes, Image, Signature

REVISION = 1


def _edge(to: int, start: int) -> Any:
    return Field("conv_3x3", description=f"what leads from node {start} to node {to}")


class Params(BaseParams):
    """The cell, the network around it, and whether the cell is to be learned."""

    nodes: Literal[3, 4] = Field(4, description="of a cell, input and output included")
    edge_1_0: Operation = _edge(1, 0)
    edge_2_0: Operation = _edge(2, 0)
    edge_2_1: Operation = _edge(2, 1)
    edge_3_0: Operation = _edge(3, 0)
    edge_3_1: Operation = _edge(3, 1)
    edge_3_2: Operation = _edge(3, 2)
    channels: int = Field(16, ge=1, le=4096, description="of the first stage; each further one doubles them")
    cells: int = Field(5, ge=1, le=64, description="cells in each stage")
    stages: int = Field(3, ge=1, le=8, description="parts with maps of one size, a residual block between them")
    supernet: Literal["none", "first", "second"] = Field(
        "none", description="learn the cell by DARTS, of first or second order; none: the cell that the edges say"
    )
    alpha_lr: float = Field(
        3e-4, gt=0, le=10, description="supernet: learning rate of its choices; DARTS' own suits 1000s of steps"
    )
    keep_none: bool = Field(
        True, description="supernet: the genotype may hold none, as in NAS-Bench-201; DARTS itself leaves it out"
    )

    @model_validator(mode="after")
    def _no_edge_without_node(self) -> Params:
        missing = [edge_name(edge) for edge in edges(4) if edge[0] >= self.nodes]
        for name in missing:
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(
                    f"{name} leads to a node that a cell of nodes {self.nodes} does not have: leave it out"
                )
        return self

    def operation(self, edge: _nas_bench.Edge) -> Operation:
        """What an edge carries."""
        chosen: Operation = getattr(self, edge_name(edge))
        return chosen


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "nasbench201": {"nodes": 4, "channels": 16, "cells": 5, "stages": 3},
    "digits": {"nodes": 3, "channels": 8, "cells": 1, "stages": 2, "alpha_lr": 0.03},
}
"""`nasbench201`: the network of §2.1 for CIFAR-10. `digits`: our own, for images of 8×8 and a second of training; its
choices learn a hundred times as fast as DARTS', for searches of some hundred steps."""


def space(params: Params) -> dict[str, Any]:
    """Every edge that cells of so many nodes have, with every operation (§2.2)."""
    return {edge_name(edge): list(OPERATIONS) for edge in edges(params.nodes)}


def accepts(signature: Signature) -> bool:
    """Images to classes."""
    return _image.reads_image_tells_class(signature)


def signature(preset: str | None) -> Signature:
    """CIFAR-10; for `digits` images of 8×8."""
    if preset == "digits":
        return Signature(input=Image(channels=1, height=8, width=8), output=Classes(classes=10))
    return _image.CIFAR10


def build(params: Params, signature: Signature) -> nn.Module:
    """The classifier, for images of any size."""
    channels, _, _, classes = _image.sizes(signature)
    size = _nas_bench.Size(channels, classes, params.channels, params.stages, params.cells)
    if params.supernet == "none":
        return _nas_bench.Skeleton(size, partial(Cell, params))
    return _supernet.Supernet(
        size,
        nodes=params.nodes,
        second_order=params.supernet == "second",
        alpha_lr=params.alpha_lr,
        keep_none=params.keep_none,
    )


class Cell(nn.Module):
    """Nodes that are sums of what their edges carry.

    Args:
        params: nodes and edges are read.
        channels: of all maps.
    """

    def __init__(self, params: Params, channels: int) -> None:
        super().__init__()
        self.nodes = params.nodes
        self.operations = {edge: params.operation(edge) for edge in edges(params.nodes)}
        self.convolutions = nn.ModuleDict(
            {
                edge_name(edge): _nas_bench.relu_conv_norm(
                    channels, channels, _nas_bench.KERNELS[operation], nn.BatchNorm2d
                )
                for edge, operation in self.operations.items()
                if operation in _nas_bench.KERNELS
            }
        )
        self.pool = _nas_bench.average_3x3()

    def forward(self, maps: Tensor) -> Tensor:
        """The last node, same shape."""
        states = [maps]
        for to in range(1, self.nodes):
            carried = [self._carry((to, start), states[start]) for start in range(to)]
            arrived = [state for state in carried if state is not None]
            states.append(sum(arrived[1:], arrived[0]) if arrived else torch.zeros_like(maps))
        return states[-1]

    def _carry(self, edge: _nas_bench.Edge, state: Tensor) -> Tensor | None:
        """What an edge brings; None: nothing."""
        operation = self.operations[edge]
        if operation == "none":
            return None
        if operation == "skip_connect":
            return state
        carried: Tensor = self.pool(state) if operation == "avg_pool_3x3" else self.convolutions[edge_name(edge)](state)
        return carried
