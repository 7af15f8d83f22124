"""The network around a cell of NAS-Bench-201, and the operations of its edges. Knows nothing of how a cell is found.

Dong & Yang 2020, NAS-Bench-201, §2.1: a 3×3 convolution with batch norm, stages of equal cells with a residual block
between them that halves the map and doubles the channels, the mean over the last map, a linear classifier. What the
paper leaves open is as in the authors' code (D-X-Y/AutoDL-Projects, `lib/models`): batch norm and ReLU before the mean;
the shortcut of the residual block is an average over 2×2 pixels and a 1×1 convolution without norm, and no ReLU follows
the sum; pooling does not count padding. There weights start as torch's layers do, and so they do here.

Maps are (B, C, H, W): examples, channels, height, width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from torch import Tensor, nn

if TYPE_CHECKING:
    from dlbench.contracts.batches import Batch

Operation = Literal["none", "skip_connect", "conv_1x1", "conv_3x3", "avg_pool_3x3"]

OPERATIONS: tuple[Operation, ...] = ("none", "skip_connect", "conv_1x1", "conv_3x3", "avg_pool_3x3")
"""In the order of the authors' code."""

KERNELS: Mapping[Operation, int] = {"conv_1x1": 1, "conv_3x3": 3}
"""Of the operations that have weights."""

Edge = tuple[int, int]
"""`(to, from)`: nodes of a cell, from the input, 0, on."""


def edges(nodes: int) -> tuple[Edge, ...]:
    """Edges of a cell, in the order in which they are computed."""
    return tuple((to, start) for to in range(1, nodes) for start in range(to))


def edge_name(edge: Edge) -> str:
    """What an edge is called among parameters: `edge_2_0` leads from node 0 to node 2."""
    return f"edge_{edge[0]}_{edge[1]}"


Norm = Callable[[int], nn.Module]
"""Channels → batch norm."""


def relu_conv_norm(before: int, after: int, kernel: int, norm: Norm, stride: int = 1) -> nn.Sequential:
    """ReLU, a convolution without bias, batch norm: in the order of §2.2."""
    return nn.Sequential(
        nn.ReLU(), nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False), norm(after)
    )


def average_3x3() -> nn.Module:
    """The mean of a pixel and its neighbours; the map keeps its size."""
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)


class Reduction(nn.Module):
    """The residual block between two stages (§2.1): half the map, twice the channels.

    Args:
        channels: that come in.
        norm: of its convolutions.
    """

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.body = nn.Sequential(
            relu_conv_norm(channels, 2 * channels, 3, norm, stride=2),
            relu_conv_norm(2 * channels, 2 * channels, 3, norm),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False),  # odd maps: as large as those of the body
            nn.Conv2d(channels, 2 * channels, 1, bias=False),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(B, 2C, ceil(H / 2), ceil(W / 2))."""
        out: Tensor = self.shortcut(maps) + self.body(maps)
        return out


class Size(NamedTuple):
    """Of the network around the cells.

    Attributes:
        image_channels: of the images.
        classes: of the task.
        channels: of the first stage; each further one doubles them.
        stages: parts of the network with maps of one size.
        cells: in each stage.
    """

    image_channels: int
    classes: int
    channels: int
    stages: int
    cells: int


class Skeleton(nn.Module):
    """Cells in stages, and what stands before, between and behind them.

    Args:
        size: of everything but the cells.
        cell: channels → a new cell, which keeps the shape of its maps.
        norm: of everything outside cells.
    """

    def __init__(self, size: Size, cell: Callable[[int], nn.Module], norm: Norm = nn.BatchNorm2d) -> None:
        super().__init__()
        channels = size.channels
        self.stem = nn.Sequential(nn.Conv2d(size.image_channels, channels, 3, padding=1, bias=False), norm(channels))
        self.blocks = nn.ModuleList()
        for stage in range(size.stages):
            if stage > 0:
                self.blocks.append(Reduction(channels, norm))
                channels *= 2
            self.blocks.extend(cell(channels) for _ in range(size.cells))
        self.last = nn.Sequential(norm(channels), nn.ReLU())
        self.head = nn.Linear(channels, size.classes)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, (B, classes)."""
        maps = self.stem(batch["image"])
        for block in self.blocks:
            maps = self.through(block, maps)
        logits: Tensor = self.head(self.last(maps).mean((2, 3)))
        return logits

    def through(self, block: nn.Module, maps: Tensor) -> Tensor:
        """What leaves a block."""
        after: Tensor = block(maps)
        return after
