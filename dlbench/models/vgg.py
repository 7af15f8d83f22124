"""VGG: 3×3 convolutions and nothing else, 11 to 19 layers deep.

Simonyan & Zisserman 2015, Very Deep Convolutional Networks for Large-Scale Image Recognition, table 1, configurations
A, B, D and E (11, 13, 16, 19 layers with weights); with batch norm (Ioffe & Szegedy 2015) after each convolution in the
presets that end in `_bn`. The classifier is the paper's (two hidden layers of 4,096 with dropout, §3.1) or, as is usual
on CIFAR, a single linear layer.

Paper-size presets start as §3.1 came to prefer: Glorot & Bengio 2010 (uniform, equation 16), which does away with the
pre-training of deep configurations. Otherwise (`start: he`) all layers start as in He et al. 2015, §2.2 (normal,
variance 2/fan_in), but the one that gives logits N(0, 0.01²). Biases start at 0. Each of the five poolings halves the
map and rounds up, so that every image size works and 224 px ends at 7 px as in the paper.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field
from torch import Tensor, nn

from dlbench.models import _image, _layers
from dlbench.schema.base import Params as BaseParams
from dlbench.schema.signature import Signature

if TYPE_CHECKING:
    from dlbench.contracts.batches import Batch

REVISION = 1

CHANNELS = (64, 128, 256, 512, 512)
"""Of each stage."""

CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Layers with weights → convolutions in each stage (the classifier has the other three)."""


class Params(BaseParams):
    """Depth, width and classifier."""

    depth: Literal[11, 13, 16, 19] = Field(11, description="layers with weights, the paper's classifier counted")
    batch_norm: bool = Field(True, description="batch norm after each convolution")
    width: float = Field(0.25, gt=0, le=8, description="factor of all channels; 1: 64 to 512")
    classifier: Literal["paper", "small"] = Field(
        "small", description="two hidden layers and a linear one, or the linear one alone"
    )
    hidden_size: int = Field(4096, ge=1, le=65_536, description="units of each hidden layer of classifier paper")
    dropout: float = Field(0.0, ge=0, lt=1, description="after hidden layers; in classifier small before its layer")
    start: Literal["he", "glorot"] = Field("he", description="normal by He et al. 2015, or uniform by Glorot & Bengio")


PAPER = {"width": 1.0, "classifier": "paper", "dropout": 0.5, "start": "glorot"}
CIFAR = {"width": 1.0}

PRESETS: Mapping[str, Mapping[str, Any]] = {
    f"vgg{depth}{'_bn' * batch_norm}{suffix}": {"depth": depth, "batch_norm": batch_norm, **size}
    for suffix, size in (("", PAPER), ("_cifar", CIFAR))
    for depth in CONVOLUTIONS
    for batch_norm in (False, True)
}
"""`vgg11` … `vgg19_bn` for 224 px; `vgg11_cifar` … `vgg19_bn_cifar`, with a single linear layer, for 32 px."""


def accepts(signature: Signature) -> bool:
    """Images to classes."""
    return _image.reads_image_tells_class(signature)


def signature(preset: str | None) -> Signature:
    """ImageNet for the paper's presets, else CIFAR-10."""
    return _image.CIFAR10 if preset is None or preset.endswith("_cifar") else _image.IMAGENET


def build(params: Params, signature: Signature) -> nn.Module:
    """The classifier."""
    return Vgg(params, *_image.sizes(signature))


def stage(params: Params, convolutions: int, before: int, after: int) -> nn.Sequential:
    """3×3 convolutions of one width and the pooling that halves the map."""
    layers: list[nn.Module] = []
    for _ in range(convolutions):
        layers.append(nn.Conv2d(before, after, 3, padding=1))
        layers += [nn.BatchNorm2d(after)] if params.batch_norm else []
        layers.append(nn.ReLU(inplace=True))
        before = after
    return nn.Sequential(*layers, nn.MaxPool2d(2, ceil_mode=True))


def classifier(params: Params, size: int, classes: int) -> nn.Sequential:
    """From the flattened last map to logits."""
    if params.classifier == "small":
        return nn.Sequential(nn.Dropout(params.dropout), nn.Linear(size, classes))
    layers: list[nn.Module] = []
    for before in (size, params.hidden_size):
        layers += [nn.Linear(before, params.hidden_size), nn.ReLU(inplace=True), nn.Dropout(params.dropout)]
    return nn.Sequential(*layers, nn.Linear(params.hidden_size, classes))


class Vgg(nn.Module):
    """Five stages and a classifier."""

    def __init__(self, params: Params, channels: int, height: int, width: int, classes: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        for convolutions, full in zip(CONVOLUTIONS[params.depth], CHANNELS, strict=True):
            after = max(1, round(full * params.width))
            self.blocks.append(stage(params, convolutions, channels, after))
            channels, height, width = after, math.ceil(height / 2), math.ceil(width / 2)
        self.classifier = classifier(params, channels * height * width, classes)
        _layers.start_he(self)
        _layers.start_head([layer for layer in self.classifier if isinstance(layer, nn.Linear)][-1])
        if params.start == "glorot":
            for layer in self.modules():
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    nn.init.xavier_uniform_(layer.weight)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, (B, classes)."""
        maps_BCHW = batch["image"]
        for block in self.blocks:
            maps_BCHW = block(maps_BCHW)
        logits: Tensor = self.classifier(maps_BCHW.flatten(1))
        return logits
