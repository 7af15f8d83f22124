"""Multilayer perceptron: fully connected layers over pixels or features, blind to where a pixel lies.

Rumelhart, Hinton & Williams 1986; rectifiers and dropout as in Srivastava et al. 2014. Images are flattened. Every
layer starts as in He et al. 2015, §2.2 (normal, variance gain²/fan_in; gain √2, 5/3 for tanh), biases at 0.
784-1024-512-512-10, the default on MNIST, has 1,596,426 parameters.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field
from torch import Tensor, nn

from dlbench.models import _image, _layers
from dlbench.schema.base import Params as BaseParams
from dlbench.schema.signature import Classes, Image, Signature, Vector

if TYPE_CHECKING:
    from dlbench.contracts.batches import Batch

REVISION = 1


class Params(BaseParams):
    """Size and shape of the network."""

    hidden_sizes: tuple[Annotated[int, Field(ge=1, le=2**20)], ...] = Field(
        (1024, 512, 512), max_length=1024, description="units of each hidden layer; none: logistic regression"
    )
    activation: _layers.Activation = Field("relu", description="after each hidden layer")
    dropout: float = Field(0.0, ge=0, lt=1, description="after each hidden layer's activation")


PRESETS: Mapping[str, Mapping[str, Any]] = {}


def space(params: Params) -> dict[str, Any]:
    """One or two hidden layers, and their dropout."""
    sizes = [[64], [128], [256], [512], [128, 64], [256, 128], [512, 256]]
    return {"hidden_sizes": sizes, "dropout": [0.0, 0.2, 0.4]}


def accepts(signature: Signature) -> bool:
    """Images or vectors to classes."""
    return isinstance(signature.input, Image | Vector) and isinstance(signature.output, Classes)


def signature(preset: str | None) -> Signature:
    """MNIST."""
    return _image.MNIST


def build(params: Params, signature: Signature) -> nn.Module:
    """The classifier; over vectors it reads `vector` (B, size) of a batch, else `image`."""
    if not isinstance(signature.input, Vector):
        channels, height, width, classes = _image.sizes(signature)
        return Mlp(params, "image", channels * height * width, classes)
    if not isinstance(signature.output, Classes):
        raise ValueError(f"this model reads vectors and tells a class; the signature is {signature}")
    if signature.input.size is None or signature.output.classes is None:
        raise ValueError(f"a model is built only when every size is known; the signature is {signature!r}")
    return Mlp(params, "vector", signature.input.size, signature.output.classes)


class Mlp(nn.Module):
    """Fully connected layers over `batch[reads]`, whose examples have `size` numbers each."""

    def __init__(self, params: Params, reads: str, size: int, classes: int) -> None:
        super().__init__()
        self.reads = reads
        sizes = (size, *params.hidden_sizes)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(before, after), _layers.ACTIVATIONS[params.activation](), nn.Dropout(params.dropout)
            )
            for before, after in itertools.pairwise(sizes)
        )
        self.head = nn.Linear(sizes[-1], classes)
        _layers.start_he(self, params.activation)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, (B, classes)."""
        features = batch[self.reads].flatten(1)
        for block in self.blocks:
            features = block(features)
        logits: Tensor = self.head(features)
        return logits
