"""Gaussian blobs, one a class: a problem of any size that trains in a moment."""

from typing import Any

import numpy as np
from pydantic import Field

from dlbench.schema.base import Params as Base

REVISION = 1
TASKS = ("vectors",)
FILES = ()


class Params(Base):
    """How many blobs, in how many dimensions, how far apart."""

    size: int = Field(8, description="dimensions", gt=0)
    classes: int = Field(3, description="blobs", gt=1)
    distance: float = Field(3.0, description="standard deviation of the centres", gt=0)
    train_size: int = Field(256, gt=0)
    val_size: int = Field(64, gt=0)
    test_size: int = Field(64, gt=0)
    seed: int = Field(0, ge=0)


def make(split: str, params: Params) -> dict[str, Any]:
    """Vectors (n, size) float32 and labels (n,) int64."""
    centres = np.random.default_rng([params.seed, 9]).normal(scale=params.distance, size=(params.classes, params.size))
    rng = np.random.default_rng([params.seed, ("train", "val", "test").index(split)])
    labels = rng.integers(params.classes, size=getattr(params, f"{split}_size"))
    vectors = centres[labels] + rng.normal(size=(len(labels), params.size))
    return {"vectors": vectors.astype(np.float32), "labels": labels, "classes": params.classes}
