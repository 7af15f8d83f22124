"""A perceptron with one hidden layer."""

from pydantic import Field
from torch import Tensor, nn

from dlbench.schema.base import Params as Base
from dlbench.schema.signature import Classes, Signature, Vector

REVISION = 1
PRESETS = {"wide": {"hidden": 64}}


class Params(Base):
    """Its width."""

    hidden: int = Field(16, description="width of the hidden layer", gt=0)
    dropout: float = Field(0.0, description="dropout behind the hidden layer", ge=0, lt=1)


def accepts(signature: Signature) -> bool:
    """Vectors to classes."""
    return isinstance(signature.input, Vector) and isinstance(signature.output, Classes)


def signature(preset: str | None) -> Signature:
    """The MLP of the overhead benchmark: 784 inputs, 10 classes."""
    return Signature(input=Vector(size=784), output=Classes(classes=10))


def build(params: Params, signature: Signature) -> nn.Module:
    """The model."""
    assert isinstance(signature.input, Vector)
    assert isinstance(signature.output, Classes)
    return TwoLayer(signature.input.size or 1, params.hidden, signature.output.classes or 1, params.dropout)


class TwoLayer(nn.Sequential):
    """Linear, ReLU, dropout, linear."""

    def __init__(self, size: int, hidden: int, classes: int, dropout: float) -> None:
        super().__init__(nn.Linear(size, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, classes))

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (B, size) to logits (B, classes)."""
        return super().forward(batch["vector"])
