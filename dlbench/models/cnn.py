"""Plain convolutional network: kernel, stride, padding, pooling, width and depth are parameters.

Stages of convolutions, each with batch norm (Ioffe & Szegedy 2015) and an activation, end by shrinking the map: a
maximum or an average over windows, or a stride in the last convolution instead (Springenberg et al. 2015, Striving for
Simplicity). Channels grow by a factor from stage to stage. Everything starts as in He et al. 2015, §2.2 (normal,
variance gain²/fan_in; gain √2, 5/3 for tanh), biases at 0, the layer that gives logits N(0, 0.01²). There are no
shortcuts: see `resnet` for depth.

`padding: same` gives maps of ceil(size / stride); for even kernels the odd pixel goes to the right and below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field
from torch import Tensor, nn

from dlbench.models import _image, _layers
from dlbench.schema.base import Params as BaseParams
from dlbench.schema.signature import Signature

if TYPE_CHECKING:
    from dlbench.contracts.batches import Batch

REVISION = 1


class Params(BaseParams):
    """Everything that shapes the network, each to be varied by itself."""

    width: int = Field(16, ge=1, le=4096, description="channels of the first stage")
    widening: float = Field(2.0, ge=0.125, le=8, description="factor of channels from one stage to the next")
    stages: int = Field(3, ge=1, le=16, description="parts that each end with a smaller map")
    depth: int = Field(1, ge=1, le=64, description="convolutions in each stage")
    kernel: int = Field(3, ge=1, le=31, description="height and width of every convolution's kernel")
    stride: int = Field(1, ge=1, le=16, description="step of the first convolution of each stage")
    padding: Literal["same"] | Annotated[int, Field(ge=0, le=31)] = Field(
        "same", description="zeros around the input of every convolution; same: only strides shrink a map"
    )
    pooling: Literal["max", "average", "strided", "none"] = Field(
        "max", description="what ends a stage; strided: its last convolution steps by pool_stride instead"
    )
    pool_kernel: int = Field(2, ge=1, le=16, description="height and width of the window that is pooled")
    pool_stride: int = Field(2, ge=1, le=16, description="step of the pooling, or of what stands in for it")
    pool_first: bool = Field(False, description="pool before norm and activation, which is cheaper, not after")
    batch_norm: bool = Field(True, description="batch norm after every convolution, which then has no bias")
    activation: _layers.Activation = Field("relu", description="after every convolution and hidden layer")
    global_pooling: Literal["average", "max", "none"] = Field(
        "none", description="over the last map before the classifier; none: it sees every pixel"
    )
    hidden_size: int | None = Field(None, ge=1, le=65_536, description="units of the classifier's hidden layer")
    dropout: float = Field(0.0, ge=0, lt=1, description="before each fully connected layer")


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "mnist_fast": {"width": 16, "widening": 2.0, "stages": 2, "kernel": 5, "padding": 0, "pool_first": True},
}
"""`mnist_fast`: our own, small and without padding, for 99 % on MNIST within seconds on a CPU."""


def space(params: Params) -> dict[str, Any]:
    """Width, depth, kernels and how maps shrink; without padding, kernels and depth stay, so that maps last."""
    axes: dict[str, Any] = {"width": [8, 16, 24, 32], "pooling": ["max", "average", "strided"]}
    if params.padding == "same":
        axes |= {"depth": [1, 2, 3], "kernel": [3, 5]}
    return axes


def accepts(signature: Signature) -> bool:
    """Images to classes."""
    return _image.reads_image_tells_class(signature)


def signature(preset: str | None) -> Signature:
    """MNIST."""
    return _image.MNIST


def build(params: Params, signature: Signature) -> nn.Module:
    """The classifier.

    Raises:
        ValueError: some convolution or pooling does not fit into the map that reaches it; the message says which.
    """
    return Cnn(params, *_image.sizes(signature))


def conv_strides(params: Params) -> list[int]:
    """Strides of the convolutions of one stage, in order."""
    strides = [params.stride] + [1] * (params.depth - 1)
    if params.pooling == "strided":
        strides[-1] *= params.pool_stride
    return strides


def size_after_stage(params: Params, size: int, stage: int) -> int:
    """Height or width of the map that leaves a stage (counted from 1).

    Raises:
        ValueError: nothing is left.
    """
    pools = params.pooling in ("max", "average")
    steps = [("convolution", params.kernel, stride) for stride in conv_strides(params)]
    steps += [("pooling", params.pool_kernel, params.pool_stride)] if pools else []
    for what, kernel, stride in steps:
        before = size
        if what == "convolution" and params.padding == "same":
            size = -(-size // stride)
        else:
            padding = params.padding if what == "convolution" and params.padding != "same" else 0
            size = _layers.out_size(size, kernel, stride, padding)
        if size < 1:
            raise ValueError(
                f"the {what} in stage {stage} of {params.stages} has a kernel of {kernel}, but the map there is only "
                f"{before} px: take fewer stages, smaller kernels or strides, more padding, or larger images"
            )
    return size


def convolution(params: Params, before: int, after: int, stride: int) -> list[nn.Module]:
    """A convolution, after what pads for it where torch's own padding, even on all sides, does not do."""
    bias = not params.batch_norm
    if params.padding != "same" or params.kernel % 2:
        padding = params.kernel // 2 if params.padding == "same" else params.padding
        return [nn.Conv2d(before, after, params.kernel, stride, padding, bias=bias)]
    left, right = (params.kernel - 1) // 2, params.kernel // 2
    return [nn.ZeroPad2d((left, right, left, right)), nn.Conv2d(before, after, params.kernel, stride, bias=bias)]


