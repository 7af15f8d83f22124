"""A linear model that takes a known time and a known amount of memory: the truth that instruments are held against."""

import time

import torch
from pydantic import Field
from torch import Tensor, nn

from dlbench.schema.base import Params as Base
from dlbench.schema.signature import Classes, Signature, Vector

REVISION = 1
PRESETS: dict[str, dict[str, float]] = {}
TOOK_S: list[float] = []
"""How long each of its forward passes in this process took by its own clock: systems oversleep."""


class Params(Base):
    """What a forward pass takes."""

    sleep_ms: float = Field(0.0, description="milliseconds that a forward pass sleeps", ge=0)
    mib: float = Field(0.0, description="MiB that a forward pass fills and lets go of", ge=0)
    mib_per_example: float = Field(0.0, description="the same for each example of the batch", ge=0)


def accepts(signature: Signature) -> bool:
    """Vectors to classes."""
    return isinstance(signature.input, Vector) and isinstance(signature.output, Classes)


def signature(preset: str | None) -> Signature:
    """As the blobs."""
    return Signature(input=Vector(size=8), output=Classes(classes=3))


def build(params: Params, signature: Signature) -> nn.Module:
    """The model."""
    assert isinstance(signature.input, Vector)
    assert isinstance(signature.output, Classes)
    return Takes(params, signature.input.size or 1, signature.output.classes or 1)


class Takes(nn.Module):
    """A linear layer, then a nap."""

    def __init__(self, params: Params, size: int, classes: int) -> None:
        super().__init__()
        self.params = params
        self.linear = nn.Linear(size, classes)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Vectors (B, size) to logits (B, classes)."""
        began = time.perf_counter()
        vectors = batch["vector"]
        logits: Tensor = self.linear(vectors)
        if not vectors.is_meta:
            time.sleep(self.params.sleep_ms / 1e3)
            mib = self.params.mib + self.params.mib_per_example * len(vectors)
            if mib:
                logits = logits + torch.ones(int(mib * 2**20) // 4)[0]
            TOOK_S.append(time.perf_counter() - began)
        return logits
