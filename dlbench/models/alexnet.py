"""AlexNet: five convolutions and three fully connected layers, the network that won ImageNet in 2012.

Krizhevsky, Sutskever & Hinton 2012, ImageNet Classification with Deep Convolutional Neural Networks, in the single
tower of Krizhevsky 2014, One Weird Trick for Parallelizing Convolutional Neural Networks: 64, 192, 384, 256 and 256
channels, maximum pooling over overlapping 3×3 windows (2012, §3.4), dropout before the first two fully connected layers
(§4.2). Local response normalisation (§3.3) after the first two convolutions is a parameter, because the tower without
it is the common one.

The preset `alexnet` starts as in 2012, §5: weights N(0, 0.01²), biases 1 in convolutions 2, 4 and 5 and the hidden
fully connected layers, else 0. Otherwise (`start: he`) all but the last layer start as in He et al. 2015, §2.2 (normal,
variance 2/fan_in), biases at 0, which small networks need. The default, for 28 and 32 px, has the first convolution of
the authors' networks for CIFAR (5×5, every pixel) and a quarter of the channels. Poolings round up, which changes
nothing at 224 px and keeps the edges of smaller maps.
"""

from __future__ import annotations

import itertools
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

CHANNELS = (64, 192, 384, 256, 256)
KERNELS = (None, 5, 3, 3, 3)
"""Of each convolution, the first being a parameter; padding keeps the size, the first has `STEM_PADDING`."""

POOLED = (0, 1, 4)
"""Convolutions that a pooling over 3×3 windows with stride 2, rounding up, follows."""

STEM_PADDING = 2


class Params(BaseParams):
    """Size of the network and what surrounds its convolutions."""

    stem_kernel: int = Field(5, ge=1, le=31, description="height and width of the first convolution's kernel")
    stem_stride: int = Field(1, ge=1, le=8, description="step of the first convolution")
    width: float = Field(0.25, gt=0, le=8, description="factor of all channels; 1: 64, 192, 384, 256, 256")
    hidden_size: int = Field(256, ge=1, le=65_536, description="units of each of the two hidden layers")
    dropout: float = Field(0.5, ge=0, lt=1, description="before each of the two hidden layers")
    local_norm: bool = Field(False, description="local response normalisation after the first two convolutions")
    start: Literal["he", "gaussian"] = Field(
        "he", description="by fan-in (He et al. 2015), or N(0, 0.01²) with some biases at 1 (the paper's)"
    )


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "alexnet": {"stem_kernel": 11, "stem_stride": 4, "width": 1.0, "hidden_size": 4096, "start": "gaussian"},
    "alexnet_cifar": {"width": 1.0, "hidden_size": 1024},
}
"""`alexnet`: one tower for 224 px; `alexnet_cifar`: all its channels for 32 px."""


def accepts(signature: Signature) -> bool:
    """Images to classes."""
    return _image.reads_image_tells_class(signature)


def signature(preset: str | None) -> Signature:
    """ImageNet for the paper's preset, else CIFAR-10."""
    return _image.IMAGENET if preset == "alexnet" else _image.CIFAR10


def build(params: Params, signature: Signature) -> nn.Module:
    """The classifier.

    Raises:
        ValueError: the image is too small for the three poolings.
    """
    channels, height, width, classes = _image.sizes(signature)
    if min(last_size(params, height), last_size(params, width)) < 1:
        needed = next(size for size in itertools.count(1) if last_size(params, size) >= 1)
        raise ValueError(
            f"alexnet with stem_kernel {params.stem_kernel} and stem_stride {params.stem_stride} needs images of at "
            f"least {needed}×{needed} px; these are {height}×{width}"
        )
    return AlexNet(params, channels, height, width, classes)


def last_size(params: Params, size: int) -> int:
    """Height or width of the last map; below 1: the image is too small."""
    size = _layers.out_size(size, params.stem_kernel, params.stem_stride, STEM_PADDING)
    for _ in POOLED:
        size = math.ceil((size - 3) / 2) + 1
    return size


class AlexNet(nn.Module):
    """Convolutions, then a classifier with two hidden layers."""

    def __init__(self, params: Params, channels: int, height: int, width: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (full, kernel) in enumerate(zip(CHANNELS, KERNELS, strict=True)):
            after = max(1, round(full * params.width))
            if kernel is None:
                layers.append(nn.Conv2d(channels, after, params.stem_kernel, params.stem_stride, STEM_PADDING))
            else:
                layers.append(nn.Conv2d(channels, after, kernel, padding=kernel // 2))
            layers.append(nn.ReLU(inplace=True))
            layers += [_layers.response_norm()] if params.local_norm and number < 2 else []
            layers += [nn.MaxPool2d(3, 2, ceil_mode=True)] if number in POOLED else []
            channels = after
        self.features = nn.Sequential(*layers)
        logits = nn.Linear(params.hidden_size, classes)
        self.classifier = nn.Sequential(
            nn.Dropout(params.dropout),
            nn.Linear(channels * last_size(params, height) * last_size(params, width), params.hidden_size),
            nn.ReLU(inplace=True),
            nn.Dropout(params.dropout),
            nn.Linear(params.hidden_size, params.hidden_size),
            nn.ReLU(inplace=True),
            logits,
        )
        if params.start == "gaussian":
            start_gaussian(self)
        else:
            _layers.start_he(self)
            _layers.start_head(logits)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, (B, classes)."""
        logits: Tensor = self.classifier(self.features(batch["image"]).flatten(1))
        return logits


def start_gaussian(network: AlexNet) -> None:
    """Krizhevsky et al. 2012, §5."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    bias_of_one = (1, 3, 4, 5, 6)
    for number, layer in enumerate(layers):
        nn.init.normal_(layer.weight, std=0.01)
        if layer.bias is not None:
            nn.init.constant_(layer.bias, float(number in bias_of_one))
