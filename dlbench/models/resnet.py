"""ResNet: blocks learn what to add to their input, so that depth helps where plain networks fail.

He, Zhang, Ren & Sun 2015, Deep Residual Learning for Image Recognition. For 224 px: §3.3 and table 1. For CIFAR: §4.2,
a 3×3 convolution and three stages of n blocks, 6n + 2 layers. Shortcuts that change size are free of parameters
(A: every second pixel, missing channels are 0) or projections (B). Without `residual`, the same layers are the plain
network of figures 2 and 6.

A bottleneck shrinks its map in the 3×3 convolution, not in the first 1×1, which would never see three pixels of four:
Goyal et al. 2017, §5.1, and every reference implementation since (4.1 instead of 3.8 billion multiply-adds for 50
layers). Convolutions start normal with variance 2/fan_out (He et al. 2015, Delving Deep into Rectifiers, §2.2, as §3.4
says), scales of batch norm at 1, or with `zero_init` at 0 at the end of each block (Goyal, §5.1); the classifier starts
normal with standard deviation 0.01 (Goyal, §5.1) and biases at 0.

Maps are (B, C, H, W): examples, channels, height, width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from dlbench.models import _conv_norm, _image
from dlbench.schema.base import Params as BaseParams
from dlbench.schema.signature import Signature

if TYPE_CHECKING:
    from dlbench.contracts.batches import Batch

REVISION = 1

Kind = Literal["basic", "bottleneck"]
CONVOLUTIONS: Mapping[Kind, int] = {"basic": 2, "bottleneck": 3}
EXPANSION: Mapping[Kind, int] = {"basic": 1, "bottleneck": 4}
"""Channels that leave a block, as a multiple of its inner width."""

TABLE_1 = ((2, 2, 2, 2), (3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3))
"""Blocks in each stage for 224 px, He et al. 2015."""


class Params(BaseParams):
    """Size and shape of the network."""

    depth: Annotated[int, Field(ge=3)] | tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(
        20, description="layers with weights, as in the name of a preset; or a list: blocks in each stage"
    )
    block: Kind = Field("basic", description="two 3×3 convolutions, or 1×1, 3×3, 1×1 with four times the channels out")
    stem: Literal["cifar", "imagenet"] = Field(
        "cifar", description="3×3 at full size, or 7×7 and pooling, both by 2; also what a number as depth means"
    )
    width: int = Field(16, ge=1, le=4096, description="inner channels of the first stage; each stage doubles them")
    shortcut: Literal["A", "B"] = Field(
        "A", description="where sizes change: subsampling and zeros (A), or a projection (B)"
    )
    residual: bool = Field(True, description="add the input of each block to its output; false: a plain network")
    zero_init: bool = Field(False, description="every block starts by adding nothing: its last batch norm at 0")

    @model_validator(mode="after")
    def _possible(self) -> Params:
        blocks_per_stage(self)
        if self.zero_init and not self.residual:
            raise ValueError("zero_init true needs residual true: without shortcuts nothing would reach the classifier")
        return self


def _cifar(depth: int) -> dict[str, Any]:
    return {"depth": depth, "block": "basic", "stem": "cifar", "width": 16, "shortcut": "A"}


def _imagenet(depth: int, block: Kind) -> dict[str, Any]:
    return {"depth": depth, "block": block, "stem": "imagenet", "width": 64, "shortcut": "B"}


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "resnet20": _cifar(20),
    "resnet32": _cifar(32),
    "resnet44": _cifar(44),
    "resnet56": _cifar(56),
    "resnet110": _cifar(110),
    "resnet18": _imagenet(18, "basic"),
    "resnet34": _imagenet(34, "basic"),
    "resnet50": _imagenet(50, "bottleneck"),
    "resnet101": _imagenet(101, "bottleneck"),
    "resnet152": _imagenet(152, "bottleneck"),
    "resnet18_cifar": {"depth": [2, 2, 2, 2], "block": "basic", "stem": "cifar", "width": 64, "shortcut": "B"},
}
"""Table 6 and table 1 of the paper; `resnet18_cifar` is what many later papers train on CIFAR: the stages of 18 layers
behind the small stem."""


def space(params: Params) -> dict[str, Any]:
    """The smaller depths that the stem and the block allow, width, and the shortcuts; a list of blocks stays."""
    axes: dict[str, Any] = {"width": [8, 16, 32], "shortcut": ["A", "B"]}
    convolutions = CONVOLUTIONS[params.block]
    if params.stem == "cifar":
        depths = [3 * convolutions * number + 2 for number in (1, 2, 3)]
    else:
        depths = sorted({2 + convolutions * sum(counts) for counts in TABLE_1})[:2]
    return axes if isinstance(params.depth, tuple) else {"depth": depths, **axes}


def accepts(signature: Signature) -> bool:
    """Images to classes."""
    return _image.reads_image_tells_class(signature)


def signature(preset: str | None) -> Signature:
    """ImageNet where the preset's first layer is made for it, else CIFAR-10."""
    stem = PRESETS[preset]["stem"] if preset else Params().stem
    return _image.IMAGENET if stem == "imagenet" else _image.CIFAR10


