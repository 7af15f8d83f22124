"""GoogLeNet: inception modules look through several kernels at once; 22 layers, few parameters.

Szegedy et al. 2015, Going Deeper with Convolutions, table 1 and figure 3. Two auxiliary heads on modules 4a and 4d (§5)
add 0.3 of their loss each in training and are gone afterwards.

The paper has no batch norm, which came after it, but biases, and local response normalisation in the stem: preset
`googlenet_2014`, 6,998,552 parameters. What is used as GoogLeNet today, and what the published 6,624,904 (13,004,888
with auxiliary heads) count, has batch norm after every convolution, no biases and, by a mistake that pretrained weights
made permanent, 3×3 kernels in the branch meant for 5×5: preset `googlenet`, parameter `big_kernel`.

The paper does not say how weights start; here they do as in He et al. 2015, §2.2 (normal, variance 2/fan_in), those
that give logits N(0, 0.01²), biases at 0. Poolings with stride 2 halve the map and round up, so that every image size
works and 224 px gives the sizes of table 1. For small images the stem shrinks less than 8 times (`stem_shrink`): 4
times with a first convolution of 3×3 that sees every pixel, 2 times without the second pooling as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from dlbench.models import _image, _layers
from dlbench.schema.base import Params as BaseParams
from dlbench.schema.signature import Signature

if TYPE_CHECKING:
    from dlbench.contracts.batches import Batch

REVISION = 1


class Row(NamedTuple):
    """Channels of one inception module (table 1): of each branch's output, and of what leads to the larger kernels."""

    one: int
    reduce_three: int
    three: int
    reduce_five: int
    five: int
    pool: int


MODULES: Mapping[str, Row] = {
    "3a": Row(64, 96, 128, 16, 32, 32),
    "3b": Row(128, 128, 192, 32, 96, 64),
    "4a": Row(192, 96, 208, 16, 48, 64),
    "4b": Row(160, 112, 224, 24, 64, 64),
    "4c": Row(128, 128, 256, 24, 64, 64),
    "4d": Row(112, 144, 288, 32, 64, 64),
    "4e": Row(256, 160, 320, 32, 128, 128),
    "5a": Row(256, 160, 320, 32, 128, 128),
    "5b": Row(384, 192, 384, 48, 128, 128),
}
POOLED_BEFORE = ("4a", "5a")
HEADS_AFTER = ("4a", "4d")


class Params(BaseParams):
    """Size of the network, its stem, its normalisation and its auxiliary heads."""

    stem_shrink: Literal[8, 4, 2] = Field(
        4,
        description="how many times the stem shrinks: 8 the paper's, 4 from 3×3 kernels, 2 with one pooling less",
    )
    width: float = Field(0.25, gt=0, le=8, description="factor of all channels; 1: table 1")
    big_kernel: Literal[3, 5] = Field(5, description="kernel of the third branch; 5: the paper's, 3: torchvision's")
    norm: Literal["batch", "local"] = Field(
        "batch", description="batch norm after convolutions, or biases and local response norm in the stem (the paper)"
    )
    auxiliary_weight: float = Field(0.3, ge=0, le=10, description="weight of each auxiliary loss; 0: no such heads")
    dropout: float = Field(0.4, ge=0, lt=1, description="before the last linear layer")
    auxiliary_dropout: float = Field(0.7, ge=0, lt=1, description="before the last linear layer of auxiliary heads")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "googlenet": {"stem_shrink": 8, "width": 1.0, "big_kernel": 3},
    "googlenet_2014": {"stem_shrink": 8, "width": 1.0, "norm": "local"},
    "googlenet_cifar": {"stem_shrink": 2, "width": 1.0},
}


def accepts(signature: Signature) -> bool:
    """Images to classes."""
    return _image.reads_image_tells_class(signature)


def signature(preset: str | None) -> Signature:
    """ImageNet for the paper's presets, else CIFAR-10."""
    return _image.IMAGENET if preset in ("googlenet", "googlenet_2014") else _image.CIFAR10


def build(params: Params, signature: Signature) -> nn.Module:
    """The classifier."""
    return GoogLeNet(params, *_image.sizes(signature))


