"""EfficientNet: inverted bottlenecks, with width, depth and resolution scaled together.

Tan & Le 2019, EfficientNet: the baseline of table 1, found by search, and compound scaling (§3.3): depth α^φ, width
β^φ, resolution γ^φ. `width`, `depth` and `resolution` are the base that φ scales, so `phi: 1` makes any network the
next larger one. The published b1–b7 are not exact powers: their factors were rounded, and presets name those with
φ = 0. `resolution` resizes images; the presets' own images already have it.

A block widens its input (1×1), filters each channel by itself (depthwise k×k), weighs channels by squeeze and
excitation (Hu et al. 2018, §3; a quarter of the block's input), and narrows (1×1), all with batch norm and, but for
the last, SiLU (§5: swish-1). Where shape allows, the input is added; in training stochastic depth leaves such blocks
out, later ones more often (Huang et al. 2016).

The paper does not say how weights start. As in the authors' code (tensorflow/tpu, `efficientnet_model.py`):
convolutions normal with variance 2/fan_out, the classifier uniform within ±1/√classes, biases at 0.

Maps are (B, C, H, W): examples, channels, height, width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from dlbench.models import _conv_norm, _image, _stochastic_depth
from dlbench.schema.base import Params as BaseParams
from dlbench.schema.signature import Classes, Image, Signature

if TYPE_CHECKING:
    from dlbench.contracts.batches import Batch

REVISION = 1


class Stage(NamedTuple):
    """A row of table 1: equal blocks, the first of which steps by `stride`."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    blocks: int


STEM_CHANNELS, HEAD_CHANNELS = 32, 1280
STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
"""Stages 2 to 8 of the baseline b0, Tan & Le 2019, table 1."""

SQUEEZE = 0.25
"""Channels within squeeze and excitation, over those that enter the block (§4; Tan et al. 2019, MnasNet)."""

NORM_EPS = 1e-3
"""Added to variances in batch norm, as in the authors' code."""


class Params(BaseParams):
    """Size and shape of the network."""

    width: float = Field(0.5, gt=0, le=100, description="factor of all channels, before β^φ; b0 has 1")
    depth: float = Field(0.5, gt=0, le=100, description="factor of the blocks in each stage, before α^φ; b0 has 1")
    resolution: int | None = Field(
        None, ge=1, le=4096, description="pixels a side that images are resized to, before γ^φ; null: their own size"
    )
    phi: float = Field(0.0, ge=-10, le=10, description="compound coefficient φ: scales depth, width and resolution")
    alpha: float = Field(1.2, gt=0, le=4, description="α, growth of depth with φ")
    beta: float = Field(1.1, gt=0, le=4, description="β, growth of width with φ")
    gamma: float = Field(1.15, gt=0, le=4, description="γ, growth of resolution with φ")
    stem_stride: int = Field(1, ge=1, le=4, description="step of the first convolution; 2 in the paper, for 224 px")
    dropout: float = Field(0.2, ge=0, lt=1, description="before the classifier")
    stochastic_depth: float = Field(
        0.0, ge=0, lt=1, description="chance in training that the last block is left out; less for earlier ones"
    )
    norm_momentum: float = Field(
        0.1,
        gt=0,
        le=1,
        description="weight of a new batch in batch norm's statistics; 0.01 suits runs of 1000s of steps",
    )


def _published(width: float, depth: float, resolution: int, dropout: float) -> dict[str, Any]:
    return {
        "width": width, "depth": depth, "resolution": resolution, "stem_stride": 2,
        "dropout": dropout, "stochastic_depth": 0.2, "norm_momentum": 0.01,
    }  # fmt: skip


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "efficientnet_b0": _published(1.0, 1.0, 224, 0.2),
    "efficientnet_b1": _published(1.0, 1.1, 240, 0.2),
    "efficientnet_b2": _published(1.1, 1.2, 260, 0.3),
    "efficientnet_b3": _published(1.2, 1.4, 300, 0.3),
    "efficientnet_b4": _published(1.4, 1.8, 380, 0.4),
    "efficientnet_b5": _published(1.6, 2.2, 456, 0.4),
    "efficientnet_b6": _published(1.8, 2.6, 528, 0.5),
    "efficientnet_b7": _published(2.0, 3.1, 600, 0.5),
}
"""As published with the paper, with the regularisation of §5.2 (dropout 0.2 to 0.5, stochastic depth 0.2)."""


def space(params: Params) -> dict[str, Any]:
    """The two steps of compound scaling (Tan & Le 2019, §3.3).

    With φ = 0 the second: α, β, γ stay, φ grows. With another φ, as 1 in the paper, the first: a grid around the
    paper's α = 1.2, β = 1.1, γ = 1.15. There each φ is to cost about twice as much, α·β²·γ² ≈ 2; axes cannot say that
    of each other, so bound what a network costs: `constraints: {flops_per_sample: …}`.
    """
    if params.phi == 0:
        return {"phi": [0.0, 0.5, 1.0, 1.5, 2.0]}
    return {
        "alpha": [1.0, 1.1, 1.2, 1.3, 1.4],
        "beta": [1.0, 1.05, 1.1, 1.15, 1.2],
        "gamma": [1.0, 1.05, 1.1, 1.15, 1.2],
    }


