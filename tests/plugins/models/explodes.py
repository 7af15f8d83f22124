"""A model whose loss is infinite from the start: it diverges."""

import torch
from torch import nn

from dlbench.schema.base import Params as Base
from dlbench.schema.signature import Classes, Signature, Vector

REVISION = 1
PRESETS: dict[str, dict[str, int]] = {}


class Params(Base):
    """Nothing varies."""

    how: str = "infinite"


def accepts(signature: Signature) -> bool:
    """Vectors to classes."""
    return isinstance(signature.input, Vector)


def signature(preset: str | None) -> Signature:
    """As the blobs."""
    return Signature(input=Vector(size=8), output=Classes(classes=3))


def build(params: Params, signature: Signature) -> nn.Module:
    """The model."""
    return Explodes(params.how)


class Explodes(nn.Module):
    """Fails in the way it is asked to."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Logits that make no sense."""
        if self.weight.device.type != "meta":
            if self.how == "error":
                raise ValueError("this model always fails")
            if self.how == "memory":
                torch.empty(2**50)
        return self.weight + torch.full((len(batch["vector"]), 3), float("inf"), device=self.weight.device)
