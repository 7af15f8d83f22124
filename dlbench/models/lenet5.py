"""LeNet-5: two convolutions with subsampling, three full layers; it read cheques in the 1990s.

LeCun, Bottou, Bengio & Haffner 1998, Gradient-Based Learning Applied to Document Recognition, §II.B. The default is
its modern form (rectifiers, maximum pooling, C3 sees all maps, linear output): 61,706 parameters on one channel.

The preset `lenet5_1998` is the paper's, 60,000 trainable parameters: subsampling adds four pixels, multiplies by one
coefficient and adds one bias for each map (S2, S4), C3 sees the maps of its table I, every unit up to F6 is squashed by
1.7159·tanh(2x/3) (Appendix A), and the output is the squared distance to a fixed code of ±1 for each class, here as
logits with its sign turned. The paper's codes draw the characters in 7×12 pixels; ours are random but fixed, because
the drawings were not published as numbers. Weights start uniformly in ±2.4/fan_in (Appendix A), biases alike, being
weights of a constant input.

Otherwise (`start: normal`) weights are drawn from N(0, 1/fan_in), biases 0, as LeCun advised in the same year (LeCun,
Bottou, Orr & Müller 1998, Efficient BackProp, §4.6). He's √2 for rectifiers is too much here, because maximum pooling
raises the scale as well: after an epoch of MNIST it is half a point behind.

Images smaller than 32 px are padded with zeros to 32 px, as the paper centred its digits; in larger ones C5 and what
follows see the whole S4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

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

FIELD_PX = 32
"""Height and width of the paper's input."""

CODE_SIZE = 84
"""Units of F6: the paper's 7×12 pixels."""

TABLE = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5),
)  # fmt: skip
"""The maps of S2 that each of the 16 maps of C3 sees (table I)."""


class Params(BaseParams):
    """The modern network, or piece by piece the one of 1998."""

    activation: Literal["relu", "tanh", "scaled_tanh"] = Field(
        "relu", description="of every layer; scaled_tanh: 1.7159·tanh(2x/3)"
    )
    pooling: Literal["max", "average", "trainable"] = Field(
        "max", description="over 2×2 pixels; trainable: their sum times a coefficient, plus a bias, squashed"
    )
    connections: Literal["full", "table"] = Field("full", description="maps that C3 sees: all, or those of table I")
    output: Literal["linear", "codes"] = Field("linear", description="linear layer, or distance to fixed codes")
    start: Literal["normal", "uniform"] = Field(
        "normal", description="weights N(0, 1/fan_in), biases 0; or all uniform in ±2.4/fan_in"
    )


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "lenet5": {},
    "lenet5_tanh": {"activation": "tanh", "pooling": "average"},
    "lenet5_1998": {
        "activation": "scaled_tanh", "pooling": "trainable", "connections": "table",
        "output": "codes", "start": "uniform",
    },
}  # fmt: skip
"""`lenet5_tanh`: what tutorials call LeNet-5."""


def accepts(signature: Signature) -> bool:
    """Images to classes."""
    return _image.reads_image_tells_class(signature)


def signature(preset: str | None) -> Signature:
    """MNIST; the paper made it for this dataset."""
    return _image.MNIST


def build(params: Params, signature: Signature) -> nn.Module:
    """The classifier."""
    return LeNet5(params, *_image.sizes(signature))


class ScaledTanh(nn.Module):
    """1.7159·tanh(2x/3): f(±1) = ±1, where its second derivative is largest (Appendix A)."""

    def forward(self, x: Tensor) -> Tensor:
        """As large as the input."""
        return 1.7159 * torch.tanh(2 / 3 * x)