def accepts(signature: Signature) -> bool:
    """Images to classes."""
    return _image.reads_image_tells_class(signature)


def signature(preset: str | None) -> Signature:
    """ImageNet at the preset's own resolution, else CIFAR-10."""
    if preset is None:
        return _image.CIFAR10
    side = PRESETS[preset]["resolution"]
    return Signature(input=Image(channels=3, height=side, width=side), output=Classes(classes=1000))


def build(params: Params, signature: Signature) -> nn.Module:
    """The classifier, for images of any size."""
    return EfficientNet(params, *_image.sizes(signature))


def scaled_channels(channels: int, factor: float) -> int:
    """The multiple of 8 that is nearest, but at least 8 and never less than 90 % of what was asked (authors' code)."""
    asked = channels * factor
    rounded = max(8, int(asked + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * asked else rounded


def resizer(params: Params, height: int, width: int) -> nn.Module:
    """What brings images of one size to the resolution; nothing where they have it.

    Raises:
        ValueError: nothing would be left of the images.
    """
    factor = params.gamma**params.phi
    wanted = [round(factor * (params.resolution or side)) for side in (height, width)]
    if min(wanted) < 1:
        raise ValueError(
            f"phi {params.phi} leaves no pixel of images of {height}×{width}: raise phi, or set resolution"
        )
    return nn.Identity() if wanted == [height, width] else Resize(wanted[0], wanted[1])


class Resize(nn.Module):
    """Images to another size, bilinear, each source pixel counted when they shrink."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, height, width)."""
        return F.interpolate(images, (self.height, self.width), mode="bilinear", antialias=True)


class SqueezeExcitation(nn.Module):
    """Weighs each channel by what all channels hold on average (Hu et al. 2018, §3).

    Args:
        channels: C.
        inner: channels in between.
    """

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, inner, 1),
            nn.SiLU(),
            nn.Conv2d(inner, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Weighed maps, same shape."""
        weighed: Tensor = maps * self.weigh(maps)
        return weighed


class MBConv(nn.Module):
    """An inverted bottleneck with squeeze and excitation (Sandler et al. 2018, table 1; Tan & Le 2019, §4).

    Args:
        before: channels in.
        after: channels out.
        stage: expansion and kernel are read.
        stride: of the depthwise convolution.
        chance: of stochastic depth.
    """

    def __init__(self, before: int, after: int, stage: Stage, stride: int, chance: float) -> None:
        super().__init__()
        inner = before * stage.expansion
        unit = _conv_norm.conv_norm
        widen = [unit(before, inner, 1, activation=nn.SiLU)] if stage.expansion > 1 else []
        self.body = nn.Sequential(
            *widen,
            unit(inner, inner, stage.kernel, stride, groups=inner, activation=nn.SiLU),
            SqueezeExcitation(inner, max(1, int(before * SQUEEZE))),
            unit(inner, after, 1),
        )
        self.residual = stride == 1 and before == after
        self.stochastic_depth = _stochastic_depth.StochasticDepth(chance)

    def forward(self, maps: Tensor) -> Tensor:
        """New maps, (B, after, ceil(H / stride), ceil(W / stride))."""
        out: Tensor = self.body(maps)
        return maps + self.stochastic_depth(out) if self.residual else out


class EfficientNet(nn.Module):
    """A stem, inverted bottlenecks in stages, a last 1×1 convolution, the mean over its map, a linear classifier."""

    def __init__(self, params: Params, channels: int, height: int, width: int, classes: int) -> None:
        super().__init__()
        wide, deep = params.width * params.beta**params.phi, params.depth * params.alpha**params.phi
        self.resize = resizer(params, height, width)
        before = scaled_channels(STEM_CHANNELS, wide)
        self.stem = _conv_norm.conv_norm(channels, before, 3, params.stem_stride, activation=nn.SiLU)
        counts = [math.ceil(stage.blocks * deep) for stage in STAGES]
        chances = iter(_stochastic_depth.rising(params.stochastic_depth, sum(counts)))
        self.blocks = nn.ModuleList()
        for stage, count in zip(STAGES, counts, strict=True):
            after = scaled_channels(stage.channels, wide)
            for number in range(count):
                stride = stage.stride if number == 0 else 1
                self.blocks.append(MBConv(before, after, stage, stride, next(chances)))
                before = after
        features = scaled_channels(HEAD_CHANNELS, wide)
        self.last = _conv_norm.conv_norm(before, features, 1, activation=nn.SiLU)
        self.dropout = nn.Dropout(params.dropout)
        self.head = nn.Linear(features, classes)
        self._start(params.norm_momentum)

    def _start(self, norm_momentum: float) -> None:
        _conv_norm.start_he_backward(self)
        bound = 1 / math.sqrt(self.head.out_features)
        nn.init.uniform_(self.head.weight, -bound, bound)
        nn.init.zeros_(self.head.bias)
        for norm in self.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.eps, norm.momentum = NORM_EPS, norm_momentum

    def forward(self, batch: Batch) -> Tensor:
        """Logits, (B, classes)."""
        maps = self.stem(self.resize(batch["image"]))
        for block in self.blocks:
            maps = block(maps)
        logits: Tensor = self.head(self.dropout(self.last(maps).mean((2, 3))))
        return logits
