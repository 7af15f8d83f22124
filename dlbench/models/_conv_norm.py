"""What deep convolutional networks share: a convolution with batch norm, and He's initialisation for the way back."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import nn


def conv_norm(
    before: int,
    after: int,
    kernel: int,
    stride: int = 1,
    *,
    groups: int = 1,
    activation: Callable[[], nn.Module] | None = None,
) -> nn.Sequential:
    """A convolution without bias, batch norm (Ioffe & Szegedy 2015), and an activation if one is given.

    Maps shrink by the stride alone, to ceil(size / stride); kernels are odd.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(after),
    ]
    return nn.Sequential(*layers, *([activation()] if activation else []))


def start_he_backward(network: nn.Module) -> None:
    """Draw the weights of every convolution from N(0, 2/fan_out), biases at 0, in place.

    He et al. 2015, Delving Deep into Rectifiers, §2.2, equation 14: this keeps the variance of gradients on their way
    back through rectifiers. Fan-out is counted for one group: a depthwise kernel feeds kernel² outputs.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            fan_out = layer.weight[:, 0].numel() // layer.groups
            nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_out))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