def stage(params: Params, before: int, after: int) -> nn.Sequential:
    """Convolutions with norm and activation, and the pooling that ends them."""
    pool: list[nn.Module] = []
    if params.pooling in ("max", "average"):
        kind = nn.MaxPool2d if params.pooling == "max" else nn.AvgPool2d
        pool = [kind(params.pool_kernel, params.pool_stride)]
    layers: list[nn.Module] = []
    strides = conv_strides(params)
    for number, stride in enumerate(strides, 1):
        last = number == len(strides)
        layers += convolution(params, before, after, stride)
        layers += pool if last and params.pool_first else []
        layers += [nn.BatchNorm2d(after)] if params.batch_norm else []
        layers.append(_layers.ACTIVATIONS[params.activation]())
        layers += pool if last and not params.pool_first else []
        before = after
    return nn.Sequential(*layers)


class Cnn(nn.Module):
    """Stages of convolutions, then a classifier of one or two linear layers."""

    def __init__(self, params: Params, channels: int, height: int, width: int, classes: int) -> None:
        super().__init__()
        self.global_pooling = params.global_pooling
        self.blocks = nn.ModuleList()
        for number in range(1, params.stages + 1):
            after = max(1, round(params.width * params.widening ** (number - 1)))
            height, width = (size_after_stage(params, size, number) for size in (height, width))
            self.blocks.append(stage(params, channels, after))
            channels = after
        size = channels * (height * width if params.global_pooling == "none" else 1)
        layers: list[nn.Module] = []
        if params.hidden_size is not None:
            activation = _layers.ACTIVATIONS[params.activation]()
            layers = [nn.Dropout(params.dropout), nn.Linear(size, params.hidden_size), activation]
            size = params.hidden_size
        logits = nn.Linear(size, classes)
        self.head = nn.Sequential(*layers, nn.Dropout(params.dropout), logits)
        _layers.start_he(self, params.activation)
        _layers.start_head(logits)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, (B, classes)."""
        maps_BCHW = batch["image"]
        for block in self.blocks:
            maps_BCHW = block(maps_BCHW)
        logits: Tensor = self.head(self._summary(maps_BCHW))
        return logits

    def _summary(self, maps_BCHW: Tensor) -> Tensor:
        if self.global_pooling == "average":
            return maps_BCHW.mean((2, 3))
        if self.global_pooling == "max":
            return maps_BCHW.amax((2, 3))
        return maps_BCHW.flatten(1)