class Subsampling(nn.Module):
    """Sum of 2×2 pixels times a coefficient, plus a bias, one of each for every map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), 1 / 4))  # the average, until something else is drawn
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, maps_BCHW: Tensor) -> Tensor:
        """Maps of half the height and width."""
        sums_BCHW = functional.avg_pool2d(maps_BCHW, 2, divisor_override=1)
        return sums_BCHW * self.weight[:, None, None] + self.bias[:, None, None]


class TableConvolution(nn.Module):
    """A 5×5 convolution each of whose outputs sees only some inputs; the kernels that are not there are not stored."""

    place: Tensor

    def __init__(self) -> None:
        super().__init__()
        pairs = [(output, seen) for output, inputs in enumerate(TABLE) for seen in inputs]
        self.inputs, self.outputs = 1 + max(seen for _, seen in pairs), len(TABLE)
        self.weight = nn.Parameter(torch.zeros(len(pairs), 5, 5))
        self.bias = nn.Parameter(torch.zeros(self.outputs))
        place = torch.tensor([output * self.inputs + seen for output, seen in pairs])
        self.register_buffer("place", place, persistent=False)

    def forward(self, maps_BCHW: Tensor) -> Tensor:
        """(B, 16, H − 4, W − 4) of (B, 6, H, W)."""
        dense = self.weight.new_zeros(self.outputs * self.inputs, 5, 5).index_copy(0, self.place, self.weight)
        return functional.conv2d(maps_BCHW, dense.view(self.outputs, self.inputs, 5, 5), self.bias)


class Codes(nn.Module):
    """Minus the squared distance to each class's fixed code of ±1 (§II.B, equation 7)."""

    codes: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        generator = torch.Generator(device="cpu").manual_seed(1998)  # the same codes whatever the job's seed
        bits = torch.randint(0, 2, (classes, CODE_SIZE), generator=generator, device="cpu")
        codes = torch.empty(classes, CODE_SIZE)
        self.register_buffer("codes", codes.copy_(2.0 * bits - 1))

    def forward(self, features_BD: Tensor) -> Tensor:
        """Logits, (B, classes), none above 0."""
        return -(features_BD[:, None] - self.codes).square().sum(2)


def weights(layer: nn.Module) -> list[tuple[int, Tensor, Tensor]]:
    """Fan-in of units, their weights and their biases, for each group of units in a layer with the same fan-in."""
    if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
        return [(layer.weight[0].numel(), layer.weight, layer.bias)]
    if isinstance(layer, Subsampling):
        return [(4, layer.weight, layer.bias)]
    if isinstance(layer, TableConvolution):
        counts = [len(inputs) for inputs in TABLE]
        groups = zip(counts, torch.split(layer.weight, counts), torch.split(layer.bias, 1), strict=True)
        return [(25 * count, weight, bias) for count, weight, bias in groups]
    return []


def start(layer: nn.Module, params: Params) -> None:
    """Initialise one layer as the module says; with `normal` a subsampling stays the average that it is made as."""
    for fan_in, weight, bias in weights(layer):
        if params.start == "uniform":
            weight.uniform_(-2.4 / fan_in, 2.4 / fan_in)
            bias.uniform_(-2.4 / fan_in, 2.4 / fan_in)
        elif not isinstance(layer, Subsampling):
            weight.normal_(std=1 / math.sqrt(fan_in))
            bias.zero_()


class LeNet5(nn.Module):
    """C1, S2, C3, S4, C5, F6 and the output, under the paper's names."""

    def __init__(self, params: Params, channels: int, height: int, width: int, classes: int) -> None:
        super().__init__()
        padding = [max(0, math.ceil((FIELD_PX - size) / 2)) for size in (height, width)]
        self.squash = ScaledTanh() if params.activation == "scaled_tanh" else _layers.ACTIVATIONS[params.activation]()
        self.c1 = nn.Conv2d(channels, 6, 5, padding=(padding[0], padding[1]))
        self.s2 = self._pool(params, 6)
        self.c3: nn.Module = TableConvolution() if params.connections == "table" else nn.Conv2d(6, 16, 5)
        self.s4 = self._pool(params, 16)
        rows, columns = (
            ((size + 2 * pad - 4) // 2 - 4) // 2 for size, pad in zip((height, width), padding, strict=True)
        )
        self.c5 = nn.Linear(16 * rows * columns, 120)
        self.f6 = nn.Linear(120, CODE_SIZE)
        self.output = Codes(classes) if params.output == "codes" else nn.Linear(CODE_SIZE, classes)
        with torch.no_grad():
            for layer in self.modules():
                start(layer, params)

    def _pool(self, params: Params, channels: int) -> nn.Module:
        if params.pooling == "trainable":
            return nn.Sequential(Subsampling(channels), self.squash)
        return nn.MaxPool2d(2) if params.pooling == "max" else nn.AvgPool2d(2)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, (B, classes)."""
        maps_BCHW = self.s2(self.squash(self.c1(batch["image"])))
        maps_BCHW = self.s4(self.squash(self.c3(maps_BCHW)))
        features_BD = self.squash(self.f6(self.squash(self.c5(maps_BCHW.flatten(1)))))
        logits: Tensor = self.output(features_BD)
        return logits