def build(params: Params, signature: Signature) -> nn.Module:
    """The classifier, for images of any size."""
    channels, _, _, classes = _image.sizes(signature)
    return ResNet(params, channels, classes)


def blocks_per_stage(params: Params) -> tuple[int, ...]:
    """Blocks in each stage, from the depth.

    Raises:
        ValueError: no such network has that depth; the message says which do.
    """
    if isinstance(params.depth, tuple):
        if not params.depth:
            raise ValueError("depth is an empty list: give at least one stage")
        return params.depth
    convolutions = CONVOLUTIONS[params.block]
    if params.stem == "cifar":
        number, rest = divmod(params.depth - 2, 3 * convolutions)
        if number < 1 or rest:
            raise ValueError(
                f"depth {params.depth} does not fit stem cifar: three stages of {params.block} blocks have "
                f"{3 * convolutions}n + 2 layers, like {3 * convolutions * 3 + 2}"
            )
        return (number,) * 3
    depths = {2 + convolutions * sum(counts): counts for counts in TABLE_1}
    if params.depth not in depths:
        raise ValueError(
            f"depth {params.depth} does not fit stem imagenet: with {params.block} blocks it is one of "
            f"{', '.join(map(str, depths))}, or a list of the blocks in each stage"
        )
    return depths[params.depth]


class Subsample(nn.Module):
    """Shortcut A (§4.2): every `stride`-th pixel, with channels of zeros after the given ones.

    Args:
        before: channels in.
        after: channels out.
        stride: step in both directions.
    """

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.more, self.stride = after - before, stride

    def forward(self, maps: Tensor) -> Tensor:
        """(B, after, ceil(H / stride), ceil(W / stride))."""
        return F.pad(maps[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.more))


class Block(nn.Module):
    """Two or three convolutions, and their input added to what they say before the last rectifier (figures 2 and 5).

    Args:
        params: block, shortcut, residual and zero_init are read.
        before: channels in.
        width: inner channels.
        stride: of the whole block.
    """

    def __init__(self, params: Params, before: int, width: int, stride: int) -> None:
        super().__init__()
        after = width * EXPANSION[params.block]
        unit = _conv_norm.conv_norm
        if params.block == "basic":
            self.body = nn.Sequential(unit(before, width, 3, stride, activation=nn.ReLU))
        else:
            self.body = nn.Sequential(
                unit(before, width, 1, activation=nn.ReLU), unit(width, width, 3, stride, activation=nn.ReLU)
            )
        last = unit(width, after, 3 if params.block == "basic" else 1)
        self.body.append(last)
        if params.zero_init:
            nn.init.zeros_(last.get_parameter("1.weight"))
        self.residual = params.residual
        if params.residual:
            self.shortcut = shortcut(params.shortcut, before, after, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """New maps, (B, after, ceil(H / stride), ceil(W / stride))."""
        out: Tensor = self.body(maps)
        return F.relu(out + self.shortcut(maps) if self.residual else out)


def shortcut(option: Literal["A", "B"], before: int, after: int, stride: int) -> nn.Module:
    """What brings a block's input to the shape of its output; nothing where they agree."""
    if before == after and stride == 1:
        return nn.Identity()
    if option == "A":
        return Subsample(before, after, stride)
    return _conv_norm.conv_norm(before, after, 1, stride)


class ResNet(nn.Module):
    """A stem, residual blocks in stages, the mean over the last map, a linear classifier."""

    def __init__(self, params: Params, channels: int, classes: int) -> None:
        super().__init__()
        if params.stem == "imagenet":
            self.stem = _conv_norm.conv_norm(channels, params.width, 7, 2, activation=nn.ReLU)
            self.stem.append(nn.MaxPool2d(3, stride=2, padding=1))
        else:
            self.stem = _conv_norm.conv_norm(channels, params.width, 3, activation=nn.ReLU)
        self.blocks = nn.ModuleList()
        before = params.width
        for stage, count in enumerate(blocks_per_stage(params)):
            width = params.width * 2**stage
            for number in range(count):
                shrinks = stage > 0 and number == 0
                self.blocks.append(Block(params, before, width, stride=2 if shrinks else 1))
                before = width * EXPANSION[params.block]
        self.head = nn.Linear(before, classes)
        _conv_norm.start_he_backward(self)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, (B, classes)."""
        maps = self.stem(batch["image"])
        for block in self.blocks:
            maps = block(maps)
        logits: Tensor = self.head(maps.mean((2, 3)))
        return logits