def unit(params: Params, before: int, after: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps the size, or divides it by the stride, with its norm and rectifier."""
    batch = params.norm == "batch"
    layers: list[nn.Module] = [nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=not batch)]
    layers += [nn.BatchNorm2d(after)] if batch else []
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


def halving_pool() -> nn.Module:
    """Maximum over 3×3 windows with stride 2; rounds up."""
    return nn.MaxPool2d(3, 2, padding=1)


class Inception(nn.Module):
    """Four branches side by side: 1×1, 3×3, a big kernel, and pooling (figure 2b)."""

    def __init__(self, params: Params, before: int, row: Row) -> None:
        super().__init__()
        make = partial(unit, params)
        self.one = make(before, row.one, 1)
        self.three = nn.Sequential(make(before, row.reduce_three, 1), make(row.reduce_three, row.three, 3))
        self.big = nn.Sequential(make(before, row.reduce_five, 1), make(row.reduce_five, row.five, params.big_kernel))
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1, padding=1), make(before, row.pool, 1))

    def forward(self, maps_BCHW: Tensor) -> Tensor:
        """The branches' maps one after another; height and width stay."""
        branches = (self.one, self.three, self.big, self.pool)
        return torch.cat([branch(maps_BCHW) for branch in branches], 1)


class AuxiliaryHead(nn.Module):
    """Average pooling to 4×4, 1×1 convolution, hidden layer, logits (§5).

    The paper pools 14×14 by windows of 5 with stride 3. Window and stride follow the size of the map, so that smaller
    ones give 4×4 too, as far as they have that many pixels.
    """

    def __init__(self, params: Params, before: int, size: tuple[int, int], classes: int) -> None:
        super().__init__()
        stride = [max(1, side // 4) for side in size]
        kernel = [max(1, side - 3 * step) for side, step in zip(size, stride, strict=True)]
        rows, columns = (_layers.out_size(*axis) for axis in zip(size, kernel, stride, strict=True))
        channels, hidden = (max(1, round(full * params.width)) for full in (128, 1024))
        self.pool = nn.AvgPool2d((kernel[0], kernel[1]), (stride[0], stride[1]))
        self.reduce = unit(params, before, channels, 1)
        self.hidden = nn.Linear(channels * rows * columns, hidden)
        self.dropout = nn.Dropout(params.auxiliary_dropout)
        self.head = nn.Linear(hidden, classes)

    def forward(self, maps_BCHW: Tensor) -> Tensor:
        """Logits, (B, classes)."""
        features_BD = functional.relu(self.hidden(self.reduce(self.pool(maps_BCHW)).flatten(1)))
        logits: Tensor = self.head(self.dropout(features_BD))
        return logits


class GoogLeNet(nn.Module):
    """Stem, nine inception modules, mean over the last map, linear layer; auxiliary heads only for `loss`."""

    auxiliary = ("aux1", "aux2")

    def __init__(self, params: Params, channels: int, height: int, width: int, classes: int) -> None:
        super().__init__()
        self.auxiliary_weight = params.auxiliary_weight
        scaled = {name: Row(*(max(1, round(full * params.width)) for full in row)) for name, row in MODULES.items()}
        self.stem, before = self._stem(params, channels)
        size = (math.ceil(height / params.stem_shrink), math.ceil(width / params.stem_shrink))
        self.pool = halving_pool()
        self.blocks = nn.ModuleList()
        heads: list[AuxiliaryHead] = []
        for name, row in scaled.items():
            if name in POOLED_BEFORE:
                size = (math.ceil(size[0] / 2), math.ceil(size[1] / 2))
            self.blocks.append(Inception(params, before, row))
            before = row.one + row.three + row.five + row.pool
            if name in HEADS_AFTER and params.auxiliary_weight:
                heads.append(AuxiliaryHead(params, before, size, classes))
        if heads:
            self.aux1, self.aux2 = heads
        self.dropout = nn.Dropout(params.dropout)
        self.head = nn.Linear(before, classes)
        _layers.start_he(self)
        for layer in (self.head, *(head.head for head in heads)):
            _layers.start_head(layer)

    def _stem(self, params: Params, channels: int) -> tuple[nn.Sequential, int]:
        first, after = (max(1, round(full * params.width)) for full in (64, 192))
        norm = [_layers.response_norm()] if params.norm == "local" else []
        layers: list[nn.Module] = [unit(params, channels, first, *((7, 2) if params.stem_shrink == 8 else (3, 1)))]
        layers += [halving_pool(), *norm, unit(params, first, first, 1), unit(params, first, after, 3), *norm]
        layers += [halving_pool()] if params.stem_shrink > 2 else []
        return nn.Sequential(*layers), after

    def forward(self, batch: Batch) -> Tensor:
        """Logits, (B, classes)."""
        return self._logits(batch["image"])[0]

    def loss(self, batch: Batch, *, label_smoothing: float = 0.0) -> Tensor:
        """Mean cross entropy in nats, a scalar; in training with that of the auxiliary heads, weighted, on top."""
        logits, maps = self._logits(batch["image"])
        entropy = partial(functional.cross_entropy, target=batch["target"], label_smoothing=label_smoothing)
        total = entropy(logits.float())
        if self.training and self.auxiliary_weight:
            for head, maps_BCHW in zip((self.aux1, self.aux2), maps, strict=True):
                total = total + self.auxiliary_weight * entropy(head(maps_BCHW).float())
        return total

    def _logits(self, image_BCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits, and the maps that the auxiliary heads read."""
        maps_BCHW, read = self.stem(image_BCHW), []
        for name, block in zip(MODULES, self.blocks, strict=True):
            if name in POOLED_BEFORE:
                maps_BCHW = self.pool(maps_BCHW)
            maps_BCHW = block(maps_BCHW)
            if name in HEADS_AFTER:
                read.append(maps_BCHW)
        return self.head(self.dropout(maps_BCHW.mean((2, 3)))), read
